//! The function `indexer`: a batch of S3's notifications from a queue.

use std::process::ExitCode;

use lambda::indexing::{Batch, Indexing};
use lambda::program;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};

fn main() -> ExitCode {
    program::run(async |environment| {
        let indexing = &Indexing::start(&environment)?;
        let handle = |event: LambdaEvent<Batch>| {
            indexing.answer(async move |indexing: &Indexing| Ok::<_, Diagnostic>(indexing.handle(event).await))
        };
        Ok(lambda_runtime::run(service_fn(handle)).await?)
    })
}
