//! One statement of any admitted kind.

use pg_query::NodeEnum;
use pg_query::protobuf::{DiscardMode, Node, TransactionStmt, TransactionStmtKind};

use super::cursor;
use super::ddl::{is_into, set_constraints, table_as, take_into};
use super::outcome::{Class, Cursor, Effects, EndsPrepared, OnTransaction, ReasonChange, Savepoint};
use super::own::OwnChange;
use super::rewriter::Rewriter;
use super::withheld;
use super::{setting_calls, settings};
use crate::statement::Refusal;

/// Class of a statement by its kind, also when it is refused.
pub(crate) fn class(node: &Node) -> Class {
    match &node.node {
        Some(NodeEnum::SelectStmt(select)) if is_into(select) => Class::Ddl,
        // What it changes is what matters of it.
        Some(NodeEnum::SelectStmt(select)) => {
            withheld::first_write(select.with_clause.as_ref()).map_or(Class::Select, class)
        }
        Some(NodeEnum::InsertStmt(_)) => Class::Insert,
        Some(NodeEnum::UpdateStmt(_)) => Class::Update,
        Some(NodeEnum::DeleteStmt(_)) => Class::Delete,
        Some(NodeEnum::MergeStmt(_)) => Class::Merge,
        Some(NodeEnum::ListenStmt(_) | NodeEnum::NotifyStmt(_)) => Class::Notify,
        Some(NodeEnum::TransactionStmt(_) | NodeEnum::LockStmt(_) | NodeEnum::ConstraintsSetStmt(_)) => {
            Class::Transaction
        }
        Some(NodeEnum::PrepareStmt(_)) => Class::Prepare,
        Some(NodeEnum::ExecuteStmt(_)) => Class::Execute,
        Some(NodeEnum::VariableSetStmt(_)) => Class::Set,
        Some(NodeEnum::VariableShowStmt(_)) => Class::Show,
        Some(NodeEnum::ExplainStmt(_)) => Class::Explain,
        Some(NodeEnum::DeclareCursorStmt(_) | NodeEnum::FetchStmt(_)) => Class::Cursor,
        Some(NodeEnum::CopyStmt(copy)) if copy.is_from => Class::CopyIn,
        Some(NodeEnum::CopyStmt(copy)) if copy.query.as_deref().is_some_and(changes_rows) => {
            copy.query.as_deref().map_or(Class::CopyOut, class)
        }
        Some(NodeEnum::CopyStmt(_)) => Class::CopyOut,
        Some(
            NodeEnum::DropStmt(_)
            | NodeEnum::TruncateStmt(_)
            | NodeEnum::CreateStmt(_)
            | NodeEnum::CreateTableAsStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::AlterTableStmt(_)
            | NodeEnum::RenameStmt(_)
            | NodeEnum::CreateSeqStmt(_)
            | NodeEnum::AlterSeqStmt(_)
            | NodeEnum::CreateEnumStmt(_)
            | NodeEnum::AlterEnumStmt(_)
            | NodeEnum::CommentStmt(_)
            | NodeEnum::ViewStmt(_)
            | NodeEnum::VacuumStmt(_)
            | NodeEnum::RefreshMatViewStmt(_)
            | NodeEnum::GrantStmt(_)
            | NodeEnum::CreateSchemaStmt(_)
            | NodeEnum::ReindexStmt(_),
        ) => Class::Ddl,
        Some(
            NodeEnum::DiscardStmt(_)
            | NodeEnum::DeallocateStmt(_)
            | NodeEnum::ClosePortalStmt(_)
            | NodeEnum::UnlistenStmt(_),
        ) => Class::Discard,
        _ => Class::Other,
    }
}

