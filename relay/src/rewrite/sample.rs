//! `TABLESAMPLE`: of what is not masked. A sample of a masked scan is none that PostgreSQL has.

use pg_query::NodeEnum;
use pg_query::protobuf::RangeTableSample;

use super::rewriter::Rewriter;
use super::{expression, scan};
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(super) fn sample(&mut self, sample: &mut RangeTableSample) -> Result<(), Refusal> {
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
        match self.relation(range)? {
            None => Ok(()),
            Some(_) => Err(Refusal::unsupported("TABLESAMPLE of protected relations is not supported by the relay")
                .hint("Order by random() and limit.")),
        }
    }
}

const METHODS: [&str; 2] = ["bernoulli", "system"];
