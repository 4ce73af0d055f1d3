//! Where rows stand in the table, and how they are written.

use schemas::identifiers::{Incarnation, RequestId, SessionId};
use seams::{ApprovalRow, ChunkRow, IndexError, SessionRow};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Keys of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) pk: String,
    pub(super) sk: String,
}

/// A second item that says the same as a row, or must not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) place: Place,
    pub(super) is_there: bool,
}

/// A row whose facts become known one after the other.
pub(super) trait Row: Clone + Send + Sync + Serialize + DeserializeOwned {
    const DIRECTORY: &'static str;

    fn place(&self) -> Place;
    fn incarnation(&self) -> &Incarnation;
    fn merge(&mut self, told: Self) -> Result<(), IndexError>;
    fn copy(&self) -> Option<Copy>;
}

impl Row for SessionRow {
    const DIRECTORY: &'static str = SESSIONS;

    fn place(&self) -> Place {
        of_session(&self.session)
    }

    fn incarnation(&self) -> &Incarnation {
        &self.session.incarnation
    }

    fn merge(&mut self, told: Self) -> Result<(), IndexError> {
        Self::merge(self, told)
    }

    fn copy(&self) -> Option<Copy> {
        None
    }
}

impl Row for ApprovalRow {
    const DIRECTORY: &'static str = APPROVALS;

    fn place(&self) -> Place {
        of_request(&self.request)
    }

    fn incarnation(&self) -> &Incarnation {
        &self.request.session.incarnation
    }

    fn merge(&mut self, told: Self) -> Result<(), IndexError> {
        Self::merge(self, told)
    }

    fn copy(&self) -> Option<Copy> {
        let place = Place { pk: PENDING.to_owned(), sk: self.request.to_string() };
        Some(Copy { place, is_there: self.is_pending() })
    }
}

pub(super) fn of_session(session: &SessionId) -> Place {
    Place { pk: format!("{SESSIONS}/{}", session.incarnation), sk: below_incarnation(session, &session.to_string()) }
}

pub(super) fn of_request(request: &RequestId) -> Place {
    let session = &request.session;
    Place { pk: format!("{APPROVALS}/{}", session.incarnation), sk: below_incarnation(session, &request.to_string()) }
}

pub(super) fn chunks_of(session: &SessionId) -> String {
    format!("chunks/{session}")
}

pub(super) fn of_chunk(row: &ChunkRow) -> Place {
    Place { pk: chunks_of(&row.session), sk: format!("{:020}", row.sequence) }
}

pub(super) fn read<T: DeserializeOwned>(row: &str) -> Result<T, IndexError> {
    serde_json::from_str(row).map_err(|error| unreadable(&error))
}

pub(super) fn write<T: Serialize>(row: &T) -> Result<String, IndexError> {
    serde_json::to_string(row).map_err(|error| unreadable(&error))
}

/// An id is its incarnation, a hyphen, and the rest: so within an incarnation the rests are in the order of ids.
fn below_incarnation(session: &SessionId, id: &str) -> String {
    let incarnation = session.incarnation.to_string();
    let rest = id.strip_prefix(&incarnation).and_then(|rest| rest.strip_prefix('-'));
    rest.unwrap_or(id).to_owned()
}

// What serde says may quote the row.
fn unreadable(error: &serde_json::Error) -> IndexError {
    let kind = format!("a row of another shape, at column {}", error.column());
    IndexError::Unavailable("index".to_owned(), kind.into())
}

const SESSIONS: &str = "sessions";
const APPROVALS: &str = "approvals";
pub(super) const PENDING: &str = "pending";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_ids_do() {
        let ids = ["0000000009-000002", "0000000010-000001", "0000000010-999999", "0000000010-1000000"];
        let requests = ids.map(|id| format!("{}-{id}", "0123456789abcdef".repeat(2)).parse::<RequestId>().unwrap());
        let mut keys = requests.map(|request| (request.to_string(), of_request(&request).sk));
        keys.sort();
        let sks: Vec<&str> = keys.iter().map(|(_, sk)| sk.as_str()).collect();
        assert!(sks.is_sorted() && sks.iter().all(|sk| ids.contains(sk)), "{sks:?}");
    }
}
