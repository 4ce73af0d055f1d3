//! One issuer's keys: cached, refreshed by one task at a time, never more often than allowed.

use std::sync::Arc;

use identity::Jwks;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::Patience;
use super::fetch::Endpoint;

/// The cached keys of one issuer.
pub(super) struct KeySource {
    endpoint: Endpoint,
    patience: Patience,
    cached: watch::Sender<Option<Keys>>,
    /// Held while fetching; the time of the last attempt.
    last_attempt: Mutex<Option<Instant>>,
}

/// Keys, and when they were fetched.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) jwks: Arc<Jwks>,
    fetched: Instant,
}

impl KeySource {
    pub(super) fn new(endpoint: Endpoint, patience: Patience) -> Self {
        Self { endpoint, patience, cached: watch::Sender::new(None), last_attempt: Mutex::new(None) }
    }

    /// Keys to verify with: fresh ones where possible, stale ones while that is allowed, else none.
    pub(super) async fn get(&self) -> Option<Keys> {
        if let Some(keys) = self.younger_than(self.patience.fresh) {
            return Some(keys);
        }
        if self.younger_than(self.patience.serve_stale).is_some() {
            // Whoever fetches already does so for all; nobody else need wait while there are keys.
            if let Ok(mut last_attempt) = self.last_attempt.try_lock() {
                self.fetch(&mut last_attempt).await;
            }
        } else {
            let mut last_attempt = self.last_attempt.lock().await;
            if self.younger_than(self.patience.fresh).is_none() {
                self.fetch(&mut last_attempt).await;
            }
        }
        self.younger_than(self.patience.serve_stale)
    }

    /// Keys fetched after `seen`, for a token whose key was not among those.
    pub(super) async fn newer_than(&self, seen: &Keys) -> Option<Keys> {
        let mut last_attempt = self.last_attempt.lock().await;
        let newer = |keys: &Keys| keys.fetched > seen.fetched;
        if let Some(keys) = self.cached.borrow().clone().filter(newer) {
            return Some(keys);
        }
        self.fetch(&mut last_attempt).await;
        self.cached.borrow().clone().filter(newer)
    }

    fn younger_than(&self, age: std::time::Duration) -> Option<Keys> {
        self.cached.borrow().clone().filter(|keys| keys.fetched.elapsed() < age)
    }

    /// One attempt, unless the last one was only just. What is cached stays when it fails.
    async fn fetch(&self, last_attempt: &mut Option<Instant>) {
        if last_attempt.is_some_and(|last| last.elapsed() < self.patience.between_fetches) {
            return;
        }
        *last_attempt = Some(Instant::now());
        match self.endpoint.keys().await {
            Ok(jwks) => {
                tracing::info!(issuer = %self.endpoint.issuer(), keys = ?jwks, "fetched the issuer's keys");
                self.cached.send_replace(Some(Keys { jwks: Arc::new(jwks), fetched: Instant::now() }));
            }
            Err(error) => {
                tracing::warn!(issuer = %self.endpoint.issuer(), %error, "cannot fetch the issuer's keys");
            }
        }
    }
}
