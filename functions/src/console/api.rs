//! The JSON API, for programs.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use schemas::approval::DecisionVerdict;
use schemas::identifiers::{RequestId, SessionId};
use seams::{ApprovalRow, ApprovalState};
use serde::Deserialize;
use serde_json::{Value, json};

use super::approvals::State as RequestState;
use super::bearer::Bearer;
use super::decision::{self, Intent};
use super::problem::Problem;
use super::{Env, approvals, bundles};

pub(super) fn router() -> Router<Arc<Env>> {
    Router::new()
        .route("/login", get(login))
        .route("/approvals", get(list))
        .route("/approvals/{id}", get(show))
        .route("/approvals/{id}/decision", post(decide))
        .route("/sessions", get(sessions))
        .route("/sessions/{id}", get(session))
        .merge(bundles::router())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovalQuery {
    #[serde(default)]
    state: QueriedState,
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum QueriedState {
    #[default]
    Pending,
    Any,
}

/// Which page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    pub(super) after: Option<String>,
    pub(super) limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    verdict: DecisionVerdict,
    rationale: String,
    id_token: String,
}

/// `GET login`: where a program's person logs in. Needs no token, for it tells how to get one.
async fn login(State(env): State<Arc<Env>>) -> Json<Value> {
    Json(json!({ "issuer": env.provider.issuer(), "client_id": env.provider.client() }))
}

/// `GET approvals?state=pending|any&after=ID&limit=N`
async fn list(
    State(env): State<Arc<Env>>,
    Bearer(visitor): Bearer,
    query: Result<Query<ApprovalQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) =
        query.map_err(|_| Problem::bad_request("query: expected state (pending or any), after, limit"))?;
    let state = match query.state {
        QueriedState::Pending => ApprovalState::Pending,
        QueriedState::Any => ApprovalState::Any,
    };
    let after: Option<RequestId> = after(query.after.as_deref())?;
    let page = approvals::list(&env, &visitor, state, after.as_ref(), limit(query.limit)?).await?;
    let rows: Vec<Value> = page.rows.iter().map(|row| summary(&env, row)).collect();
    Ok(Json(json!({ "approvals": rows, "next": page.next })))
}

/// `GET approvals/{id}`
async fn show(
    State(env): State<Arc<Env>>,
    Bearer(visitor): Bearer,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id = request_id(&id)?;
    let shown = approvals::show(&env, &visitor, &id).await?;
    let decision = shown.decision.map(|decision| {
        json!({
            "verdict": decision.verdict,
            "approver": decision.approver,
            "rationale": decision.rationale,
            "decided_us": decision.decided_us,
        })
    });
    Ok(Json(json!({
        "id": id,
        "state": shown.state.as_str(),
        "request": shown.request,
        "decision": decision,
        "outcome": shown.row.outcome,
        "ended_us": shown.row.ended_us,
        "url": format!("{}/approvals/{id}", env.settings.origin()),
    })))
}

/// `POST approvals/{id}/decision`
async fn decide(
    State(env): State<Arc<Env>>,
    Bearer(visitor): Bearer,
    Path(id): Path<String>,
    body: Result<Json<DecisionBody>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(body) = body.map_err(|rejection| {
        let text = "body: expected JSON with verdict (approved or denied), rationale and id_token";
        Problem::new(rejection.status(), "bad-request", text)
    })?;
    let id = request_id(&id)?;
    let intent = Intent { request: &id, verdict: body.verdict, rationale: &body.rationale };
    let decision = decision::decide(&env, &visitor, &intent, &body.id_token).await?;
    Ok(Json(json!({ "id": id, "verdict": decision.verdict, "decided_us": decision.decided_us })))
}

/// `GET sessions?after=ID&limit=N`
async fn sessions(
    State(env): State<Arc<Env>>,
    Bearer(visitor): Bearer,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    visitor.check_reviewer()?;
    let query = PageQuery::of(query)?;
    let (after, limit): (Option<SessionId>, usize) = (after(query.after.as_deref())?, limit(query.limit)?);
    let rows = env.index.sessions_after(after.as_ref(), limit).await?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.session.clone());
    Ok(Json(json!({ "sessions": rows, "next": next })))
}

/// `GET sessions/{id}`
async fn session(
    State(env): State<Arc<Env>>,
    Bearer(visitor): Bearer,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    visitor.check_reviewer()?;
    let unknown = || Problem::not_found("There is no such session.");
    let id: SessionId = id.parse().map_err(|_| unknown())?;
    let row = env.index.session(&id).await?.ok_or_else(unknown)?;
    let chunks = env.index.chunks(&id).await?;
    Ok(Json(json!({ "session": row, "chunks": chunks })))
}

impl PageQuery {
    pub(super) fn of(query: Result<Query<Self>, QueryRejection>) -> Result<Self, Problem> {
        query.map(|Query(query)| query).map_err(|_| Problem::bad_request("query: expected after and limit"))
    }
}

fn summary(env: &Env, row: &ApprovalRow) -> Value {
    json!({
        "id": row.request,
        "state": RequestState::of(row, env.now_us()).as_str(),
        "connection": row.connection,
        "requester": { "issuer": row.issuer, "subject": row.subject },
        "requested_us": row.requested_us,
        "expires_us": row.expires_us,
        "verdict": row.verdict,
        "outcome": row.outcome,
        "url": format!("{}/approvals/{}", env.settings.origin(), row.request),
    })
}

pub(super) fn request_id(text: &str) -> Result<RequestId, Problem> {
    text.parse().map_err(|_| Problem::no_such_request())
}

pub(super) fn after<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, Problem> {
    text.map(str::parse).transpose().map_err(|_| Problem::bad_request("after: expected an id, as `next` gives it"))
}

pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(PAGE_DEFAULT) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        _ => Err(Problem::bad_request("limit: expected 1 to 100")),
    }
}

const PAGE_DEFAULT: usize = 50;
/// Rows of a page; one has about half a kilobyte.
const PAGE_MAX: usize = 100;
