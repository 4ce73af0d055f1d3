//! Queries and the statements that write rows.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CommonTableExpr, CteCycleClause, CteSearchClause, DeleteStmt, GroupingSet, IndexElem, InferClause, InsertStmt,
    JoinExpr, LockingClause, MergeStmt, MergeWhenClause, Node, OnConflictClause, RangeFunction, RangeSubselect,
    RangeTableSample, ResTarget, ReturningClause, SelectStmt, UpdateStmt, WithClause,
};

use super::{Visit, alias, definition, each, one, range_var};
use crate::statement::refusal::Refusal;

pub(super) fn select(select: &mut SelectStmt, visit: Visit<'_>) -> Result<(), Refusal> {
    let SelectStmt {
        distinct_clause,
        into_clause,
        target_list,
        from_clause,
        where_clause,
        group_clause,
        group_distinct: _,
        having_clause,
        window_clause,
        values_lists,
        sort_clause,
        limit_offset,
        limit_count,
        limit_option: _,
        locking_clause,
        with_clause,
        op: _,
        all: _,
        larg,
        rarg,
    } = select;
    definition::into(into_clause.as_deref_mut(), visit)?;
    with(with_clause, visit)?;
    for arm in [larg, rarg].into_iter().flatten() {
        self::select(arm, visit)?;
    }
    for nodes in [from_clause, distinct_clause, target_list, values_lists, group_clause, window_clause, sort_clause] {
        each(nodes, visit)?;
    }
    for node in [where_clause, having_clause, limit_offset, limit_count] {
        one(node, visit)?;
    }
    each(locking_clause, visit)
}

