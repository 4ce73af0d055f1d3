//! The function `sealer`: a schedule's `{}`.

use std::process::ExitCode;

use lambda::program;
use lambda::sealing::{Due, Sealing};
use lambda_runtime::{LambdaEvent, service_fn};

fn main() -> ExitCode {
    program::run(async |environment| {
        let sealing = &Sealing::start(&environment)?;
        let handle = |event: LambdaEvent<Due>| sealing.answer(|sealing| sealing.handle(event));
        Ok(lambda_runtime::run(service_fn(handle)).await?)
    })
}
