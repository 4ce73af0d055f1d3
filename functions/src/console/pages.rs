//! The pages for approvers: no scripts, every value escaped, hidden characters shown.

use std::borrow::Cow;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use schemas::approval::DecisionVerdict;
use schemas::identifiers::RequestId;
use schemas::instant::rfc3339;
use schemas::visible;
use seams::{ApprovalRow, ApprovalState};
use serde::Deserialize;

use super::api::request_id;
use super::cookies::Cookie;
use super::decision::{self, Intent};
use super::login::{self, Answer, Begun};
use super::problem::Problem;
use super::visitor::Visitor;
use super::{Env, approvals, rationale};

mod approval;

pub(super) fn router() -> Router<Arc<Env>> {
    Router::new()
        .route("/", get(list))
        .route("/approvals/{id}", get(show))
        .route("/approvals/{id}/decide", post(decide))
        .route("/callback", get(callback))
        .route("/logout", post(logout))
        .route("/style.css", get(style))
}

/// What stands at no path of ours.
pub(super) async fn nothing() -> Problem {
    Problem::not_found("There is nothing here.")
}

#[derive(Template)]
#[template(path = "console/list.html")]
struct ListPage<'a> {
    visitor: &'a Visitor,
    rows: Vec<ListedRow>,
    more: bool,
}

struct ListedRow {
    id: RequestId,
    who: String,
    connection: String,
    asked: String,
    until: String,
}

#[derive(Template)]
#[template(path = "console/log_in.html")]
struct LogInPage<'a> {
    verdict: &'static str,
    rationale: Cow<'a, str>,
    to: &'a str,
}

#[derive(Template)]
#[template(path = "console/problem.html")]
struct ProblemPage<'a> {
    text: &'a str,
}

#[derive(Deserialize)]
struct DecisionForm {
    verdict: DecisionVerdict,
    rationale: String,
    /// What was shown; also what another site cannot know.
    commitment: String,
}

/// `GET /`: the requests that wait.
async fn list(State(env): State<Arc<Env>>, headers: HeaderMap) -> Response {
    let Some(visitor) = visitor(&env, &headers) else { return log_in(login::to_look(&env, None).await) };
    match approvals::list(&env, &visitor, ApprovalState::Pending, None, LIST_MAX).await {
        Ok(page) => {
            let rows = page.rows.iter().map(listed).collect();
            html(StatusCode::OK, &ListPage { visitor: &visitor, rows, more: page.next.is_some() })
        }
        Err(problem) => refuse(&problem),
    }
}

/// `GET /approvals/{id}`: exactly what would run, and why.
async fn show(State(env): State<Arc<Env>>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    let id = match request_id(&id) {
        Ok(id) => id,
        Err(problem) => return refuse(&problem),
    };
    let Some(visitor) = visitor(&env, &headers) else { return log_in(login::to_look(&env, Some(id)).await) };
    match approvals::show(&env, &visitor, &id).await {
        Ok(shown) => html(StatusCode::OK, &approval::page(&visitor, &shown)),
        Err(problem) => refuse(&problem),
    }
}

/// `POST /approvals/{id}/decide`: begins the login that the decision needs.
async fn decide(
    State(env): State<Arc<Env>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form<DecisionForm>, FormRejection>,
) -> Response {
    begin_decision(&env, &headers, &id, form).await.unwrap_or_else(|problem| refuse(&problem))
}

