use async_trait::async_trait;

use crate::evidence_store::StoreError;

/// Files of tables, for who asks questions. Never evidence: each can be drawn again from it.
#[async_trait]
pub trait Lake: Send + Sync {
    /// Stores a file, in place of one that stands there: nobody sees a part of it. After [`StoreError::Unavailable`] it
    /// may stand there or not.
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError>;
}
