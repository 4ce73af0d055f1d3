//! Views: read through their definition.
//!
//! A view's name says nothing about what it reads, and the server's dependencies stop at functions. So the definition
//! itself is rewritten, as a statement would be. If nothing in it is protected, nor a relation of the system that is seen
//! in part, the view is left as it is; otherwise the rewritten definition takes its place, where that changes no rights
//! (rule 9).

use pg_query::protobuf::SelectStmt;

use super::own::Own;
use super::rewriter::Rewriter;
use super::scan;
use crate::catalog::{Kind, Relation};
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    /// The rewritten definition, when the view must be replaced by it.
    pub(super) fn view(&mut self, view: &'a Relation) -> Result<Option<SelectStmt>, Refusal> {
        let (select, mut inside) = self.definition(view)?;
        let replaced = inside.found.protected || inside.found.narrowed;
        if replaced {
            may_inline(view, &inside)?;
        } else {
            // What stands in the rewritten definition goes with it.
            inside.found.splices.clear();
        }
        self.locks |= inside.locks;
        self.found.absorb(inside.found);
        Ok(replaced.then_some(select))
    }

    /// A materialized view holds what its query read when it was filled: refused if that was protected.
    pub(super) fn materialized_view(&mut self, view: &'a Relation) -> Result<(), Refusal> {
        let (_, inside) = self.definition(view)?;
        if inside.found.protected {
            return Err(Refusal::forbidden(format!(
                "materialized view {} holds rows of protected relations and is not classified",
                view.qualified()
            ))
            .hint("Classify its columns."));
        }
        if inside.found.narrowed {
            return Err(Refusal::forbidden(format!(
                "materialized view {} holds rows of a system relation that may be read in part alone",
                view.qualified()
            )));
        }
        Ok(())
    }

    pub(super) fn definition(&self, view: &'a Relation) -> Result<(SelectStmt, Rewriter<'a>), Refusal> {
        let about = |refusal: Refusal| inside_of(view, refusal);
        if self.view_depth >= VIEW_DEPTH_MAX {
            return Err(about(Refusal::limit("views are nested too deeply")));
        }
        let text = view.definition.as_deref().ok_or_else(|| about(Refusal::forbidden("it has no definition")))?;
        let mut select = scan::select_of(text).map_err(|refusal| about(of_the_server(refusal)))?;
        let mut inside = Rewriter::new(self.catalog, &[], self.access, Own::none());
        inside.operator_path = self.operator_path;
        inside.mode = self.mode;
        inside.view_depth = self.view_depth.saturating_add(1);
        inside.spliced_before = self.spliced_so_far();
        #[cfg(test)]
        {
            inside.whole_trees = self.whole_trees;
        }
        inside.select(&mut select).map_err(about)?;
        Ok((select, inside))
    }
}

fn may_inline(view: &Relation, inside: &Rewriter<'_>) -> Result<(), Refusal> {
    let why = if view.option("security_barrier") {
        Some("it is a security barrier".to_owned())
    } else if inside.locks {
        Some("it locks rows".to_owned())
    } else {
        let relations = inside.found.relations.iter().filter_map(|oid| inside.catalog.relation(*oid));
        relations.into_iter().find_map(|relation| {
            if relation.kind != Kind::View && relation.row_security {
                Some(format!("{} has row-level security", relation.qualified()))
            } else if !relation.readable {
                Some(format!("the relay's login may not read {}", relation.qualified()))
            } else {
                None
            }
        })
    };
    match why {
        None => Ok(()),
        Some(why) => Err(Refusal::forbidden(format!(
            "view {} reads what is protected and cannot be masked: {why}",
            view.qualified()
        ))
        .hint("Read its relations directly; the relay masks them.")),
    }
}

fn inside_of(view: &Relation, refusal: Refusal) -> Refusal {
    let message = format!("{} {} cannot be read: {}", view.kind.noun(), view.qualified(), refusal.message);
    Refusal { reason: message.clone(), message, unknown_name: false, ..refusal }
}

/// What is wrong with a definition's text is not the client's doing: the server does not always print what it would take. A
/// mark of CYCLE that is a text gets a cast, for which the grammar has no place.
fn of_the_server(refusal: Refusal) -> Refusal {
    match refusal.sqlstate {
        "42601" => Refusal::unsupported(
            "the server prints its definition in a form that PostgreSQL's own grammar does not take",
        )
        .hint("Read its relations directly; the relay masks them."),
        _ => refusal,
    }
}

/// More than people nest; each level parses and rewrites a definition.
const VIEW_DEPTH_MAX: usize = 16;
