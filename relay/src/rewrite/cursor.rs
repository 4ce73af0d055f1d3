//! Cursors of SQL: `DECLARE`, `FETCH`, `MOVE`, `CLOSE`.
//!
//! What a cursor reads is decided where it is declared. Whether a name is a cursor that was declared through the relay
//! only the session knows ([`Effects::cursor`]): a portal of somebody else's making, such as a trigger's, is none.

use pg_query::NodeEnum;
use pg_query::protobuf::{ClosePortalStmt, DeclareCursorStmt, FetchStmt};

use super::outcome::{Cursor, Effects};
use super::rewriter::Rewriter;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(super) fn declare(&mut self, declare: &mut DeclareCursorStmt) -> Result<Effects, Refusal> {
        match declare.query.as_mut().and_then(|query| query.node.as_mut()) {
            Some(NodeEnum::SelectStmt(select)) => self.select(select)?,
            _ => return Err(Refusal::unsupported("DECLARE CURSOR for anything but a query is not supported")),
        }
        self.locking()?;
        let held = declare.options & HOLD != 0;
        Ok(of(Cursor::Declared { name: declare.portalname.clone(), held }))
    }
}

pub(super) fn fetch(fetch: &FetchStmt) -> Effects {
    of(Cursor::Used(fetch.portalname.clone()))
}

/// Closing a name that nobody declared is an error of the server's, and tells nothing.
pub(super) fn close(close: &ClosePortalStmt) -> Effects {
    if close.portalname.is_empty() {
        return Effects { closes_portals: true, ..Effects::default() };
    }
    of(Cursor::Closed(close.portalname.clone()))
}

fn of(cursor: Cursor) -> Effects {
    Effects { cursor, ..Effects::default() }
}

/// `CURSOR_OPT_HOLD` of PostgreSQL's parse trees.
const HOLD: i32 = 0x20;
