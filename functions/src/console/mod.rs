//! The console: where people look at what happened and decide what may happen.
//!
//! A JSON API under `/api/v1/` for programs (a bearer token, whose audience is the console's client id), and plain
//! pages without scripts for approvers (a login by OpenID Connect). It keeps nothing between requests: logins under way
//! and sessions stand in sealed cookies.
//!
//! **It cannot approve by itself** (rule 22): a decision carries the approver's own ID token from a login made for that
//! one decision, and the relay verifies all of it again. What is refused here is refused early, with clear words.

mod api;
mod approvals;
mod bearer;
mod bundles;
mod cookies;
mod decision;
mod links;
mod login;
mod pages;
mod problem;
mod provider;
mod rationale;
mod response;
mod settings;
mod visitor;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use schemas::identifiers::Name;
use schemas::signature::PublicKey;
use seams::{EvidenceStore, Index, Keys};

pub use bundles::{Begun, BundleMaker, BundleMakerError};
pub use cookies::CookieKey;
pub use links::Links;
pub use provider::{Provider, ProviderError};
pub use settings::{Access, Settings, SettingsError};

/// What the console works with.
#[derive(Clone)]
pub struct Env {
    /// Requests are read from it, decisions are stored in it.
    pub store: Arc<dyn EvidenceStore>,
    /// Where requests and sessions are found.
    pub index: Arc<dyn Index>,
    /// Holds the approvals key.
    pub keys: Arc<dyn Keys>,
    /// The certificates root.
    pub root: PublicKey,
    /// Whose bundles.
    pub tenant: Name,
    /// Of which environment.
    pub environment: Name,
    /// Makes new ones.
    pub bundles: Arc<dyn BundleMaker>,
    /// Where given, whoever asks for a bundle's file is sent to the store itself: what Lambda answers with is small.
    pub links: Option<Arc<dyn Links>>,
    /// Where people log in.
    pub provider: Arc<Provider>,
    /// Its address, and who may do what.
    pub settings: Settings,
    /// Tells the microseconds since 1970.
    pub now_us: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// The console's HTTP interface.
pub fn router(env: Env) -> Router {
    let env = Arc::new(env);
    Router::new()
        .nest("/api/v1", api::router())
        .merge(pages::router())
        .fallback(pages::nothing)
        .layer(DefaultBodyLimit::max(REQUEST_MAX))
        .layer(middleware::from_fn(response::within_time))
        .layer(middleware::from_fn_with_state(env.clone(), response::secured))
        .with_state(env)
}

impl Env {
    fn now_us(&self) -> u64 {
        (self.now_us)()
    }

    /// Seconds since 1970.
    fn now(&self) -> u64 {
        self.now_us() / 1_000_000
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("console::Env").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Bytes of a request's body: a decision has a token of at most 16 KiB and a rationale beside it.
const REQUEST_MAX: usize = 32 * 1024;
