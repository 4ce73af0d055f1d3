//! Settings read or changed by call: `current_setting`, `set_config`, and the view `pg_settings`.
//!
//! The lists are those of `SHOW` and `SET`. A setting outside of them may hold a secret (`primary_conninfo`, whatever
//! an application keeps in a setting of its own) or change what a statement means.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RangeFunction, SelectStmt, TypeName};

use super::{scan, settings};
use crate::catalog::literal;
use crate::statement::{Refusal, shape};

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

/// Decides on a call of one of these two functions of `pg_catalog`; refused where its arguments are not admitted. Settings of
/// these prefixes are the application's own.
pub(super) fn call(function: &str, args: &mut [Node], own: &[String]) -> Result<Call, Refusal> {
    match (function, &mut *args) {
        ("current_setting", [name] | [name, _]) if is_told_later(name) => {
            return checked_when_it_runs(name, settings::shown(), &literal(UNLISTED)).map(Call::Checked);
        }
        // pg_dump changes a setting that not every server has by a query of `pg_settings`.
        ("set_config", [name, value, local]) if matches!(name.node, Some(NodeEnum::ColumnRef(_))) => {
            named(value).and_then(|_| named(local))?;
            return checked_when_it_runs(name, settings::settable_to(value), "NULL").map(Call::Checked);
        }
        _ => {}
    }
    Ok(if admitted(function, args, own)? { Call::Admitted } else { Call::Other })
}

/// The name is known only when the statement runs (SQLAlchemy sends a parameter): it is looked up in the list then. One that
/// is not on the list becomes `otherwise`, which names no setting.
fn checked_when_it_runs(
    name: &mut Node,
    listed: impl Iterator<Item = &'static str>,
    otherwise: &str,
) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = listed.map(literal).collect();
    let text = format!(
        "SELECT CASE WHEN pg_catalog.lower($1::pg_catalog.text) OPERATOR(pg_catalog.=) \
         ANY (ARRAY[{}]::pg_catalog.text[]) THEN $1::pg_catalog.text ELSE {otherwise} END",
        names.join(", "),
    );
    let mut select = scan::select_of(&text)?;
    let value = match select.target_list.pop().and_then(|target| target.node) {
        Some(NodeEnum::ResTarget(target)) => target.val,
        _ => None,
    };
    let mut checked = *value.ok_or_else(plain)?;
    in_place_of_parameters(&mut checked, name)?;
    *name = checked;
    Ok(scan::string_constants(&text))
}

fn in_place_of_parameters(node: &mut Node, name: &Node) -> Result<(), Refusal> {
    if matches!(node.node, Some(NodeEnum::ParamRef(_))) {
        node.clone_from(name);
        return Ok(());
    }
    shape::children(node, &mut |child| in_place_of_parameters(child, name))
}

/// A parameter or a column that stands alone, or is cast to a text.
fn is_told_later(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::ParamRef(_) | NodeEnum::ColumnRef(_)) => true,
        Some(NodeEnum::TypeCast(cast)) => {
            let text = |to: &TypeName| {
                let named = to.names.last().and_then(super::expression::name);
                let plain = to.typmods.is_empty() && to.array_bounds.is_empty();
                plain && named.is_some_and(|named| ["text", "varchar"].contains(&named.as_str()))
            };
            cast.type_name.as_ref().is_some_and(text) && cast.arg.as_deref().is_some_and(is_told_later)
        }
        _ => false,
    }
}

fn admitted(function: &str, args: &[Node], own: &[String]) -> Result<bool, Refusal> {
    match function {
        "current_setting" => match args {
            [name] | [name, _] if settings::show(own, &named(name)?).is_ok() => Ok(true),
            _ => Err(unlisted("current_setting: this setting is not on the relay's list of settings to show")),
        },
        "set_config" => match args {
            [name, value, local] if settable(&named(name)?, value, local, own)? => Ok(true),
            _ => Err(unlisted("set_config: this setting may not be changed through the relay, or not to this value")),
        },
        _ => Ok(false),
    }
}

