//! The function `indexer`: a batch of S3's notifications from a queue.

use std::process::ExitCode;

use lambda::indexing::{Batch, Indexing};
use lambda::program;
use lambda_runtime::{Error, LambdaEvent, service_fn};

fn main() -> ExitCode {
    program::run(async |environment| {
        let indexing = &Indexing::start(&environment).await?;
        let handle = |event: LambdaEvent<Batch>| async move { Ok::<_, Error>(indexing.handle(event).await) };
        Ok(lambda_runtime::run(service_fn(handle)).await?)
    })
}
