//! Moves bytes between two peers and the session that decides about them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use schemas::event::CloseReason;
use wire::postgres::{Backend, Deframer, Frontend, SqlState};

use crate::channel::{Channel, READ_SIZE};
use crate::upstream::Upstream;

use super::Ending;

/// The two peers of a session.
pub(crate) struct Pump {
    /// Who asks.
    pub(crate) client: Channel,
    /// Who answers.
    pub(crate) upstream: Upstream,
}

/// What the pump did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Waiting bytes were written, to either peer.
    Written,
    /// The client sent something.
    FromClient,
    /// The client has ended its half of the connection: nothing more comes from it, and it may still listen.
    ClientEnded,
    /// The target sent something.
    FromTarget,
}

impl Activity {
    /// Whether it brought something that goes on record before it goes on.
    pub(super) fn is_to_be_recorded(self) -> bool {
        matches!(self, Self::FromClient | Self::FromTarget)
    }
}

impl Pump {
    /// Waits for the next thing that can be done. The client is read only if `may_read_client`.
    pub(crate) async fn next(
        &mut self,
        may_read_client: bool,
        from_client: &mut Deframer<Frontend>,
        from_target: &mut Deframer<Backend>,
    ) -> Result<Activity, Ending> {
        poll_fn(|cx| self.poll(cx, may_read_client, from_client, from_target)).await
    }

    /// As [`Pump::next`], without waiting: `None` when nothing can be done now.
    pub(crate) async fn ready(
        &mut self,
        may_read_client: bool,
        from_client: &mut Deframer<Frontend>,
        from_target: &mut Deframer<Backend>,
    ) -> Result<Option<Activity>, Ending> {
        poll_fn(|cx| match self.poll(cx, may_read_client, from_client, from_target) {
            Poll::Ready(activity) => Poll::Ready(activity.map(Some)),
            Poll::Pending => Poll::Ready(Ok(None)),
        })
        .await
    }

    /// Writes what waits for either peer and reads nothing. Comes back only when a peer is gone.
    pub(crate) async fn only_write(&mut self) -> Ending {
        poll_fn(|cx| match self.poll_write(cx) {
            Err(ending) => Poll::Ready(ending),
            Ok(_) => Poll::Pending,
        })
        .await
    }

    /// Writes what waits for either peer and closes both streams, within a time.
    pub(crate) async fn close(mut self) {
        let closing = async {
            let _ = self.client.write_out().await;
            self.client.shutdown().await;
            self.upstream.close().await;
        };
        let _ = tokio::time::timeout(CLOSE_LIMIT, closing).await;
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        may_read_client: bool,
        from_client: &mut Deframer<Frontend>,
        from_target: &mut Deframer<Backend>,
    ) -> Poll<Result<Activity, Ending>> {
        let written = match self.poll_write(cx) {
            Ok(written) => written,
            Err(ending) => return Poll::Ready(Err(ending)),
        };
        if !self.client.has_outgoing() {
            match read(|buffer| self.upstream.poll_read(cx, buffer), |bytes| from_target.push(bytes)) {
                Poll::Ready(Ok(1..)) => return Poll::Ready(Ok(Activity::FromTarget)),
                // It was told that the client has left, and has said all that it had to say.
                Poll::Ready(_) if self.upstream.is_to_end() => {
                    return Poll::Ready(Err(Ending::silent(CloseReason::ClientDisconnected)));
                }
                Poll::Ready(Ok(_)) => return Poll::Ready(Err(target_gone(&"end of stream"))),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(target_gone(&error))),
                Poll::Pending => {}
            }
        }
        if may_read_client && !self.upstream.has_outgoing() {
            match read(|buffer| self.client.poll_read(cx, buffer), |bytes| from_client.push(bytes)) {
                Poll::Ready(Ok(1..)) => return Poll::Ready(Ok(Activity::FromClient)),
                Poll::Ready(Ok(_)) => return Poll::Ready(Ok(Activity::ClientEnded)),
                // Many clients leave TLS without `close_notify`. What was cut off is not taken: it is no whole message.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(Activity::ClientEnded));
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Ending::silent(CloseReason::ClientDisconnected))),
                Poll::Pending => {}
            }
        }
        if written { Poll::Ready(Ok(Activity::Written)) } else { Poll::Pending }
    }
}

impl Pump {
    /// Whether anything was written out.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let mut written = false;
        if self.upstream.has_outgoing() {
            match self.upstream.poll_write_out(cx) {
                Poll::Ready(Ok(())) => written = true,
                Poll::Ready(Err(error)) => return Err(target_gone(&error)),
                Poll::Pending => {}
            }
        }
        if self.client.has_outgoing() {
            match self.client.poll_write_out(cx) {
                Poll::Ready(Ok(())) => written = true,
                Poll::Ready(Err(_)) => return Err(Ending::silent(CloseReason::ClientDisconnected)),
                Poll::Pending => {}
            }
        }
        Ok(written)
    }
}

/// Reads once through a buffer that the thread's sessions share: an idle session holds none.
fn read(poll: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>, push: impl FnOnce(&[u8])) -> Poll<io::Result<usize>> {
    SCRATCH.with_borrow_mut(|buffer| {
        let polled = poll(buffer);
        if let Poll::Ready(Ok(read)) = polled {
            push(buffer.get(..read).unwrap_or_default());
        }
        polled
    })
}

fn target_gone(error: &dyn std::fmt::Display) -> Ending {
    tracing::warn!(%error, "the target's connection ended");
    Ending::told(
        CloseReason::TargetDisconnected,
        SqlState::CONNECTION_FAILURE,
        "the connection to the target was lost; what was in flight may or may not have run",
    )
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
}

const CLOSE_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);
