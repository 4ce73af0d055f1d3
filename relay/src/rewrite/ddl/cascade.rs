//! `CASCADE`: allowed where everything that would fall is known, unprotected, and may be dropped.
//!
//! `TRUNCATE` is written with the whole list instead. Of what is dropped, views and foreign keys have no place in one list,
//! so CASCADE stays where something depends on it; where nothing does, it is left out: then nothing else can fall.

use std::collections::BTreeSet;

use pg_query::NodeEnum;
use pg_query::protobuf::{DropBehavior, Node, RangeVar};

use crate::catalog::{Kind, Relation};
use crate::rewrite::own::{is_own, is_temporary};
use crate::rewrite::rewriter::Rewriter;
use crate::rewrite::scan;
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    /// Settles what `CASCADE` of these relations, or of columns and constraints of them, may mean.
    pub(super) fn cascades(
        &mut self,
        behavior: &mut i32,
        relations: &[&'a Relation],
        what: &str,
    ) -> Result<(), Refusal> {
        if *behavior != i32::from(DropBehavior::DropCascade) {
            return Ok(());
        }
        let mut something = false;
        for relation in relations {
            something |= self.falls_with(relation, what)?;
        }
        if !something {
            *behavior = DropBehavior::DropRestrict.into();
        }
        Ok(())
    }

    /// Asks for everything that falls when a relation does; whether there is anything.
    fn falls_with(&mut self, relation: &'a Relation, what: &str) -> Result<bool, Refusal> {
        // Nothing but what is the session's own and temporary can refer to a temporary table. Of what the open transaction has
        // made no snapshot tells what refers to it: without CASCADE the target refuses where something does.
        if is_own(relation) {
            return Ok(is_temporary(relation));
        }
        let mut falls = false;
        let mut asked = BTreeSet::from([relation.oid]);
        let mut pending = vec![relation];
        while let Some(fallen) = pending.pop() {
            if fallen.others_depend {
                return Err(Refusal::forbidden(format!(
                    "{what} … CASCADE is refused: something depends on {} that the relay does not follow, such as a function \
                     or a column of its row type",
                    fallen.qualified()
                ))
                .hint("Drop that first, and leave CASCADE out."));
            }
            for key in self.catalog.foreign_keys().iter().filter(|key| key.to == fallen.oid) {
                if let Some(from) = self.catalog.relation(key.from).filter(|from| !asked.contains(&from.oid)) {
                    self.changeable_relation(from, what)?;
                    falls = true;
                }
            }
            for other in self.catalog.relations() {
                let part = other.parents.contains(&fallen.oid);
                if !part && !other.reads.contains(&fallen.oid) || !asked.insert(other.oid) {
                    continue;
                }
                match part {
                    true => self.changeable_relation(other, what)?,
                    false => self.changeable_view_relation(other, what)?,
                }
                self.not_classified(other, what)?;
                // Partitions fall with the whole in any case.
                falls |= !part || fallen.kind != Kind::Partitioned;
                pending.push(other);
            }
        }
        Ok(falls)
    }

    /// The relations that refer to these, directly or not, by foreign keys, as `TRUNCATE` names them.
    pub(super) fn emptied_with(&mut self, relations: &[&'a Relation], what: &str) -> Result<Vec<Node>, Refusal> {
        let mut reached: BTreeSet<u32> = BTreeSet::new();
        let mut pending: Vec<u32> = relations.iter().filter(|one| !is_own(one)).map(|one| one.oid).collect();
        let named: BTreeSet<u32> = pending.iter().copied().collect();
        let mut added = Vec::new();
        while let Some(oid) = pending.pop() {
            for emptied in self.catalog.written_with(oid, false) {
                if !reached.insert(emptied) {
                    continue;
                }
                let Some(relation) = self.catalog.relation(emptied) else { continue };
                if emptied == oid && !named.contains(&oid) {
                    self.changeable_relation(relation, what)?;
                    added.push(range_of(relation));
                }
                let keys = self.catalog.foreign_keys().iter().filter(|key| key.to == emptied);
                pending.extend(keys.map(|key| key.from).filter(|from| !reached.contains(from)));
            }
        }
        Ok(added)
    }
}

fn range_of(relation: &Relation) -> Node {
    scan::node(NodeEnum::RangeVar(RangeVar {
        schemaname: relation.schema.clone(),
        relname: relation.name.clone(),
        inh: true,
        relpersistence: "p".to_owned(),
        ..RangeVar::default()
    }))
}
