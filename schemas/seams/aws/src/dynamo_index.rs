//! The index in one DynamoDB table: partition key `pk`, sort key `sk`, both strings.
//!
//! ```text
//! pk                        sk                       row
//! sessions                  <incarnation>                          which incarnations have sessions
//! sessions/<incarnation>    <counter>                session
//! chunks/<session>          <sequence, 20 digits>    chunk
//! approvals                 <incarnation>                          which incarnations have requests
//! approvals/<incarnation>   <counter>-<statement>    request
//! pending                   <request>                request       the same, of the pending ones
//! ```
//! `row` is the row as JSON. So every listing is a query in the order of ids, none is a scan, and no partition but that
//! of pending requests grows with more than one relay's life. Every read is a consistent one.

mod rows;
mod table;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use schemas::identifiers::{Incarnation, RequestId, SessionId};
use seams::{ApprovalRow, ApprovalState, ChunkRow, Index, IndexError, SessionRow};

use crate::call::{CallFailed, ROUNDS, wait_for_others};
use crate::connection::Connection;
use rows::{Place, Row, read, write};
use table::{Change, Table};

/// An [`Index`] in a DynamoDB table. Cloning shares its connections.
#[derive(Clone)]
pub struct DynamoIndex {
    table: Arc<Table>,
    /// Partitions that are known to be named in their directory.
    named: Arc<Mutex<BTreeSet<String>>>,
}

impl DynamoIndex {
    /// The index in this table, which must be there.
    #[must_use]
    pub fn new(connection: &Connection, table: impl Into<String>) -> Self {
        let client = aws_sdk_dynamodb::Client::new(&connection.to_sdk());
        Self { table: Arc::new(Table { client, name: table.into() }), named: Arc::default() }
    }

    /// Reads, merges, and writes where nobody else wrote since. A write that was done and reported as failed is found
    /// by the next round, which then has nothing to do.
    async fn merge<R: Row>(&self, told: R) -> Result<(), IndexError> {
        let place = told.place();
        self.name(R::DIRECTORY, told.incarnation()).await?;
        for round in 1..=ROUNDS {
            let seen = self.table.get(&place).await?;
            let merged = match &seen {
                Some(text) => {
                    let mut known: R = read(text)?;
                    known.merge(told.clone())?;
                    known
                }
                None => told.clone(),
            };
            let text = write(&merged)?;
            if seen.as_ref() == Some(&text) {
                return Ok(());
            }
            let change = Change { place: &place, seen: seen.as_deref(), row: &text, copy: merged.copy() };
            if self.table.replace(change).await? {
                return Ok(());
            }
            wait_for_others(round).await;
        }
        Err(self.table.failed(CallFailed::new("PutItem", "others were always faster")))
    }

    /// Names an incarnation before it has a row, so that no row is ever missing in a listing.
    async fn name(&self, directory: &str, incarnation: &Incarnation) -> Result<(), IndexError> {
        let place = Place { pk: directory.to_owned(), sk: incarnation.to_string() };
        let partition = format!("{directory}/{incarnation}");
        if self.named.lock().unwrap_or_else(PoisonError::into_inner).contains(&partition) {
            return Ok(());
        }
        self.table.name(&place).await?;
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() >= NAMED_MAX {
            named.clear();
        }
        named.insert(partition);
        Ok(())
    }

    /// Rows of all incarnations in a directory, by id, from the first after `after`.
    async fn walk<R: Row>(&self, after: Option<(&Incarnation, String)>, limit: usize) -> Result<Vec<R>, IndexError> {
        let mut rows = Vec::new();
        let mut begun = String::new();
        if let Some((incarnation, sk)) = after {
            let pk = format!("{}/{incarnation}", R::DIRECTORY);
            rows = self
                .table
                .query(&pk, &sk, limit)
                .await?
                .iter()
                .map(|item| read(&item.row))
                .collect::<Result<_, _>>()?;
            begun = incarnation.to_string();
        }
        while rows.len() < limit {
            let incarnations = self.table.query(R::DIRECTORY, &begun, DIRECTORY_PAGE).await?;
            let Some(last) = incarnations.last() else { break };
            begun.clone_from(&last.sk);
            for incarnation in incarnations {
                let rest = limit.saturating_sub(rows.len());
                for item in self.table.query(&format!("{}/{}", R::DIRECTORY, incarnation.sk), "", rest).await? {
                    rows.push(read(&item.row)?);
                }
            }
        }
        Ok(rows)
    }
}

#[async_trait]
impl Index for DynamoIndex {
    async fn record_session(&self, row: SessionRow) -> Result<(), IndexError> {
        self.merge(row).await
    }

    async fn record_chunk(&self, row: ChunkRow) -> Result<(), IndexError> {
        let place = rows::of_chunk(&row);
        let text = write(&row)?;
        for round in 1..=ROUNDS {
            match self.table.get(&place).await? {
                Some(known) if read::<ChunkRow>(&known)? == row => return Ok(()),
                Some(_) => {
                    let what = format!("{} chunk {}", row.session, row.sequence);
                    return Err(IndexError::Conflict { what, member: "chunk" });
                }
                None => {}
            }
            if self.table.replace(Change { place: &place, seen: None, row: &text, copy: None }).await? {
                return Ok(());
            }
            wait_for_others(round).await;
        }
        Err(self.table.failed(CallFailed::new("PutItem", "others were always faster")))
    }

    async fn session(&self, session: &SessionId) -> Result<Option<SessionRow>, IndexError> {
        self.table.get(&rows::of_session(session)).await?.map(|row| read(&row)).transpose()
    }

    async fn sessions(&self) -> Result<Vec<SessionRow>, IndexError> {
        self.walk(None, usize::MAX).await
    }

    async fn sessions_after(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionRow>, IndexError> {
        self.walk(after.map(|after| (&after.incarnation, rows::of_session(after).sk)), limit).await
    }

    async fn chunks(&self, session: &SessionId) -> Result<Vec<ChunkRow>, IndexError> {
        let items = self.table.query(&rows::chunks_of(session), "", usize::MAX).await?;
        items.iter().map(|item| read(&item.row)).collect()
    }

    async fn record_approval(&self, row: ApprovalRow) -> Result<(), IndexError> {
        self.merge(row).await
    }

    async fn approval(&self, request: &RequestId) -> Result<Option<ApprovalRow>, IndexError> {
        self.table.get(&rows::of_request(request)).await?.map(|row| read(&row)).transpose()
    }

    async fn approvals(
        &self,
        state: ApprovalState,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<ApprovalRow>, IndexError> {
        if state == ApprovalState::Any {
            let after = after.map(|after| (&after.session.incarnation, rows::of_request(after).sk));
            return self.walk(after, limit).await;
        }
        let after = after.map(ToString::to_string).unwrap_or_default();
        let items = self.table.query(rows::PENDING, &after, limit).await?;
        items.iter().map(|item| read(&item.row)).collect()
    }
}

impl fmt::Debug for DynamoIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DynamoIndex").field(&self.table.name).finish()
    }
}

/// More are asked for again; a process that works on so many relays at once has other costs.
const NAMED_MAX: usize = 1024;
const DIRECTORY_PAGE: usize = 100;
