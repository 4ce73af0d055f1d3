//! `PARTITION OF` and `PARTITION BY`: parts of what is not protected.

use pg_query::NodeEnum;
use pg_query::protobuf::{CreateStmt, Node, PartitionSpec};

use super::{no_subquery, odd};
use crate::catalog::Kind;
use crate::rewrite::rewriter::Rewriter;
use crate::statement::Refusal;

impl Rewriter<'_> {
    /// What a new table is a part of, and how it is cut itself.
    ///
    /// Its rows are the whole's, so the whole must be one whose definition may be changed; that a part can be made tells that
    /// the default part has no rows for it.
    pub(super) fn parts(&mut self, statement: &mut CreateStmt) -> Result<(), Refusal> {
        if let Some(spec) = &statement.partspec {
            plain_key(spec)?;
        }
        let whole = match (statement.inh_relations.as_mut_slice(), &statement.partbound) {
            ([], None) => return Ok(()),
            ([whole], Some(_)) => whole,
            _ => return Err(Refusal::unsupported("CREATE TABLE with inheritance is not supported by the relay")),
        };
        let Some(NodeEnum::RangeVar(range)) = whole.node.as_mut() else { return Err(odd("CREATE TABLE")) };
        let relation = self.changeable(range, "CREATE TABLE … PARTITION OF")?;
        if relation.kind != Kind::Partitioned {
            return Err(Refusal::unsupported(format!("{} is not partitioned", relation.qualified())));
        }
        self.looks_at_rows(Some(relation))?;
        self.not_classified(relation, "CREATE TABLE … PARTITION OF")?;
        if let Some(bound) = &mut statement.partbound {
            for values in [&mut bound.listdatums, &mut bound.lowerdatums, &mut bound.upperdatums] {
                values.iter_mut().try_for_each(no_subquery)?;
                self.expressions(values)?;
            }
        }
        self.calls_nobody()
    }
}

/// By columns, with what their types bring.
fn plain_key(spec: &PartitionSpec) -> Result<(), Refusal> {
    let plain = |node: &Node| {
        matches!(&node.node, Some(NodeEnum::PartitionElem(element))
            if element.expr.is_none() && element.opclass.is_empty() && element.collation.is_empty())
    };
    match spec.part_params.iter().all(plain) {
        true => Ok(()),
        false => Err(Refusal::unsupported("PARTITION BY anything but columns is not supported by the relay")),
    }
}
