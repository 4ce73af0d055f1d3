//! The function `console`: requests of an HTTP API.

use std::process::ExitCode;

use lambda::{consoling, program};
use lambda_http::{Request, Service, service_fn};

fn main() -> ExitCode {
    program::run(async |environment| {
        let console = &consoling::start(&environment)?;
        let handle = |request: Request| console.answer(|router| router.clone().call(request));
        Ok(lambda_http::run(service_fn(handle)).await?)
    })
}
