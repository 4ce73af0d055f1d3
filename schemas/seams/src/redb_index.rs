//! The index in an embedded database: one file, one process at a time.

use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use schemas::identifiers::{RequestId, SessionId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::approval_row::{ApprovalRow, ApprovalState};
use crate::index::{ChunkRow, Index, IndexError, SessionRow};

/// An [`Index`] in a redb file.
#[derive(Clone)]
pub struct RedbIndex(Arc<Held>);

/// The database; nothing after the disk failed, until it is opened again.
struct Held {
    open: Box<dyn Fn() -> Result<Database, IndexError> + Send + Sync>,
    database: RwLock<Option<Database>>,
}

impl RedbIndex {
    /// Opens or creates the database.
    ///
    /// # Errors
    /// [`IndexError::Unavailable`] when the file cannot be used, also when another process holds it.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        if !path.exists() {
            create(path).map_err(away)?;
        }
        let path = path.to_owned();
        Self::with(move || Database::create(&path).map_err(away))
    }

    /// One that is gone with the process.
    ///
    /// # Errors
    /// Never for want of a disk: memory does not fail, so it is opened once.
    pub fn in_memory() -> Result<Self, IndexError> {
        Self::with(|| Database::builder().create_with_backend(InMemoryBackend::new()).map_err(away))
    }

    fn with(open: impl Fn() -> Result<Database, IndexError> + Send + Sync + 'static) -> Result<Self, IndexError> {
        let database = open()?;
        let transaction = database.begin_write().map_err(away)?;
        transaction.open_table(SESSIONS).map_err(away)?;
        transaction.open_table(CHUNKS).map_err(away)?;
        transaction.open_table(APPROVALS).map_err(away)?;
        transaction.open_table(PENDING).map_err(away)?;
        transaction.commit().map_err(away)?;
        Ok(Self(Arc::new(Held { open: Box::new(open), database: RwLock::new(Some(database)) })))
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let held = self.0.clone();
        tokio::task::spawn_blocking(move || held.run(work)).await.map_err(away)?
    }
}

