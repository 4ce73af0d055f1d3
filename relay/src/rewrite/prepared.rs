//! Prepared statements of SQL: `PREPARE` and `EXECUTE`. `DEALLOCATE` is [`super::statement`]'s.
//!
//! What a prepared statement does is decided where it is prepared, and its rewritten text is what the target keeps. Whether
//! a name stands for one that was decided on, and still may run, only the session knows ([`Effects::by_name`]).

use pg_query::NodeEnum;
use pg_query::protobuf::{ExecuteStmt, PrepareStmt};

use super::outcome::{ByName, Effects};
use super::rewriter::Rewriter;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(super) fn prepare(&mut self, prepare: &mut PrepareStmt) -> Result<Effects, Refusal> {
        for argument in &mut prepare.argtypes {
            match argument.node.as_mut() {
                Some(NodeEnum::TypeName(type_name)) => self.type_name(type_name)?,
                _ => return Err(Refusal::unsupported("a parameter of PREPARE that is no type")),
            }
        }
        let Some(query) = prepare.query.as_deref_mut().filter(|query| reads_or_writes(query.node.as_ref())) else {
            return Err(Refusal::unsupported(
                "PREPARE takes SELECT, INSERT, UPDATE, DELETE and MERGE through the relay",
            ));
        };
        self.any(query)?;
        // Approval is for one run with its values: EXECUTE would run without being asked about.
        if self.found.resolved.iter().any(|resolved| resolved.held) {
            return Err(Refusal::unsupported("a statement that needs approval is not prepared by PREPARE")
                .hint("Send it as it is, or prepare it by the protocol: then each run of it is asked about."));
        }
        Ok(of(ByName::Prepares(prepare.name.clone())))
    }

    pub(super) fn execute(&mut self, execute: &mut ExecuteStmt) -> Result<Effects, Refusal> {
        self.expressions(&mut execute.params)?;
        Ok(of(ByName::Executes(execute.name.clone())))
    }
}

fn reads_or_writes(kind: Option<&NodeEnum>) -> bool {
    use NodeEnum::{DeleteStmt, InsertStmt, MergeStmt, SelectStmt, UpdateStmt};
    matches!(kind, Some(SelectStmt(_) | InsertStmt(_) | UpdateStmt(_) | DeleteStmt(_) | MergeStmt(_)))
}

fn of(by_name: ByName) -> Effects {
    Effects { by_name, ..Effects::default() }
}
