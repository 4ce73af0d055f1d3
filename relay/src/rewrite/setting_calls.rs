//! Settings read or changed by call: `current_setting`, `set_config`, and the view `pg_settings`.
//!
//! The lists are those of `SHOW` and `SET`. A setting outside of them may hold a secret (`primary_conninfo`, whatever
//! an application keeps in a setting of its own) or change what a statement means.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, SelectStmt};

use super::{scan, settings};
use crate::catalog::literal;
use crate::statement::Refusal;

/// What becomes of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// It is of another function.
    Other,
    /// It may run.
    Admitted,
    /// It may run with another argument, which holds these constants.
    Checked(Vec<String>),
}

/// Decides on a call of one of these two functions of `pg_catalog`; refused where its arguments are not admitted.
pub(super) fn call(function: &str, args: &mut [Node]) -> Result<Call, Refusal> {
    if let ("current_setting", [name] | [name, _]) = (function, &mut *args)
        && let Some(parameter) = parameter(name)
    {
        return checked_when_it_runs(name, parameter).map(Call::Checked);
    }
    Ok(if admitted(function, args)? { Call::Admitted } else { Call::Other })
}

/// The name comes as a parameter (SQLAlchemy sends it so): looked up in the list when it is known. One that is not on the
/// list becomes the name of no setting, with the error or the NULL that belongs to that.
fn checked_when_it_runs(name: &mut Node, parameter: i32) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = settings::shown().map(literal).collect();
    let text = format!(
        "SELECT CASE WHEN pg_catalog.lower(${parameter}::pg_catalog.text) OPERATOR(pg_catalog.=) \
         ANY (ARRAY[{}]::pg_catalog.text[]) THEN ${parameter}::pg_catalog.text ELSE {} END",
        names.join(", "),
        literal(UNLISTED),
    );
    let mut select = scan::select_of(&text)?;
    match select.target_list.pop().and_then(|target| target.node) {
        Some(NodeEnum::ResTarget(target)) => *name = target.val.map(|value| *value).unwrap_or_default(),
        _ => return Err(plain()),
    }
    Ok(scan::string_constants(&text))
}

/// The number of a parameter that stands alone, or cast to a text.
fn parameter(node: &Node) -> Option<i32> {
    match &node.node {
        Some(NodeEnum::ParamRef(parameter)) => Some(parameter.number),
        Some(NodeEnum::TypeCast(cast)) => {
            let to = cast.type_name.as_ref().filter(|name| name.typmods.is_empty() && name.array_bounds.is_empty())?;
            let named = to.names.last().and_then(super::expression::name)?;
            let text = to.names.len() <= 2 && ["text", "varchar"].contains(&named.as_str());
            cast.arg.as_deref().filter(|_| text).and_then(parameter)
        }
        _ => None,
    }
}

fn admitted(function: &str, args: &[Node]) -> Result<bool, Refusal> {
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

/// No setting has this name: a client may set none of this prefix but the reason.
const UNLISTED: &str = "affidavit.not_on_the_list_of_settings_to_show";

/// The name is a literal of the client's: no refusal repeats one.
fn unlisted(message: &str) -> Refusal {
    Refusal::forbidden(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(call: &str) -> Result<bool, Refusal> {
        decide(call).map(|decided| decided != Call::Other)
    }

    fn decide(text: &str) -> Result<Call, Refusal> {
        let mut statement = scan::select_of(&format!("SELECT {text}")).unwrap();
        let Some(NodeEnum::ResTarget(target)) = &mut statement.target_list[0].node else { panic!("{text}") };
        let Some(NodeEnum::FuncCall(function)) = &mut target.val.as_mut().unwrap().node else { panic!("no call") };
        let Some(NodeEnum::String(name)) = &function.funcname.last().unwrap().node else { panic!("no name") };
        let name = name.sval.clone();
        call(&name, &mut function.args)
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
    fn a_name_that_comes_as_a_parameter_is_looked_up_when_it_is_known() {
        for call in ["current_setting($2)", "current_setting($2::varchar, true)", "current_setting($2::text)"] {
            let Call::Checked(constants) = decide(call).unwrap() else { panic!("{call} is not checked") };
            assert!(constants.contains(&literal("server_version")), "{call}");
            assert!(!constants.iter().any(|constant| constant.contains("conninfo")), "{call}");
        }
    }

    #[test]
    fn other_settings_and_names_that_only_the_server_knows_are_refused() {
        for call in [
            "current_setting('primary_conninfo')",
            "current_setting('app.secret', true)",
            "current_setting('is_' || 'superuser')",
            "current_setting(name)",
            "current_setting($1::integer)",
            "current_setting($1::varchar(3))",
            "current_setting($1 || 'x')",
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
