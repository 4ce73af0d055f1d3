//! `COMMENT ON`: text of the client's own, which tells nothing of what it is about; also on protected relations.

use pg_query::NodeEnum;
use pg_query::protobuf::{CommentStmt, ObjectType, TypeName};

use super::{list_of, names_in, odd, range_of, written};
use crate::rewrite::expression::name;
use crate::rewrite::outcome::Effects;
use crate::rewrite::rewriter::Rewriter;
use crate::rewrite::scan;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn comment(&mut self, statement: &mut CommentStmt) -> Result<Effects, Refusal> {
        let what = "COMMENT ON";
        let kind = ObjectType::try_from(statement.objtype).unwrap_or_default();
        let object = statement.object.as_deref_mut().ok_or_else(|| odd(what))?;
        match kind {
            ObjectType::ObjectSchema => {
                let schema = name(object).ok_or_else(|| odd(what))?;
                self.ask_schema(&schema, crate::catalog::Readable(&schema).to_string(), what)?;
            }
            ObjectType::ObjectType => {
                let Some(NodeEnum::TypeName(type_name)) = object.node.as_mut() else { return Err(odd(what)) };
                let parts: Vec<String> = type_name.names.iter().filter_map(name).collect();
                let range = self.changeable_enum(&parts, what)?;
                let names = vec![scan::text(&range.schemaname), scan::text(&range.relname)];
                *type_name = TypeName { names, typemod: -1, ..TypeName::default() };
            }
            ObjectType::ObjectTable | ObjectType::ObjectView | ObjectType::ObjectMatview => {
                let parts = names_in(object).ok_or_else(|| odd(what))?;
                *object = list_of(&self.commented(&parts)?, &[]);
            }
            ObjectType::ObjectColumn | ObjectType::ObjectTabconstraint => {
                let parts = names_in(object).ok_or_else(|| odd(what))?;
                let (last, relation) = parts.split_last().ok_or_else(|| odd(what))?;
                *object = list_of(&self.commented(relation)?, std::slice::from_ref(last));
            }
            ObjectType::ObjectIndex | ObjectType::ObjectSequence => {
                let mut range = range_of(&names_in(object).ok_or_else(|| odd(what))?)?;
                let sequence = kind == ObjectType::ObjectSequence;
                let dependent = self.dependent(&range, sequence);
                let dependent = dependent.ok_or_else(|| Refusal::unknown_relation(written(&range)))?;
                dependent.schema.clone_into(&mut range.schemaname);
                match dependent.of.and_then(|oid| self.catalog.relation(oid)) {
                    Some(relation) => self.ask(relation, "ddl", what).map(|_| ())?,
                    None => self.ask_schema(&dependent.schema, written(&range), what)?,
                }
                *object = list_of(&range, &[]);
            }
            _ => return Err(Refusal::unsupported("COMMENT ON this kind of object is not supported by the relay yet")),
        }
        self.no_opaque_event(what)?;
        Ok(Effects { locks_relations: true, ..Effects::default() })
    }

    fn commented(&mut self, parts: &[String]) -> Result<pg_query::protobuf::RangeVar, Refusal> {
        let mut range = range_of(parts)?;
        let Some(relation) = self.resolve(&mut range)? else {
            return Err(Refusal::forbidden("system relations are not changed through the relay"));
        };
        self.ask(relation, "ddl", "COMMENT ON")?;
        Ok(range)
    }
}
