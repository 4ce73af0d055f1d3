//! Which relations of the system's own schemas may be read: those that tell structure, never values.

/// Whether `pg_catalog.<name>` tells structure alone, or does so as far as the rewriter lets it be seen
/// (`rewrite::narrowed`).
///
/// Left out are statistics that hold sampled values (`pg_statistic`, `pg_stats*`, `pg_statistic_ext_data`), texts of
/// other sessions' statements (`pg_stat_statements`), secrets (`pg_authid`, `pg_shadow`, `pg_user_mapping`,
/// `pg_stat_subscription`), files (`pg_hba_file_rules`, `pg_file_settings`) and
/// large objects.
pub(crate) fn readable(name: &str) -> bool {
    PG_CATALOG.binary_search(&name).is_ok()
}

/// Whether `information_schema.<name>` is a view that PostgreSQL brings and that tells structure: its internal views and
/// the options of user mappings, which can hold passwords, are left out, and so is what somebody else put there.
pub(crate) fn information_schema_readable(name: &str) -> bool {
    INFORMATION_SCHEMA.binary_search(&name).is_ok()
}

/// Sorted, for binary search.
const PG_CATALOG: &[&str] = &[
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_attrdef",
    "pg_attribute",
    "pg_auth_members",
    "pg_available_extension_versions",
    "pg_available_extensions",
    "pg_cast",
    "pg_class",
    "pg_collation",
    "pg_constraint",
    "pg_conversion",
    "pg_cursors",
    "pg_database",
    // As far as the settings may be shown.
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_depend",
    "pg_description",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    // Its options are in `information_schema.foreign_server_options` too; passwords are the user mappings'.
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_group",
    "pg_index",
    "pg_indexes",
    "pg_inherits",
    "pg_init_privs",
    "pg_language",
    // Which there are; what is in them `pg_largeobject` holds.
    "pg_largeobject_metadata",
    "pg_locks",
    "pg_matviews",
    "pg_namespace",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_partitioned_table",
    "pg_policies",
    "pg_policy",
    "pg_prepared_statements",
    "pg_prepared_xacts",
    "pg_proc",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_publication_tables",
    "pg_range",
    "pg_rewrite",
    "pg_roles",
    "pg_rules",
    "pg_seclabel",
    "pg_seclabels",
    "pg_sequence",
    // Where none of them tells a protected value.
    "pg_sequences",
    "pg_settings",
    "pg_shdescription",
    "pg_stat_activity",
    "pg_stat_all_indexes",
    "pg_stat_all_tables",
    "pg_stat_database",
    "pg_stat_gssapi",
    "pg_stat_replication",
    "pg_stat_ssl",
    "pg_stat_user_indexes",
    "pg_stat_user_tables",
    "pg_statio_all_indexes",
    "pg_statio_all_tables",
    "pg_statio_user_indexes",
    "pg_statio_user_tables",
    "pg_statistic_ext",
    "pg_subscription",
    "pg_tables",
    "pg_tablespace",
    "pg_timezone_abbrevs",
    "pg_timezone_names",
    "pg_transform",
    "pg_trigger",
    "pg_ts_config",
    "pg_ts_config_map",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_type",
    "pg_user",
    "pg_user_mappings",
    "pg_views",
];

/// Sorted, for binary search.
const INFORMATION_SCHEMA: &[&str] = &[
    "administrable_role_authorizations",
    "applicable_roles",
    "attributes",
    "character_sets",
    "check_constraint_routine_usage",
    "check_constraints",
    "collation_character_set_applicability",
    "collations",
    "column_column_usage",
    "column_domain_usage",
    "column_options",
    "column_privileges",
    "column_udt_usage",
    "columns",
    "constraint_column_usage",
    "constraint_table_usage",
    "data_type_privileges",
    "domain_constraints",
    "domain_udt_usage",
    "domains",
    "element_types",
    "enabled_roles",
    "foreign_data_wrapper_options",
    "foreign_data_wrappers",
    "foreign_server_options",
    "foreign_servers",
    "foreign_table_options",
    "foreign_tables",
    "information_schema_catalog_name",
    "key_column_usage",
    "parameters",
    "referential_constraints",
    "role_column_grants",
    "role_routine_grants",
    "role_table_grants",
    "role_udt_grants",
    "role_usage_grants",
    "routine_column_usage",
    "routine_privileges",
    "routine_routine_usage",
    "routine_sequence_usage",
    "routine_table_usage",
    "routines",
    "schemata",
    "sequences",
    "sql_features",
    "sql_implementation_info",
    "sql_parts",
    "sql_sizing",
    "table_constraints",
    "table_privileges",
    "tables",
    "transforms",
    "triggered_update_columns",
    "triggers",
    "udt_privileges",
    "usage_privileges",
    "user_defined_types",
    "view_column_usage",
    "view_routine_usage",
    "view_table_usage",
    "views",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_that_hold_values_or_secrets_are_not_readable() {
        assert!(PG_CATALOG.is_sorted());
        for name in [
            "pg_stats",
            "pg_statistic",
            "pg_stats_ext",
            "pg_stat_xact_user_tables",
            "pg_authid",
            "pg_shadow",
            "pg_user_mapping",
        ] {
            assert!(!readable(name), "{name}");
        }
        assert!(readable("pg_class"));
        assert!(INFORMATION_SCHEMA.is_sorted());
        assert!(information_schema_readable("columns"));
        for name in ["_pg_user_mappings", "user_mapping_options", "made_by_somebody"] {
            assert!(!information_schema_readable(name), "{name}");
        }
    }
}
