//! The masked scan that stands for a protected relation, and the guard that every relation carries.

use std::sync::Arc;

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, AExpr, AExprKind, BoolExpr, BoolExprType, Node, SelectStmt, String as Text, TypeCast, TypeName,
    a_const::Val,
};

use super::access::{ColumnAccess, Scan, Treatment};
use super::mask::{self, Misfit};
use super::splice::Spliced;
use crate::catalog::{QualifiedName, Relation, literal, quoted};
use crate::statement::{Refusal, parse_own, tokens};

/// A scan that could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A style does not fit; the column's name is told.
    #[error("column {column}: {misfit}")]
    Misfit {
        /// The column.
        column: String,
        /// Why.
        misfit: Misfit,
    },
    /// The text that the relay wrote is not a statement: a bug of the relay.
    #[error("the masked scan cannot be parsed")]
    Bug,
}

/// Builds the scan of a relation: clear columns as they are, the others masked, guarded by name and OID.
pub(crate) fn build(
    relation: &Relation,
    columns: &[ColumnAccess],
    known: &dyn Fn(&str) -> bool,
) -> Result<Scan, ScanError> {
    let mut select = select_of(&text_of(relation, columns, "")?).map_err(|_| ScanError::Bug)?;
    let with_children = spliced(select.clone(), known)?;
    if let Some(NodeEnum::RangeVar(scanned)) = select.from_clause.first_mut().and_then(|n| n.node.as_mut()) {
        scanned.inh = false;
    }
    Ok(Scan { with_children, alone: spliced(select, known)? })
}

/// The scan as SQL text, with what inherits from the relation; `more` stands behind its columns.
pub(super) fn text_of(relation: &Relation, columns: &[ColumnAccess], more: &str) -> Result<String, ScanError> {
    let mut targets = Vec::new();
    for access in columns {
        let reference = format!("{SCAN}.{}", quoted(&access.name));
        let column = relation.columns.iter().find(|c| c.number == access.number).ok_or(ScanError::Bug)?;
        targets.push(match &access.treatment {
            Treatment::Clear | Treatment::Revealed => reference,
            Treatment::Masked(style) => {
                let mask = mask::expression(style, column, &reference)
                    .map_err(|misfit| ScanError::Misfit { column: access.name.clone(), misfit })?;
                format!("{mask} AS {}", quoted(&access.name))
            }
        });
    }
    Ok(format!(
        "SELECT {}{more} FROM {}.{} AS {SCAN} WHERE {}::pg_catalog.regclass::pg_catalog.oid OPERATOR(pg_catalog.=) '{}'::pg_catalog.oid",
        targets.join(", "),
        quoted(&relation.schema),
        quoted(&relation.name),
        literal(&relation.qualified().to_string()),
        relation.oid,
    ))
}

fn spliced(select: SelectStmt, known: &dyn Fn(&str) -> bool) -> Result<Arc<Spliced>, ScanError> {
    Spliced::query(select, known).map(Arc::new).map_err(|_| ScanError::Bug)
}

/// The one `SELECT` in a text of the relay's or the server's own making.
pub(crate) fn select_of(text: &str) -> Result<SelectStmt, Refusal> {
    let mut statements = parse_own(text)?;
    let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
        return Err(Refusal::unsupported("a definition that is not one SELECT"));
    };
    match statement.node?.node {
        Some(NodeEnum::SelectStmt(select)) => Ok(*select),
        _ => Err(Refusal::unsupported("a definition that is not a SELECT")),
    }
}

/// `'schema.name'::regclass::oid = 'N'::oid`: true as long as the name means the relation that was decided on, and
/// folded away by the planner. After a rename it is false, so the statement finds no rows (rule 8).
pub(crate) fn guard(relation: &Relation) -> Node {
    guard_of(relation.qualified(), relation.oid)
}

