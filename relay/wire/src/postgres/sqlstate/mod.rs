//! SQLSTATE codes: five characters that say what went wrong.
//!
//! Source: PostgreSQL documentation, Appendix A, "PostgreSQL Error Codes".

mod conditions;

use conditions::CONDITIONS;
use std::fmt;

/// A SQLSTATE: five digits or capital letters, of which the first two are the class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// `00000` successful_completion
    pub const SUCCESSFUL_COMPLETION: Self = Self(*b"00000");
    /// `01000` warning
    pub const WARNING: Self = Self(*b"01000");
    /// `08000` connection_exception
    pub const CONNECTION_EXCEPTION: Self = Self(*b"08000");
    /// `08001` sqlclient_unable_to_establish_sqlconnection
    pub const SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION: Self = Self(*b"08001");
    /// `08003` connection_does_not_exist
    pub const CONNECTION_DOES_NOT_EXIST: Self = Self(*b"08003");
    /// `08004` sqlserver_rejected_establishment_of_sqlconnection
    pub const SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION: Self = Self(*b"08004");
    /// `08006` connection_failure
    pub const CONNECTION_FAILURE: Self = Self(*b"08006");
    /// `08P01` protocol_violation
    pub const PROTOCOL_VIOLATION: Self = Self(*b"08P01");
    /// `0A000` feature_not_supported
    pub const FEATURE_NOT_SUPPORTED: Self = Self(*b"0A000");
    /// `0L000` invalid_grantor
    pub const INVALID_GRANTOR: Self = Self(*b"0L000");
    /// `22000` data_exception
    pub const DATA_EXCEPTION: Self = Self(*b"22000");
    /// `22003` numeric_value_out_of_range
    pub const NUMERIC_VALUE_OUT_OF_RANGE: Self = Self(*b"22003");
    /// `22004` null_value_not_allowed
    pub const NULL_VALUE_NOT_ALLOWED: Self = Self(*b"22004");
    /// `22007` invalid_datetime_format
    pub const INVALID_DATETIME_FORMAT: Self = Self(*b"22007");
    /// `22012` division_by_zero
    pub const DIVISION_BY_ZERO: Self = Self(*b"22012");
    /// `22021` character_not_in_repertoire
    pub const CHARACTER_NOT_IN_REPERTOIRE: Self = Self(*b"22021");
    /// `22023` invalid_parameter_value
    pub const INVALID_PARAMETER_VALUE: Self = Self(*b"22023");
    /// `22P02` invalid_text_representation
    pub const INVALID_TEXT_REPRESENTATION: Self = Self(*b"22P02");
    /// `23000` integrity_constraint_violation
    pub const INTEGRITY_CONSTRAINT_VIOLATION: Self = Self(*b"23000");
    /// `23502` not_null_violation
    pub const NOT_NULL_VIOLATION: Self = Self(*b"23502");
    /// `23503` foreign_key_violation
    pub const FOREIGN_KEY_VIOLATION: Self = Self(*b"23503");
    /// `23505` unique_violation
    pub const UNIQUE_VIOLATION: Self = Self(*b"23505");
    /// `23514` check_violation
    pub const CHECK_VIOLATION: Self = Self(*b"23514");
    /// `25000` invalid_transaction_state
    pub const INVALID_TRANSACTION_STATE: Self = Self(*b"25000");
    /// `25001` active_sql_transaction
    pub const ACTIVE_SQL_TRANSACTION: Self = Self(*b"25001");
    /// `25006` read_only_sql_transaction
    pub const READ_ONLY_SQL_TRANSACTION: Self = Self(*b"25006");
    /// `25P02` in_failed_sql_transaction
    pub const IN_FAILED_SQL_TRANSACTION: Self = Self(*b"25P02");
    /// `25P03` idle_in_transaction_session_timeout
    pub const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: Self = Self(*b"25P03");
    /// `26000` invalid_sql_statement_name
    pub const INVALID_SQL_STATEMENT_NAME: Self = Self(*b"26000");
    /// `28000` invalid_authorization_specification
    pub const INVALID_AUTHORIZATION_SPECIFICATION: Self = Self(*b"28000");
    /// `28P01` invalid_password
    pub const INVALID_PASSWORD: Self = Self(*b"28P01");
    /// `34000` invalid_cursor_name
    pub const INVALID_CURSOR_NAME: Self = Self(*b"34000");
    /// `3D000` invalid_catalog_name
    pub const INVALID_CATALOG_NAME: Self = Self(*b"3D000");
    /// `3F000` invalid_schema_name
    pub const INVALID_SCHEMA_NAME: Self = Self(*b"3F000");
    /// `40001` serialization_failure
    pub const SERIALIZATION_FAILURE: Self = Self(*b"40001");
    /// `40P01` deadlock_detected
    pub const DEADLOCK_DETECTED: Self = Self(*b"40P01");
    /// `42000` syntax_error_or_access_rule_violation
    pub const SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION: Self = Self(*b"42000");
    /// `42501` insufficient_privilege
    pub const INSUFFICIENT_PRIVILEGE: Self = Self(*b"42501");
    /// `42601` syntax_error
    pub const SYNTAX_ERROR: Self = Self(*b"42601");
    /// `42602` invalid_name
    pub const INVALID_NAME: Self = Self(*b"42602");
    /// `42622` name_too_long
    pub const NAME_TOO_LONG: Self = Self(*b"42622");
    /// `42701` duplicate_column
    pub const DUPLICATE_COLUMN: Self = Self(*b"42701");
    /// `42702` ambiguous_column
    pub const AMBIGUOUS_COLUMN: Self = Self(*b"42702");
    /// `42703` undefined_column
    pub const UNDEFINED_COLUMN: Self = Self(*b"42703");
    /// `42704` undefined_object
    pub const UNDEFINED_OBJECT: Self = Self(*b"42704");
    /// `42710` duplicate_object
    pub const DUPLICATE_OBJECT: Self = Self(*b"42710");
    /// `42723` duplicate_function
    pub const DUPLICATE_FUNCTION: Self = Self(*b"42723");
    /// `42803` grouping_error
    pub const GROUPING_ERROR: Self = Self(*b"42803");
    /// `42804` datatype_mismatch
    pub const DATATYPE_MISMATCH: Self = Self(*b"42804");
    /// `42883` undefined_function
    pub const UNDEFINED_FUNCTION: Self = Self(*b"42883");
    /// `42P01` undefined_table
    pub const UNDEFINED_TABLE: Self = Self(*b"42P01");
    /// `42P02` undefined_parameter
    pub const UNDEFINED_PARAMETER: Self = Self(*b"42P02");
    /// `42P05` duplicate_prepared_statement
    pub const DUPLICATE_PREPARED_STATEMENT: Self = Self(*b"42P05");
    /// `42P18` indeterminate_datatype
    pub const INDETERMINATE_DATATYPE: Self = Self(*b"42P18");
    /// `53000` insufficient_resources
    pub const INSUFFICIENT_RESOURCES: Self = Self(*b"53000");
    /// `53100` disk_full
    pub const DISK_FULL: Self = Self(*b"53100");
    /// `53200` out_of_memory
    pub const OUT_OF_MEMORY: Self = Self(*b"53200");
    /// `53300` too_many_connections
    pub const TOO_MANY_CONNECTIONS: Self = Self(*b"53300");
    /// `53400` configuration_limit_exceeded
    pub const CONFIGURATION_LIMIT_EXCEEDED: Self = Self(*b"53400");
    /// `54000` program_limit_exceeded
    pub const PROGRAM_LIMIT_EXCEEDED: Self = Self(*b"54000");
    /// `54001` statement_too_complex
    pub const STATEMENT_TOO_COMPLEX: Self = Self(*b"54001");
    /// `54011` too_many_columns
    pub const TOO_MANY_COLUMNS: Self = Self(*b"54011");
    /// `54023` too_many_arguments
    pub const TOO_MANY_ARGUMENTS: Self = Self(*b"54023");
    /// `55000` object_not_in_prerequisite_state
    pub const OBJECT_NOT_IN_PREREQUISITE_STATE: Self = Self(*b"55000");
    /// `55006` object_in_use
    pub const OBJECT_IN_USE: Self = Self(*b"55006");
    /// `57000` operator_intervention
    pub const OPERATOR_INTERVENTION: Self = Self(*b"57000");
    /// `57014` query_canceled
    pub const QUERY_CANCELED: Self = Self(*b"57014");
    /// `57P01` admin_shutdown
    pub const ADMIN_SHUTDOWN: Self = Self(*b"57P01");
    /// `57P02` crash_shutdown
    pub const CRASH_SHUTDOWN: Self = Self(*b"57P02");
    /// `57P03` cannot_connect_now
    pub const CANNOT_CONNECT_NOW: Self = Self(*b"57P03");
    /// `57P05` idle_session_timeout
    pub const IDLE_SESSION_TIMEOUT: Self = Self(*b"57P05");
    /// `58000` system_error
    pub const SYSTEM_ERROR: Self = Self(*b"58000");
    /// `58030` io_error
    pub const IO_ERROR: Self = Self(*b"58030");
    /// `P0001` raise_exception
    pub const RAISE_EXCEPTION: Self = Self(*b"P0001");
    /// `XX000` internal_error
    pub const INTERNAL_ERROR: Self = Self(*b"XX000");
    /// `XX001` data_corrupted
    pub const DATA_CORRUPTED: Self = Self(*b"XX001");
    /// The SQLSTATE of a code; `None` unless it is five digits or capital letters.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let code: [u8; 5] = code.as_bytes().try_into().ok()?;
        code.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()).then_some(Self(code))
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The class: the first two characters.
    #[must_use]
    pub fn class(&self) -> &str {
        self.as_str().get(..2).unwrap_or_default()
    }

    /// PostgreSQL's name of the condition; `None` for a code it does not define, as functions may raise. So
    /// `is_some` tells a standard code from one that somebody chose, which could carry data.
    #[must_use]
    pub fn condition_name(&self) -> Option<&'static str> {
        let index = CONDITIONS.binary_search_by_key(&self.0, |(code, _)| *code).ok()?;
        CONDITIONS.get(index).map(|(_, name)| *name)
    }
}

/// PostgreSQL's name of the condition a code stands for.
#[must_use]
pub fn condition_name(code: &str) -> Option<&'static str> {
    SqlState::from_code(code)?.condition_name()
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(CONDITIONS.is_sorted_by(|(before, _), (after, _)| before < after));
    }

    #[test]
    fn a_code_that_a_function_made_up_has_no_condition() {
        assert_eq!(condition_name("23505"), Some("unique_violation"));
        assert_eq!(condition_name("PT404"), None);
        assert_eq!(condition_name("23 05"), None);
        assert_eq!(SqlState::UNIQUE_VIOLATION.class(), "23");
    }
}
