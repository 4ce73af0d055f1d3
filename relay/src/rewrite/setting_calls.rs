//! Settings read or changed by call: `current_setting`, `set_config`, and the view `pg_settings`.
//!
//! The lists are those of `SHOW` and `SET`. A setting outside of them may hold a secret (`primary_conninfo`, whatever
//! an application keeps in a setting of its own) or change what a statement means.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, SelectStmt};

use super::{scan, settings};
use crate::catalog::literal;
use crate::statement::Refusal;

/// Whether the function of `pg_catalog` is one of these two; refused where its arguments are not admitted.
pub(super) fn admitted(function: &str, args: &[Node]) -> Result<bool, Refusal> {
    match function {
        "current_setting" => match args {
            [name] | [name, _] if settings::show(&named(name)?).is_ok() => Ok(true),
            _ => Err(unlisted("current_setting: this setting is not on the relay's list of settings to show")),
        },
        "set_config" => match args {
            [name, value, local] if settable(&named(name)?, value, local)? => Ok(true),
            _ => Err(unlisted("set_config: this setting may not be changed through the relay, or not to this value")),
        },
        _ => Ok(false),
    }
}

/// What stands for `pg_catalog.pg_settings`: the rows that `SHOW` would show.
pub(super) fn view() -> Result<(SelectStmt, Vec<String>), Refusal> {
    let names: Vec<String> = settings::shown().map(literal).collect();
    let text = format!(
        "SELECT s.* FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.text[])",
        names.join(", "),
    );
    Ok((scan::select_of(&text)?, scan::string_constants(&text)))
}

/// As `SET`, and one thing more: to an empty search path, as `pg_dump` sets it. With that the server finds unqualified
/// names in `pg_catalog` alone; the relay qualifies those that it resolves, and resolves no fewer than the server.
fn settable(name: &str, value: &Node, local: &Node) -> Result<bool, Refusal> {
    named(local)?;
    if matches!(value.node, Some(NodeEnum::ParamRef(_))) {
        return Ok(settings::takes_any_value(name));
    }
    let empty = named(value)?.is_empty();
    Ok(name == "search_path" && empty || settings::value_allowed(name, std::slice::from_ref(value)).is_ok())
}

fn named(node: &Node) -> Result<String, Refusal> {
    settings::constant(node).map(|text| text.to_ascii_lowercase()).ok_or_else(plain)
}

fn plain() -> Refusal {
    Refusal::unsupported("current_setting and set_config take plain constants through the relay")
}

/// The name is a literal of the client's: no refusal repeats one.
fn unlisted(message: &str) -> Refusal {
    Refusal::forbidden(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(call: &str) -> Result<bool, Refusal> {
        let statement = scan::select_of(&format!("SELECT {call}")).unwrap();
        let Some(NodeEnum::ResTarget(target)) = &statement.target_list[0].node else { panic!("{call}") };
        let Some(NodeEnum::FuncCall(call)) = &target.val.as_ref().unwrap().node else { panic!("not a call") };
        let Some(NodeEnum::String(name)) = &call.funcname.last().unwrap().node else { panic!("no name") };
        admitted(&name.sval, &call.args)
    }

    #[test]
    fn a_call_shows_and_changes_what_the_statements_would() {
        for call in [
            "current_setting('transaction_isolation')",
            "current_setting('Server_Version_Num', true)",
            "set_config('search_path', '', false)",
            "set_config('statement_timeout', '5s', true)",
            // asyncpg turns it off while it asks for types, and then back to what it was.
            "set_config('jit', $1, false)",
            "set_config('client_min_messages', 'warning', false)",
        ] {
            assert!(ask(call).unwrap(), "{call}");
        }
        assert!(!ask("count('x')").unwrap());
    }

    #[test]
    fn other_settings_and_names_that_only_the_server_knows_are_refused() {
        for call in [
            "current_setting('primary_conninfo')",
            "current_setting('app.secret', true)",
            "current_setting('is_' || 'superuser')",
            "current_setting(name)",
            "current_setting($1)",
            "current_setting(setting_name => 'server_version')",
            "set_config('search_path', 'clinic', false)",
            "set_config('search_path', NULL, false)",
            "set_config('role', 'postgres', false)",
            "set_config('standard_conforming_strings', 'off', false)",
            "set_config('client_min_messages', 'debug5', false)",
            "set_config('enable_indexonlyscan', 'on', false)",
            "set_config('affidavit.reason', 'x', false)",
            "set_config('statement_timeout', (SELECT ssn FROM clinic.patients LIMIT 1), false)",
            "set_config($1, '', false)",
            "set_config('search_path', $1, false)",
            "set_config('client_encoding', $1, false)",
        ] {
            assert!(ask(call).is_err(), "{call}");
        }
    }

    #[test]
    fn the_view_is_one_select_over_named_settings() {
        let (select, constants) = view().unwrap();
        assert!(select.where_clause.is_some());
        assert!(constants.iter().any(|constant| constant.contains("server_version")));
        assert!(!constants.iter().any(|constant| constant.contains("conninfo")));
    }
}
