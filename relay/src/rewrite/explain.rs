//! `EXPLAIN`, and `EXPLAIN ANALYZE` of queries over what is not protected.
//!
//! A plan's costs and counts are estimates, which follow from what columns hold; so where something protected is touched
//! they are left out. The plan's shape stays. A plan that runs counts rows at every step, also those that a mask would have
//! changed or that are not shown: it is refused wherever something protected is touched, or seen in part.

use pg_query::NodeEnum;
use pg_query::protobuf::{DefElem, ExplainStmt, Node, a_const::Val};

use super::rewriter::Rewriter;
use super::scan;
use super::statement::changes_rows;
use super::withheld::is_write;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(super) fn explain(&mut self, explain: &mut ExplainStmt) -> Result<(), Refusal> {
        let on = |option: &&Node| !OF_RUNS.iter().any(|name| definition(option) == Some(name)) || !is_off(option);
        for option in explain.options.iter().filter(on).filter_map(definition) {
            if !OPTIONS.contains(&option) && !WITH_RUNS.contains(&option) {
                return Err(Refusal::unsupported(format!(
                    "EXPLAIN with option {option} is not supported by the relay yet"
                )));
            }
        }
        let runs = explain.options.iter().filter(on).filter_map(definition).any(|option| WITH_RUNS.contains(&option));
        let query = explain.query.as_deref_mut();
        let plans = |query: &Node| matches!(query.node, Some(NodeEnum::SelectStmt(_))) || is_write(query);
        let Some(query) = query.filter(|query| plans(query)) else {
            return Err(Refusal::unsupported(
                "EXPLAIN of anything but a query or a write of rows is not supported by the relay yet",
            ));
        };
        if runs && changes_rows(query) {
            return Err(Refusal::unsupported("EXPLAIN ANALYZE of a write is not supported by the relay")
                .hint("EXPLAIN without ANALYZE shows its plan."));
        }
        self.any(query)?;
        if runs {
            return self.may_be_counted();
        }
        // Nothing of it runs, so there is nothing to approve.
        self.found.resolved = std::mem::take(&mut self.found.resolved)
            .into_iter()
            .map(|mut resolved| {
                resolved.held = false;
                resolved
            })
            .collect();
        // What a function reads that users made nobody knows, and the server can write it into the plan.
        if self.found.protected || self.found.calls {
            explain.options.retain(|option| definition(option) != Some(COSTS));
            explain.options.push(without_costs());
        }
        Ok(())
    }

    fn may_be_counted(&self) -> Result<(), Refusal> {
        if self.found.protected || self.found.narrowed || self.found.calls {
            return Err(Refusal::forbidden(
                "EXPLAIN ANALYZE is refused: it would count rows of protected relations, of what is seen in part, or of what \
                 users' functions read",
            )
            .hint("EXPLAIN without ANALYZE shows the plan."));
        }
        if self.found.resolved.iter().any(|resolved| resolved.held) {
            return Err(Refusal::unsupported("EXPLAIN ANALYZE of what needs approval is not supported by the relay"));
        }
        Ok(())
    }
}

/// The name of an option.
pub(super) fn definition(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::DefElem(element)) => Some(&element.defname),
        _ => None,
    }
}

/// Whether an option says no, as the server reads it.
fn is_off(node: &Node) -> bool {
    let Some(NodeEnum::DefElem(element)) = &node.node else { return false };
    let off = |word: &str| word.eq_ignore_ascii_case("off") || word.eq_ignore_ascii_case("false");
    match element.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
        Some(NodeEnum::String(text)) => off(&text.sval),
        Some(NodeEnum::Integer(number)) => number.ival == 0,
        Some(NodeEnum::Boolean(value)) => !value.boolval,
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(Val::Sval(text)) => off(&text.sval),
            Some(Val::Boolval(value)) => !value.boolval,
            Some(Val::Ival(number)) => number.ival == 0,
            _ => false,
        },
        _ => false,
    }
}

/// As the grammar reads `COSTS off`.
fn without_costs() -> Node {
    let defaction = i32::from(pg_query::protobuf::DefElemAction::DefelemUnspec);
    let arg = Some(Box::new(scan::text("off")));
    scan::node(NodeEnum::DefElem(Box::new(DefElem { defname: COSTS.to_owned(), arg, defaction, ..DefElem::default() })))
}

const COSTS: &str = "costs";
const OPTIONS: [&str; 5] = ["verbose", COSTS, "format", "summary", "settings"];
/// What tells of a run.
const WITH_RUNS: [&str; 5] = ["analyze", "buffers", "timing", "wal", "memory"];
/// What may be named to say no.
const OF_RUNS: [&str; 6] = ["analyze", "buffers", "timing", "wal", "memory", "generic_plan"];
