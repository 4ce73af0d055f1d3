//! The three seams on AWS: evidence in S3 ([`S3Store`]), the index in DynamoDB ([`DynamoIndex`]), keys in KMS
//! ([`KmsKeys`]). Beside them what functions need there of each other: a queue to send to ([`SqsQueue`]), a function to
//! begin ([`LambdaFunction`]), a secret that nobody holds ([`mac`]); and files that prove nothing ([`LakeBucket`]).
//!
//! They keep the contracts of [`seams`] and pass its suites. Every call has a deadline and a bounded number of
//! attempts ([`Deadlines`]); no error tells what was sent or answered ([`CallFailed`]).

mod call;
mod connection;
pub mod dynamo_index;
pub mod kms_keys;
mod lake_bucket;
mod lambda_function;
mod mac;
mod placed_store;
pub mod s3_store;
mod sqs_queue;

pub use call::CallFailed;
pub use connection::{Connection, Deadlines};
pub use dynamo_index::DynamoIndex;
pub use kms_keys::{KmsKeys, KmsSettings};
pub use lake_bucket::LakeBucket;
pub use lambda_function::LambdaFunction;
pub use mac::mac;
pub use placed_store::{PlacedSettings, PlacedStore};
pub use s3_store::{LockMode, S3Settings, S3Store};
pub use sqs_queue::SqsQueue;