/// Visits the children of what queries are made of; `false` when the node is none.
pub(super) fn children(kind: &mut NodeEnum, visit: Visit<'_>) -> Result<bool, Refusal> {
    match kind {
        NodeEnum::RangeVar(relation) => range_var(relation, visit)?,
        NodeEnum::RangeSubselect(sub) => {
            let RangeSubselect { lateral: _, subquery, alias: names } = sub.as_mut();
            one(subquery, visit)?;
            alias(names, visit)?;
        }
        NodeEnum::RangeFunction(RangeFunction {
            lateral: _,
            ordinality: _,
            is_rowsfrom: _,
            functions,
            alias: names,
            coldeflist,
        }) => {
            each(functions, visit)?;
            alias(names, visit)?;
            each(coldeflist, visit)?;
        }
        NodeEnum::RangeTableSample(sample) => {
            let RangeTableSample { relation, method, args, repeatable, location } = sample.as_mut();
            *location = 0;
            one(relation, visit)?;
            each(method, visit)?;
            each(args, visit)?;
            one(repeatable, visit)?;
        }
        NodeEnum::JoinExpr(expr) => join(expr, visit)?,
        NodeEnum::ResTarget(target) => {
            let ResTarget { name: _, indirection, val, location } = target.as_mut();
            *location = 0;
            each(indirection, visit)?;
            one(val, visit)?;
        }
        NodeEnum::GroupingSet(GroupingSet { kind: _, content, location }) => {
            *location = 0;
            each(content, visit)?;
        }
        NodeEnum::LockingClause(LockingClause { locked_rels, strength: _, wait_policy: _ }) => {
            each(locked_rels, visit)?;
        }
        NodeEnum::CommonTableExpr(expr) => common_table(expr, visit)?,
        NodeEnum::IndexElem(element) => index_element(element, visit)?,
        NodeEnum::InsertStmt(statement) => insert(statement, visit)?,
        NodeEnum::UpdateStmt(statement) => update(statement, visit)?,
        NodeEnum::DeleteStmt(statement) => delete(statement, visit)?,
        NodeEnum::MergeStmt(statement) => merge(statement, visit)?,
        NodeEnum::MergeWhenClause(clause) => {
            let MergeWhenClause { match_kind: _, command_type: _, r#override: _, condition, target_list, values } =
                clause.as_mut();
            one(condition, visit)?;
            each(target_list, visit)?;
            each(values, visit)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn join(expr: &mut JoinExpr, visit: Visit<'_>) -> Result<(), Refusal> {
    let JoinExpr {
        jointype: _,
        is_natural: _,
        larg,
        rarg,
        using_clause,
        join_using_alias,
        quals,
        alias: names,
        rtindex: _,
    } = expr;
    one(larg, visit)?;
    one(rarg, visit)?;
    each(using_clause, visit)?;
    alias(join_using_alias, visit)?;
    one(quals, visit)?;
    alias(names, visit)
}

fn with(clause: &mut Option<WithClause>, visit: Visit<'_>) -> Result<(), Refusal> {
    let Some(WithClause { ctes, recursive: _, location }) = clause else { return Ok(()) };
    *location = 0;
    each(ctes, visit)
}

fn common_table(expr: &mut CommonTableExpr, visit: Visit<'_>) -> Result<(), Refusal> {
    let CommonTableExpr {
        ctename: _,
        aliascolnames,
        ctematerialized: _,
        ctequery,
        search_clause,
        cycle_clause,
        location,
        cterecursive: _,
        cterefcount: _,
        ctecolnames: _,
        ctecoltypes: _,
        ctecoltypmods: _,
        ctecolcollations: _,
    } = expr;
    *location = 0;
    if let Some(CteSearchClause { search_col_list, search_breadth_first: _, search_seq_column: _, location }) =
        search_clause
    {
        *location = 0;
        each(search_col_list, visit)?;
    }
    if let Some(clause) = cycle_clause {
        let CteCycleClause {
            cycle_col_list,
            cycle_mark_column: _,
            cycle_mark_value,
            cycle_mark_default,
            cycle_path_column: _,
            location,
            cycle_mark_type: _,
            cycle_mark_typmod: _,
            cycle_mark_collation: _,
            cycle_mark_neop: _,
        } = clause.as_mut();
        *location = 0;
        each(cycle_col_list, visit)?;
        one(cycle_mark_value, visit)?;
        one(cycle_mark_default, visit)?;
    }
    each(aliascolnames, visit)?;
    one(ctequery, visit)
}

pub(super) fn index_element(element: &mut IndexElem, visit: Visit<'_>) -> Result<(), Refusal> {
    let IndexElem { name: _, expr, indexcolname: _, collation, opclass, opclassopts, ordering: _, nulls_ordering: _ } =
        element;
    if !opclassopts.is_empty() {
        return Err(Refusal::unsupported("parameters of operator classes are not supported by the relay"));
    }
    one(expr, visit)?;
    each(collation, visit)?;
    each(opclass, visit)
}

/// Of an index the rewriter looks at what it is made of, of a conflict's target it does not.
fn plain_index_element(node: &Node) -> Result<(), Refusal> {
    match &node.node {
        Some(NodeEnum::IndexElem(element))
            if element.expr.is_none() && element.opclass.is_empty() && element.collation.is_empty() =>
        {
            Ok(())
        }
        _ => Err(Refusal::unsupported(
            "ON CONFLICT with expressions, operator classes or collations is not supported yet",
        )
        .hint("Name plain columns.")),
    }
}

fn insert(statement: &mut InsertStmt, visit: Visit<'_>) -> Result<(), Refusal> {
    let InsertStmt { relation, cols, select_stmt, on_conflict_clause, returning_clause, with_clause, r#override: _ } =
        statement;
    relation.as_mut().map_or(Ok(()), |relation| range_var(relation, visit))?;
    with(with_clause, visit)?;
    each(cols, visit)?;
    one(select_stmt, visit)?;
    if let Some(conflict) = on_conflict_clause {
        let OnConflictClause { action: _, infer, target_list, where_clause, location } = conflict.as_mut();
        *location = 0;
        if let Some(clause) = infer {
            let InferClause { index_elems, where_clause, conname: _, location } = clause.as_mut();
            *location = 0;
            index_elems.iter().try_for_each(plain_index_element)?;
            each(index_elems, visit)?;
            one(where_clause, visit)?;
        }
        each(target_list, visit)?;
        one(where_clause, visit)?;
    }
    returning(returning_clause, visit)
}

fn update(statement: &mut UpdateStmt, visit: Visit<'_>) -> Result<(), Refusal> {
    let UpdateStmt { relation, target_list, where_clause, from_clause, returning_clause, with_clause } = statement;
    relation.as_mut().map_or(Ok(()), |relation| range_var(relation, visit))?;
    with(with_clause, visit)?;
    each(from_clause, visit)?;
    each(target_list, visit)?;
    one(where_clause, visit)?;
    returning(returning_clause, visit)
}

fn delete(statement: &mut DeleteStmt, visit: Visit<'_>) -> Result<(), Refusal> {
    let DeleteStmt { relation, using_clause, where_clause, returning_clause, with_clause } = statement;
    relation.as_mut().map_or(Ok(()), |relation| range_var(relation, visit))?;
    with(with_clause, visit)?;
    each(using_clause, visit)?;
    one(where_clause, visit)?;
    returning(returning_clause, visit)
}

fn merge(statement: &mut MergeStmt, visit: Visit<'_>) -> Result<(), Refusal> {
    let MergeStmt { relation, source_relation, join_condition, merge_when_clauses, returning_clause, with_clause } =
        statement;
    relation.as_mut().map_or(Ok(()), |relation| range_var(relation, visit))?;
    with(with_clause, visit)?;
    one(source_relation, visit)?;
    one(join_condition, visit)?;
    each(merge_when_clauses, visit)?;
    returning(returning_clause, visit)
}

fn returning(clause: &mut Option<ReturningClause>, visit: Visit<'_>) -> Result<(), Refusal> {
    let Some(ReturningClause { options, exprs }) = clause else { return Ok(()) };
    if !options.is_empty() {
        return Err(Refusal::unsupported("RETURNING WITH (OLD, NEW) is not supported by the relay yet"));
    }
    each(exprs, visit)
}
