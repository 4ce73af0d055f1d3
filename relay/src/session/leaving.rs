//! Clients that have said all they had to say, and still listen.
//!
//! A client may send its queries and then `Terminate`, or end its half of the connection. PostgreSQL reads the next message
//! only when it has answered the one before, so such a client gets all its results; here it does too, and what it asked
//! for has its outcome on record. A client that has vanished looks the same until something is written to it: its
//! statement runs to the end, as it would in PostgreSQL, for as long as the session's token lasts.

use schemas::event::CloseReason;

use super::{Ending, Session};

impl Session {
    /// Whether the client has said `Terminate`: what comes behind it is nothing.
    pub(super) fn has_terminated(&self) -> bool {
        self.leaving == Some(CloseReason::ClientTerminated)
    }

    /// Ends the session of a client that has left, once it has what it asked for.
    pub(super) fn leave_if_answered(&mut self) -> Result<(), Ending> {
        let Some(reason) = self.leaving else { return Ok(()) };
        // Nobody waits any more for what is held (rule 23).
        let answered = self.conversation.is_idle() && self.delayed.is_none() && !self.pump.client.has_outgoing();
        if answered || self.holding.is_some() {
            return Err(Ending::silent(reason));
        }
        if self.delayed.is_none() && self.conversation.awaits_frontend() {
            // It waits for what will never come. Told so, it does what it does to clients of its own: a COPY without
            // its end fails, and is undone.
            self.pump.upstream.end_writing();
        }
        Ok(())
    }

    /// How a session ends whose client had left before.
    pub(super) fn as_left(&self, ending: Ending) -> Ending {
        match self.leaving {
            Some(reason) if ending.reason == CloseReason::ClientDisconnected => Ending::silent(reason),
            _ => ending,
        }
    }
}