async fn begin_decision(
    env: &Env,
    headers: &HeaderMap,
    id: &str,
    form: Result<Form<DecisionForm>, FormRejection>,
) -> Result<Response, Problem> {
    check_origin(env, headers)?;
    let Form(form) = form.map_err(|_| Problem::bad_request("Expected the form of the request's page."))?;
    let visitor = visitor(env, headers).ok_or_else(|| {
        Problem::new(StatusCode::UNAUTHORIZED, "login-required", "You are no longer logged in; open the request again.")
    })?;
    let (id, rationale) = (request_id(id)?, rationale::check(&form.rationale)?);
    let shown = decision::may(env, &visitor, &id).await?;
    if shown.request.commitment.to_string() != form.commitment {
        return Err(Problem::over("This is not the request that you were shown; open it again."));
    }
    let intent = Intent { request: &id, verdict: form.verdict, rationale: &rationale };
    let Begun { cookie, to } = login::to_decide(env, shown.request.commitment, &visitor, &intent).await?;
    let verdict = match form.verdict {
        DecisionVerdict::Approved => "approve",
        DecisionVerdict::Denied => "deny",
    };
    // A page and not a redirect: browsers hold a form's redirects, and the provider's own, against `form-action`.
    let page = LogInPage { verdict, rationale: visible::text(&rationale), to: to.as_str() };
    let refresh = HeaderValue::try_from(format!("0; url={to}"));
    let mut response = html(StatusCode::OK, &page);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    if let Ok(refresh) = refresh {
        response.headers_mut().insert(header::REFRESH, refresh);
    }
    Ok(response)
}

/// `GET /callback`: the provider sent the browser back.
async fn callback(
    State(env): State<Arc<Env>>,
    headers: HeaderMap,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Response {
    let ended = match answer {
        Ok(Query(answer)) => login::end(&env, &headers, &answer).await,
        Err(_) => Err(Problem::bad_request("The answer of the identity provider cannot be read.")),
    };
    let mut response = match ended {
        Ok(done) => {
            let mut response = Redirect::to(&done.to).into_response();
            response.headers_mut().append(header::SET_COOKIE, done.session);
            response
        }
        Err(problem) => refuse(&problem),
    };
    // Whatever came of it: a login is used once.
    response.headers_mut().extend(env.settings.forget(Cookie::Login).map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// `POST /logout`
async fn logout(State(env): State<Arc<Env>>, headers: HeaderMap) -> Response {
    if let Err(problem) = check_origin(&env, &headers) {
        return refuse(&problem);
    }
    let page = ProblemPage { text: "You are logged out of the console." };
    let mut response = html(StatusCode::OK, &page);
    response.headers_mut().extend(env.settings.forget(Cookie::Session).map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../../templates/console/style.css"))
}

fn visitor(env: &Env, headers: &HeaderMap) -> Option<Visitor> {
    env.settings.open(Cookie::Session, headers, env.now())
}

/// Forms count only when they stood on a page of ours: every browser says so for a `POST`.
fn check_origin(env: &Env, headers: &HeaderMap) -> Result<(), Problem> {
    let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    if origin == Some(env.settings.origin().as_bytes()) {
        Ok(())
    } else {
        Err(Problem::forbidden("The form was not sent from a page of this console."))
    }
}

fn log_in(begun: Result<Begun, Problem>) -> Response {
    match begun {
        Ok(Begun { cookie, to }) => ([(header::SET_COOKIE, cookie)], Redirect::to(to.as_str())).into_response(),
        Err(problem) => refuse(&problem),
    }
}

fn listed(row: &ApprovalRow) -> ListedRow {
    let text = |value: Option<String>| value.unwrap_or_else(|| "?".to_owned());
    ListedRow {
        id: row.request.clone(),
        who: text(row.subject.as_deref().map(|subject| visible::line(subject).into_owned())),
        connection: text(row.connection.as_ref().map(ToString::to_string)),
        asked: text(row.requested_us.map(seconds)),
        until: text(row.expires_us.map(seconds)),
    }
}

/// `2026-11-20 10:00:00 UTC`
fn seconds(time_us: u64) -> String {
    let text = rfc3339(time_us);
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{} UTC", seconds.replace('T', " ")))
}

fn refuse(problem: &Problem) -> Response {
    html(problem.status, &ProblemPage { text: &problem.text })
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(page) => (status, Html(page)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be drawn");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Rows of the list; who has more waiting sees the oldest relays' first and the rest when those are done.
const LIST_MAX: usize = 200;
