//! The lake: tables as bundles have them, a file a session and table, for questions over a long time.
//!
//! A session is *drawn* once its close is known and all that the close counts is there; one whose relay's life was
//! abandoned is drawn as far as it came. Drawing reads the session's evidence and runs the one verifier over it: where
//! that finds an error, nothing is drawn. Files are a function of the evidence, so that drawing twice, in any order, at
//! once, ends with the same bytes; what comes later is drawn over them.
//!
//! The lake is a convenience. It knows nothing of the log, so neither of what is missing in it nor of revocations; it
//! has nothing that was encrypted, for nobody here has a key. A bundle proves, and [`redraw`] makes all of it again.

mod drawing;
mod evidence;
mod redrawing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use schemas::identifiers::{Incarnation, SessionId};
use schemas::layout::{self, Object, ObjectKind, Scope};
use schemas::signature::PublicKey;
use seams::{EvidenceStore, Index, IndexError, Lake, StoreError};

use drawing::Drawing;
pub use redrawing::{Redrawn, redraw};

/// What tables are drawn with.
#[derive(Clone)]
pub struct Env {
    /// Where evidence is read.
    pub store: Arc<dyn EvidenceStore>,
    /// Tells which sessions are closed.
    pub index: Arc<dyn Index>,
    /// Where files go.
    pub lake: Arc<dyn Lake>,
    /// The certificates root.
    pub root: PublicKey,
    /// How much of one session may be read.
    pub limits: Limits,
}

/// What is not drawn because it is too long: a function has so much memory and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a session's objects as they are stored.
    pub stored: u64,
    /// Bytes of its events as they are decoded: rows take some four times as much.
    pub events: u64,
}

/// What became of sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Sessions whose files were written.
    pub sessions: u64,
    /// Those that were left out, at most [`Drawn::NAMED_MAX`]. A bundle has them.
    pub undrawn: Vec<Undrawn>,
}

/// A session that the lake does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undrawn {
    /// The session.
    pub session: SessionId,
    /// Why.
    pub why: Why,
}

/// Why a session was not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The verifier finds an error in it, or it has no beginning.
    #[error("it does not verify; `auditor verify` says why")]
    Unsound,
    /// It is longer than [`Limits`].
    #[error("it is too long to be drawn")]
    TooLong,
}

/// Store, index or lake did not do what they were asked: the same again may succeed later.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// Store or lake.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A file could not be made.
    #[error("{0}: tables: {1}")]
    Tables(String, std::io::Error),
    /// Evidence came faster than it was drawn.
    #[error("{0}: it changed while it was drawn, each time")]
    Contended(SessionId),
}

/// Draws what the object under `key`, which was indexed, completes.
///
/// # Errors
/// [`LakeError`].
pub async fn follow(env: &Env, key: &str) -> Result<Drawn, LakeError> {
    let Some(Object { scope, kind }) = layout::parse(key) else { return Ok(Drawn::default()) };
    match &kind {
        ObjectKind::Abandoned(incarnation) => abandoned(env, &scope, incarnation).await,
        ObjectKind::SessionOpen(session) | ObjectKind::Chunk(session, _) | ObjectKind::SessionClose(session) => {
            closed(env, &scope, session).await
        }
        // Without it the verifier expects it.
        ObjectKind::ApprovalRequested(request) | ObjectKind::ApprovalDecided(request) => {
            closed(env, &scope, &request.session).await
        }
        _ => Ok(Drawn::default()),
    }
}

/// Draws a session if it is closed, and opened, and its chunks are indexed. Whoever comes last of those sees the others:
/// each was written down before it was looked for. That they are stored is not enough: then each that still comes would
/// draw all of them.
async fn closed(env: &Env, scope: &Scope, session: &SessionId) -> Result<Drawn, LakeError> {
    let mut drawn = Drawn::default();
    let row = env.index.session(session).await?.filter(|row| row.opened_us.is_some());
    if let Some(row) = row
        && let Some(chunks) = row.chunks
        && env.index.chunks(session).await?.len() as u64 >= chunks
    {
        let keys = env.store.list(&scope.session_prefix(session)).await?;
        let drawing = Drawing::new(env, scope, session, keys).closed_by_its_own(row.recovered == Some(false));
        drawn.add(session, drawing.draw().await?);
    }
    Ok(drawn)
}

/// Draws the sessions of a life that has ended without closing them.
async fn abandoned(env: &Env, scope: &Scope, incarnation: &Incarnation) -> Result<Drawn, LakeError> {
    let (mut drawn, mut after) = (Drawn::default(), SessionId { incarnation: incarnation.clone(), counter: 0 });
    loop {
        let rows = env.index.sessions_after(Some(&after), PAGE).await?;
        let full = rows.len() == PAGE;
        let mut ended = !full;
        for row in rows {
            if row.session.incarnation != *incarnation {
                ended = true;
                break;
            }
            if row.closed_us.is_none() && row.opened_us.is_some() {
                let keys = env.store.list(&scope.session_prefix(&row.session)).await?;
                drawn.add(&row.session, Drawing::new(env, scope, &row.session, keys).draw().await?);
            }
            after = row.session;
        }
        if ended {
            return Ok(drawn);
        }
    }
}

impl Drawn {
    /// How many of the undrawn are named.
    pub const NAMED_MAX: usize = 1000;

    fn add(&mut self, session: &SessionId, drawn: Result<(), Why>) {
        match drawn {
            Ok(()) => self.sessions = self.sessions.saturating_add(1),
            Err(why) if self.undrawn.len() < Self::NAMED_MAX => {
                self.undrawn.push(Undrawn { session: session.clone(), why });
            }
            Err(_) => {}
        }
    }
}

impl Default for Limits {
    /// For a function of 1 GB that has half a minute.
    fn default() -> Self {
        Self { stored: 256 * 1024 * 1024, events: 64 * 1024 * 1024 }
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("lake::Env").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Rows of the index at a time.
const PAGE: usize = 500;
