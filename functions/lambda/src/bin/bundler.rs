//! The function `bundler`: a period, `{"from_us":…,"to_us":…}`.

use std::process::ExitCode;

use functions::bundler::Period;
use lambda::bundling::BundleFunction;
use lambda::program;
use lambda_runtime::{LambdaEvent, service_fn};

fn main() -> ExitCode {
    program::run(async |environment| {
        let bundling = &BundleFunction::start(&environment)?;
        let handle = |event: LambdaEvent<Period>| bundling.answer(|bundling| bundling.handle(event));
        Ok(lambda_runtime::run(service_fn(handle)).await?)
    })
}
