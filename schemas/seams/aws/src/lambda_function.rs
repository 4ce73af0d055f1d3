use std::fmt;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;

use crate::call::CallFailed;
use crate::connection::Connection;

/// A function to begin. Cloning shares its connections.
#[derive(Clone)]
pub struct LambdaFunction {
    client: Client,
    arn: String,
}

impl LambdaFunction {
    /// The function of this ARN or name.
    #[must_use]
    pub fn new(connection: &Connection, arn: impl Into<String>) -> Self {
        Self { client: Client::new(&connection.to_sdk()), arn: arn.into() }
    }

    /// Has it run with this event, and does not wait for it. After an error it may run or not.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn begin(&self, event: impl Into<Vec<u8>>) -> Result<(), CallFailed> {
        let invoke = self.client.invoke().function_name(&self.arn).invocation_type(InvocationType::Event);
        let invoked = invoke.payload(Blob::new(event)).send().await;
        invoked.map(drop).map_err(|error| CallFailed::of("Invoke", &error))
    }
}

impl fmt::Debug for LambdaFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaFunction").field("arn", &self.arn).finish_non_exhaustive()
    }
}
