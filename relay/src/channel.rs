//! One peer's byte stream with what has been read and not decoded, and what is to be written.
//!
//! Both directions of both peers are polled by one task ([`crate::session`]). Bytes to write are gathered and
//! written together: flushing a TLS record a message at a time costs a factor of two (rule 26).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::figures::Figures;

/// A byte stream to a peer: TCP, or TLS over it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A peer: its stream and the bytes waiting to be written to it.
pub(crate) struct Channel {
    stream: Box<dyn Stream>,
    /// Goes first, as it is.
    whole: Bytes,
    outgoing: BytesMut,
    /// Bytes handed to the stream since its last flush; a TLS stream may still hold them.
    unflushed: bool,
    ending: WritingHalf,
    /// Where its bytes are counted, if they are.
    figures: Option<Arc<Figures>>,
}

/// How far the writing half of the stream is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WritingHalf {
    Open,
    /// To be shut down once all is written.
    Ending,
    Ended,
}

impl Channel {
    /// Wraps a stream.
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            whole: Bytes::new(),
            outgoing: BytesMut::new(),
            unflushed: false,
            ending: WritingHalf::Open,
            figures: None,
        }
    }

    /// A client's: its bytes are counted from here on.
    pub(crate) fn counted_in(&mut self, figures: Arc<Figures>) {
        self.figures = Some(figures);
    }

    /// Adds bytes to be written by the next [`Channel::poll_write_out`] or [`Channel::write_out`].
    pub(crate) fn queue(&mut self, bytes: &[u8]) {
        self.outgoing.extend_from_slice(bytes);
    }

    /// As [`Channel::queue`]; when nothing else waits, without a copy.
    pub(crate) fn queue_whole(&mut self, bytes: Bytes) {
        if self.whole.is_empty() && self.outgoing.is_empty() {
            self.whole = bytes;
        } else {
            self.queue(&bytes);
        }
    }

    /// Whether bytes wait to be written: while they do, no more is read from the other peer (back-pressure).
    pub(crate) fn has_outgoing(&self) -> bool {
        let bytes = !self.whole.is_empty() || !self.outgoing.is_empty() || self.unflushed;
        bytes || self.ending == WritingHalf::Ending
    }

    /// Ends the writing half once everything queued is written (TLS `close_notify`, TCP FIN); the reading half stays.
    pub(crate) fn end_writing(&mut self) {
        if self.ending == WritingHalf::Open {
            self.ending = WritingHalf::Ending;
        }
    }

    /// Writes everything queued, and flushes.
    ///
    /// # Errors
    /// The stream's.
    pub(crate) async fn write_out(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write_out(cx)).await
    }

    /// Reads what is there, at most [`READ_SIZE`] bytes, onto `buffer`. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// The stream's.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer).await
    }

    /// Says goodbye to the peer (TLS `close_notify`, TCP FIN). Errors are of no use here.
    pub(crate) async fn shutdown(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// As [`Channel::write_out`], polled.
    pub(crate) fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.whole.is_empty() || !self.outgoing.is_empty() {
            let next: &[u8] = if self.whole.is_empty() { &self.outgoing } else { &self.whole };
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, next))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            if let Some(figures) = &self.figures {
                figures.sent_bytes.add(count(written));
            }
            if self.whole.is_empty() {
                self.outgoing.advance(written);
            } else {
                self.whole.advance(written);
            }
        }
        // What was written is not held on to: an idle connection keeps no buffer.
        self.whole = Bytes::new();
        self.outgoing = BytesMut::new();
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        if self.ending == WritingHalf::Ending {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.ending = WritingHalf::Ended;
        }
        Poll::Ready(Ok(()))
    }

    /// As [`Channel::read`], polled.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let read = buffer.filled().len();
        if let Some(figures) = &self.figures {
            figures.received_bytes.add(count(read));
        }
        Poll::Ready(Ok(read))
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Sets what every TCP connection here has: no Nagle delay, and keep-alive so that a vanished peer is noticed.
///
/// # Errors
/// The socket's.
pub(crate) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Bytes read at a time: one TLS record holds at most 16 KiB, and four fill a recording block worth compressing.
pub(crate) const READ_SIZE: usize = 64 * 1024;

/// Below the 350 s idle time-out of a network load balancer (rule 23).
const KEEPALIVE_IDLE: std::time::Duration = std::time::Duration::from_secs(60);
const KEEPALIVE_INTERVAL: std::time::Duration = std::time::Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_writing_half_ends_behind_what_was_queued_and_the_other_goes_on() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut channel = Channel::new(Box::new(near));
        channel.queue(b"last words");
        channel.end_writing();
        assert!(channel.has_outgoing());
        channel.write_out().await.unwrap();
        assert!(!channel.has_outgoing());
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"last words");
        far.write_all(b"answer").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(channel.read(&mut buffer).await.unwrap(), 6);
    }
}
