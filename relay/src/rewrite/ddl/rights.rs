//! `GRANT` and `REVOKE`, on tables that are not protected.
//!
//! Such rights are the database's own, for logins that go past the relay: what is granted is what the one who grants it may
//! do here. `TRIGGER` and `REFERENCES` are left out, for with them others' code runs when this table is written.

use pg_query::NodeEnum;
use pg_query::protobuf::{GrantStmt, GrantTargetType, Node, ObjectType, RoleSpecType};

use super::{changed, odd, restricted};
use crate::rewrite::outcome::Effects;
use crate::rewrite::rewriter::Rewriter;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn grant(&mut self, statement: &mut GrantStmt) -> Result<Effects, Refusal> {
        let what = if statement.is_grant { "GRANT" } else { "REVOKE" };
        restricted(statement.behavior, what)?;
        let on_tables = statement.targtype == i32::from(GrantTargetType::AclTargetObject)
            && statement.objtype == i32::from(ObjectType::ObjectTable);
        let to_roles = statement.grantees.iter().all(is_role) && statement.grantor.is_none();
        if !on_tables || !to_roles || statement.grant_option {
            return Err(odd(what).hint("Rights on tables can be given to roles and PUBLIC, without GRANT OPTION."));
        }
        let verbs: Option<Vec<&'static str>> = statement.privileges.iter().map(verb).collect();
        let verbs = verbs.filter(|verbs| !verbs.is_empty()).ok_or_else(|| {
            odd(what).hint("SELECT, INSERT, UPDATE and DELETE on whole tables can be granted, each by its name.")
        })?;
        for node in &mut statement.objects {
            let Some(NodeEnum::RangeVar(range)) = node.node.as_mut() else { return Err(odd(what)) };
            let relation = self.changeable(range, what)?;
            for verb in &verbs {
                self.ask(relation, verb, "giving away rights on")?;
            }
        }
        Ok(changed())
    }
}

fn is_role(node: &Node) -> bool {
    let Some(NodeEnum::RoleSpec(role)) = &node.node else { return false };
    matches!(RoleSpecType::try_from(role.roletype), Ok(RoleSpecType::RolespecCstring | RoleSpecType::RolespecPublic))
}

fn verb(node: &Node) -> Option<&'static str> {
    let Some(NodeEnum::AccessPriv(right)) = &node.node else { return None };
    let verb = VERBS.iter().find(|verb| **verb == right.priv_name)?;
    right.cols.is_empty().then_some(*verb)
}

const VERBS: [&str; 4] = ["select", "insert", "update", "delete"];
