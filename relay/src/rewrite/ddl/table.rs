//! `CREATE TABLE`, and what columns and constraints are made of.

use std::sync::Arc;

use pg_query::NodeEnum;
use pg_query::protobuf::{ColumnDef, ConstrType, Constraint, CreateStmt, Node, TableLikeClause};

use super::place::Place;
use super::{changed_own, odd};
use crate::catalog::{Column, Kind};
use crate::rewrite::expression;
use crate::rewrite::outcome::Effects;
use crate::rewrite::own::{Made, OwnChange, column, is_own};
use crate::rewrite::rewriter::Rewriter;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn create_table(&mut self, statement: &mut CreateStmt) -> Result<Effects, Refusal> {
        let range = statement.relation.as_mut().ok_or_else(|| odd("CREATE TABLE"))?;
        let place = self.place(range, "CREATE TABLE")?;
        let (schema, name) = (range.schemaname.clone(), range.relname.clone());
        self.parts(statement)?;
        for element in statement.table_elts.iter_mut().chain(&mut statement.constraints) {
            self.element(element)?;
        }
        let mut made = Made::table(&schema, &name, columns(&statement.table_elts));
        made.extension_types = self.found.extension_types;
        if statement.partspec.is_some() {
            made.relation.kind = Kind::Partitioned;
        }
        made.until_commit = statement.oncommit == i32::from(pg_query::protobuf::OnCommitAction::OncommitDrop);
        let own = self.noted(made, place == Place::Temporary, statement.if_not_exists);
        Ok(match place {
            Place::Temporary => Effects { own, ..Effects::default() },
            Place::Schema => changed_own(own),
        })
    }

    /// What `IF NOT EXISTS` leaves as it is may be somebody else's, and of a temporary table have other columns.
    pub(super) fn noted(&self, mut made: Made, temporary: bool, if_not_exists: bool) -> Vec<OwnChange> {
        let known = self.own.named(&made.relation.schema, &made.relation.name).is_some();
        if if_not_exists && (known || !temporary) {
            return Vec::new();
        }
        if if_not_exists {
            made.relation.columns.clear();
        }
        vec![OwnChange::Relation(Arc::new(made))]
    }

    fn element(&mut self, element: &mut Node) -> Result<(), Refusal> {
        match element.node.as_mut() {
            Some(NodeEnum::ColumnDef(definition)) => self.column_definition(definition),
            Some(NodeEnum::Constraint(constraint)) => self.constraint(constraint),
            Some(NodeEnum::TableLikeClause(clause)) => self.like(clause),
            _ => Err(Refusal::unsupported("this element of CREATE TABLE is not supported by the relay yet")),
        }
    }

    pub(super) fn column_definition(&mut self, definition: &mut ColumnDef) -> Result<(), Refusal> {
        if definition.raw_default.is_some() {
            return Err(odd("a column"));
        }
        self.column_type(definition)?;
        for node in &mut definition.constraints {
            match node.node.as_mut() {
                Some(NodeEnum::Constraint(constraint)) => self.constraint(constraint)?,
                _ => return Err(odd("a column")),
            }
        }
        Ok(())
    }

    pub(super) fn column_type(&mut self, definition: &mut ColumnDef) -> Result<(), Refusal> {
        let name = definition.type_name.as_mut().ok_or_else(|| Refusal::unsupported("a column without a type"))?;
        // serial makes a sequence and a default: a word of the grammar's where it stands alone, and no type.
        let alone = match name.names.as_slice() {
            [only] => expression::name(only),
            _ => None,
        };
        if !alone.is_some_and(|alone| SERIAL.contains(&alone.as_str())) {
            self.type_name(name)?;
        }
        Ok(())
    }

    pub(super) fn constraint(&mut self, constraint: &mut Constraint) -> Result<(), Refusal> {
        let kind = ConstrType::try_from(constraint.contype);
        if constraint.raw_expr.is_some()
            && !matches!(kind, Ok(ConstrType::ConstrCheck | ConstrType::ConstrDefault | ConstrType::ConstrGenerated))
        {
            return Err(odd("a constraint"));
        }
        if !constraint.options.is_empty() && kind != Ok(ConstrType::ConstrIdentity) {
            return Err(Refusal::unsupported("storage options of constraints are not supported by the relay yet"));
        }
        match kind {
            Ok(
                ConstrType::ConstrNull
                | ConstrType::ConstrNotnull
                | ConstrType::ConstrPrimary
                | ConstrType::ConstrUnique
                | ConstrType::ConstrAttrDeferrable
                | ConstrType::ConstrAttrNotDeferrable
                | ConstrType::ConstrAttrDeferred
                | ConstrType::ConstrAttrImmediate,
            ) => Ok(()),
            Ok(ConstrType::ConstrIdentity) => self.sequence_options(&mut constraint.options),
            Ok(ConstrType::ConstrDefault) => self.default(&mut constraint.raw_expr),
            Ok(ConstrType::ConstrCheck | ConstrType::ConstrGenerated) => self.computed(&mut constraint.raw_expr),
            Ok(ConstrType::ConstrForeign) => self.foreign_key(constraint),
            _ => Err(Refusal::unsupported("this kind of constraint is not supported by the relay yet")),
        }
    }

    fn foreign_key(&mut self, constraint: &mut Constraint) -> Result<(), Refusal> {
        let range = constraint.pktable.as_mut().ok_or_else(|| Refusal::unsupported("a key without a table"))?;
        let relation = self.resolve(range)?.ok_or_else(|| Refusal::forbidden("keys to system relations"))?;
        let access = self.ask(relation, "select", "referencing")?;
        if access.protected {
            return Err(Refusal::forbidden(format!(
                "a foreign key to {} is refused: it would tell by success or failure what its columns hold",
                relation.qualified()
            )));
        }
        Ok(())
    }

    /// The structure of another relation. What computes comes along only where it is asked for.
    fn like(&mut self, clause: &mut TableLikeClause) -> Result<(), Refusal> {
        let range = clause.relation.as_mut().ok_or_else(|| odd("LIKE"))?;
        let relation = self.resolve(range)?.ok_or_else(|| Refusal::unsupported("LIKE of a system relation"))?;
        let access = self.ask(relation, "select", "copying the structure of")?;
        let name = relation.qualified();
        if is_own(relation) {
            return Ok(());
        }
        if !matches!(relation.kind, Kind::Table | Kind::Partitioned) || relation.opaque_writes {
            return Err(Refusal::unsupported(format!(
                "LIKE {name} is refused: it is no plain table, or its columns and constraints call users' functions"
            )));
        }
        let computes = || relation.write_expressions.iter().all(|expression| self.computes(expression));
        if clause.options != 0 && (access.protected || !computes()) {
            return Err(Refusal::forbidden(format!(
                "LIKE {name} INCLUDING … is refused: it has protected columns, or calls functions outside of the relay's list"
            ))
            .hint("Without INCLUDING, LIKE takes the names and types of columns alone."));
        }
        Ok(())
    }
}

/// Names of the columns; none where not all of them stand there.
fn columns(elements: &[Node]) -> Vec<Column> {
    let defined = elements.iter().filter_map(|element| match &element.node {
        Some(NodeEnum::ColumnDef(definition)) => Some(Some(definition)),
        Some(NodeEnum::TableLikeClause(_)) => Some(None),
        _ => None,
    });
    let columns = defined.enumerate().map(|(index, definition)| {
        let definition = definition?;
        let generated = definition.constraints.iter().any(|node| {
            matches!(&node.node, Some(NodeEnum::Constraint(constraint))
                if constraint.contype == i32::from(ConstrType::ConstrGenerated))
        });
        Some(column(index.saturating_add(1), &definition.colname, generated))
    });
    columns.collect::<Option<Vec<_>>>().unwrap_or_default()
}

const SERIAL: [&str; 6] = ["smallserial", "serial2", "serial", "serial4", "bigserial", "serial8"];