impl Rewriter<'_> {
    /// Rewrites a statement in place, or refuses it.
    pub(crate) fn statement(&mut self, node: &mut Node) -> Result<Effects, Refusal> {
        if let Some(NodeEnum::SelectStmt(select)) = node.node.as_mut()
            && let Some(into) = take_into(select)
        {
            let select = std::mem::take(select.as_mut());
            node.node = Some(NodeEnum::CreateTableAsStmt(Box::new(table_as(select, into))));
        }
        if matches!(&node.node, Some(NodeEnum::VariableShowStmt(show)) if show.name == "all") {
            node.node = Some(NodeEnum::SelectStmt(Box::new(setting_calls::show_all()?)));
        }
        let changes = matches!(node.node, Some(NodeEnum::UpdateStmt(_) | NodeEnum::DeleteStmt(_)));
        let mut effects = self.any(node)?;
        if let Some(cursor) = self.current_of.take() {
            if !changes {
                return Err(Refusal::unsupported("WHERE CURRENT OF inside of another statement is not supported"));
            }
            effects.cursor = Cursor::Positions(cursor);
        }
        effects.assumes_absent = self.assumes_absent;
        self.found.keeps_meaning()?;
        Ok(effects)
    }

    pub(super) fn any(&mut self, node: &mut Node) -> Result<Effects, Refusal> {
        let none = Effects::default();
        if matches!(node.node, Some(NodeEnum::SelectStmt(_))) || withheld::is_write(node) {
            return self.rows(node).map(|()| none);
        }
        match node.node.as_mut() {
            Some(NodeEnum::CopyStmt(copy)) => self.copy(copy),
            Some(NodeEnum::DeclareCursorStmt(statement)) => self.declare(statement),
            Some(NodeEnum::FetchStmt(statement)) => Ok(cursor::fetch(statement)),
            Some(NodeEnum::ClosePortalStmt(statement)) => Ok(cursor::close(statement)),
            Some(NodeEnum::PrepareStmt(statement)) => self.prepare(statement),
            Some(NodeEnum::ExecuteStmt(statement)) => self.execute(statement),
            Some(NodeEnum::LockStmt(statement)) => self.lock(statement),
            Some(NodeEnum::ExplainStmt(explain)) => self.explain(explain).map(|()| none),
            Some(NodeEnum::TransactionStmt(statement)) => transaction(statement),
            Some(NodeEnum::VariableSetStmt(statement)) => self.set(statement),
            Some(NodeEnum::VariableShowStmt(statement)) => self.show(&statement.name).map(|()| none),
            Some(NodeEnum::ListenStmt(_) | NodeEnum::NotifyStmt(_)) => self.notification(),
            Some(NodeEnum::DropStmt(statement)) => self.drop_objects(statement),
            Some(NodeEnum::TruncateStmt(statement)) => self.truncate(statement),
            Some(NodeEnum::CreateStmt(statement)) => self.create_table(statement),
            Some(NodeEnum::IndexStmt(statement)) => self.create_index(statement),
            Some(NodeEnum::CreateTableAsStmt(statement)) => self.create_table_as(statement),
            Some(NodeEnum::AlterTableStmt(statement)) => self.alter_table(statement),
            Some(NodeEnum::RenameStmt(statement)) => self.rename(statement),
            Some(NodeEnum::CreateSeqStmt(statement)) => self.create_sequence(statement),
            Some(NodeEnum::AlterSeqStmt(statement)) => self.alter_sequence(statement),
            Some(NodeEnum::CreateEnumStmt(statement)) => self.create_enum(statement),
            Some(NodeEnum::AlterEnumStmt(statement)) => self.alter_enum(statement),
            Some(NodeEnum::CommentStmt(statement)) => self.comment(statement),
            Some(NodeEnum::ViewStmt(statement)) => self.create_view(statement),
            Some(NodeEnum::VacuumStmt(statement)) => self.vacuum(statement),
            Some(NodeEnum::ReindexStmt(statement)) => self.reindex(statement),
            Some(NodeEnum::RefreshMatViewStmt(statement)) => self.refresh(statement),
            Some(NodeEnum::GrantStmt(statement)) => self.grant(statement),
            Some(NodeEnum::CreateSchemaStmt(statement)) => self.create_schema(statement),
            Some(NodeEnum::ConstraintsSetStmt(statement)) => set_constraints(statement),
            Some(kind) => discard(kind),
            None => Err(Refusal::syntax("empty statement")),
        }
    }

    /// What reads or changes rows.
    pub(super) fn rows(&mut self, node: &mut Node) -> Result<(), Refusal> {
        self.writes =
            withheld::writes(withheld::with_of(node)).count().saturating_add(usize::from(withheld::is_write(node)));
        self.writes_admitted = true;
        match node.node.as_mut() {
            Some(NodeEnum::SelectStmt(select)) => self.select(select)?,
            Some(NodeEnum::InsertStmt(insert)) => self.insert(insert)?,
            Some(NodeEnum::UpdateStmt(update)) => self.update(update)?,
            Some(NodeEnum::DeleteStmt(delete)) => self.delete(delete)?,
            Some(NodeEnum::MergeStmt(merge)) => self.merge(merge)?,
            _ => {}
        }
        self.locking()
    }

    /// Locks reach through subqueries to the rows of the relations below, so masks do not stop them: they keep others from
    /// changing these rows, for which one must be permitted to change them.
    pub(super) fn locking(&mut self) -> Result<(), Refusal> {
        if !self.locks {
            return Ok(());
        }
        for oid in self.found.relations.clone() {
            if let Some(relation) = self.catalog.relation(oid) {
                self.ask(relation, "update", "locking rows of")?;
            }
        }
        Ok(())
    }
}

