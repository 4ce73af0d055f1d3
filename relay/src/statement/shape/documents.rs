//! The syntax of SQL/JSON and SQL/XML. On which servers it is syntax the rewriter knows.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    JsonAggConstructor, JsonArgument, JsonArrayAgg, JsonArrayConstructor, JsonArrayQueryConstructor, JsonBehavior,
    JsonFormat, JsonFuncExpr, JsonIsPredicate, JsonKeyValue, JsonObjectAgg, JsonObjectConstructor, JsonOutput,
    JsonParseExpr, JsonReturning, JsonScalarExpr, JsonSerializeExpr, JsonTable, JsonTableColumn, JsonTablePathSpec,
    JsonValueExpr, RangeTableFunc, RangeTableFuncCol, XmlExpr, XmlSerialize,
};

use super::expression::window;
use super::{Visit, alias, each, one, type_name};
use crate::statement::refusal::Refusal;

/// Visits the children of such a node; `false` when it is none.
pub(super) fn children(kind: &mut NodeEnum, visit: Visit<'_>) -> Result<bool, Refusal> {
    match kind {
        NodeEnum::JsonValueExpr(expr) => value(expr, visit)?,
        NodeEnum::JsonKeyValue(pair) => key_value(pair, visit)?,
        NodeEnum::JsonArgument(argument) => {
            let JsonArgument { val, name: _ } = argument.as_mut();
            maybe_value(val.as_deref_mut(), visit)?;
        }
        NodeEnum::JsonObjectConstructor(JsonObjectConstructor {
            exprs,
            output: made,
            absent_on_null: _,
            unique: _,
            location,
        })
        | NodeEnum::JsonArrayConstructor(JsonArrayConstructor { exprs, output: made, absent_on_null: _, location }) => {
            *location = 0;
            each(exprs, visit)?;
            output(made, visit)?;
        }
        NodeEnum::JsonArrayQueryConstructor(constructor) => {
            let JsonArrayQueryConstructor { query, output: made, format: written, absent_on_null: _, location } =
                constructor.as_mut();
            *location = 0;
            format(written);
            one(query, visit)?;
            output(made, visit)?;
        }
        NodeEnum::JsonObjectAgg(aggregate) => {
            let JsonObjectAgg { constructor, arg, absent_on_null: _, unique: _ } = aggregate.as_mut();
            arg.as_deref_mut().map_or(Ok(()), |pair| key_value(pair, visit))?;
            self::aggregate(constructor, visit)?;
        }
        NodeEnum::JsonArrayAgg(aggregate) => {
            let JsonArrayAgg { constructor, arg, absent_on_null: _ } = aggregate.as_mut();
            maybe_value(arg.as_deref_mut(), visit)?;
            self::aggregate(constructor, visit)?;
        }
        NodeEnum::JsonIsPredicate(predicate) => {
            let JsonIsPredicate { expr, format: written, item_type: _, unique_keys: _, location } = predicate.as_mut();
            *location = 0;
            format(written);
            one(expr, visit)?;
        }
        NodeEnum::JsonFuncExpr(call) => query_function(call, visit)?,
        NodeEnum::JsonScalarExpr(scalar) => {
            let JsonScalarExpr { expr, output: made, location } = scalar.as_mut();
            *location = 0;
            one(expr, visit)?;
            output(made, visit)?;
        }
        NodeEnum::JsonSerializeExpr(serialize) => {
            let JsonSerializeExpr { expr, output: made, location } = serialize.as_mut();
            *location = 0;
            maybe_value(expr.as_deref_mut(), visit)?;
            output(made, visit)?;
        }
        NodeEnum::JsonParseExpr(parse) => {
            let JsonParseExpr { expr, output: made, unique_keys: _, location } = parse.as_mut();
            *location = 0;
            maybe_value(expr.as_deref_mut(), visit)?;
            output(made, visit)?;
        }
        _ => return tables(kind, visit),
    }
    Ok(true)
}

