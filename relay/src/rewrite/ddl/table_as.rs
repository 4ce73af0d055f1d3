//! `CREATE TABLE AS` and `SELECT INTO`.
//!
//! What a query reads of protected columns is masked already, so what it fills holds masks. Where policy reveals a column
//! of what it reads, the values would stand in a table that nobody has classified: refused (rule 7).

use pg_query::NodeEnum;
use pg_query::protobuf::{CreateTableAsStmt, IntoClause, Node, ObjectType, OnCommitAction, SelectStmt, SetOperation};

use super::place::Place;
use super::{changed_own, odd};
use crate::catalog::Column;
use crate::rewrite::expression;
use crate::rewrite::outcome::Effects;
use crate::rewrite::own::{Made, column};
use crate::rewrite::rewriter::Rewriter;
use crate::rewrite::scan;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn create_table_as(
        &mut self,
        statement: &mut CreateTableAsStmt,
    ) -> Result<Effects, Refusal> {
        if statement.objtype != i32::from(ObjectType::ObjectTable) {
            return Err(Refusal::unsupported("CREATE MATERIALIZED VIEW is not supported by the relay yet"));
        }
        let into = statement.into.as_mut().ok_or_else(|| odd("CREATE TABLE AS"))?;
        let range = into.rel.as_mut().ok_or_else(|| odd("CREATE TABLE AS"))?;
        let place = self.place(range, "CREATE TABLE")?;
        let (schema, name) = (range.schemaname.clone(), range.relname.clone());
        match statement.query.as_mut().and_then(|query| query.node.as_mut()) {
            Some(NodeEnum::SelectStmt(select)) => {
                self.select(select)?;
                self.locking()?;
                self.nothing_revealed("CREATE TABLE AS")?;
                let mut made = Made::table(&schema, &name, columns(&into.col_names, select));
                made.extension_types = self.found.extension_types;
                made.until_commit = into.on_commit == i32::from(OnCommitAction::OncommitDrop);
                let own = self.noted(made, place == Place::Temporary, statement.if_not_exists);
                Ok(match place {
                    Place::Temporary => Effects { own, ..Effects::default() },
                    Place::Schema => changed_own(own),
                })
            }
            _ => Err(Refusal::unsupported("CREATE TABLE AS of anything but a query is not supported by the relay")),
        }
    }

    /// Values that policy reveals may be seen; they may not be kept where nothing protects them.
    pub(in crate::rewrite) fn nothing_revealed(&self, what: &str) -> Result<(), Refusal> {
        let revealed = self.found.touched.values().find(|touched| !touched.revealed.is_empty());
        match revealed {
            None => Ok(()),
            Some(touched) => Err(Refusal::forbidden(format!(
                "{what} is refused: it reads {}, of which policy reveals to you {}, and no table but a classified one may \
                 hold those values",
                touched.object,
                touched.revealed.join(", ")
            ))
            .hint("Read it where it is needed, in a subquery or WITH; or have it made by somebody who sees masks.")),
        }
    }
}

/// The clause of a `SELECT INTO`, taken out: it stands in the first arm of a set operation.
pub(in crate::rewrite) fn take_into(select: &mut SelectStmt) -> Option<Box<IntoClause>> {
    let mut first = select;
    while first.op != i32::from(SetOperation::SetopNone) {
        first = first.larg.as_deref_mut()?;
    }
    first.into_clause.take()
}

/// Whether a query is a `SELECT INTO`.
pub(in crate::rewrite) fn is_into(select: &SelectStmt) -> bool {
    let mut first = select;
    while first.op != i32::from(SetOperation::SetopNone) {
        match first.larg.as_deref() {
            Some(arm) => first = arm,
            None => return false,
        }
    }
    first.into_clause.is_some()
}

/// The same as `CREATE TABLE AS`.
pub(in crate::rewrite) fn table_as(select: SelectStmt, into: Box<IntoClause>) -> CreateTableAsStmt {
    CreateTableAsStmt {
        query: Some(Box::new(scan::node(NodeEnum::SelectStmt(Box::new(select))))),
        into: Some(into),
        objtype: ObjectType::ObjectTable.into(),
        is_select_into: false,
        if_not_exists: false,
    }
}

/// Names of the columns; none where they cannot be told from the text.
pub(super) fn columns(named: &[Node], select: &SelectStmt) -> Vec<Column> {
    let names = match named.is_empty() {
        true => select.target_list.iter().map(target).collect::<Option<Vec<String>>>(),
        // Fewer names than columns leave the others with their own.
        false if named.len() == select.target_list.len() => named.iter().map(expression::name).collect(),
        false => None,
    };
    let names = names.filter(|_| select.target_list.iter().all(|node| target(node).is_some()));
    let numbered = names.into_iter().flatten().enumerate();
    numbered.map(|(index, name)| column(index.saturating_add(1), &name, false)).collect()
}

fn target(node: &Node) -> Option<String> {
    let Some(NodeEnum::ResTarget(target)) = &node.node else { return None };
    if !target.name.is_empty() {
        return Some(target.name.clone());
    }
    match target.val.as_ref()?.node.as_ref()? {
        NodeEnum::ColumnRef(reference) => reference.fields.last().and_then(expression::name),
        _ => None,
    }
}
