//! The allow-list of settings: none that changes how a text is read or whom it runs as.
//!
//! The search path and those by which plans are made the session keeps account of ([`SettingChange`]): decisions rest on
//! them. An order of rows can follow from a plan (rule 4), so while one of the latter is changed nothing is read that is
//! masked. `client_min_messages` is not set below NOTICE because the server then tells what it does inside.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, VariableSetKind, VariableSetStmt, a_const::Val};

use super::explain::definition;
use super::outcome::{Effects, ReasonChange, SettingChange};
use super::rewriter::Rewriter;
use super::{plain_settings, search_path};
use crate::statement::Refusal;

impl Rewriter<'_> {
    /// `SET`, `RESET`, `SET TRANSACTION`.
    pub(super) fn set(&self, statement: &VariableSetStmt) -> Result<Effects, Refusal> {
        let name = statement.name.to_ascii_lowercase();
        if is_own(&self.access.settings, &name) {
            let plain = statement.args.iter().all(|arg| constant(arg).is_some());
            return plain.then(Effects::default).ok_or_else(|| not_settable(&name));
        }
        // Whom it runs as already.
        if let ("role" | "session_authorization", [value]) = (name.as_str(), statement.args.as_slice()) {
            let same =
                constant(value).is_some_and(|role| role == self.catalog.login() || name == "role" && role == "none");
            return same.then(Effects::default).ok_or_else(|| not_settable(&name));
        }
        set(statement)
    }

    /// `SHOW`.
    pub(super) fn show(&self, name: &str) -> Result<(), Refusal> {
        show(&self.access.settings, name)
    }
}

fn set(statement: &VariableSetStmt) -> Result<Effects, Refusal> {
    let name = statement.name.to_ascii_lowercase();
    if let Some(effects) = resting(&name, statement)? {
        return Ok(effects);
    }
    match VariableSetKind::try_from(statement.kind) {
        Ok(VariableSetKind::VarResetAll) => {
            Ok(Effects { resets_settings: true, reason: ReasonChange::Reset, ..Effects::default() })
        }
        Ok(VariableSetKind::VarSetMulti) if name == "transaction" || name == "session characteristics" => {
            transaction_options(&statement.args).map(|()| Effects::default())
        }
        // What another session sees; through masks all the same.
        Ok(VariableSetKind::VarSetMulti) if name == "transaction snapshot" => match statement.args.as_slice() {
            [snapshot] if constant(snapshot).is_some() => Ok(Effects::default()),
            _ => Err(not_settable(&name)),
        },
        Ok(VariableSetKind::VarSetValue) if name == REASON => reason(&statement.args),
        Ok(VariableSetKind::VarSetValue) => value_allowed(&name, &statement.args).map(|()| Effects::default()),
        Ok(VariableSetKind::VarSetDefault | VariableSetKind::VarReset) if name == REASON => {
            Ok(Effects { reason: ReasonChange::Reset, ..Effects::default() })
        }
        Ok(VariableSetKind::VarSetDefault | VariableSetKind::VarReset)
            if SETTABLE.contains(&name.as_str()) || FIXED.contains(&name.as_str()) =>
        {
            Ok(Effects::default())
        }
        _ => Err(not_settable(&name)),
    }
}

/// A setting that decisions rest on.
fn resting(name: &str, statement: &VariableSetStmt) -> Result<Option<Effects>, Refusal> {
    let Some(name) = STEERING.iter().chain(&[SEARCH_PATH]).find(|known| **known == name).copied() else {
        return Ok(None);
    };
    let value = match VariableSetKind::try_from(statement.kind) {
        Ok(VariableSetKind::VarSetDefault | VariableSetKind::VarReset) => None,
        Ok(VariableSetKind::VarSetValue) if name == SEARCH_PATH => Some(search_path::of_constants(&statement.args)?),
        Ok(VariableSetKind::VarSetValue) if statement.args.iter().all(|arg| constant(arg).is_some()) => {
            Some(Vec::new())
        }
        _ => return Err(not_settable(name)),
    };
    let setting = SettingChange { name, value: value.map(Into::into), local: statement.is_local };
    Ok(Some(Effects { setting: Some(setting), ..Effects::default() }))
}

