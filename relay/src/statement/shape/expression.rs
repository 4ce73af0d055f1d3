//! Expressions.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AArrayExpr, AConst, AExpr, AIndices, AIndirection, BoolExpr, BooleanTest, CaseExpr, CaseWhen, CoalesceExpr,
    CollateClause, ColumnRef, CurrentOfExpr, Float, FuncCall, GroupingFunc, MergeSupportFunc, MinMaxExpr,
    MultiAssignRef, NamedArgExpr, NullTest, ParamRef, RowExpr, SetToDefault, SortBy, SortByDir, SqlValueFunction,
    SubLink, TypeCast, WindowDef, a_const::Val,
};

use super::{Visit, each, one, type_name};
use crate::statement::refusal::Refusal;

/// Visits the children of an expression; `false` when the node is none.
pub(super) fn children(kind: &mut NodeEnum, visit: Visit<'_>) -> Result<bool, Refusal> {
    match kind {
        NodeEnum::String(_) | NodeEnum::Integer(_) | NodeEnum::Boolean(_) | NodeEnum::AStar(_) => {}
        NodeEnum::Float(value) => number(value)?,
        NodeEnum::List(list) => each(&mut list.items, visit)?,
        NodeEnum::AConst(constant) => literal(constant)?,
        NodeEnum::ColumnRef(ColumnRef { fields, location }) => {
            *location = 0;
            each(fields, visit)?;
        }
        NodeEnum::ParamRef(ParamRef { number: _, location }) => *location = 0,
        NodeEnum::AExpr(operation) => operator(operation, visit)?,
        NodeEnum::BoolExpr(expr) => {
            let BoolExpr { xpr: _, boolop: _, args, location } = expr.as_mut();
            *location = 0;
            each(args, visit)?;
        }
        NodeEnum::NullTest(test) => {
            let NullTest { xpr: _, arg, nulltesttype: _, argisrow: _, location } = test.as_mut();
            *location = 0;
            one(arg, visit)?;
        }
        NodeEnum::BooleanTest(test) => {
            let BooleanTest { xpr: _, arg, booltesttype: _, location } = test.as_mut();
            *location = 0;
            one(arg, visit)?;
        }
        NodeEnum::CaseExpr(_) | NodeEnum::CaseWhen(_) => case(kind, visit)?,
        NodeEnum::CoalesceExpr(expr) => {
            let CoalesceExpr { xpr: _, coalescetype: _, coalescecollid: _, args, location } = expr.as_mut();
            *location = 0;
            each(args, visit)?;
        }
        NodeEnum::MinMaxExpr(expr) => {
            let MinMaxExpr { xpr: _, minmaxtype: _, minmaxcollid: _, inputcollid: _, op: _, args, location } =
                expr.as_mut();
            *location = 0;
            each(args, visit)?;
        }
        NodeEnum::SqlvalueFunction(function) => {
            let SqlValueFunction { xpr: _, op: _, r#type: _, typmod: _, location } = function.as_mut();
            *location = 0;
        }
        NodeEnum::TypeCast(cast) => {
            let TypeCast { arg, type_name: name, location } = cast.as_mut();
            *location = 0;
            one(arg, visit)?;
            type_name(name, visit)?;
        }
        NodeEnum::CollateClause(clause) => collate(clause, visit)?,
        NodeEnum::FuncCall(call) => function(call, visit)?,
        _ => return rest(kind, visit),
    }
    Ok(true)
}

fn rest(kind: &mut NodeEnum, visit: Visit<'_>) -> Result<bool, Refusal> {
    match kind {
        NodeEnum::CurrentOfExpr(current) => {
            let CurrentOfExpr { xpr: _, cvarno: _, cursor_name: _, cursor_param: _ } = current.as_mut();
        }
        NodeEnum::SubLink(link) => {
            let SubLink { xpr: _, sub_link_type: _, sub_link_id: _, testexpr, oper_name, subselect, location } =
                link.as_mut();
            *location = 0;
            one(testexpr, visit)?;
            each(oper_name, visit)?;
            one(subselect, visit)?;
        }
        NodeEnum::AArrayExpr(AArrayExpr { elements, list_start, list_end, location }) => {
            (*list_start, *list_end, *location) = (0, 0, 0);
            each(elements, visit)?;
        }
        NodeEnum::RowExpr(row) => {
            let RowExpr { xpr: _, args, row_typeid: _, row_format: _, colnames, location } = row.as_mut();
            *location = 0;
            each(args, visit)?;
            each(colnames, visit)?;
        }
        NodeEnum::AIndirection(indirection) => {
            let AIndirection { arg, indirection } = indirection.as_mut();
            one(arg, visit)?;
            each(indirection, visit)?;
        }
        NodeEnum::AIndices(indices) => {
            let AIndices { is_slice: _, lidx, uidx } = indices.as_mut();
            one(lidx, visit)?;
            one(uidx, visit)?;
        }
        NodeEnum::GroupingFunc(grouping) => {
            let GroupingFunc { xpr: _, args, refs, agglevelsup: _, location } = grouping.as_mut();
            *location = 0;
            each(args, visit)?;
            each(refs, visit)?;
        }
        NodeEnum::NamedArgExpr(named) => {
            let NamedArgExpr { xpr: _, arg, name: _, argnumber: _, location } = named.as_mut();
            *location = 0;
            one(arg, visit)?;
        }
        NodeEnum::MultiAssignRef(assign) => {
            let MultiAssignRef { source, colno: _, ncolumns: _ } = assign.as_mut();
            one(source, visit)?;
        }
        NodeEnum::SetToDefault(default) => {
            let SetToDefault { xpr: _, type_id: _, type_mod: _, collation: _, location } = default.as_mut();
            *location = 0;
        }
        NodeEnum::MergeSupportFunc(function) => {
            let MergeSupportFunc { xpr: _, msftype: _, msfcollid: _, location } = function.as_mut();
            *location = 0;
        }
        NodeEnum::SortBy(sort) => self::sort(sort, visit)?,
        NodeEnum::WindowDef(definition) => window(definition, visit)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn literal(constant: &mut AConst) -> Result<(), Refusal> {
    let AConst { isnull: _, location, val } = constant;
    *location = 0;
    match val {
        Some(Val::Fval(value)) => number(value),
        Some(Val::Ival(_) | Val::Boolval(_) | Val::Sval(_) | Val::Bsval(_)) | None => Ok(()),
    }
}

/// Servers before 16 read `0x10` and `1_000` as a number followed by a name.
fn number(value: &Float) -> Result<(), Refusal> {
    let plain = value.fval.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if plain {
        Ok(())
    } else {
        Err(Refusal::unsupported("hexadecimal, octal, binary and underscored numbers of this size are not supported"))
    }
}

fn operator(operation: &mut AExpr, visit: Visit<'_>) -> Result<(), Refusal> {
    let AExpr { kind: _, name, lexpr, rexpr, rexpr_list_start, rexpr_list_end, location } = operation;
    (*rexpr_list_start, *rexpr_list_end, *location) = (0, 0, 0);
    each(name, visit)?;
    one(lexpr, visit)?;
    one(rexpr, visit)
}

fn case(kind: &mut NodeEnum, visit: Visit<'_>) -> Result<(), Refusal> {
    match kind {
        NodeEnum::CaseExpr(expr) => {
            let CaseExpr { xpr: _, casetype: _, casecollid: _, arg, args, defresult, location } = expr.as_mut();
            *location = 0;
            one(arg, visit)?;
            each(args, visit)?;
            one(defresult, visit)
        }
        NodeEnum::CaseWhen(when) => {
            let CaseWhen { xpr: _, expr, result, location } = when.as_mut();
            *location = 0;
            one(expr, visit)?;
            one(result, visit)
        }
        _ => Ok(()),
    }
}

pub(super) fn collate(clause: &mut CollateClause, visit: Visit<'_>) -> Result<(), Refusal> {
    let CollateClause { arg, collname, location } = clause;
    *location = 0;
    one(arg, visit)?;
    each(collname, visit)
}

fn function(call: &mut FuncCall, visit: Visit<'_>) -> Result<(), Refusal> {
    let FuncCall {
        funcname,
        args,
        agg_order,
        agg_filter,
        over,
        agg_within_group: _,
        agg_star: _,
        agg_distinct: _,
        func_variadic: _,
        funcformat: _,
        location,
    } = call;
    *location = 0;
    each(funcname, visit)?;
    each(args, visit)?;
    each(agg_order, visit)?;
    one(agg_filter, visit)?;
    over.as_deref_mut().map_or(Ok(()), |definition| window(definition, visit))
}

fn sort(sort: &mut SortBy, visit: Visit<'_>) -> Result<(), Refusal> {
    let SortBy { node, sortby_dir, sortby_nulls: _, use_op, location } = sort;
    *location = 0;
    if *sortby_dir == i32::from(SortByDir::SortbyUsing) || !use_op.is_empty() {
        return Err(Refusal::unsupported("ORDER BY … USING is not supported by the relay").hint("Use ASC or DESC."));
    }
    one(node, visit)
}

pub(super) fn window(definition: &mut WindowDef, visit: Visit<'_>) -> Result<(), Refusal> {
    let WindowDef {
        name: _,
        refname: _,
        partition_clause,
        order_clause,
        frame_options: _,
        start_offset,
        end_offset,
        location,
    } = definition;
    *location = 0;
    each(partition_clause, visit)?;
    each(order_clause, visit)?;
    one(start_offset, visit)?;
    one(end_offset, visit)
}
