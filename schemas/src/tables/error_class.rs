//! Classes of SQLSTATE, so that errors can be counted without knowing codes.

/// Name of the code's class, which its first two characters tell; `other` for one that PostgreSQL does not document.
/// Source: PostgreSQL documentation, appendix A, "PostgreSQL Error Codes".
#[must_use]
pub fn error_class(sqlstate: &str) -> &'static str {
    let class = sqlstate.get(..2).unwrap_or_default();
    CLASSES.iter().find(|(code, _)| *code == class).map_or("other", |(_, name)| name)
}

const CLASSES: &[(&str, &str)] = &[
    ("00", "successful-completion"),
    ("01", "warning"),
    ("02", "no-data"),
    ("03", "statement-not-yet-complete"),
    ("08", "connection-exception"),
    ("09", "triggered-action-exception"),
    ("0A", "feature-not-supported"),
    ("0B", "invalid-transaction-initiation"),
    ("0F", "locator-exception"),
    ("0L", "invalid-grantor"),
    ("0P", "invalid-role-specification"),
    ("0Z", "diagnostics-exception"),
    ("10", "xquery-error"),
    ("20", "case-not-found"),
    ("21", "cardinality-violation"),
    ("22", "data-exception"),
    ("23", "integrity-constraint-violation"),
    ("24", "invalid-cursor-state"),
    ("25", "invalid-transaction-state"),
    ("26", "invalid-statement-name"),
    ("27", "triggered-data-change-violation"),
    ("28", "invalid-authorization"),
    ("2B", "dependent-privileges-exist"),
    ("2D", "invalid-transaction-termination"),
    ("2F", "routine-exception"),
    ("34", "invalid-cursor-name"),
    ("38", "external-routine-exception"),
    ("39", "external-routine-invocation-exception"),
    ("3B", "savepoint-exception"),
    ("3D", "invalid-catalog-name"),
    ("3F", "invalid-schema-name"),
    ("40", "transaction-rollback"),
    ("42", "syntax-error-or-access-violation"),
    ("44", "with-check-option-violation"),
    ("53", "insufficient-resources"),
    ("54", "program-limit-exceeded"),
    ("55", "object-not-in-prerequisite-state"),
    ("57", "operator-intervention"),
    ("58", "system-error"),
    ("F0", "configuration-file-error"),
    ("HV", "foreign-data-wrapper-error"),
    ("P0", "plpgsql-error"),
    ("XX", "internal-error"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_the_class_of_its_first_two_characters() {
        assert_eq!(error_class("42501"), "syntax-error-or-access-violation");
        assert_eq!(error_class("57014"), "operator-intervention");
        for strange in ["", "4", "99999", "é2501"] {
            assert_eq!(error_class(strange), "other", "{strange}");
        }
    }
}
