//! SQL/JSON and SQL/XML syntax. What is syntax for the relay's parser is a call of a user's function for an older server
//! (rule 3), so each form is let through from the version on that has it.

use pg_query::NodeEnum;
use pg_query::protobuf::{JsonOutput, Node, XmlExprOp};

use super::rewriter::Rewriter;
use crate::statement::{Refusal, shape};

impl Rewriter<'_> {
    /// Whether this server reads such an expression as the relay does, and which types it names. Any other expression is
    /// fine.
    pub(super) fn document(&mut self, kind: &mut NodeEnum) -> Result<(), Refusal> {
        let (since, output): (u32, Option<&mut JsonOutput>) = match kind {
            NodeEnum::JsonObjectConstructor(made) => (CONSTRUCTORS, made.output.as_mut()),
            NodeEnum::JsonArrayConstructor(made) => (CONSTRUCTORS, made.output.as_mut()),
            NodeEnum::JsonArrayQueryConstructor(made) => (CONSTRUCTORS, made.output.as_mut()),
            NodeEnum::JsonObjectAgg(made) => (CONSTRUCTORS, made.constructor.as_mut().and_then(|c| c.output.as_mut())),
            NodeEnum::JsonArrayAgg(made) => (CONSTRUCTORS, made.constructor.as_mut().and_then(|c| c.output.as_mut())),
            NodeEnum::JsonIsPredicate(_) => (CONSTRUCTORS, None),
            NodeEnum::JsonFuncExpr(call) => (QUERIES, call.output.as_mut()),
            NodeEnum::JsonScalarExpr(call) => (QUERIES, call.output.as_mut()),
            NodeEnum::JsonSerializeExpr(call) => (QUERIES, call.output.as_mut()),
            NodeEnum::JsonParseExpr(call) => (QUERIES, call.output.as_mut()),
            NodeEnum::JsonTableColumn(column) => return self.maybe_type(column.type_name.as_mut()),
            NodeEnum::RangeTableFuncCol(column) => return self.maybe_type(column.type_name.as_mut()),
            NodeEnum::XmlSerialize(serialize) => {
                // INDENT came later.
                self.since(if serialize.indent { CONSTRUCTORS } else { 0 })?;
                return self.maybe_type(serialize.type_name.as_mut());
            }
            NodeEnum::XmlExpr(expr) => return known(expr.op),
            _ => return Ok(()),
        };
        self.since(since)?;
        output.map_or(Ok(()), |output| self.maybe_type(output.type_name.as_mut()))
    }

    /// `JSON_TABLE` and `XMLTABLE`, items of FROM.
    pub(super) fn table_of_document(&mut self, item: &mut Node) -> Result<(), Refusal> {
        let alias = match &item.node {
            Some(NodeEnum::JsonTable(table)) => {
                self.since(QUERIES)?;
                table.alias.clone()
            }
            Some(NodeEnum::RangeTableFunc(table)) => table.alias.clone(),
            _ => None,
        };
        shape::children(item, &mut |child| self.expression(child))?;
        self.note(alias.as_ref(), "");
        Ok(())
    }

    fn since(&self, version: u32) -> Result<(), Refusal> {
        if self.catalog.server_version() >= version {
            return Ok(());
        }
        let major = version / 10_000;
        Err(Refusal::unsupported(format!(
            "this SQL/JSON or SQL/XML syntax is PostgreSQL {major}'s: the target is older"
        ))
        .hint("The target would take it for a call of a function."))
    }
}

fn known(op: i32) -> Result<(), Refusal> {
    match XmlExprOp::try_from(op) {
        Ok(
            XmlExprOp::IsXmlconcat
            | XmlExprOp::IsXmlelement
            | XmlExprOp::IsXmlforest
            | XmlExprOp::IsXmlparse
            | XmlExprOp::IsXmlpi
            | XmlExprOp::IsXmlroot
            | XmlExprOp::IsDocument,
        ) => Ok(()),
        _ => Err(Refusal::unsupported("this SQL/XML expression is not supported by the relay")),
    }
}

/// `JSON_OBJECT`, `JSON_ARRAY`, their aggregates, `IS JSON`.
const CONSTRUCTORS: u32 = 160_000;
/// `JSON_VALUE`, `JSON_QUERY`, `JSON_EXISTS`, `JSON_TABLE`, `JSON_SCALAR`, `JSON_SERIALIZE`, `JSON()`.
const QUERIES: u32 = 170_000;
