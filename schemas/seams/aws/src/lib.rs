//! The three seams on AWS: evidence in S3 ([`S3Store`]), the index in DynamoDB ([`DynamoIndex`]), keys in KMS
//! ([`KmsKeys`]).
//!
//! They keep the contracts of [`seams`] and pass its suites. Every call has a deadline and a bounded number of
//! attempts ([`Deadlines`]); no error tells what was sent or answered ([`CallFailed`]).

mod call;
mod connection;
pub mod dynamo_index;
pub mod kms_keys;
pub mod s3_store;

pub use call::CallFailed;
pub use connection::{Connection, Deadlines};
pub use dynamo_index::DynamoIndex;
pub use kms_keys::{KmsKeys, KmsSettings};
pub use s3_store::{LockMode, S3Settings, S3Store};
