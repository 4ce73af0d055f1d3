//! `TABLESAMPLE`.
//!
//! A sample of a protected relation is taken inside of its masked scan, row by row: which rows share a page follows from how
//! long their values are. And by chance alone: rows that a seed repeats tell where they lie.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RangeTableSample, RangeVar};

use super::from::in_place_of;
use super::rewriter::Rewriter;
use super::scope::{Item, Role};
use super::withheld::Mode;
use super::{expression, scan};
use crate::catalog::Relation;
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    /// `Some` is what must stand in its place.
    pub(super) fn sample(&mut self, sample: &mut RangeTableSample) -> Result<Option<NodeEnum>, Refusal> {
        let method: Vec<String> = sample.method.iter().filter_map(expression::name).collect();
        let method = match method.as_slice() {
            [method] if METHODS.contains(&method.as_str()) => method,
            [schema, method] if schema == "pg_catalog" && METHODS.contains(&method.as_str()) => method,
            _ => return Err(Refusal::unsupported("TABLESAMPLE is supported with BERNOULLI and SYSTEM alone")),
        };
        sample.method = vec![scan::text("pg_catalog"), scan::text(method)];
        self.expressions(&mut sample.args)?;
        self.maybe(&mut sample.repeatable)?;
        let Some(NodeEnum::RangeVar(range)) = sample.relation.as_mut().and_then(|relation| relation.node.as_mut())
        else {
            return Err(Refusal::unsupported("TABLESAMPLE of this form is not supported by the relay"));
        };
        if let Some(relation) = self.masked(range) {
            let range = range.clone();
            return self.sample_of_masked(sample, range, relation).map(Some);
        }
        match self.relation(range)? {
            None => Ok(None),
            Some(_) => Err(Refusal::unsupported("TABLESAMPLE of this relation is not supported by the relay")
                .hint("Order by random() and limit.")),
        }
    }

    /// The relation with masked columns that a name in `FROM` means.
    fn masked(&mut self, range: &RangeVar) -> Option<&'a Relation> {
        if range.schemaname.is_empty() && self.scopes.is_cte(&range.relname) {
            return None;
        }
        let relation = self.resolve(&mut range.clone()).ok()??;
        self.answers(relation).ok()?.scan.as_ref().map(|_| relation)
    }

    fn sample_of_masked(
        &mut self,
        sample: &mut RangeTableSample,
        mut range: RangeVar,
        relation: &'a Relation,
    ) -> Result<NodeEnum, Refusal> {
        if sample.repeatable.is_some() {
            return Err(Refusal::forbidden(format!(
                "TABLESAMPLE … REPEATABLE of {} is refused: it would tell where rows lie, and so how long protected values are",
                relation.qualified()
            ))
            .hint("Leave REPEATABLE out."));
        }
        if self.mode != Mode::Reads || !sample.args.iter().all(is_plain) {
            return Err(Refusal::unsupported(
                "TABLESAMPLE of protected relations is supported in queries, with a number",
            )
            .hint("Order by random() and limit."));
        }
        self.resolve(&mut range)?;
        let access = self.ask(relation, "select", "reading")?;
        self.tells_no_key(relation, access)?;
        self.scopes.add_item(Item {
            name: range.alias.as_ref().map_or(&range.relname, |alias| &alias.aliasname).clone(),
            relation: Some(relation),
            system: None,
            aliased: range.alias.is_some(),
            renamed: range.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty()),
            role: Role::Read,
        });
        let text = scan::text_of(relation, &access.columns, "")
            .map_err(|_| Refusal::unsupported("a scan of the sample cannot be written"))?;
        let mut select = scan::select_of(&text)?;
        self.found.constants.extend(scan::string_constants(&text));
        for item in &mut select.from_clause {
            if let Some(NodeEnum::RangeVar(scanned)) = item.node.as_mut() {
                scanned.inh = range.inh;
            }
            let relation = Some(Box::new(std::mem::take(item)));
            let method = vec![scan::text("pg_catalog"), scan::text("bernoulli")];
            let args = std::mem::take(&mut sample.args);
            let sampled = RangeTableSample { relation, method, args, repeatable: None, location: 0 };
            *item = scan::node(NodeEnum::RangeTableSample(Box::new(sampled)));
        }
        Ok(in_place_of(&range, &relation.name, select))
    }
}

fn is_plain(node: &Node) -> bool {
    matches!(node.node, Some(NodeEnum::AConst(_) | NodeEnum::ParamRef(_)))
}

const METHODS: [&str; 2] = ["bernoulli", "system"];
