//! Stored bundles, and asking for a new one.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use schemas::bundle::layout::BundleFile;
use schemas::identifiers::Name;
use schemas::instant;
use schemas::layout;
use schemas::period::Period;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Env;
use super::api::{PageQuery, after, limit};
use super::bearer::Bearer;
use super::problem::Problem;

/// Whoever makes bundles when the console asks: in the cloud a state machine, on one machine a task. The console itself
/// has no right to the bundles key.
#[async_trait]
pub trait BundleMaker: Send + Sync {
    /// Begins a bundle; waits some seconds for its end.
    async fn begin(&self, period: Period) -> Result<Begun, BundleMakerError>;
}

/// A bundle that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is stored already.
    Made(Name),
    /// It will be stored when it is made.
    UnderWay,
}

/// Why no bundle was begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleMakerError {
    /// Another one is in the making.
    #[error("another bundle is in the making")]
    Busy,
    /// It cannot be made; in its maker's words, for the log.
    #[error("{0}")]
    Failed(String),
}

pub(super) fn router() -> Router<Arc<Env>> {
    Router::new()
        .route("/bundles", get(list).post(begin))
        .route("/bundles/{id}", get(files))
        .route("/bundles/{id}/{*file}", get(file))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    from: String,
    to: String,
}

/// `GET bundles?after=ID&limit=N`
async fn list(
    State(env): State<Arc<Env>>,
    Bearer(visitor): Bearer,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    visitor.check_reviewer()?;
    let query = PageQuery::of(query)?;
    let (after, limit): (Option<Name>, usize) = (after(query.after.as_deref())?, limit(query.limit)?);
    let stored = env.store.list(&layout::bundles_prefix(&env.tenant, &env.environment)).await?;
    // Its manifest is stored last: without one there is no bundle.
    let all: BTreeSet<Name> = stored.iter().filter_map(|key| bundle_of_manifest(key)).collect();
    let mut rest = all.into_iter().filter(|id| after.as_ref().is_none_or(|after| id > after));
    let page: Vec<Name> = rest.by_ref().take(limit).collect();
    let next = rest.next().and(page.last().cloned());
    Ok(Json(json!({ "bundles": page, "next": next })))
}

/// `GET bundles/{id}`: its files.
async fn files(
    State(env): State<Arc<Env>>,
    Bearer(visitor): Bearer,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    visitor.check_reviewer()?;
    let id = bundle(&id)?;
    let prefix = layout::bundle_prefix(&env.tenant, &env.environment, &id);
    let stored = env.store.list(&prefix).await?;
    let files: Vec<&str> = stored.iter().filter_map(|key| key.strip_prefix(&prefix)).collect();
    if !files.contains(&BundleFile::Manifest.path().as_str()) {
        return Err(no_such_bundle());
    }
    Ok(Json(json!({ "id": id, "files": files })))
}

/// `GET bundles/{id}/{file}`: the file, or where it can be read for a while.
async fn file(
    State(env): State<Arc<Env>>,
    Bearer(visitor): Bearer,
    Path((id, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    visitor.check_reviewer()?;
    let unknown = || Problem::not_found("There is no such file in this bundle.");
    let (id, file) = (bundle(&id)?, BundleFile::parse(&path).ok_or_else(unknown)?);
    let key = layout::bundle_file(&env.tenant, &env.environment, &id, &file);
    if let Some(links) = &env.links {
        let link = links.link(&key).await?.ok_or_else(unknown)?;
        return Ok((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, link)]).into_response());
    }
    let bytes = env.store.get(&key).await?.ok_or_else(unknown)?;
    // Pages of a bundle are for an auditor's own disk; under this address they would be the console's.
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'"),
        ),
    ];
    Ok((headers, bytes).into_response())
}

/// `POST bundles {"from": …, "to": …}`: days or times in UTC, the end exclusive.
async fn begin(
    State(env): State<Arc<Env>>,
    Bearer(visitor): Bearer,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Result<Response, Problem> {
    visitor.check_reviewer()?;
    let expected =
        "body: expected JSON with from and to, each a day (2026-11-20) or a time in UTC (2026-11-20T10:00:00Z)";
    let Json(wanted) = body.map_err(|rejection| Problem::new(rejection.status(), "bad-request", expected))?;
    let time = |text: &str| instant::parse(text).ok_or_else(|| Problem::bad_request(expected));
    let period = Period { from_us: time(&wanted.from)?, to_us: time(&wanted.to)? };
    if period.from_us >= period.to_us {
        return Err(Problem::bad_request("to: expected later than from"));
    }
    match env.bundles.begin(period).await {
        Ok(Begun::Made(id)) => Ok((StatusCode::CREATED, Json(json!({ "id": id }))).into_response()),
        Ok(Begun::UnderWay) => Ok((StatusCode::ACCEPTED, Json(json!({ "id": null }))).into_response()),
        Err(BundleMakerError::Busy) => Err(Problem::new(
            StatusCode::CONFLICT,
            "busy",
            "Another bundle is in the making; ask again when it is done.",
        )),
        Err(BundleMakerError::Failed(problem)) => {
            tracing::error!(problem, "no bundle");
            Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "The bundle could not be made; the log tells why.",
            ))
        }
    }
}

fn bundle_of_manifest(key: &str) -> Option<Name> {
    let (_, _, bundle, file) = layout::parse_bundle_file(key)?;
    (file == BundleFile::Manifest).then_some(bundle)
}

fn bundle(id: &str) -> Result<Name, Problem> {
    id.parse().map_err(|_| no_such_bundle())
}

fn no_such_bundle() -> Problem {
    Problem::not_found("There is no such bundle.")
}
