//! A classification proposed from what a database says of itself: names, types, comments, keys, and what values look like.
//! People review it. No value is in it, and none is kept.

mod column;
mod sample;
mod table;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::catalog::{SNAPSHOT_SQL, Snapshot, SnapshotError};
use crate::safe_harbor::Values;
use crate::upstream::{Login, Questions, UpstreamError};

pub(crate) use written::written;

/// What is proposed of one relation.
#[derive(Debug)]
pub(crate) struct TableProposal {
    /// `schema.relation`.
    name: String,
    /// Why it is there, or why it need not be.
    why: &'static str,
    /// What hindered sampling.
    unsampled: Option<String>,
    /// Its columns; none of them protected where the relation need not be classified.
    columns: Vec<ColumnProposal>,
}

/// What is proposed of one column.
#[derive(Debug)]
pub(crate) struct ColumnProposal {
    name: String,
    /// `clear`, or a mask style that fits its type.
    style: String,
    confidence: Confidence,
    why: String,
}

/// How sure a proposal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Confidence {
    Low,
    Medium,
    High,
}

/// What [`SNAPSHOT_SQL`] leaves out.
#[derive(Debug, Default)]
struct Facts {
    comments: BTreeMap<(u32, i16), String>,
    /// Columns of primary and foreign keys.
    keys: BTreeSet<(u32, i16)>,
    rows: BTreeMap<u32, f64>,
}

/// Why nothing is proposed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProposalError {
    /// The target cannot be asked.
    #[error(transparent)]
    Target(#[from] UpstreamError),
    /// The catalog cannot be read.
    #[error(transparent)]
    Catalog(#[from] SnapshotError),
    /// The target's answer is not what was asked for.
    #[error("the target's answer cannot be read: {0}")]
    Answer(#[from] serde_json::Error),
    /// A bug.
    #[error("a pattern cannot be read: {0}")]
    Pattern(#[from] regex::Error),
}

/// Looks at a database and proposes. With `sampling`, rows of each table are read: by statements that cannot write, of a few
/// rows and a few seconds each.
///
/// # Errors
/// [`ProposalError`]; a table that cannot be sampled is none.
pub(crate) async fn propose(login: &Login, sampling: bool) -> Result<Vec<TableProposal>, ProposalError> {
    let mut questions = Questions::open(login).await?;
    let snapshot = Snapshot::from_json(&questions.ask(SNAPSHOT_SQL).await?)?;
    let facts = Facts::read(&questions.ask(FACTS_SQL).await?)?;
    let values = Values::new()?;
    let mut looked_at = Vec::new();
    for relation in snapshot.relations().filter(|relation| table::is_classified_itself(relation)) {
        let columns = table::own_columns(relation, &snapshot);
        if columns.is_empty() {
            continue;
        }
        let (samples, unsampled) = match sample::obstacle(relation).filter(|_| sampling) {
            Some(obstacle) => (BTreeMap::new(), Some(obstacle)),
            None if !sampling => (BTreeMap::new(), Some("not asked for".to_owned())),
            None => {
                match sample::take(&mut questions, relation, &columns, facts.rows.get(&relation.oid), &values).await {
                    Ok(samples) => (samples, None),
                    Err(UpstreamError::Refused(fields)) => {
                        (BTreeMap::new(), Some(format!("the target refused, SQLSTATE {}", fields.sqlstate.as_str())))
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        looked_at.push(table::LookedAt { relation, columns, samples, unsampled });
    }
    questions.close().await;
    Ok(table::propose(&looked_at, &facts, &snapshot))
}

impl Facts {
    fn read(text: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Raw {
            comments: Option<Vec<(u32, i16, String)>>,
            keys: Option<Vec<(u32, i16)>>,
            rows: Option<Vec<(u32, f64)>>,
        }
        let raw: Raw = serde_json::from_str(text)?;
        Ok(Self {
            comments: raw.comments.unwrap_or_default().into_iter().map(|(oid, at, text)| ((oid, at), text)).collect(),
            keys: raw.keys.unwrap_or_default().into_iter().collect(),
            rows: raw.rows.unwrap_or_default().into_iter().collect(),
        })
    }
}

const FACTS_SQL: &str = include_str!("facts.sql");