pub(crate) fn guard_of(name: QualifiedName<'_>, oid: u32) -> Node {
    let name = cast(regclass(name), "oid");
    let oid = cast(string(&oid.to_string()), "oid");
    node(NodeEnum::AExpr(Box::new(AExpr {
        kind: i32::from(AExprKind::AexprOp),
        name: vec![text("pg_catalog"), text("=")],
        lexpr: Some(Box::new(name)),
        rexpr: Some(Box::new(oid)),
        ..AExpr::default()
    })))
}

/// `'schema.name'::regclass`.
pub(crate) fn regclass(name: QualifiedName<'_>) -> Node {
    cast(string(&name.to_string()), "regclass")
}

/// `'schema.name'::regclass::oid <> ALL ('{…}'::oid[])`: the name means none of these.
pub(crate) fn guard_against(relation: &Relation, oids: &str) -> Node {
    let name = cast(cast(string(&relation.qualified().to_string()), "regclass"), "oid");
    let mut all = cast(string(oids), "oid");
    if let Some(NodeEnum::TypeCast(cast)) = all.node.as_mut()
        && let Some(type_name) = cast.type_name.as_mut()
    {
        let unbounded = NodeEnum::Integer(pg_query::protobuf::Integer { ival: -1 });
        type_name.array_bounds = vec![node(unbounded)];
    }
    node(NodeEnum::AExpr(Box::new(AExpr {
        kind: i32::from(AExprKind::AexprOpAll),
        name: vec![text("pg_catalog"), text("<>")],
        lexpr: Some(Box::new(name)),
        rexpr: Some(Box::new(all)),
        ..AExpr::default()
    })))
}

/// The guard of a statement's target, and those of what it reads. The session's own can be nobody else's.
pub(crate) fn guards(target: &Relation, others: Vec<(u32, Node)>) -> Vec<Node> {
    let own = super::own::is_own(target);
    (!own).then(|| guard(target)).into_iter().chain(others.into_iter().map(|(_, guard)| guard)).collect()
}

/// Adds conditions to a `WHERE`, in the shape in which the parser would have read them.
pub(crate) fn and_where(clause: &mut Option<Box<Node>>, guards: Vec<Node>) {
    if guards.is_empty() {
        return;
    }
    let mut args = Vec::new();
    if let Some(existing) = clause.take() {
        match existing.node {
            Some(NodeEnum::BoolExpr(expr)) if expr.boolop == i32::from(BoolExprType::AndExpr) => args.extend(expr.args),
            other => args.push(Node { node: other }),
        }
    }
    args.extend(guards);
    let mut alone = args;
    let condition = if alone.len() == 1 {
        alone.pop()
    } else {
        let boolop = i32::from(BoolExprType::AndExpr);
        Some(node(NodeEnum::BoolExpr(Box::new(BoolExpr { boolop, args: alone, ..BoolExpr::default() }))))
    };
    *clause = condition.map(Box::new);
}

pub(crate) fn text(value: &str) -> Node {
    node(NodeEnum::String(Text { sval: value.to_owned() }))
}

pub(crate) fn node(kind: NodeEnum) -> Node {
    Node { node: Some(kind) }
}

pub(super) fn string(value: &str) -> Node {
    let val = Some(Val::Sval(Text { sval: value.to_owned() }));
    node(NodeEnum::AConst(AConst { isnull: false, location: 0, val }))
}

pub(super) fn cast(arg: Node, type_name: &str) -> Node {
    let type_name = TypeName { names: vec![text("pg_catalog"), text(type_name)], typemod: -1, ..TypeName::default() };
    node(NodeEnum::TypeCast(Box::new(TypeCast { arg: Some(Box::new(arg)), type_name: Some(type_name), location: 0 })))
}

pub(super) fn string_constants(sql: &str) -> Vec<String> {
    let all = tokens(sql).unwrap_or_default();
    all.iter()
        .filter(|token| token.token == i32::from(pg_query::protobuf::Token::Sconst))
        .filter_map(|token| sql.get(usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?))
        .map(str::to_owned)
        .collect()
}

/// Alias of the relation inside its scan.
pub(super) const SCAN: &str = "scan";
