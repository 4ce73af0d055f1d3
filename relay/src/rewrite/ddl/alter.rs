//! `ALTER TABLE`: columns, defaults, constraints.

use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableCmd, AlterTableStmt, AlterTableType, ConstrType, Node, ObjectType};

use super::{changed, changed_own, odd, restricted};
use crate::catalog::Relation;
use crate::rewrite::outcome::Effects;
use crate::rewrite::own::{is_own, is_temporary};
use crate::rewrite::rewriter::Rewriter;
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    pub(in crate::rewrite) fn alter_table(&mut self, statement: &mut AlterTableStmt) -> Result<Effects, Refusal> {
        if statement.objtype != i32::from(ObjectType::ObjectTable) {
            return Err(Refusal::unsupported(
                "ALTER of anything but a table in this form is not supported by the relay",
            ));
        }
        let range = statement.relation.as_mut().ok_or_else(|| odd("ALTER TABLE"))?;
        if let Some(relation) = self.protected_table(range) {
            return self.add_columns(statement, relation);
        }
        let relation = self.changeable_if_any(range, statement.missing_ok, "ALTER TABLE")?;
        for node in &mut statement.cmds {
            match node.node.as_mut() {
                Some(NodeEnum::AlterTableCmd(command)) => self.alter_command(command, relation)?,
                _ => return Err(odd("ALTER TABLE")),
            }
        }
        Ok(relation.map_or_else(changed, |relation| self.columns_unknown(relation)))
    }

    /// Of what the columns of the session's own are now nothing is known.
    pub(super) fn columns_unknown(&self, relation: &Relation) -> Effects {
        if !is_own(relation) {
            return changed();
        }
        let own = vec![self.own.changed(Relation { columns: Vec::new(), ..relation.clone() })];
        match is_temporary(relation) {
            true => Effects { own, ..Effects::default() },
            false => changed_own(own),
        }
    }

    fn alter_command(&mut self, command: &mut AlterTableCmd, relation: Option<&'a Relation>) -> Result<(), Refusal> {
        let relations: Vec<&Relation> = relation.into_iter().collect();
        match AlterTableType::try_from(command.subtype) {
            // What is generated from a column falls with it, in its own table.
            Ok(AlterTableType::AtDropColumn) if relations.iter().any(|relation| generates(relation)) => {
                self.cascades(&mut command.behavior.clone(), &relations, "ALTER TABLE")?;
            }
            Ok(AlterTableType::AtDropColumn | AlterTableType::AtDropConstraint) => {
                self.cascades(&mut command.behavior, &relations, "ALTER TABLE")?;
            }
            _ => restricted(command.behavior, "ALTER TABLE")?,
        }
        let definition = command.def.as_mut().and_then(|def| def.node.as_mut());
        match (AlterTableType::try_from(command.subtype), definition) {
            (Ok(AlterTableType::AtAddColumn), Some(NodeEnum::ColumnDef(column))) => {
                self.columns_may_change(relation)?;
                self.column_definition(column)
            }
            (Ok(AlterTableType::AtDropColumn), None) => self.columns_may_change(relation),
            (Ok(AlterTableType::AtColumnDefault), _) => self.default(&mut command.def),
            (
                Ok(AlterTableType::AtDropNotNull | AlterTableType::AtDropConstraint | AlterTableType::AtDropIdentity),
                None,
            ) => Ok(()),
            (Ok(AlterTableType::AtSetNotNull), None) => self.looks_at_rows(relation),
            (Ok(AlterTableType::AtAddIdentity), Some(NodeEnum::Constraint(identity)))
                if identity.contype == i32::from(ConstrType::ConstrIdentity) =>
            {
                self.constraint(identity)
            }
            (Ok(AlterTableType::AtAddConstraint), Some(NodeEnum::Constraint(constraint))) => {
                self.looks_at_rows(relation)?;
                self.constraint(constraint)
            }
            (Ok(AlterTableType::AtValidateConstraint), None) => {
                self.looks_at_rows(relation)?;
                self.not_tied(relation)
            }
            (Ok(AlterTableType::AtAlterColumnType), Some(NodeEnum::ColumnDef(column))) => {
                self.columns_may_change(relation)?;
                self.looks_at_rows(relation)?;
                self.not_tied(relation)?;
                self.column_type(column)?;
                self.computed(&mut column.raw_default)
            }
            _ => Err(Refusal::unsupported("this form of ALTER TABLE is not supported by the relay yet")
                .hint("Columns, defaults, NOT NULL, constraints, types and names can be changed.")),
        }
    }

    fn columns_may_change(&self, relation: Option<&Relation>) -> Result<(), Refusal> {
        relation.map_or(Ok(()), |relation| self.not_classified(relation, "ALTER TABLE"))
    }

    /// Whether it works tells something of the rows: for those who may read them.
    pub(super) fn looks_at_rows(&mut self, relation: Option<&Relation>) -> Result<(), Refusal> {
        relation.map_or(Ok(()), |relation| self.ask(relation, "select", "looking at the rows of").map(|_| ()))
    }

    /// A foreign key is checked again for all rows: by what they are made to be, that would tell what a protected column holds.
    fn not_tied(&self, relation: Option<&Relation>) -> Result<(), Refusal> {
        let Some(relation) = relation else { return Ok(()) };
        match self.catalog.foreign_keys().iter().any(|key| self.tells(key, relation, "insert")) {
            false => Ok(()),
            true => Err(Refusal::forbidden(format!(
                "ALTER TABLE is refused: a foreign key between {} and a protected relation would tell its values",
                relation.qualified()
            ))),
        }
    }
}

fn generates(relation: &Relation) -> bool {
    relation.columns.iter().any(|column| column.generated_from.is_some())
}

/// A name in a list of the tree, for what else is altered.
pub(super) fn list_names(node: Option<&Node>) -> Option<Vec<String>> {
    node.and_then(super::names_in)
}
