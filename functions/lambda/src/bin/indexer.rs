//! The function `indexer`: a batch of S3's notifications from a queue, or an administrator's word to draw the lake again.

use std::process::ExitCode;

use lambda::indexing::{Asked, Indexing};
use lambda::program;
use lambda_runtime::{LambdaEvent, service_fn};

fn main() -> ExitCode {
    program::run(async |environment| {
        let indexing = &Indexing::start(&environment)?;
        let handle =
            |event: LambdaEvent<Asked>| indexing.answer(async move |indexing: &Indexing| indexing.handle(event).await);
        Ok(lambda_runtime::run(service_fn(handle)).await?)
    })
}
