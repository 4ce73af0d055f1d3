//! The function `sealer`: a schedule's `{}`.

use std::process::ExitCode;

use lambda::program;
use lambda::sealing::{Due, Sealing};
use lambda_runtime::{LambdaEvent, service_fn};

fn main() -> ExitCode {
    program::run(async |environment| {
        let sealing = &Sealing::start(&environment).await?;
        Ok(lambda_runtime::run(service_fn(|event: LambdaEvent<Due>| sealing.handle(event))).await?)
    })
}
