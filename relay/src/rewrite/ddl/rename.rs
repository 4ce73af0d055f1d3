//! `ALTER … RENAME`.

use std::sync::Arc;

use pg_query::protobuf::{ObjectType, RenameStmt};

use super::alter::list_names;
use super::{changed, changed_own, gone, list_of, odd, restricted};
use crate::catalog::Relation;
use crate::rewrite::outcome::Effects;
use crate::rewrite::own::{Made, OwnChange, is_temporary};
use crate::rewrite::rewriter::Rewriter;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn rename(&mut self, statement: &mut RenameStmt) -> Result<Effects, Refusal> {
        restricted(statement.behavior, "RENAME")?;
        let what = "ALTER … RENAME of";
        let missing_ok = statement.missing_ok;
        if statement.rename_type == i32::from(ObjectType::ObjectType) {
            return self.rename_enum(statement);
        }
        let range = statement.relation.as_mut().ok_or_else(|| odd("RENAME"))?;
        match ObjectType::try_from(statement.rename_type) {
            Ok(ObjectType::ObjectTable) => {
                let Some(relation) = self.changeable_if_any(range, missing_ok, what)? else { return Ok(changed()) };
                self.not_classified(relation, what)?;
                self.looks_at_rows(Some(relation))?;
                let away = gone(range);
                if is_temporary(relation) {
                    self.may_be_temporary(&statement.newname, what)?;
                    let own = vec![away, self.renamed(relation, &statement.newname)];
                    return Ok(Effects { own, ..Effects::default() });
                }
                // Policies go by names: it must be one that could be made.
                self.ask_schema(&relation.schema, relation.qualified().to_string(), what)?;
                self.may_be_named(&relation.schema, &statement.newname, "ALTER TABLE … RENAME TO")?;
                Ok(changed_own(vec![away, self.renamed(relation, &statement.newname)]))
            }
            Ok(ObjectType::ObjectColumn) if statement.relation_type == i32::from(ObjectType::ObjectTable) => {
                let relation = self.changeable_if_any(range, missing_ok, what)?;
                relation.map_or(Ok(()), |relation| self.not_classified(relation, what))?;
                Ok(relation.map_or_else(changed, |relation| self.columns_unknown(relation)))
            }
            Ok(ObjectType::ObjectTabconstraint) => {
                self.changeable_if_any(range, missing_ok, what)?;
                Ok(changed())
            }
            Ok(ObjectType::ObjectIndex) => {
                self.changeable_dependent(range, false, missing_ok, what)?;
                Ok(changed())
            }
            Ok(ObjectType::ObjectSequence) => {
                let sequence = self.changeable_dependent(range, true, missing_ok, what)?;
                sequence.map_or(Ok(()), |sequence| self.may_be_named(&sequence.schema, &statement.newname, what))?;
                Ok(changed())
            }
            Ok(ObjectType::ObjectView) => {
                let view = self.changeable_view(range, what)?;
                self.looks_at_rows(Some(view))?;
                self.ask_schema(&view.schema, view.qualified().to_string(), what)?;
                self.may_be_named(&view.schema, &statement.newname, what)?;
                Ok(changed())
            }
            _ => Err(Refusal::unsupported("RENAME of this kind of object is not supported by the relay")),
        }
    }

    fn rename_enum(&mut self, statement: &mut RenameStmt) -> Result<Effects, Refusal> {
        let parts = list_names(statement.object.as_deref()).ok_or_else(|| odd("RENAME"))?;
        let range = self.changeable_enum(&parts, "ALTER TYPE … RENAME")?;
        statement.object = Some(Box::new(list_of(&range, &[])));
        Ok(changed())
    }

    /// The same relation by another name: as the snapshot knows it, so that its OID still guards it.
    fn renamed(&self, relation: &Relation, name: &str) -> OwnChange {
        match self.own.changed(relation.clone()) {
            OwnChange::Relation(made) => {
                let mut made = Made::clone(&made);
                name.clone_into(&mut made.relation.name);
                OwnChange::Relation(Arc::new(made))
            }
            other => other,
        }
    }
}
