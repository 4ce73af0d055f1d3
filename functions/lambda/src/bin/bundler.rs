//! The function `bundler`: a period, `{"from_us":…,"to_us":…}`.

use std::process::ExitCode;

use functions::bundler::Period;
use lambda::bundling::BundleFunction;
use lambda::program;
use lambda_runtime::{LambdaEvent, service_fn};

fn main() -> ExitCode {
    program::run(async |environment| {
        let bundling = &BundleFunction::start(&environment).await?;
        Ok(lambda_runtime::run(service_fn(|event: LambdaEvent<Period>| bundling.handle(event))).await?)
    })
}