/// What stands for `pg_catalog.pg_settings`: the rows that `SHOW` would show.
pub(super) fn view() -> Result<(SelectStmt, Vec<String>), Refusal> {
    let names: Vec<String> = settings::shown().map(literal).collect();
    let text = format!(
        "SELECT s.* FROM pg_catalog.pg_settings s \
         WHERE pg_catalog.lower(s.name) OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.text[])",
        names.join(", "),
    );
    Ok((scan::select_of(&text)?, scan::string_constants(&text)))
}

/// What stands for `pg_catalog.pg_db_role_setting`: of each array the settings that `SHOW` would show.
pub(super) fn of_roles() -> Result<(SelectStmt, Vec<String>), Refusal> {
    let names: Vec<String> = settings::shown().map(literal).collect();
    let text = format!(
        "SELECT s.setdatabase, s.setrole, ARRAY(SELECT c.c FROM pg_catalog.unnest(s.setconfig) c \
         WHERE pg_catalog.lower(pg_catalog.split_part(c.c, '=', 1)) OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.text[])) \
         AS setconfig FROM pg_catalog.pg_db_role_setting s",
        names.join(", "),
    );
    Ok((scan::select_of(&text)?, scan::string_constants(&text)))
}

/// What `SHOW ALL` becomes; the view in it is then the one above.
pub(super) fn show_all() -> Result<SelectStmt, Refusal> {
    scan::select_of(
        "SELECT name, current_setting(name) AS setting, short_desc AS description FROM pg_catalog.pg_settings \
         ORDER BY lower(name)",
    )
}

/// Whether an item of FROM is a plain call of what `pg_settings` is a view of.
pub(super) fn shows_all(function: &RangeFunction) -> bool {
    let [Node { node: Some(NodeEnum::List(entry)) }] = function.functions.as_slice() else { return false };
    let Some(NodeEnum::FuncCall(call)) = entry.items.first().and_then(|node| node.node.as_ref()) else { return false };
    let names: Vec<String> = call.funcname.iter().filter_map(super::expression::name).collect();
    let plain = !function.ordinality && function.coldeflist.is_empty() && call.args.is_empty();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    plain && matches!(names.as_slice(), ["pg_catalog", ALL] | [ALL])
}

/// As `SET`, and one thing more: to an empty search path, as `pg_dump` sets it. With that the server finds unqualified
/// names in `pg_catalog` alone; the relay qualifies those that it resolves, and resolves no fewer than the server.
fn settable(name: &str, value: &Node, local: &Node, own: &[String]) -> Result<bool, Refusal> {
    named(local)?;
    if matches!(value.node, Some(NodeEnum::ParamRef(_))) {
        return Ok(settings::is_own(own, name) || settings::takes_any_value(name));
    }
    if settings::is_own(own, name) {
        return named(value).map(|_| true);
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

/// The function behind `pg_settings`; pgAdmin calls it.
pub(super) const ALL: &str = "pg_show_all_settings";

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
        call(&name, &mut function.args, &["app".to_owned()])
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
            "set_config('app.tenant', $1, true)",
            "current_setting('app.tenant', true)",
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
            "current_setting('apps.secret', true)",
            "current_setting('is_' || 'superuser')",
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
            "set_config('app.tenant', ssn, false)",
            "set_config('application.tenant', 'x', false)",
            "set_config('statement_timeout', (SELECT ssn FROM clinic.patients LIMIT 1), false)",
            "set_config($1, '', false)",
            "set_config('search_path', $1, false)",
            "set_config('client_encoding', $1, false)",
        ] {
            assert!(ask(call).is_err(), "{call}");
        }
    }

    #[test]
    fn a_setting_named_by_a_column_is_changed_where_the_value_is_permitted() {
        let Call::Checked(constants) = decide("set_config(name, 'on', false)").unwrap() else { panic!("not checked") };
        assert!(constants.contains(&literal("row_security")));
        for never in ["client_encoding", "search_path", "synchronize_seqscans", "client_min_messages", "role"] {
            assert!(!constants.contains(&literal(never)), "{never}");
        }
        for call in
            ["set_config(name, $1, false)", "set_config(name, setting, false)", "set_config(name || '', '', true)"]
        {
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
