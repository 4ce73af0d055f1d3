use std::fmt;

use aws_sdk_sqs::Client;

use crate::call::CallFailed;
use crate::connection::Connection;

/// A queue to send to. Cloning shares its connections.
#[derive(Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// The queue of this URL, which must be there.
    #[must_use]
    pub fn new(connection: &Connection, url: impl Into<String>) -> Self {
        Self { client: Client::new(&connection.to_sdk()), url: url.into() }
    }

    /// Sends; after an error it may have been sent or not, and sending again may send twice.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn send(&self, body: impl Into<String>) -> Result<(), CallFailed> {
        let send = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        send.map(drop).map_err(|error| CallFailed::of("SendMessage", &error))
    }
}

impl fmt::Debug for SqsQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsQueue").field("url", &self.url).finish_non_exhaustive()
    }
}
