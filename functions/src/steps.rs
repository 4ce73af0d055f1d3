//! Every call that a function makes to a seam, as a step: counted, made to fail in either way, or held until others have
//! run. So a test finds all of them in a run without faults, and then lets each of them go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use schemas::ed25519::Ed25519PublicKey;
use schemas::identifiers::{RequestId, SessionId};
use schemas::session_key::SessionKey;
use schemas::signature::PublicKey;
use schemas::wrapped_key::WrappedKey;
use seams::{
    ApprovalRow, ApprovalState, ChunkRow, EvidenceStore, Index, IndexError, KeyName, Keys, KeysError, Overlay,
    PutOutcome, Retention, SessionRow, StoreError,
};
use tokio::sync::oneshot;

/// How a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is done.
    NotDone,
    /// All of it is done, and it is reported as failed.
    DoneAndReportedFailed,
}

impl Fault {
    pub(crate) const BOTH: [Self; 2] = [Self::NotDone, Self::DoneAndReportedFailed];
}

/// The steps of one caller.
#[derive(Default)]
pub(crate) struct Steps(Mutex<State>);

#[derive(Default)]
struct State {
    /// What was called so far, and whether it changes something.
    taken: Vec<(String, bool)>,
    faults: BTreeMap<usize, Fault>,
    gate: Option<Gate>,
}

/// Holds the caller at a step.
struct Gate {
    at: usize,
    reached: oneshot::Sender<()>,
    open: oneshot::Receiver<()>,
}

impl Steps {
    /// Counts anew, and lets these steps fail.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = (usize, Fault)>) {
        *self.0.lock().unwrap() = State { faults: faults.into_iter().collect(), ..State::default() };
    }

    /// Counts anew; nothing fails.
    pub(crate) fn count(&self) {
        self.fail([]);
    }

    /// How many were taken.
    pub(crate) fn taken(&self) -> usize {
        self.0.lock().unwrap().taken.len()
    }

    /// What they were, for people.
    pub(crate) fn name(&self, step: usize) -> String {
        self.0.lock().unwrap().taken.get(step).map_or("none".to_owned(), |(name, _)| name.clone())
    }

    /// The numbers of those that change something.
    pub(crate) fn changes(&self) -> BTreeSet<usize> {
        let state = self.0.lock().unwrap();
        state.taken.iter().enumerate().filter_map(|(at, (_, changes))| changes.then_some(at)).collect()
    }

    /// A call of a seam that is not here, which changes something.
    pub(crate) async fn step<T>(
        &self,
        call: &str,
        on: &str,
        act: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.take((call, on, true), act).await
    }

    async fn take<T, E: Away>(
        &self,
        (call, on, changes): (&str, &str, bool),
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let (fault, gate) = {
            let mut state = self.0.lock().unwrap();
            let at = state.taken.len();
            state.taken.push((format!("{call} {on}"), changes));
            (state.faults.get(&at).copied(), state.gate.take_if(|gate| gate.at == at))
        };
        if let Some(gate) = gate {
            // Whoever waits for this may be gone, and whoever opens may have ended.
            let _ = gate.reached.send(());
            let _ = gate.open.await;
        }
        match fault {
            None => act.await,
            Some(Fault::NotDone) => Err(E::away(on)),
            Some(Fault::DoneAndReportedFailed) => act.await.and_then(|_| Err(E::away(on))),
        }
    }

    fn hold(&self, at: usize) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let (reached, is_reached) = oneshot::channel();
        let (opens, open) = oneshot::channel();
        self.0.lock().unwrap().gate = Some(Gate { at, reached, open });
        (is_reached, opens)
    }

    fn no_more(&self) {
        self.0.lock().unwrap().gate = None;
    }
}

/// Runs `one` up to its step `at`, then `other` up to its own, then `one` to its end, then `other` to its end.
pub(crate) async fn weave<A, B>(
    (one, at, run_one): (&Steps, usize, impl Future<Output = A>),
    (other, other_at, run_other): (&Steps, usize, impl Future<Output = B>),
) -> (A, B) {
    one.count();
    other.count();
    let (one_is_there, open_one) = one.hold(at);
    let (other_is_there, open_other) = other.hold(other_at);
    let (run_one, run_other) = (pin!(run_one), pin!(run_other));
    let (a, b, ()) = tokio::join!(
        async {
            let ended = run_one.await;
            one.no_more();
            let _ = open_other.send(());
            ended
        },
        async {
            // One that never comes to its step ends before the other begins.
            let _ = one_is_there.await;
            let ended = run_other.await;
            other.no_more();
            ended
        },
        async {
            let _ = other_is_there.await;
            let _ = open_one.send(());
        },
    );
    (a, b)
}

