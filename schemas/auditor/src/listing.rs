//! Which sessions a folder has evidence of.

use std::collections::BTreeMap;

use schemas::chunk::{self, OpenedChunk};
use schemas::identifiers::SessionId;
use schemas::layout::{self, ObjectKind, Scope};
use schemas::wrapped_key::WrappedKey;

use crate::error::Error;
use crate::folder::Folder;

/// The objects of one session.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) session: SessionId,
    pub(crate) scope: Scope,
    pub(crate) chunks: BTreeMap<u64, String>,
    pub(crate) opened: bool,
    pub(crate) closed: bool,
    pub(crate) voided: bool,
    wrapped_key: Option<String>,
}

/// All sessions, by incarnation and counter.
pub(crate) fn sessions(folder: &Folder) -> Result<Vec<Listed>, Error> {
    let mut sessions: BTreeMap<(Scope, SessionId), Listed> = BTreeMap::new();
    for key in folder.list()? {
        let Some(object) = layout::parse(&key) else { continue };
        let Some(session) = session_of(&object.kind).cloned() else { continue };
        let listed = Listed::new(session.clone(), object.scope.clone());
        let listed = sessions.entry((object.scope, session)).or_insert(listed);
        match object.kind {
            ObjectKind::SessionOpen(_) => listed.opened = true,
            ObjectKind::SessionClose(_) => listed.closed = true,
            ObjectKind::SessionVoid(_) => listed.voided = true,
            ObjectKind::Chunk(_, sequence) => {
                listed.chunks.insert(sequence, key);
            }
            ObjectKind::WrappedKey(_) => listed.wrapped_key = Some(key),
            ObjectKind::Certificate(_)
            | ObjectKind::RelayStart(_)
            | ObjectKind::RelayRetired(_)
            | ObjectKind::Abandoned(_)
            | ObjectKind::Heartbeat(..)
            | ObjectKind::Revocation(..)
            | ObjectKind::ApprovalRequested(_)
            | ObjectKind::ApprovalDecided(_)
            | ObjectKind::ApprovalRequest(_)
            | ObjectKind::ApprovalDecision(_) => {}
        }
    }
    Ok(sessions.into_values().collect())
}

fn session_of(kind: &ObjectKind) -> Option<&SessionId> {
    match kind {
        ObjectKind::SessionOpen(session)
        | ObjectKind::SessionClose(session)
        | ObjectKind::SessionVoid(session)
        | ObjectKind::Chunk(session, _)
        | ObjectKind::WrappedKey(session) => Some(session),
        ObjectKind::ApprovalRequested(request) | ObjectKind::ApprovalDecided(request) => Some(&request.session),
        ObjectKind::Certificate(_)
        | ObjectKind::RelayStart(_)
        | ObjectKind::RelayRetired(_)
        | ObjectKind::Abandoned(_)
        | ObjectKind::Heartbeat(..)
        | ObjectKind::Revocation(..)
        | ObjectKind::ApprovalRequest(_)
        | ObjectKind::ApprovalDecision(_) => None,
    }
}

/// The one session whose identifier begins so.
pub(crate) fn find(folder: &Folder, beginning: &str) -> Result<Listed, Error> {
    let mut found = sessions(folder)?.into_iter().filter(|listed| listed.session.to_string().starts_with(beginning));
    let problem = match (found.next(), found.next()) {
        (Some(listed), None) => return Ok(listed),
        (Some(_), Some(_)) => "begins several sessions' identifiers; give more of it",
        (None, _) => "no session's identifier begins so; `auditor sessions` lists them",
    };
    Err(Error::Argument { argument: "SESSION", problem: format!("{beginning} {problem}") })
}

impl Listed {
    fn new(session: SessionId, scope: Scope) -> Self {
        let chunks = BTreeMap::new();
        Self { session, scope, chunks, opened: false, closed: false, voided: false, wrapped_key: None }
    }

    /// The chunks, in order, one at a time: each may hold 100 MiB.
    pub(crate) fn open<'a>(&'a self, folder: &'a Folder) -> impl Iterator<Item = Result<OpenedChunk, Error>> + 'a {
        self.chunks.values().map(|key| {
            let bytes = folder.read(key)?;
            chunk::open(bytes).map_err(|violation| Error::content(&folder.path(key), violation))
        })
    }

    /// The session's wrapped key, unless it was shredded or not delivered.
    pub(crate) fn wrapped_key(&self, folder: &Folder) -> Result<Option<WrappedKey>, Error> {
        let Some(key) = &self.wrapped_key else { return Ok(None) };
        let wrapped = WrappedKey::from_slice(&folder.read(key)?);
        wrapped.map(Some).map_err(|error| Error::content(&folder.path(key), error))
    }
}
