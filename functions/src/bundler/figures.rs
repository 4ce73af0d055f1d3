//! Figures for the report, gathered while rows go by; memory holds identities and bounded lists, not rows.

use std::collections::BTreeMap;
use std::mem;

use schemas::tables::{ApprovalRow, DenialRow, MaskingRow, SessionRow, SessionRows, Time};

/// What the report tells of the rows.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) sessions: u64,
    pub(super) statements: u64,
    pub(super) rows_returned: u64,
    pub(super) masked: u64,
    pub(super) revealed: u64,
    /// By issuer, subject and whom it acts for.
    pub(super) identities: BTreeMap<IdentityKey, Identity>,
    /// By identity, object and column.
    pub(super) revealed_columns: BTreeMap<(String, String), Revealed>,
    pub(super) session_list: Bounded<SessionRow>,
    pub(super) approvals: Bounded<ApprovalRow>,
    pub(super) denials: Bounded<DenialRow>,
    /// Objects of held statements: session, statement.
    pub(super) held_objects: BTreeMap<(String, u64), Vec<String>>,
    /// Of the session whose rows come, until its own row does.
    masked_here: u64,
    revealed_here: u64,
}

/// Issuer, subject, whom it acts for.
pub(super) type IdentityKey = (String, String, Vec<String>);

/// One identity.
#[derive(Debug, Default)]
pub(super) struct Identity {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) sessions: u64,
    pub(super) statements: u64,
    pub(super) denied: u64,
    pub(super) rows_returned: u64,
    pub(super) rows_affected: u64,
    pub(super) masked: u64,
    pub(super) revealed: u64,
}

/// A protected column that an identity saw.
#[derive(Debug)]
pub(super) struct Revealed {
    pub(super) statements: u64,
    pub(super) first: Time,
    pub(super) last: Time,
}

/// The first rows, and how many there are.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    pub(super) rows: Vec<T>,
    pub(super) total: u64,
}

impl Figures {
    /// Takes rows of a session.
    pub(super) fn session(&mut self, rows: &SessionRows) {
        for masking in rows.masking.iter().filter(|row| row.decision != REFUSED) {
            let revealed = masking.treatment == REVEALED;
            let total = if revealed { &mut self.revealed_here } else { &mut self.masked_here };
            *total = total.saturating_add(1);
        }
        for session in &rows.sessions {
            self.count(session);
            self.session_list.push(session);
        }
        for masking in rows.masking.iter().filter(|row| row.treatment == REVEALED && row.decision != REFUSED) {
            self.reveal(masking);
        }
        for denial in &rows.denials {
            self.denials.push(denial);
        }
        for approval in &rows.approvals {
            let held = rows.statements.iter().find(|row| row.statement == approval.statement);
            if self.approvals.push(approval)
                && let Some(statement) = held
            {
                self.held_objects.insert((approval.session.clone(), approval.statement), statement.objects.clone());
            }
        }
    }

    fn count(&mut self, session: &SessionRow) {
        let (masked, revealed) = (mem::take(&mut self.masked_here), mem::take(&mut self.revealed_here));
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let key = (text(&session.issuer), text(&session.subject), session.acts_for.clone());
        let identity = self.identities.entry(key).or_default();
        identity.kind = text(&session.actor_kind);
        identity.name = text(&session.name);
        for (total, more) in [
            (&mut self.sessions, 1),
            (&mut self.statements, session.statements),
            (&mut self.rows_returned, session.rows_returned),
            (&mut self.masked, masked),
            (&mut self.revealed, revealed),
            (&mut identity.sessions, 1),
            (&mut identity.statements, session.statements),
            (&mut identity.denied, session.denied),
            (&mut identity.rows_returned, session.rows_returned),
            (&mut identity.rows_affected, session.rows_affected),
            (&mut identity.masked, masked),
            (&mut identity.revealed, revealed),
        ] {
            *total = total.saturating_add(more);
        }
    }

    fn reveal(&mut self, row: &MaskingRow) {
        let key = (row.subject.clone(), format!("{}.{}", row.object, row.column));
        let seen =
            self.revealed_columns.entry(key).or_insert(Revealed { statements: 0, first: row.time, last: row.time });
        seen.statements = seen.statements.saturating_add(1);
        seen.first = seen.first.min(row.time);
        seen.last = seen.last.max(row.time);
    }
}

impl<T: Clone> Bounded<T> {
    /// Whether it was kept.
    fn push(&mut self, row: &T) -> bool {
        self.total = self.total.saturating_add(1);
        let kept = self.rows.len() < LISTED_MAX;
        if kept {
            self.rows.push(row.clone());
        }
        kept
    }

    /// How many are not listed.
    pub(super) fn left_out(&self) -> u64 {
        self.total.saturating_sub(self.rows.len() as u64)
    }
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), total: 0 }
    }
}

const REVEALED: &str = "revealed";
const REFUSED: &str = "refused";
/// Rows of one list: a report is read, not searched; the tables have all.
pub(super) const LISTED_MAX: usize = 500;
