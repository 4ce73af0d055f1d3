//! The target's side of a session.
//!
//! After login there is one way to send: [`Upstream::send`], which takes a [`Recorded`] and nothing else. That a
//! statement reaches a target only after its record is durable is therefore a compile error to break, not a habit.

mod login;
mod password;
mod query;
mod target;

use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use wire::postgres::{EncodeError, Error as WireError, ErrorFields, Startup};

use crate::channel::Channel;
use crate::recorder::Recorded;

pub use login::{Login, Logins};
pub(crate) use password::Password;
pub(crate) use query::Questions;
pub use query::query_text;
pub use target::Target;

/// A logged-in connection to a target, owned by one session.
pub struct Upstream {
    channel: Channel,
    target: Target,
    greeting: Greeting,
    /// The target was told that nothing more comes.
    ends: bool,
}

/// What the target said of itself at login.
#[derive(Debug, Clone, Default)]
pub struct Greeting {
    /// `ParameterStatus` values, in the order they came.
    pub parameters: Vec<(String, String)>,
    /// Process id for cancelling.
    pub process_id: i32,
    /// Secret for cancelling.
    pub secret: Bytes,
    /// How the connection is protected, as told in evidence.
    pub tls: String,
}

/// Why a target cannot be used. The text is for the log; a client is told less.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// TCP failed.
    #[error("the target's connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// TLS failed, or the target does not offer it.
    #[error("TLS to the target: {0}")]
    Tls(String),
    /// It took longer than `connect_seconds`.
    #[error("the target did not answer in time")]
    TimedOut,
    /// The target closed the connection.
    #[error("the target closed the connection")]
    Closed,
    /// The target broke the protocol.
    #[error("the target broke the protocol: {0}")]
    Protocol(#[from] WireError),
    /// The target asks for an authentication that the relay does not do, or failed to prove itself.
    #[error("login at the target: {0}")]
    Login(String),
    /// The target refused, by its own error. Only the SQLSTATE is shown.
    #[error("the target refused: SQLSTATE {}", .0.sqlstate.as_str())]
    Refused(Box<ErrorFields>),
    /// The relay's own message could not be encoded (a zero byte in configuration).
    #[error("cannot encode: {0}")]
    Encode(#[from] EncodeError),
}

impl Upstream {
    /// What the target said of itself.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Queues recorded bytes; [`Upstream::poll_write_out`] writes them. There is no other way to send.
    pub fn send(&mut self, recorded: Recorded) {
        self.channel.queue_whole(recorded.into_bytes());
    }

    /// The `CancelRequest` that cancels what this connection runs.
    ///
    /// # Errors
    /// When the target's secret has no valid length.
    pub fn cancel_request(&self) -> Result<Bytes, EncodeError> {
        let mut packet = BytesMut::new();
        let request = Startup::Cancel { process_id: self.greeting.process_id, secret: self.greeting.secret.clone() };
        request.encode(&mut packet)?;
        Ok(packet.freeze())
    }

    /// Sends a recorded `CancelRequest`, on a connection of its own as the protocol wants it.
    pub fn send_cancel(&self, recorded: Recorded) {
        let target = self.target.clone();
        tokio::spawn(async move {
            let sending = async {
                let mut reached = target.reach().await?;
                reached.channel.queue(&recorded.into_bytes());
                reached.channel.write_out().await?;
                // The target closes once it has passed the signal on.
                let _ = reached.channel.read(&mut [0; 1]).await;
                Ok::<_, UpstreamError>(())
            };
            match tokio::time::timeout(target.limit(), sending).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "cannot pass a cancel request on"),
                Err(_) => tracing::warn!("passing a cancel request on took too long"),
            }
        });
    }

    /// `Terminate` goes to the target: it answers what came before, and ends.
    pub fn expect_end(&mut self) {
        self.ends = true;
    }

    /// Tells the target, behind all that was sent, that nothing more comes. One that waits for more gives up then; of what
    /// it still has to send, some may be lost.
    pub fn end_writing(&mut self) {
        self.ends = true;
        self.channel.end_writing();
    }

    /// Whether it is no surprise when the target ends the connection.
    pub fn is_to_end(&self) -> bool {
        self.ends
    }

    /// Whether recorded bytes wait to be written.
    pub fn has_outgoing(&self) -> bool {
        self.channel.has_outgoing()
    }

    /// Writes what is queued.
    pub fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.channel.poll_write_out(cx)
    }

    /// Reads what the target sent.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<std::io::Result<usize>> {
        self.channel.poll_read(cx, buffer)
    }

    /// Writes what is queued and closes.
    pub async fn close(mut self) {
        let closing = async {
            let _ = self.channel.write_out().await;
            self.channel.shutdown().await;
        };
        let _ = tokio::time::timeout(CLOSE_LIMIT, closing).await;
    }
}

/// A target that does not take a goodbye in this time is left.
const CLOSE_LIMIT: std::time::Duration = std::time::Duration::from_secs(2);
