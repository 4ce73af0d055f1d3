//! What may be changed of a protected relation's definition: nothing that looks at its rows, or takes protection away.
//!
//! A column that is added is protected like every column that the classification does not name, and none that a child has
//! already: both would be one, and this transaction knew nothing of it. An index on clear columns alone holds nothing else.

use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableStmt, AlterTableType, ColumnDef, ConstrType, IndexElem, IndexStmt, Node, RangeVar};

use super::{changed, odd};
use crate::catalog::{Index, Kind, Readable, Relation};
use crate::rewrite::access::Treatment;
use crate::rewrite::outcome::{Effects, OnTransaction};
use crate::rewrite::own::is_own;
use crate::rewrite::rewriter::Rewriter;
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    /// The protected table that a name means, if it means one.
    pub(super) fn protected_table(&mut self, range: &RangeVar) -> Option<&'a Relation> {
        let relation = self.resolve(&mut range.clone()).ok()??;
        let is_table = matches!(relation.kind, Kind::Table | Kind::Partitioned) && !is_own(relation);
        (is_table && self.is_protected(relation.oid)).then_some(relation)
    }

    /// `ALTER TABLE … ADD COLUMN`, and nothing else.
    pub(super) fn add_columns(
        &mut self,
        statement: &mut AlterTableStmt,
        relation: &'a Relation,
    ) -> Result<Effects, Refusal> {
        self.may_define(relation, "ALTER TABLE")?;
        if let Some(range) = &mut statement.relation {
            self.resolve(range)?;
        }
        for node in &mut statement.cmds {
            let Some(NodeEnum::AlterTableCmd(command)) = node.node.as_mut() else { return Err(odd("ALTER TABLE")) };
            let adds = command.subtype == i32::from(AlterTableType::AtAddColumn);
            match command.def.as_mut().and_then(|definition| definition.node.as_mut()) {
                Some(NodeEnum::ColumnDef(column)) if adds => self.plain_column(column, relation)?,
                _ => return Err(kept(relation, "ALTER TABLE")),
            }
        }
        Ok(changed())
    }

    /// A type, a default of its own, and whether it may be empty: what refers to no other column, and keeps nobody's row away.
    fn plain_column(&mut self, column: &mut ColumnDef, relation: &Relation) -> Result<(), Refusal> {
        let plain = |node: &Node| {
            let Some(NodeEnum::Constraint(constraint)) = &node.node else { return false };
            matches!(
                ConstrType::try_from(constraint.contype),
                Ok(ConstrType::ConstrNull | ConstrType::ConstrNotnull | ConstrType::ConstrDefault)
            )
        };
        if column.raw_default.is_some() || !column.constraints.iter().all(plain) {
            return Err(kept(relation, "ALTER TABLE"));
        }
        let children = self.catalog.written_with(relation.oid, false);
        let mut children = children.iter().filter_map(|oid| self.catalog.relation(*oid));
        if let Some(child) = children.find(|child| child.column(&column.colname).is_some()) {
            return Err(Refusal::forbidden(format!(
                "ALTER TABLE {} is refused: {} has column {} already, and both would be one",
                relation.qualified(),
                child.qualified(),
                Readable(&column.colname)
            )));
        }
        let name = column.type_name.as_mut().ok_or_else(|| odd("a column"))?;
        self.type_name(name)?;
        for node in &mut column.constraints {
            if let Some(NodeEnum::Constraint(constraint)) = node.node.as_mut() {
                self.computed(&mut constraint.raw_expr)?;
            }
        }
        Ok(())
    }

    /// `CREATE INDEX` on clear columns.
    pub(super) fn index_clear_columns(
        &mut self,
        statement: &mut IndexStmt,
        relation: &'a Relation,
    ) -> Result<Effects, Refusal> {
        self.may_define(relation, "CREATE INDEX on")?;
        if let Some(range) = &mut statement.relation {
            self.resolve(range)?;
        }
        let plain = |element: &IndexElem| element.expr.is_none() && element.opclass.is_empty();
        let column = |node: &Node| match &node.node {
            Some(NodeEnum::IndexElem(element)) if plain(element) => Some(element.name.clone()),
            _ => None,
        };
        let elements = statement.index_params.iter().chain(&statement.index_including_params);
        let columns: Option<Vec<String>> = elements.map(column).collect();
        let columns = columns.filter(|_| {
            let listed = METHODS.contains(&statement.access_method.as_str());
            listed && !statement.unique && statement.where_clause.is_none()
        });
        let Some(columns) = columns else { return Err(kept(relation, "CREATE INDEX on")) };
        if let Some(masked) = columns.iter().find(|column| !self.is_clear(relation, column)) {
            return Err(Refusal::forbidden(format!(
                "CREATE INDEX on {} is refused: {} is protected, and rows come in the order of an index",
                relation.qualified(),
                Readable(masked)
            )));
        }
        let on_transaction = if statement.concurrent { OnTransaction::Commits } else { OnTransaction::Nothing };
        Ok(Effects { on_transaction, ..changed() })
    }

    /// Whether an index of a protected relation holds clear columns and is nobody's constraint.
    pub(super) fn is_index_of_clear_columns(&self, relation: &Relation, name: &str) -> bool {
        let plain = |index: &&Index| !index.unique && index.expressions.is_none() && index.predicate.is_none();
        let index = relation.indexes.iter().find(|index| index.name.as_deref() == Some(name)).filter(plain);
        index.is_some_and(|index| {
            let mut columns = index.columns.iter().map(|number| relation.columns.iter().find(|c| c.number == *number));
            columns.all(|column| column.is_some_and(|column| self.is_clear(relation, &column.name)))
        })
    }

    pub(super) fn may_define(&mut self, relation: &Relation, what: &str) -> Result<(), Refusal> {
        self.ask(relation, "ddl", what)?;
        self.ask(relation, "select", "looking at the rows of")?;
        self.no_opaque_event(what)
    }

    /// A column that is clear wherever rows of the relation are.
    fn is_clear(&self, relation: &Relation, column: &str) -> bool {
        self.catalog.family(relation.oid).iter().all(|oid| {
            let access = self.access.relations.get(oid);
            let named = access.and_then(|access| access.columns.iter().find(|known| known.name == column));
            named.is_some_and(|known| known.treatment == Treatment::Clear)
        })
    }
}

fn kept(relation: &Relation, what: &str) -> Refusal {
    Refusal::forbidden(format!(
        "{what} {} is refused: it has protected columns, and the definition of protected relations is not changed through \
         the relay",
        relation.qualified()
    ))
    .hint("Columns can be added, with a type and a default alone, and clear columns indexed.")
}

/// How large a BRIN index is, and what it finds, follows from how long rows are.
const METHODS: [&str; 2] = ["btree", "hash"];
