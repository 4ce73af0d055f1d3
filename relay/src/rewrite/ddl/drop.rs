//! `DROP` and `TRUNCATE`.

use pg_query::NodeEnum;
use pg_query::protobuf::{DropStmt, Node, ObjectType, TruncateStmt, TypeName};

use super::{changed, gone, list_of, names_in, odd, range_of, restricted};
use crate::rewrite::expression::name;
use crate::rewrite::outcome::{Effects, OnTransaction};
use crate::rewrite::own::{TEMPORARY, is_temporary};
use crate::rewrite::rewriter::Rewriter;
use crate::rewrite::scan;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn drop_objects(&mut self, statement: &mut DropStmt) -> Result<Effects, Refusal> {
        let kind = ObjectType::try_from(statement.remove_type).unwrap_or_default();
        let what = match kind {
            ObjectType::ObjectTable => "DROP TABLE",
            ObjectType::ObjectIndex => "DROP INDEX",
            ObjectType::ObjectSequence => "DROP SEQUENCE",
            ObjectType::ObjectView => "DROP VIEW",
            ObjectType::ObjectType => "DROP TYPE",
            _ => return Err(Refusal::unsupported("DROP of this kind of object is not supported by the relay yet")),
        };
        restricted(statement.behavior, what)?;
        let mut effects = Effects::default();
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
                    }
                    effects.own.push(gone(&range));
                }
                ObjectType::ObjectView => match self.changeable_view(&mut range, what) {
                    Err(refusal) if missing_ok && refusal.unknown_name => self.absent(&mut range),
                    other => drop(other?),
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
        if statement.concurrent {
            effects.on_transaction = OnTransaction::Commits;
        }
        Ok(effects)
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
        restricted(statement.behavior, "TRUNCATE")?;
        let mut lasting = false;
        for node in &mut statement.relations {
            let Some(NodeEnum::RangeVar(range)) = node.node.as_mut() else { return Err(odd("TRUNCATE")) };
            lasting |= !is_temporary(self.changeable(range, "TRUNCATE")?);
        }
        Ok(Effects { locks_relations: lasting, ..Effects::default() })
    }
}