/// `SET affidavit.reason`: no setting of the target's, which keeps it for the session all the same.
fn reason(args: &[Node]) -> Result<Effects, Refusal> {
    match args {
        [value] => match constant(value) {
            Some(text) if is_reason(&text) => Ok(Effects { reason: ReasonChange::Set(text), ..Effects::default() }),
            _ => Err(Refusal::syntax(format!("{REASON} is a text of at most {REASON_MAX} characters on one line"))),
        },
        _ => Err(Refusal::syntax(format!("{REASON} takes one text"))),
    }
}

/// Whether a text may be a reason: people read it in lists and notices.
pub(crate) fn is_reason(text: &str) -> bool {
    text.chars().count() <= REASON_MAX && !text.chars().any(char::is_control)
}

/// Whether a setting is the application's own, of a prefix that the connection's configuration names.
pub(super) fn is_own(prefixes: &[String], name: &str) -> bool {
    name.split_once('.').is_some_and(|(prefix, _)| prefixes.iter().any(|own| own == prefix))
}

/// Whether `SHOW` may show it.
pub(super) fn show(own: &[String], name: &str) -> Result<(), Refusal> {
    let lower = name.to_ascii_lowercase();
    if lower == REASON || is_own(own, &lower) || shown().any(|shown| shown == lower) {
        return Ok(());
    }
    Err(Refusal::forbidden(format!("setting {} is not on the relay's list of settings to show", told(&lower))))
}

/// Every setting that may be shown, but for the reason: the server knows no such one until it is set.
pub(super) fn shown() -> impl Iterator<Item = &'static str> {
    SETTABLE.iter().chain(SHOWABLE).copied().chain(plain_settings::all())
}

/// Isolation level, read only, deferrable; with plain constants.
pub(super) fn transaction_options(options: &[Node]) -> Result<(), Refusal> {
    for option in options {
        let known = definition(option).is_some_and(|name| TRANSACTION_OPTIONS.contains(&name));
        let plain = match &option.node {
            Some(NodeEnum::DefElem(element)) => element.arg.as_deref().is_none_or(|arg| constant(arg).is_some()),
            _ => false,
        };
        if !known || !plain {
            return Err(Refusal::unsupported("this transaction mode is not supported by the relay"));
        }
    }
    Ok(())
}

pub(super) fn value_allowed(name: &str, args: &[Node]) -> Result<(), Refusal> {
    if !SETTABLE.contains(&name) {
        return Err(not_settable(name));
    }
    let values: Option<Vec<String>> = args.iter().map(constant).collect();
    let Some(values) = values else {
        return Err(Refusal::unsupported(format!("setting {name} takes plain constants through the relay")));
    };
    let Some(permitted) = values_permitted(name) else { return Ok(()) };
    match values.as_slice() {
        [value] if permitted.contains(&value.to_ascii_lowercase().as_str()) => Ok(()),
        _ => Err(Refusal::forbidden(format!("setting {name} may be {} only", permitted.join(", ")))),
    }
}

/// The settings that may be set to this value.
pub(super) fn settable_to(value: &Node) -> impl Iterator<Item = &'static str> {
    SETTABLE.iter().copied().filter(|name| value_allowed(name, std::slice::from_ref(value)).is_ok())
}

/// Whether a setting is settable to whatever the server takes.
pub(super) fn takes_any_value(name: &str) -> bool {
    SETTABLE.contains(&name) && values_permitted(name).is_none()
}

/// The values of a setting that not all may be chosen of.
fn values_permitted(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "client_encoding" => Some(&["utf8", "utf-8", "unicode"]),
        "standard_conforming_strings" => Some(&["on", "true", "yes", "1"]),
        // As every scan begins where the table does, the order of rows tells nothing of other sessions' scans.
        "synchronize_seqscans" => Some(&["off", "false", "no", "0"]),
        "client_min_messages" => Some(&["notice", "warning", "error"]),
        _ => None,
    }
}

