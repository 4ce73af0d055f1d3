//! The authorization endpoint: a page that asks who somebody is, and the answer to it.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use reqwest::Url;
use serde::Deserialize;

use super::authorization::{Authorization, Parameters, Refusal};
use super::codes::Grant;
use super::{Oidc, now};
use crate::users::UserKind;

/// What the login page's form sends: the request as it came, and who logs in. Scripts send the same.
#[derive(Deserialize)]
pub(super) struct LoginForm {
    login: Option<String>,
    #[serde(flatten)]
    request: Parameters,
}

/// `GET /authorize`: the login page.
pub(super) async fn show(
    State(oidc): State<Arc<Oidc>>,
    request: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let Ok(Query(parameters)) = request else { return refuse(&oidc, Refusal::Here(UNREADABLE)) };
    match parameters.check() {
        Ok(authorization) => login_page(&oidc, &parameters, &authorization),
        Err(refusal) => refuse(&oidc, refusal),
    }
}

/// `POST /authorize`: somebody logs in, and the client gets a code.
pub(super) async fn log_in(
    State(oidc): State<Arc<Oidc>>,
    headers: HeaderMap,
    form: Result<Form<LoginForm>, FormRejection>,
) -> Response {
    let Ok(Form(LoginForm { login, request })) = form else { return refuse(&oidc, Refusal::Here(UNREADABLE)) };
    // A browser tells where a form stood; another site's form must not log anybody in.
    if headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes() != oidc.issuer.as_bytes()) {
        return refuse(&oidc, Refusal::Here("the form was sent from another site"));
    }
    let authorization = match request.check() {
        Ok(authorization) => authorization,
        Err(refusal) => return refuse(&oidc, refusal),
    };
    let person = login.and_then(|name| oidc.users.get(&name)).filter(|user| user.kind == UserKind::User);
    let Some(person) = person else { return refuse(&oidc, Refusal::Here("login: expected a person of users.toml")) };
    let Authorization { redirect, state, nonce, challenge } = authorization;
    let grant = Grant { redirect: redirect.to_string(), challenge, nonce, user: person.name.clone(), at: now() };
    match oidc.codes.issue(grant) {
        Some(code) => redirect_to(&oidc, redirect, Some(&state), &[("code", &code)]),
        None => refuse(
            &oidc,
            Refusal::Client {
                redirect: Box::new(redirect),
                state: Some(state),
                error: "temporarily_unavailable",
                description: "try again",
            },
        ),
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    hidden: Vec<(&'static str, &'a str)>,
    people: Vec<Person<'a>>,
}

struct Person<'a> {
    name: &'a str,
    full_name: &'a str,
    groups: String,
    hinted: bool,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    problem: &'static str,
}

fn login_page(oidc: &Oidc, parameters: &Parameters, authorization: &Authorization) -> Response {
    let people = oidc.users.people().map(|user| Person {
        name: &user.name,
        full_name: &user.full_name,
        groups: user.groups.join(", "),
        hinted: parameters.login_hint.as_deref() == Some(&user.name),
    });
    let page = LoginPage { hidden: hidden(parameters), people: people.collect() };
    // The form's answer is a redirect to the client, which browsers count as a target of the form.
    let form_targets = format!("'self' {}", authorization.redirect.origin().ascii_serialization());
    html(StatusCode::OK, page.render(), &form_targets)
}

fn hidden(parameters: &Parameters) -> Vec<(&'static str, &str)> {
    let all = [
        ("response_type", &parameters.response_type),
        ("client_id", &parameters.client_id),
        ("redirect_uri", &parameters.redirect_uri),
        ("scope", &parameters.scope),
        ("state", &parameters.state),
        ("nonce", &parameters.nonce),
        ("code_challenge", &parameters.code_challenge),
        ("code_challenge_method", &parameters.code_challenge_method),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
}

fn refuse(oidc: &Oidc, refusal: Refusal) -> Response {
    match refusal {
        Refusal::Here(problem) => html(StatusCode::BAD_REQUEST, RefusedPage { problem }.render(), "'none'"),
        Refusal::Client { redirect, state, error, description } => {
            redirect_to(oidc, *redirect, state.as_deref(), &[("error", error), ("error_description", description)])
        }
    }
}

/// RFC 6749 section 4.1.2, with the issuer's name (RFC 9207) against mixed-up answers.
fn redirect_to(oidc: &Oidc, mut to: Url, state: Option<&str>, answer: &[(&str, &str)]) -> Response {
    let mut query = to.query_pairs_mut();
    query.extend_pairs(answer).append_pair("iss", &oidc.issuer);
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    drop(query);
    ([(header::CACHE_CONTROL, "no-store"), REFERRER], Redirect::to(to.as_str())).into_response()
}

fn html(status: StatusCode, page: askama::Result<String>, form_targets: &str) -> Response {
    let Ok(page) = page else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; form-action {form_targets}; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        REFERRER,
    ];
    (status, headers, Html(page)).into_response()
}

/// Not `no-referrer`: browsers then hide where a form stood (`Origin: null`).
const REFERRER: (HeaderName, &str) = (header::REFERRER_POLICY, "same-origin");
const UNREADABLE: &str = "the request's parameters cannot be read; each must stand once";
