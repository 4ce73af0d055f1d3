//! The function `console`: requests of an HTTP API.

use std::process::ExitCode;

use functions::console;
use lambda::{consoling, program};

fn main() -> ExitCode {
    program::run(async |environment| {
        let env = consoling::start(&environment).await?;
        Ok(lambda_http::run(console::router(env)).await?)
    })
}
