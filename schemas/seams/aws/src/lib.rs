//! The three seams on AWS: evidence in S3 ([`S3Store`]), the index in DynamoDB ([`DynamoIndex`]), keys in KMS
//! ([`KmsKeys`]). Beside them what functions need there of each other: a queue to send to ([`SqsQueue`]), a function to
//! begin or to ask ([`LambdaFunction`]), a folder of small files ([`S3Folder`]), a secret that nobody holds ([`mac`]), files
//! that prove nothing ([`LakeBucket`]). And what relays prove themselves with: Secrets Manager and tokens for RDS
//! ([`SecretsManager`]); and what each program is told when it starts ([`Deployment`], [`Environment`]).
//!
//! They keep the contracts of [`seams`] and pass its suites. Every call has a deadline and a bounded number of
//! attempts ([`Deadlines`]); no error tells what was sent or answered ([`CallFailed`]).

mod call;
mod connection;
mod deployment;
pub mod dynamo_index;
mod environment;
pub mod kms_keys;
mod lake_bucket;
mod lambda_function;
mod mac;
mod placed_store;
mod rds_token;
mod s3_folder;
pub mod s3_store;
mod secrets_manager;
mod sqs_queue;

pub use call::CallFailed;
pub use connection::{Connection, Deadlines};
pub use deployment::{Deployment, credentials_of};
pub use dynamo_index::DynamoIndex;
pub use environment::{Environment, EnvironmentError};
pub use kms_keys::{KmsKeys, KmsSettings};
pub use lake_bucket::LakeBucket;
pub use lambda_function::{AskFailed, LambdaFunction};
pub use mac::mac;
pub use placed_store::{PlacedSettings, PlacedStore};
pub use s3_folder::{FolderError, FolderLimits, S3Folder};
pub use s3_store::{LockMode, S3Settings, S3Store};
pub use secrets_manager::SecretsManager;
pub use sqs_queue::SqsQueue;
