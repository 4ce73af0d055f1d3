//! The allow-list of functions, by name.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::types;

/// Whether every function of `pg_catalog` with this name only computes from its arguments, or tells structure.
///
/// The test for an entry: it runs no SQL text, reads no relation's rows, no file, no large object, no statistics, no
/// other session's work; it changes no setting, and no state that outlives the session but a lock. So `query_to_xml`, `ts_stat`, `ts_rewrite`, `set_config`,
/// `current_setting`, `nextval`, `lo_*`, `pg_read_*`, `pg_ls_*`, `pg_stat_*`, `pg_logical_*`, `dblink*` are not
/// here, and neither is anything nobody has looked at.
pub(crate) fn allowed(name: &str) -> bool {
    ALLOWED.contains(name)
}

/// Whether `value.name` may stand where it is not known to be a column: it can be a call of the function of that name, if
/// `pg_catalog` has one of one argument.
///
/// Beside those on the list: conversions to a type that may be named.
pub(crate) fn allowed_as_field(name: &str) -> bool {
    allowed(name) || types::allowed(name)
}

static ALLOWED: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| LISTS.iter().flat_map(|list| list.split_ascii_whitespace()).collect());

const LISTS: &[&str] = &[
    AGGREGATES,
    WINDOW,
    TEXT,
    MATHS,
    TIME,
    JSON,
    ARRAYS_AND_RANGES,
    TEXT_SEARCH,
    NETWORK_AND_IDENTIFIERS,
    GEOMETRY,
    XML,
    STRUCTURE,
    SESSION,
    ADVISORY_LOCKS,
    TRANSACTIONS,
    WAITING,
];

const AGGREGATES: &str = "
    count sum avg min max every bool_and bool_or bit_and bit_or bit_xor any_value
    array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg range_agg range_intersect_agg
    stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp
    regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    mode percentile_cont percentile_disc";

const WINDOW: &str = "
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value";

const TEXT: &str = "
    ascii bit_length btrim char_length character_length chr concat concat_ws convert convert_from convert_to
    decode encode format initcap left length like_escape lower lpad ltrim md5 normalize is_normalized octet_length
    overlay parse_ident position quote_ident quote_literal quote_nullable regexp_count regexp_instr regexp_like
    regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr repeat
    replace reverse right rpad rtrim sha224 sha256 sha384 sha512 similar_to_escape similar_escape split_part
    casefold unicode_assigned hashtext hashtextextended
    starts_with string_to_array string_to_table strpos substr substring textcat to_ascii to_hex translate trim_array
    unistr upper get_bit get_byte set_bit set_byte bit_count like notlike";

const MATHS: &str = "
    abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos cosd cosh cot cotd
    degrees div exp factorial floor gcd lcm ln log log10 min_scale mod pi power pow radians random round scale sign
    sin sind sinh sqrt tan tand tanh trim_scale trunc width_bucket
    to_number generate_series generate_subscripts
    erf erfc gamma lgamma crc32 crc32c random_normal setseed to_bin to_oct pg_size_bytes
    pg_input_is_valid pg_input_error_info";

const TIME: &str = "
    age clock_timestamp date_add date_bin date_subtract date_part date_trunc extract isfinite justify_days justify_hours justify_interval
    make_date make_interval make_time make_timestamp make_timestamptz now overlaps statement_timestamp timeofday
    timezone to_char to_date to_timestamp transaction_timestamp";

const JSON: &str = "
    array_to_json json_array_elements json_array_elements_text json_array_length json_build_array json_build_object
    json_each json_each_text json_extract_path json_extract_path_text json_object json_object_keys json_strip_nulls
    json_to_record json_to_recordset json_typeof row_to_json to_json to_jsonb
    jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object
    jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys
    jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty
    jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof";

const ARRAYS_AND_RANGES: &str = "
    array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions
    array_prepend array_remove array_replace array_reverse array_sample array_shuffle array_sort array_to_string array_upper cardinality unnest
    isempty lower_inc lower_inf range_merge upper_inc upper_inf int4range int8range numrange tsrange tstzrange daterange
    multirange int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange
    num_nonnulls num_nulls enum_first enum_last enum_range";

const TEXT_SEARCH: &str = "
    array_to_tsvector numnode phraseto_tsquery plainto_tsquery querytree setweight strip to_tsquery to_tsvector
    ts_debug ts_headline ts_lexize ts_parse ts_rank ts_rank_cd tsvector_to_array websearch_to_tsquery get_current_ts_config";