/// A plain constant's text.
pub(super) fn constant(node: &Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::AConst(constant)) => match constant.val.as_ref()? {
            Val::Ival(value) => Some(value.ival.to_string()),
            Val::Fval(value) => Some(value.fval.clone()),
            Val::Boolval(value) => Some(value.boolval.to_string()),
            Val::Sval(value) => Some(value.sval.clone()),
            Val::Bsval(_) => None,
        },
        _ => None,
    }
}

fn not_settable(name: &str) -> Refusal {
    let refusal = Refusal::forbidden(format!("setting {} may not be changed through the relay", told(name)));
    match name {
        "role" | "session_authorization" => refusal.hint("Rights follow from who you are; log in as somebody else."),
        _ => refusal.hint("Settings that change what a statement means or how it is planned are the relay's."),
    }
}

/// A setting's name, unless it is so odd that it may be something else.
fn told(name: &str) -> &str {
    let plain = name.len() <= 63 && name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'.' | b' '));
    if plain { name } else { "of this name" }
}

/// The setting by which a client tells why it asks: for approvers and for evidence.
pub(crate) const REASON: &str = "affidavit.reason";
/// Characters.
const REASON_MAX: usize = 500;

const SETTABLE: &[&str] = &[
    "application_name",
    "bytea_output",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "intervalstyle",
    // Whether expressions are compiled: it changes no plan.
    "jit",
    "lock_timeout",
    // No query is planned by it.
    "maintenance_work_mem",
    // It forbids views and foreign tables, and permits nothing.
    "restrict_nonsystem_relation_kind",
    // Off, a row-security policy makes an error of what it would have left out.
    "row_security",
    "standard_conforming_strings",
    "statement_timeout",
    "synchronize_seqscans",
    "timezone",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "transaction_timeout",
];

/// What nobody can set through the relay, and so is what it was when the session began; drivers and pools reset it.
const FIXED: [&str; 2] = ["role", "session_authorization"];

/// Where names are looked up.
pub(crate) const SEARCH_PATH: &str = "search_path";

/// By which plans are made. `enable_indexonlyscan` is not among them: the relay has turned that off.
const STEERING: &[&str] = &[
    "constraint_exclusion",
    "cpu_index_tuple_cost",
    "cpu_operator_cost",
    "cpu_tuple_cost",
    "cursor_tuple_fraction",
    "effective_cache_size",
    "effective_io_concurrency",
    "enable_bitmapscan",
    "enable_gathermerge",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_incremental_sort",
    "enable_indexscan",
    "enable_material",
    "enable_memoize",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_parallel_append",
    "enable_parallel_hash",
    "enable_partition_pruning",
    "enable_partitionwise_aggregate",
    "enable_partitionwise_join",
    "enable_presorted_aggregate",
    "enable_seqscan",
    "enable_sort",
    "enable_tidscan",
    "from_collapse_limit",
    "geqo",
    "geqo_threshold",
    "hash_mem_multiplier",
    "join_collapse_limit",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "min_parallel_index_scan_size",
    "min_parallel_table_scan_size",
    "parallel_leader_participation",
    "parallel_setup_cost",
    "parallel_tuple_cost",
    "plan_cache_mode",
    "random_page_cost",
    "recursive_worktable_factor",
    "seq_page_cost",
    "temp_buffers",
    "work_mem",
];

const SHOWABLE: &[&str] = &[
    // What kind of storage a table has that names none.
    "default_table_access_method",
    "default_tablespace",
    "default_text_search_config",
    "in_hot_standby",
    "integer_datetimes",
    "is_superuser",
    "lc_collate",
    "lc_ctype",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "max_identifier_length",
    "log_timezone",
    "max_index_keys",
    "role",
    "search_path",
    "server_encoding",
    "server_version",
    "server_version_num",
    "session_authorization",
];

const TRANSACTION_OPTIONS: [&str; 3] = ["transaction_isolation", "transaction_read_only", "transaction_deferrable"];
