//! Crypto-shredding: destroys one session's wrapped key, so that nobody reads its data blocks any more, and leaves
//! everything else as it was.

use schemas::canonical;
use schemas::digest::Sha256Digest;
use schemas::dsse::{Envelope, Statement, pae};
use schemas::identifiers::SessionId;
use schemas::layout::{self, ObjectKind, Scope};
use schemas::shredding::SessionShredded;
use seams::{KeyName, KeysError, StoreError};

use crate::signing::Env;

/// Why a session was not shredded.
#[derive(Debug, thiserror::Error)]
pub enum ShredderError {
    /// There is neither a wrapped key nor a word of one that was destroyed.
    #[error("{0}: there is no wrapped key of such a session")]
    NoKey(SessionId),
    /// The session has no close yet: its relay still needs the key.
    #[error("{0}: the session has not ended yet, or not everything of it is stored")]
    Open(SessionId),
    /// What stands in the statement's place is none of this session by this key.
    #[error("{key}: {problem}")]
    Statement {
        /// Its key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A key could not be used; the same call may succeed later.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The store did not do what it was asked; the same call may succeed later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The statement could not be written down.
    #[error(transparent)]
    Schema(#[from] schemas::Error),
}

/// Says, with the approvals key, that the session's key is destroyed, then destroys it: were it the other way round, a key could be gone with
/// nobody saying so. Repeating it changes nothing, and ends what a call that failed began.
///
/// # Errors
/// [`ShredderError`].
pub async fn shred(env: &Env, session: &SessionId) -> Result<SessionShredded, ShredderError> {
    let scope = scope_of(env, session).await?.ok_or_else(|| ShredderError::NoKey(session.clone()))?;
    if env.store.get(&scope.session_close(session)).await?.is_none() {
        return Err(ShredderError::Open(session.clone()));
    }
    let said = match stated(env, &scope, session).await? {
        Some(said) => said,
        None => state(env, &scope, session).await?,
    };
    env.store.delete(&scope.wrapped_key(session)).await?;
    tracing::warn!(%session, "shredded: its key is destroyed");
    Ok(said)
}

/// The relay that served it, by its wrapped key or by what is said of one.
async fn scope_of(env: &Env, session: &SessionId) -> Result<Option<Scope>, ShredderError> {
    let keys = format!("{}{}/{}/", layout::KEYS_PREFIX, env.tenant, env.environment);
    let wrapped = env.store.list(&keys).await?.into_iter().find_map(|key| {
        let object = layout::parse(&key)?;
        matches!(&object.kind, ObjectKind::WrappedKey(of) if of == session).then_some(object.scope)
    });
    if wrapped.is_some() {
        return Ok(wrapped);
    }
    let said = env.store.list(&layout::shreddings_prefix(&env.tenant, &env.environment)).await?;
    let mut said = said.iter().filter_map(|key| layout::parse_shredding(key));
    Ok(said.find(|(_, of)| of == session).map(|(scope, _)| scope))
}

/// What is stored already.
async fn stated(env: &Env, scope: &Scope, session: &SessionId) -> Result<Option<SessionShredded>, ShredderError> {
    let key = scope.shredding(session);
    let Some(bytes) = env.store.get(&key).await? else { return Ok(None) };
    let signer = env.keys.public_key(KeyName::Approvals).await?;
    let said = Envelope::from_slice(&bytes).and_then(|envelope| envelope.open::<SessionShredded>(&signer));
    match said {
        Ok(said) if said.session == *session => Ok(Some(said)),
        Ok(_) => Err(ShredderError::Statement { key, problem: "names another session".to_owned() }),
        Err(error) => Err(ShredderError::Statement { key, problem: error.to_string() }),
    }
}

async fn state(env: &Env, scope: &Scope, session: &SessionId) -> Result<SessionShredded, ShredderError> {
    let wrapped = env.store.get(&scope.wrapped_key(session)).await?;
    let wrapped = wrapped.ok_or_else(|| ShredderError::NoKey(session.clone()))?;
    let said = SessionShredded {
        tenant: scope.tenant.clone(),
        environment: scope.environment.clone(),
        relay: scope.relay.clone(),
        session: session.clone(),
        wrapped_key_sha256: Sha256Digest::of(&wrapped),
        time_us: (env.now_us)(),
    };
    let payload = canonical::to_vec(&said)?;
    let signature = env.keys.sign(KeyName::Approvals, &pae(SessionShredded::TYPE, &payload)).await?;
    let signer = env.keys.public_key(KeyName::Approvals).await?;
    let envelope = Envelope::assemble(SessionShredded::TYPE, payload, &signer, signature);
    env.store.put(&scope.shredding(session), &envelope.to_vec()?, env.retention).await?;
    Ok(said)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use seams::{FileStore, KeyFiles, Retention};

    use super::*;

    fn session() -> SessionId {
        "0123456789abcdef0123456789abcdef-0000000042".parse().unwrap()
    }

    fn scope() -> Scope {
        let name = |text: &str| text.parse().unwrap();
        Scope { tenant: name("clinic"), environment: name("test"), relay: name("r1") }
    }

    async fn env(folder: &tempfile::TempDir) -> Env {
        let env = Env {
            keys: Arc::new(KeyFiles::open_or_create(&folder.path().join("keys")).unwrap()),
            store: Arc::new(FileStore::open(folder.path().join("store"), || 0).unwrap()),
            tenant: scope().tenant,
            environment: scope().environment,
            retention: Retention::none(),
            now_us: Arc::new(|| 7),
        };
        env.store.put(&scope().wrapped_key(&session()), b"wrapped", Retention::none()).await.unwrap();
        env
    }

    #[tokio::test]
    async fn a_session_that_ended_is_shredded_once_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let env = env(&folder).await;
        assert!(matches!(shred(&env, &session()).await, Err(ShredderError::Open(_))));
        env.store.put(&scope().session_close(&session()), b"{}", Retention::none()).await.unwrap();
        let said = shred(&env, &session()).await.unwrap();
        assert_eq!(said.wrapped_key_sha256, Sha256Digest::of(b"wrapped"));
        assert_eq!(env.store.get(&scope().wrapped_key(&session())).await.unwrap(), None);
        let later = Env { now_us: Arc::new(|| 8), ..env.clone() };
        assert_eq!(shred(&later, &session()).await.unwrap(), said);
        // A call that died between its two steps is ended by the next one.
        env.store.put(&scope().wrapped_key(&session()), b"wrapped", Retention::none()).await.unwrap();
        shred(&later, &session()).await.unwrap();
        assert_eq!(env.store.get(&scope().wrapped_key(&session())).await.unwrap(), None);
    }

    #[tokio::test]
    async fn nothing_is_destroyed_where_the_statement_cannot_stand() {
        let folder = tempfile::tempdir().unwrap();
        let env = env(&folder).await;
        let other = SessionId { counter: 7, ..session() };
        assert!(matches!(shred(&env, &other).await, Err(ShredderError::NoKey(_))));
        env.store.put(&scope().session_close(&session()), b"{}", Retention::none()).await.unwrap();
        env.store.put(&scope().shredding(&session()), b"{}", Retention::none()).await.unwrap();
        assert!(matches!(shred(&env, &session()).await, Err(ShredderError::Statement { .. })));
        assert!(env.store.get(&scope().wrapped_key(&session())).await.unwrap().is_some());
    }
}
