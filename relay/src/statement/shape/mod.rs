//! The allow-list of node kinds, written as the one function that knows every child of each.
//!
//! What is not named here is refused, whatever it is: a kind of statement, of expression, of clause. Every message is
//! taken apart field by field, so a field that a newer grammar adds is a compile error and not a hole. Locations are
//! zeroed on the way, so that trees of different texts compare.

mod definition;
mod documents;
mod expression;
mod query;
mod utility;

use pg_query::NodeEnum;
use pg_query::protobuf::{Alias, Node, RangeVar, TypeName};

use super::construct::construct;
use super::refusal::Refusal;

pub(crate) type Visit<'v> = &'v mut dyn FnMut(&mut Node) -> Result<(), Refusal>;

/// Holds a tree to the allow-list and zeroes its locations.
pub(crate) fn admit(node: &mut Node) -> Result<(), Refusal> {
    children(node, &mut admit)
}

/// Visits every child of a node, in order.
///
/// # Errors
/// A [`Refusal`] naming the construct when the node's kind is not on the list; whatever `visit` returns.
pub(crate) fn children(node: &mut Node, visit: Visit<'_>) -> Result<(), Refusal> {
    match node.node.as_mut() {
        None => Ok(()),
        Some(NodeEnum::SelectStmt(select)) => query::select(select, visit),
        Some(kind) => {
            if expression::children(kind, visit)?
                || query::children(kind, visit)?
                || utility::children(kind, visit)?
                || documents::children(kind, visit)?
                || definition::children(kind, visit)?
            {
                Ok(())
            } else {
                Err(not_admitted(kind))
            }
        }
    }
}

fn not_admitted(kind: &NodeEnum) -> Refusal {
    Refusal::unsupported(format!("{} is not supported by the relay yet", construct(kind)))
        .hint("The relay lets pass what it can resolve, mask and record; this is not among it in this version.")
}

fn each(nodes: &mut [Node], visit: Visit<'_>) -> Result<(), Refusal> {
    nodes.iter_mut().try_for_each(visit)
}

fn one(node: &mut Option<Box<Node>>, visit: Visit<'_>) -> Result<(), Refusal> {
    node.as_deref_mut().map_or(Ok(()), visit)
}

fn range_var(relation: &mut RangeVar, visit: Visit<'_>) -> Result<(), Refusal> {
    let RangeVar { catalogname: _, schemaname: _, relname: _, inh: _, relpersistence: _, alias: names, location } =
        relation;
    *location = 0;
    alias(names, visit)
}

fn alias(names: &mut Option<Alias>, visit: Visit<'_>) -> Result<(), Refusal> {
    match names {
        Some(Alias { aliasname: _, colnames }) => each(colnames, visit),
        None => Ok(()),
    }
}

fn type_name(name: &mut Option<TypeName>, visit: Visit<'_>) -> Result<(), Refusal> {
    let Some(TypeName { names, type_oid: _, setof, pct_type, typmods, typemod: _, array_bounds, location }) = name
    else {
        return Ok(());
    };
    *location = 0;
    if *setof || *pct_type {
        return Err(Refusal::unsupported("SETOF and %TYPE are not supported by the relay"));
    }
    each(names, visit)?;
    each(typmods, visit)?;
    each(array_bounds, visit)
}
