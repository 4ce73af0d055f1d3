//! `EXPLAIN`, never of what runs.
//!
//! A plan's costs and counts are estimates, which follow from what columns hold; so where something protected is touched
//! they are left out. The plan's shape stays.

use pg_query::NodeEnum;
use pg_query::protobuf::{DefElem, ExplainStmt, Node};

use super::rewriter::Rewriter;
use super::scan;
use super::withheld::is_write;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(super) fn explain(&mut self, explain: &mut ExplainStmt) -> Result<(), Refusal> {
        for option in explain.options.iter().filter_map(definition) {
            if !OPTIONS.contains(&option) {
                return Err(Refusal::unsupported(format!(
                    "EXPLAIN with option {option} is not supported by the relay yet"
                )));
            }
        }
        let query = explain.query.as_deref_mut();
        let plans = |query: &Node| matches!(query.node, Some(NodeEnum::SelectStmt(_))) || is_write(query);
        let Some(query) = query.filter(|query| plans(query)) else {
            return Err(Refusal::unsupported(
                "EXPLAIN of anything but a query or a write of rows is not supported by the relay yet",
            ));
        };
        self.any(query)?;
        // Nothing of it runs, so there is nothing to approve.
        self.found.resolved = std::mem::take(&mut self.found.resolved)
            .into_iter()
            .map(|mut resolved| {
                resolved.held = false;
                resolved
            })
            .collect();
        if self.found.protected {
            explain.options.retain(|option| definition(option) != Some(COSTS));
            explain.options.push(without_costs());
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

/// As the grammar reads `COSTS off`.
fn without_costs() -> Node {
    let defaction = i32::from(pg_query::protobuf::DefElemAction::DefelemUnspec);
    let arg = Some(Box::new(scan::text("off")));
    scan::node(NodeEnum::DefElem(Box::new(DefElem { defname: COSTS.to_owned(), arg, defaction, ..DefElem::default() })))
}

const COSTS: &str = "costs";
const OPTIONS: [&str; 5] = ["verbose", COSTS, "format", "summary", "settings"];
