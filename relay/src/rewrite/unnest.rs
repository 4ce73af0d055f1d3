//! `unnest` of several arrays at once: no function has such a form, the server reads it as syntax where the name stands
//! alone. The relay writes every name with its schema in front, so it says what the server would have made of it.

use pg_query::NodeEnum;
use pg_query::protobuf::{FuncCall, List, Node, RangeFunction};

use super::expression::name;
use super::scan;

/// `unnest(a, b)` becomes `ROWS FROM (unnest(a), unnest(b))`.
pub(super) fn spread(function: &mut RangeFunction) {
    let entries = std::mem::take(&mut function.functions);
    for entry in entries {
        match arrays(&entry) {
            Some(arrays) => {
                function.is_rowsfrom = true;
                function.functions.extend(arrays.into_iter().map(alone));
            }
            None => function.functions.push(entry),
        }
    }
}

/// The arrays of an entry that is such a call and nothing more, as the server demands it (`transformRangeFunction`).
fn arrays(entry: &Node) -> Option<Vec<Node>> {
    let Some(NodeEnum::List(List { items })) = &entry.node else { return None };
    let [Node { node: Some(NodeEnum::FuncCall(call)) }, columns] = items.as_slice() else { return None };
    let FuncCall { funcname, args, agg_order, agg_filter, over, agg_star, agg_distinct, func_variadic, .. } =
        call.as_ref();
    let [only] = funcname.as_slice() else { return None };
    let plain = agg_order.is_empty()
        && agg_filter.is_none()
        && over.is_none()
        && !(*agg_star || *agg_distinct || *func_variadic)
        && !matches!(&columns.node, Some(NodeEnum::List(list)) if !list.items.is_empty());
    (plain && args.len() > 1 && name(only)? == "unnest").then(|| args.clone())
}

/// An entry that is `unnest` of one array.
fn alone(array: Node) -> Node {
    let call = FuncCall {
        funcname: vec![scan::text("unnest")],
        args: vec![array],
        funcformat: pg_query::protobuf::CoercionForm::CoerceExplicitCall.into(),
        ..FuncCall::default()
    };
    let items = vec![scan::node(NodeEnum::FuncCall(Box::new(call))), Node { node: None }];
    scan::node(NodeEnum::List(List { items }))
}
