//! Which session a `CancelRequest` means (PostgreSQL, "Canceling Requests in Progress").
//!
//! The client gets a process id and secret of the relay's own making; the target's never leave the relay. A request for
//! a session of another relay goes to [`crate::peers`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::constant_time;
use tokio::sync::Notify;

/// The sessions of this relay that can be cancelled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancellations {
    sessions: Arc<Mutex<HashMap<i32, Registered>>>,
}

#[derive(Debug)]
struct Registered {
    secret: Vec<u8>,
    asked: Arc<Notify>,
}

/// A session's place in the registry; dropping it takes the session out.
#[derive(Debug)]
pub(crate) struct Cancellation {
    registry: Cancellations,
    process_id: i32,
    secret: Vec<u8>,
    asked: Arc<Notify>,
}

/// No randomness or no free process id: the session cannot be offered.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a cancellation key")]
pub(crate) struct NoCancellationKey;

impl Cancellations {
    /// Registers a session under a fresh process id and secret.
    ///
    /// # Errors
    /// When the system gives no randomness, or 64 random ids were all taken.
    pub(crate) fn register(&self, secret_length: usize) -> Result<Cancellation, NoCancellationKey> {
        let mut secret = vec![0; secret_length];
        aws_lc_rs::rand::fill(&mut secret).map_err(|_| NoCancellationKey)?;
        let asked = Arc::new(Notify::new());
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..64 {
            let mut id = [0; 4];
            aws_lc_rs::rand::fill(&mut id).map_err(|_| NoCancellationKey)?;
            // Positive, as clients print it; never 0.
            let process_id = i32::from_be_bytes(id).checked_abs().unwrap_or(1).max(1);
            if let std::collections::hash_map::Entry::Vacant(place) = sessions.entry(process_id) {
                place.insert(Registered { secret: secret.clone(), asked: Arc::clone(&asked) });
                return Ok(Cancellation { registry: self.clone(), process_id, secret, asked });
            }
        }
        Err(NoCancellationKey)
    }

    /// Passes a client's wish on, when process id and secret are right, and says whether they were. The client learns
    /// nothing either way.
    pub(crate) fn request(&self, process_id: i32, secret: &[u8]) -> bool {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&process_id);
        let meant = session.filter(|session| constant_time::verify_slices_are_equal(&session.secret, secret).is_ok());
        if let Some(session) = meant {
            session.asked.notify_one();
        }
        meant.is_some()
    }
}

impl Cancellation {
    /// Process id and secret to give to the client.
    pub(crate) fn key(&self) -> (i32, &[u8]) {
        (self.process_id, &self.secret)
    }

    /// Resolves when the client asked to cancel; several wishes before that count as one.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }
}

impl Drop for Cancellation {
    fn drop(&mut self) {
        self.registry.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.process_id);
    }
}

/// Length of a secret in protocol 3.0, which knows no other.
pub(crate) const SECRET_BYTES_3_0: usize = 4;
/// Length of a secret since protocol 3.2.
pub(crate) const SECRET_BYTES_3_2: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_secret_cancels_and_a_gone_session_is_out() {
        let registry = Cancellations::default();
        let session = registry.register(4).unwrap();
        let (id, secret) = session.key();
        assert!(!registry.request(id, &[0; 4].map(|b: u8| b ^ secret[0] ^ 0xff)));
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(10), session.asked());
        assert!(waiting.await.is_err());
        assert!(registry.request(id, secret));
        session.asked().await;
        drop(session);
        assert!(registry.sessions.lock().unwrap().is_empty());
    }
}
