//! What of the target's errors and notices a client may see.
//!
//! A diagnostic can carry a row in any of its fields (`Failing row contains (…)`, a cast's value, a trigger's
//! `RAISE`). Whenever a statement, its target or a trigger can touch a protected column, only the severity and a
//! standard SQLSTATE pass, with text that is ours (invariant 3; bypass classes 4 to 7).

use wire::postgres::{ErrorFields, Severity, SqlState};

/// How much of a diagnostic may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// No protected column can be in it. The position would point into the rewritten text, so it is dropped.
    Open,
    /// Only severity and a standard SQLSTATE.
    Withheld,
    /// The same, and for everything until the transaction ends: deferred triggers speak when it commits.
    WithheldUntilCommit,
}

/// The diagnostic to send in place of the target's.
pub(crate) fn released(fields: &ErrorFields, exposure: Exposure) -> ErrorFields {
    match exposure {
        Exposure::Open => {
            let mut fields = fields.clone();
            fields.position = None;
            fields.internal_position = None;
            fields
        }
        Exposure::Withheld | Exposure::WithheldUntilCommit => withheld(fields.severity, fields.sqlstate),
    }
}

fn withheld(severity: Severity, sqlstate: SqlState) -> ErrorFields {
    // A SQLSTATE of a user's own making can carry five characters of a value.
    let (sqlstate, condition) = match sqlstate.condition_name() {
        Some(condition) => (sqlstate, condition),
        None => (SqlState::INTERNAL_ERROR, "a condition that PostgreSQL does not define"),
    };
    let text = format!("{}: the target's text is withheld, for it may hold a protected value", spoken(condition));
    ErrorFields::new(severity, sqlstate, text)
}

fn spoken(condition: &str) -> String {
    condition.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaking() -> ErrorFields {
        let mut fields = ErrorFields::error(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input: \"900-12-3456\"");
        fields.detail = Some("Failing row contains (900-12-3456)".to_owned());
        fields.unknown = vec![(b'Z', "900-12-3456".to_owned())];
        fields.constraint = Some("900-12-3456".to_owned());
        fields
    }

    #[test]
    fn nothing_of_a_withheld_diagnostic_is_the_targets_text() {
        let shown = released(&leaking(), Exposure::Withheld);
        assert_eq!(shown.sqlstate, SqlState::INVALID_TEXT_REPRESENTATION);
        assert_eq!((&shown.detail, &shown.constraint, &shown.hint), (&None, &None, &None));
        assert!(shown.unknown.is_empty());
        assert!(!shown.message.contains("900"), "{}", shown.message);
    }

    #[test]
    fn a_sqlstate_that_no_manual_knows_is_no_channel() {
        let fields = ErrorFields::error(SqlState::from_code("90012").unwrap(), "x");
        assert_eq!(released(&fields, Exposure::Withheld).sqlstate, SqlState::INTERNAL_ERROR);
    }

    #[test]
    fn an_open_diagnostic_loses_only_its_position() {
        let mut fields = leaking();
        fields.position = Some(7);
        let shown = released(&fields, Exposure::Open);
        assert_eq!(shown.position, None);
        assert_eq!(shown.detail, fields.detail);
    }
}
