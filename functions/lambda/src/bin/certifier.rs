//! The function `certifier`: a schedule's `{"certify":"keys"}`, or a relay's request through the alias of its name.

use std::process::ExitCode;

use lambda::certifying::{Asked, Certifying};
use lambda::program;
use lambda_runtime::{LambdaEvent, service_fn};

fn main() -> ExitCode {
    program::run(async |environment| {
        let certifying = &Certifying::start(&environment)?;
        let handle = |event: LambdaEvent<Asked>| certifying.answer(|certifying| certifying.handle(event));
        Ok(lambda_runtime::run(service_fn(handle)).await?)
    })
}