fn tables(kind: &mut NodeEnum, visit: Visit<'_>) -> Result<bool, Refusal> {
    match kind {
        NodeEnum::JsonTable(table) => {
            let JsonTable { context_item, pathspec, passing, columns, on_error, alias: names, lateral: _, location } =
                table.as_mut();
            *location = 0;
            maybe_value(context_item.as_deref_mut(), visit)?;
            path(pathspec, visit)?;
            each(passing, visit)?;
            each(columns, visit)?;
            behavior(on_error, visit)?;
            alias(names, visit)?;
        }
        NodeEnum::JsonTableColumn(column) => {
            let JsonTableColumn {
                coltype: _,
                name: _,
                type_name: named,
                pathspec,
                format: written,
                wrapper: _,
                quotes: _,
                columns,
                on_empty,
                on_error,
                location,
            } = column.as_mut();
            *location = 0;
            format(written);
            type_name(named, visit)?;
            path(pathspec, visit)?;
            each(columns, visit)?;
            behavior(on_empty, visit)?;
            behavior(on_error, visit)?;
        }
        NodeEnum::RangeTableFunc(table) => {
            let RangeTableFunc { lateral: _, docexpr, rowexpr, namespaces, columns, alias: names, location } =
                table.as_mut();
            *location = 0;
            one(docexpr, visit)?;
            one(rowexpr, visit)?;
            each(namespaces, visit)?;
            each(columns, visit)?;
            alias(names, visit)?;
        }
        NodeEnum::RangeTableFuncCol(column) => {
            let RangeTableFuncCol {
                colname: _,
                type_name: named,
                for_ordinality: _,
                is_not_null: _,
                colexpr,
                coldefexpr,
                location,
            } = column.as_mut();
            *location = 0;
            type_name(named, visit)?;
            one(colexpr, visit)?;
            one(coldefexpr, visit)?;
        }
        NodeEnum::XmlExpr(expr) => {
            let XmlExpr {
                xpr: _,
                op: _,
                name: _,
                named_args,
                arg_names,
                args,
                xmloption: _,
                indent: _,
                r#type: _,
                typmod: _,
                location,
            } = expr.as_mut();
            *location = 0;
            each(named_args, visit)?;
            each(arg_names, visit)?;
            each(args, visit)?;
        }
        NodeEnum::XmlSerialize(serialize) => {
            let XmlSerialize { xmloption: _, expr, type_name: named, indent: _, location } = serialize.as_mut();
            *location = 0;
            one(expr, visit)?;
            type_name(named, visit)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn query_function(call: &mut JsonFuncExpr, visit: Visit<'_>) -> Result<(), Refusal> {
    let JsonFuncExpr {
        op: _,
        column_name: _,
        context_item,
        pathspec,
        passing,
        output: made,
        on_empty,
        on_error,
        wrapper: _,
        quotes: _,
        location,
    } = call;
    *location = 0;
    maybe_value(context_item.as_deref_mut(), visit)?;
    one(pathspec, visit)?;
    each(passing, visit)?;
    output(made, visit)?;
    behavior(on_empty, visit)?;
    behavior(on_error, visit)
}

fn value(expr: &mut JsonValueExpr, visit: Visit<'_>) -> Result<(), Refusal> {
    let JsonValueExpr { raw_expr, formatted_expr, format: written } = expr;
    format(written);
    one(raw_expr, visit)?;
    one(formatted_expr, visit)
}

fn maybe_value(expr: Option<&mut JsonValueExpr>, visit: Visit<'_>) -> Result<(), Refusal> {
    expr.map_or(Ok(()), |expr| value(expr, visit))
}

fn key_value(pair: &mut JsonKeyValue, visit: Visit<'_>) -> Result<(), Refusal> {
    let JsonKeyValue { key, value } = pair;
    one(key, visit)?;
    maybe_value(value.as_deref_mut(), visit)
}

fn aggregate(constructor: &mut Option<Box<JsonAggConstructor>>, visit: Visit<'_>) -> Result<(), Refusal> {
    let Some(constructor) = constructor else { return Ok(()) };
    let JsonAggConstructor { output: made, agg_filter, agg_order, over, location } = constructor.as_mut();
    *location = 0;
    output(made, visit)?;
    one(agg_filter, visit)?;
    each(agg_order, visit)?;
    over.as_deref_mut().map_or(Ok(()), |definition| window(definition, visit))
}

fn output(made: &mut Option<JsonOutput>, visit: Visit<'_>) -> Result<(), Refusal> {
    let Some(JsonOutput { type_name: named, returning }) = made else { return Ok(()) };
    if let Some(JsonReturning { format: written, typid: _, typmod: _ }) = returning {
        format(written);
    }
    type_name(named, visit)
}

fn behavior(behavior: &mut Option<Box<JsonBehavior>>, visit: Visit<'_>) -> Result<(), Refusal> {
    let Some(behavior) = behavior else { return Ok(()) };
    let JsonBehavior { btype: _, expr, coerce: _, location } = behavior.as_mut();
    *location = 0;
    one(expr, visit)
}

fn path(path: &mut Option<Box<JsonTablePathSpec>>, visit: Visit<'_>) -> Result<(), Refusal> {
    let Some(path) = path else { return Ok(()) };
    let JsonTablePathSpec { string, name: _, name_location, location } = path.as_mut();
    (*name_location, *location) = (0, 0);
    one(string, visit)
}

fn format(written: &mut Option<JsonFormat>) {
    if let Some(JsonFormat { format_type: _, encoding: _, location }) = written {
        *location = 0;
    }
}