const NETWORK_AND_IDENTIFIERS: &str = "
    abbrev broadcast family host hostmask inet_merge inet_same_family masklen netmask network set_masklen
    gen_random_uuid uuidv4 uuidv7 uuid_extract_timestamp uuid_extract_version";

/// A document is read by rules of its own and leads nowhere: PostgreSQL loads nothing that it refers to.
const XML: &str = "xml_is_well_formed xml_is_well_formed_content xml_is_well_formed_document xmlagg xmlcomment xmltext
    xpath xpath_exists";

/// What psql's backslash commands and drivers ask about structure.
const STRUCTURE: &str = "
    format_type pg_get_expr pg_get_indexdef pg_get_constraintdef pg_get_viewdef pg_get_ruledef pg_get_triggerdef
    pg_get_functiondef pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result
    pg_get_function_arg_default pg_get_function_sqlbody
    pg_get_partkeydef pg_get_partition_constraintdef pg_get_statisticsobjdef pg_get_statisticsobjdef_columns
    pg_get_statisticsobjdef_expressions pg_get_serial_sequence pg_get_userbyid pg_get_keywords
    pg_table_is_visible pg_type_is_visible pg_function_is_visible pg_operator_is_visible pg_opclass_is_visible
    pg_opfamily_is_visible pg_collation_is_visible pg_conversion_is_visible pg_statistics_obj_is_visible
    pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible
    obj_description col_description shobj_description pg_describe_object
    pg_relation_is_publishable pg_partition_ancestors pg_partition_root pg_partition_tree
    pg_options_to_table ts_token_type pg_tablespace_location pg_encoding_to_char pg_char_to_encoding pg_typeof pg_collation_for
    pg_relation_size pg_table_size pg_total_relation_size pg_indexes_size pg_database_size pg_size_pretty
    pg_index_column_has_property pg_index_has_property pg_indexam_has_property
    to_regclass to_regtype to_regproc to_regprocedure to_regnamespace to_regrole to_regcollation to_regoper to_regoperator
    has_any_column_privilege has_column_privilege has_database_privilege has_function_privilege has_schema_privilege
    has_sequence_privilege has_table_privilege has_type_privilege pg_has_role
    aclexplode acldefault row_security_active pg_column_size pg_column_compression";

/// Computes from figures alone.
const GEOMETRY: &str = "
    area bound_box box center circle diagonal diameter height isclosed ishorizontal isopen isparallel isperp isvertical
    line lseg npoints path pclose point polygon popen radius slope width";

/// What tells about the session itself, and about the server it is at.
const SESSION: &str = "
    version current_database current_schema current_schemas pg_client_encoding getdatabaseencoding
    inet_client_addr inet_client_port inet_server_addr inet_server_port pg_postmaster_start_time pg_conf_load_time
    pg_is_in_recovery pg_is_wal_replay_paused pg_last_xact_replay_timestamp
    pg_backend_pid pg_blocking_pids pg_my_temp_schema pg_is_other_temp_schema";

/// Locks of applications' own making: they touch no row, and are how migrations and workers take turns.
const ADVISORY_LOCKS: &str = "
    pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared
    pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared
    pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all";

/// Numbers of transactions, which say nothing of what is in them.
const TRANSACTIONS: &str = "
    pg_current_snapshot pg_current_xact_id pg_current_xact_id_if_assigned txid_current txid_current_if_assigned
    txid_current_snapshot pg_export_snapshot";

/// For how long may depend on what the statement sees, and that is masked.
const WAITING: &str = "pg_sleep pg_sleep_for pg_sleep_until";

/// Every name on the list.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    ALLOWED.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_run_text_or_read_elsewhere_are_not_on_the_list() {
        for name in [
            "query_to_xml",
            "table_to_xml",
            "cursor_to_xml",
            "database_to_xml",
            "ts_stat",
            "ts_rewrite",
            "set_config",
            "current_setting",
            "lo_get",
            "lo_export",
            "pg_read_file",
            "pg_ls_dir",
            "pg_stat_get_activity",
            "nextval",
            "setval",
            "pg_logical_slot_get_changes",
            "dblink",
            "pg_show_all_settings",
            "json_populate_record",
            "pg_terminate_backend",
            "pg_notify",
            "currtid2",
            "pg_current_wal_lsn",
            "jsonb_populate_record",
            "xmlparse",
        ] {
            assert!(!allowed(name), "{name}");
        }
        assert!(allowed("count") && allowed("pg_table_is_visible"));
    }
}
