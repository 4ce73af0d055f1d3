//! Why a statement does not run, in words for its author and in words for the evidence.

use std::fmt;

/// A refusal: what the client is told, and what evidence holds. Neither ever contains a literal of the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// SQLSTATE, five characters.
    pub sqlstate: &'static str,
    /// For the client: the object or construct, and the rule.
    pub message: String,
    /// For the client: how to proceed.
    pub hint: Option<String>,
    /// For the evidence: as `message`, without identifiers that only the client knows.
    pub reason: String,
    /// A name was not in the catalog snapshot: a newer snapshot may change the decision.
    pub unknown_name: bool,
}

impl Refusal {
    /// The principal or the rules of masking do not permit it (`42501`, insufficient_privilege).
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new("42501", message.into())
    }

    /// The relay does not do this yet (`0A000`, feature_not_supported).
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new("0A000", message.into())
    }

    /// Not SQL, or not the SQL of the grammar the relay knows (`42601`, syntax_error).
    pub(crate) fn syntax(message: impl Into<String>) -> Self {
        Self::new("42601", message.into())
    }

    /// A named limit is exceeded (`54000`, program_limit_exceeded).
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new("54000", message.into())
    }

    /// The catalog snapshot has no such relation (`42P01`, undefined_table). The name is the client's own and may be
    /// anything, so evidence does not repeat it.
    pub(crate) fn unknown_relation(name: impl fmt::Display) -> Self {
        let mut refusal = Self::new("42P01", format!("relation {name} does not exist"));
        "a relation of the statement does not exist in the catalog".clone_into(&mut refusal.reason);
        refusal.unknown_name = true;
        refusal
    }

    /// The relay or what it depends on failed (`58030`, io_error).
    pub(crate) fn io(message: impl Into<String>) -> Self {
        Self::new("58030", message.into())
    }

    /// The session has no such cursor (`34000`, invalid_cursor_name). As with relations, evidence does not repeat the name.
    pub(crate) fn unknown_cursor(name: &str) -> Self {
        let reason = "a cursor of this name was not declared through the relay".to_owned();
        Self { reason, ..Self::new("34000", format!("cursor \"{name}\" does not exist")) }
    }

    /// The session has no such prepared statement (`26000`, invalid_sql_statement_name). Evidence does not repeat the name.
    pub(crate) fn unknown_statement(name: &str) -> Self {
        let reason =
            "a prepared statement of this name does not exist, or what it was decided on has changed".to_owned();
        Self { reason, ..Self::new("26000", format!("prepared statement \"{name}\" does not exist")) }
    }

    /// What it would run in does not allow it (`55000`, object_not_in_prerequisite_state).
    pub(crate) fn prerequisite(message: impl Into<String>) -> Self {
        Self::new("55000", message.into())
    }

    /// It was held, and is over (`57014`, query_canceled).
    pub(crate) fn canceled(message: impl Into<String>) -> Self {
        Self::new("57014", message.into())
    }

    /// Says how to proceed.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Gives evidence other words than the client gets.
    #[must_use]
    pub(crate) fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    fn new(sqlstate: &'static str, message: String) -> Self {
        Self { sqlstate, reason: message.clone(), message, hint: None, unknown_name: false }
    }
}