/// Whether a query, or a common table expression of it, is a write.
pub(super) fn changes_rows(query: &Node) -> bool {
    withheld::is_write(query) || withheld::first_write(withheld::with_of(query)).is_some()
}

fn transaction(statement: &TransactionStmt) -> Result<Effects, Refusal> {
    let mut effects = Effects::default();
    let savepoint = statement.savepoint_name.clone();
    match TransactionStmtKind::try_from(statement.kind) {
        Ok(TransactionStmtKind::TransStmtBegin | TransactionStmtKind::TransStmtStart) => {}
        Ok(TransactionStmtKind::TransStmtCommit) => effects.commits = true,
        Ok(TransactionStmtKind::TransStmtRollback) => effects.rolls_back = true,
        Ok(TransactionStmtKind::TransStmtSavepoint) => effects.savepoint = Savepoint::Made(savepoint),
        Ok(TransactionStmtKind::TransStmtRelease) => effects.savepoint = Savepoint::Released(savepoint),
        Ok(TransactionStmtKind::TransStmtRollbackTo) => {
            effects.on_transaction = OnTransaction::UndoesPart;
            effects.savepoint = Savepoint::RolledBackTo(savepoint);
        }
        _ => return Err(Refusal::unsupported("two-phase commit is not supported by the relay")),
    }
    settings::transaction_options(&statement.options)?;
    Ok(effects)
}

fn discard(kind: &NodeEnum) -> Result<Effects, Refusal> {
    match kind {
        NodeEnum::DeallocateStmt(statement) if statement.isall => {
            Ok(Effects { ends_prepared: EndsPrepared::All, ..Effects::default() })
        }
        NodeEnum::DeallocateStmt(statement) => {
            Ok(Effects { ends_prepared: EndsPrepared::Named(statement.name.clone()), ..Effects::default() })
        }
        NodeEnum::DiscardStmt(statement) if statement.target == i32::from(DiscardMode::DiscardAll) => Ok(Effects {
            ends_prepared: EndsPrepared::All,
            closes_portals: true,
            resets_settings: true,
            own: vec![OwnChange::NoTemporary],
            reason: ReasonChange::Reset,
            ..Effects::default()
        }),
        NodeEnum::DiscardStmt(statement) if statement.target == i32::from(DiscardMode::DiscardTemp) => {
            Ok(Effects { own: vec![OwnChange::NoTemporary], ..Effects::default() })
        }
        NodeEnum::DiscardStmt(_) => Ok(Effects::default()),
        // What the session may hear is asked where it begins to listen, and again where it hears something.
        NodeEnum::UnlistenStmt(_) => Ok(Effects::default()),
        _ => Err(Refusal::unsupported("this kind of statement is not supported by the relay yet")),
    }
}
