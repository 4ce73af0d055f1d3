//! What a decision says: to the session, to the client, to the evidence.

use schemas::event::{Statement, Verdict};

use crate::rewrite::{Class, Effects, Resolved};
use crate::statement::Refusal;

/// The decision on one text.
#[derive(Debug, Clone)]
pub struct Ruling {
    /// One for each statement, in order; one for a text that is no statement; none for an empty text.
    pub statements: Vec<StatementRuling>,
    /// Whether the text runs.
    pub outcome: Outcome,
}

/// The decision on one statement.
#[derive(Debug, Clone)]
pub struct StatementRuling {
    /// For the evidence. Its number is 0: the session fills it in.
    pub event: Statement,
    /// Class, as `event` names it.
    pub class: Class,
    /// Diagnostics of the target must be reduced to severity and SQLSTATE: a protected relation or a trigger of users
    /// is involved.
    pub scrub_diagnostics: bool,
    /// What it does to session and catalog, once it ran.
    pub effects: Effects,
}

/// Whether a text runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It runs, in this form and no other. Empty for a text without statements.
    Permitted {
        /// What is sent to the target.
        upstream_sql: String,
    },
    /// Its one statement runs in this form when somebody who may has approved it, and then once (rule 23).
    Held {
        /// What would be sent to the target.
        upstream_sql: String,
        /// What it touches, and which of that needs the approval.
        objects: Vec<Resolved>,
    },
    /// Nothing of it runs.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

impl Ruling {
    /// The same, refused on grounds that only the session knows.
    #[must_use]
    pub(crate) fn refuse(mut self, refusal: Refusal) -> Self {
        for statement in &mut self.statements {
            let decision = &mut statement.event.decision;
            decision.outcome = Verdict::Refused;
            decision.sqlstate = Some(refusal.sqlstate.to_owned());
            decision.reason = Some(refusal.reason.clone());
            statement.event.upstream_text = None;
        }
        self.outcome = Outcome::Refused { refusal };
        self
    }

    /// Whether any statement asks for reduced diagnostics.
    #[must_use]
    pub fn scrub_diagnostics(&self) -> bool {
        self.statements.iter().any(|statement| statement.scrub_diagnostics)
    }
}
