//! Addresses of stored objects, where the store can be read without the console in between.

use async_trait::async_trait;
use seams::StoreError;

/// Whoever can give such addresses.
#[async_trait]
pub trait Links: Send + Sync {
    /// An address under which whoever has it may read this object alone, for a minute or so; nothing when there is no
    /// such object.
    async fn link(&self, key: &str) -> Result<Option<String>, StoreError>;
}