/// A seam, each of whose calls is a step.
pub(crate) struct Stepped<S: ?Sized> {
    pub(crate) seam: Arc<S>,
    pub(crate) steps: Arc<Steps>,
}

/// What a failed call says.
trait Away {
    fn away(on: &str) -> Self;
}

impl Away for StoreError {
    fn away(on: &str) -> Self {
        Self::Unavailable(on.to_owned(), "told to fail".into())
    }
}

impl Away for IndexError {
    fn away(on: &str) -> Self {
        Self::Unavailable(on.to_owned(), "told to fail".into())
    }
}

impl Away for KeysError {
    fn away(on: &str) -> Self {
        Self::Unavailable(on.to_owned(), "told to fail".into())
    }
}

#[async_trait]
impl EvidenceStore for Stepped<dyn EvidenceStore> {
    async fn put(&self, key: &str, bytes: &[u8], retention: Retention) -> Result<PutOutcome, StoreError> {
        self.steps.take(("put", key, true), self.seam.put(key, bytes, retention)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.steps.take(("get", key, false), self.seam.get(key)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.steps.take(("list", prefix, false), self.seam.list(prefix)).await
    }

    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.steps.take(("list", after, false), self.seam.list_after(prefix, after, limit)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.steps.take(("delete", key, true), self.seam.delete(key)).await
    }

    async fn overlays(&self, prefix: &str, limit: usize) -> Result<Vec<Overlay>, StoreError> {
        self.steps.take(("overlays", prefix, false), self.seam.overlays(prefix, limit)).await
    }
}

#[async_trait]
impl Index for Stepped<dyn Index> {
    async fn record_session(&self, row: SessionRow) -> Result<(), IndexError> {
        let session = row.session.to_string();
        self.steps.take(("record session", &session, true), self.seam.record_session(row)).await
    }

    async fn record_chunk(&self, row: ChunkRow) -> Result<(), IndexError> {
        let key = row.key.clone();
        self.steps.take(("record chunk", &key, true), self.seam.record_chunk(row)).await
    }

    async fn session(&self, session: &SessionId) -> Result<Option<SessionRow>, IndexError> {
        self.steps.take(("session", &session.to_string(), false), self.seam.session(session)).await
    }

    async fn sessions(&self) -> Result<Vec<SessionRow>, IndexError> {
        self.steps.take(("sessions", "", false), self.seam.sessions()).await
    }

    async fn sessions_after(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionRow>, IndexError> {
        self.steps.take(("sessions", "", false), self.seam.sessions_after(after, limit)).await
    }

    async fn chunks(&self, session: &SessionId) -> Result<Vec<ChunkRow>, IndexError> {
        self.steps.take(("chunks", &session.to_string(), false), self.seam.chunks(session)).await
    }

    async fn record_approval(&self, row: ApprovalRow) -> Result<(), IndexError> {
        let request = row.request.to_string();
        self.steps.take(("record approval", &request, true), self.seam.record_approval(row)).await
    }

    async fn approval(&self, request: &RequestId) -> Result<Option<ApprovalRow>, IndexError> {
        self.steps.take(("approval", &request.to_string(), false), self.seam.approval(request)).await
    }

    async fn approvals(
        &self,
        state: ApprovalState,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<ApprovalRow>, IndexError> {
        self.steps.take(("approvals", "", false), self.seam.approvals(state, after, limit)).await
    }
}

#[async_trait]
impl Keys for Stepped<dyn Keys> {
    async fn sign(&self, key: KeyName, message: &[u8]) -> Result<Vec<u8>, KeysError> {
        self.steps.take(("sign", key.as_str(), false), self.seam.sign(key, message)).await
    }

    async fn public_key(&self, key: KeyName) -> Result<PublicKey, KeysError> {
        self.steps.take(("public key", key.as_str(), false), self.seam.public_key(key)).await
    }

    async fn second_checkpoints_key(&self) -> Result<Option<Ed25519PublicKey>, KeysError> {
        self.steps.take(("public key", "second", false), self.seam.second_checkpoints_key()).await
    }

    async fn sign_second(&self, message: &[u8]) -> Result<Option<Vec<u8>>, KeysError> {
        self.steps.take(("sign", "second", false), self.seam.sign_second(message)).await
    }

    async fn wrap(&self, key: &SessionKey, session: &SessionId) -> Result<WrappedKey, KeysError> {
        self.steps.take(("wrap", &session.to_string(), false), self.seam.wrap(key, session)).await
    }

    async fn unwrap(&self, wrapped: &WrappedKey, session: &SessionId) -> Result<SessionKey, KeysError> {
        self.steps.take(("unwrap", &session.to_string(), false), self.seam.unwrap(wrapped, session)).await
    }
}
