//! `DROP` and `TRUNCATE`.

use pg_query::NodeEnum;
use pg_query::protobuf::{DropBehavior, DropStmt, Node, ObjectType, RangeVar, TruncateStmt, TypeName};

use super::{changed, gone, list_of, names_in, odd, range_of, restricted};
use crate::catalog::{Kind, Relation};
use crate::rewrite::expression::name;
use crate::rewrite::outcome::{Effects, OnTransaction};
use crate::rewrite::own::{TEMPORARY, is_temporary};
use crate::rewrite::rewriter::Rewriter;
use crate::rewrite::scan;
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    pub(in crate::rewrite) fn drop_objects(&mut self, statement: &mut DropStmt) -> Result<Effects, Refusal> {
        let kind = ObjectType::try_from(statement.remove_type).unwrap_or_default();
        let what = match kind {
            ObjectType::ObjectTable => "DROP TABLE",
            ObjectType::ObjectIndex => "DROP INDEX",
            ObjectType::ObjectSequence => "DROP SEQUENCE",
            ObjectType::ObjectView => "DROP VIEW",
            ObjectType::ObjectType => "DROP TYPE",
            ObjectType::ObjectSchema => return self.drop_schemas(statement),
            _ => return Err(Refusal::unsupported("DROP of this kind of object is not supported by the relay yet")),
        };
        let followed = matches!(kind, ObjectType::ObjectTable | ObjectType::ObjectView);
        if !followed {
            restricted(statement.behavior, what)?;
        }
        let mut effects = Effects::default();
        let mut dropped = Vec::new();
        for object in &mut statement.objects {
            if kind == ObjectType::ObjectType {
                self.drop_enum(object, statement.missing_ok)?;
                effects = Effects { own: effects.own, ..changed() };
                continue;
            }
            let parts = names_in(object).ok_or_else(|| odd(what))?;
            let mut range = range_of(&parts)?;
            let missing_ok = statement.missing_ok;
            match kind {
                ObjectType::ObjectTable => {
                    if let Some(relation) = self.changeable_if_any(&mut range, missing_ok, what)? {
                        self.not_classified(relation, what)?;
                        dropped.push(relation);
                    }
                    effects.own.push(gone(&range));
                }
                ObjectType::ObjectView => match self.droppable_view(&mut range, what) {
                    Err(refusal) if missing_ok && refusal.unknown_name => self.absent(&mut range),
                    Ok(Some(view)) => dropped.push(view),
                    Ok(None) => effects.own.push(gone(&range)),
                    Err(refusal) => return Err(refusal),
                },
                kind => {
                    let sequence = kind == ObjectType::ObjectSequence;
                    self.changeable_dependent(&mut range, sequence, missing_ok, what)?;
                }
            }
            if range.schemaname != TEMPORARY {
                effects = Effects { own: effects.own, ..changed() };
            }
            *object = list_of(&range, &[]);
        }
        if followed {
            self.cascades(&mut statement.behavior, &dropped, what)?;
        }
        if statement.concurrent {
            effects.on_transaction = OnTransaction::Commits;
        }
        Ok(effects)
    }

    /// A view that may be dropped; nothing where it is a temporary one, which is the session's own.
    fn droppable_view(&mut self, range: &mut RangeVar, what: &str) -> Result<Option<&'a Relation>, Refusal> {
        if self.resolve(&mut range.clone())?.is_some_and(|view| is_temporary(view) && view.kind == Kind::View) {
            self.resolve(range)?;
            self.no_opaque_event(what)?;
            return Ok(None);
        }
        self.changeable_view(range, what).map(Some)
    }

    fn drop_enum(&mut self, object: &mut Node, missing_ok: bool) -> Result<(), Refusal> {
        let Some(NodeEnum::TypeName(type_name)) = object.node.as_mut() else { return Err(odd("DROP TYPE")) };
        let parts: Vec<String> = type_name.names.iter().filter_map(name).collect();
        let range = match self.changeable_enum(&parts, "DROP TYPE") {
            Err(refusal) if missing_ok && refusal.unknown_name => {
                let mut range = range_of(&parts)?;
                self.absent(&mut range);
                range
            }
            other => other?,
        };
        let names = vec![scan::text(&range.schemaname), scan::text(&range.relname)];
        let plain = TypeName { names: type_name.names.clone(), typemod: -1, ..TypeName::default() };
        if *type_name != plain {
            return Err(odd("DROP TYPE"));
        }
        type_name.names = names;
        Ok(())
    }

    pub(in crate::rewrite) fn truncate(&mut self, statement: &mut TruncateStmt) -> Result<Effects, Refusal> {
        let mut lasting = false;
        let mut named = Vec::new();
        for node in &mut statement.relations {
            let Some(NodeEnum::RangeVar(range)) = node.node.as_mut() else { return Err(odd("TRUNCATE")) };
            let relation = self.changeable(range, "TRUNCATE")?;
            lasting |= !is_temporary(relation);
            named.push(relation);
        }
        if statement.behavior == i32::from(DropBehavior::DropCascade) {
            statement.relations.extend(self.emptied_with(&named, "TRUNCATE")?);
            statement.behavior = DropBehavior::DropRestrict.into();
        }
        Ok(Effects { locks_relations: lasting, ..Effects::default() })
    }
}