impl Held {
    /// A database whose disk failed once answers nothing more until it is opened again: the next call does that.
    fn run<T>(&self, work: impl FnOnce(&Database) -> Result<T, IndexError>) -> Result<T, IndexError> {
        if self.read().is_none() {
            let mut held = self.database.write().unwrap_or_else(PoisonError::into_inner);
            if held.is_none() {
                *held = Some((self.open)()?);
            }
        }
        let held = self.read();
        let database = held.as_ref().ok_or_else(|| away("its disk failed"))?;
        let result = work(database);
        let is_broken = matches!(result, Err(IndexError::Unavailable(..))) && database.begin_write().is_err();
        drop(held);
        if is_broken {
            self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        }
        result
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under another name first: what a death leaves half made is no database, and could not be opened ever after.
fn create(path: &Path) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    drop(Database::create(&unfinished).map_err(io::Error::other)?);
    fs::rename(&unfinished, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[async_trait]
impl Index for RedbIndex {
    async fn record_session(&self, row: SessionRow) -> Result<(), IndexError> {
        self.run(move |database| record_session(database, row)).await
    }

    async fn record_chunk(&self, row: ChunkRow) -> Result<(), IndexError> {
        self.run(move |database| record_chunk(database, &row)).await
    }

    async fn session(&self, session: &SessionId) -> Result<Option<SessionRow>, IndexError> {
        let id = session.to_string();
        self.run(move |database| {
            let table = database.begin_read().map_err(away)?.open_table(SESSIONS).map_err(away)?;
            table.get(id.as_str()).map_err(away)?.map(|row| read(row.value())).transpose()
        })
        .await
    }

    async fn sessions(&self) -> Result<Vec<SessionRow>, IndexError> {
        self.run(|database| {
            let table = database.begin_read().map_err(away)?.open_table(SESSIONS).map_err(away)?;
            table.iter().map_err(away)?.map(|entry| read(entry.map_err(away)?.1.value())).collect()
        })
        .await
    }

    async fn sessions_after(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionRow>, IndexError> {
        let after = after.map(ToString::to_string);
        self.run(move |database| {
            let table = database.begin_read().map_err(away)?.open_table(SESSIONS).map_err(away)?;
            let range = table.range::<&str>(beyond(after.as_deref())).map_err(away)?;
            range.take(limit).map(|entry| read(entry.map_err(away)?.1.value())).collect()
        })
        .await
    }

    async fn chunks(&self, session: &SessionId) -> Result<Vec<ChunkRow>, IndexError> {
        let id = session.to_string();
        self.run(move |database| {
            let table = database.begin_read().map_err(away)?.open_table(CHUNKS).map_err(away)?;
            let range = table.range((id.as_str(), 0)..=(id.as_str(), u64::MAX)).map_err(away)?;
            range.map(|entry| read(entry.map_err(away)?.1.value())).collect()
        })
        .await
    }

    async fn record_approval(&self, row: ApprovalRow) -> Result<(), IndexError> {
        self.run(move |database| record_approval(database, row)).await
    }

    async fn approval(&self, request: &RequestId) -> Result<Option<ApprovalRow>, IndexError> {
        let id = request.to_string();
        self.run(move |database| {
            let table = database.begin_read().map_err(away)?.open_table(APPROVALS).map_err(away)?;
            table.get(id.as_str()).map_err(away)?.map(|row| read(row.value())).transpose()
        })
        .await
    }

    async fn approvals(
        &self,
        state: ApprovalState,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<ApprovalRow>, IndexError> {
        let after = after.map(ToString::to_string);
        self.run(move |database| {
            let transaction = database.begin_read().map_err(away)?;
            let table = match state {
                ApprovalState::Pending => PENDING,
                ApprovalState::Any => APPROVALS,
            };
            let table = transaction.open_table(table).map_err(away)?;
            let range = table.range::<&str>(beyond(after.as_deref())).map_err(away)?;
            range.take(limit).map(|entry| read(entry.map_err(away)?.1.value())).collect()
        })
        .await
    }
}

fn beyond(after: Option<&str>) -> (Bound<&str>, Bound<&str>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

fn record_session(database: &Database, row: SessionRow) -> Result<(), IndexError> {
    let transaction = database.begin_write().map_err(away)?;
    {
        let mut table = transaction.open_table(SESSIONS).map_err(away)?;
        let id = row.session.to_string();
        let known: Option<SessionRow> =
            table.get(id.as_str()).map_err(away)?.map(|row| read(row.value())).transpose()?;
        let merged = match known {
            Some(mut known) => {
                known.merge(row)?;
                known
            }
            None => row,
        };
        table.insert(id.as_str(), write(&merged)?.as_slice()).map_err(away)?;
    }
    transaction.commit().map_err(away)
}

fn record_chunk(database: &Database, row: &ChunkRow) -> Result<(), IndexError> {
    let transaction = database.begin_write().map_err(away)?;
    {
        let mut table = transaction.open_table(CHUNKS).map_err(away)?;
        let id = row.session.to_string();
        let key = (id.as_str(), row.sequence);
        let known: Option<ChunkRow> = table.get(key).map_err(away)?.map(|row| read(row.value())).transpose()?;
        match known {
            Some(known) if known == *row => return Ok(()),
            Some(_) => {
                return Err(IndexError::Conflict { what: format!("{id} chunk {}", row.sequence), member: "chunk" });
            }
            None => table.insert(key, write(row)?.as_slice()).map_err(away)?,
        };
    }
    transaction.commit().map_err(away)
}

fn record_approval(database: &Database, row: ApprovalRow) -> Result<(), IndexError> {
    let transaction = database.begin_write().map_err(away)?;
    {
        let mut all = transaction.open_table(APPROVALS).map_err(away)?;
        let mut pending = transaction.open_table(PENDING).map_err(away)?;
        let id = row.request.to_string();
        let known: Option<ApprovalRow> =
            all.get(id.as_str()).map_err(away)?.map(|row| read(row.value())).transpose()?;
        let merged = match known {
            Some(mut known) => {
                known.merge(row)?;
                known
            }
            None => row,
        };
        let bytes = write(&merged)?;
        all.insert(id.as_str(), bytes.as_slice()).map_err(away)?;
        if merged.is_pending() {
            pending.insert(id.as_str(), bytes.as_slice()).map_err(away)?;
        } else {
            pending.remove(id.as_str()).map_err(away)?;
        }
    }
    transaction.commit().map_err(away)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, IndexError> {
    serde_json::from_slice(bytes).map_err(away)
}

fn write<T: Serialize>(row: &T) -> Result<Vec<u8>, IndexError> {
    serde_json::to_vec(row).map_err(away)
}

fn away(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> IndexError {
    IndexError::Unavailable("local index".to_owned(), error.into())
}

/// Session id → row as JSON.
const SESSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sessions");
/// Session id and sequence → row as JSON.
const CHUNKS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("chunks");
/// Request id → row as JSON.
const APPROVALS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("approvals");
/// The same, of the pending ones.
const PENDING: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("pending_approvals");

#[cfg(test)]
mod faults;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_database_keeps_the_contract_of_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let index = RedbIndex::open(&folder.path().join("index.redb")).unwrap();
        crate::contract::index(&index).await.unwrap();
    }

    #[tokio::test]
    async fn rows_survive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        let row = crate::contract::sample_session(1).unwrap();
        RedbIndex::open(&path).unwrap().record_session(row.clone()).await.unwrap();
        assert_eq!(RedbIndex::open(&path).unwrap().sessions().await.unwrap(), [row]);
    }
}
