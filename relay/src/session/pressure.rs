//! A spool that is nearly full, where sessions are to hold: this one reads and serves nothing until there is room again,
//! and ends when that takes too long.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use wire::postgres::{ErrorFields, backend};

use super::interrupts::{Interrupt, Interrupts};
use super::{Ending, Session};

impl Session {
    /// To be called with something to record. A session that has nothing to say is not told, and not ended.
    pub(super) async fn hold_if_nearly_full(&mut self, interrupts: &mut Interrupts<'_>) -> Result<(), Ending> {
        // What waits for an approval would miss that it came, or that its client left: it writes little until it runs.
        let Some(most) = self.recorder.must_wait().filter(|_| self.holding.is_none()) else { return Ok(()) };
        tracing::warn!(session = %self.recorder.session(), "the spool is nearly full: the session holds");
        self.recorder.seal_early();
        self.tell_waiting(most).await?;
        self.wait_for_room(most, interrupts).await?;
        self.last_request = Instant::now();
        Ok(())
    }

    /// Waits for room, `most` at the longest. What both peers send meanwhile waits in their sockets, also that they left.
    async fn wait_for_room(&mut self, most: Duration, interrupts: &mut Interrupts<'_>) -> Result<(), Ending> {
        let deadline = (Instant::now() + most).min(self.limits.expires);
        while !self.recorder.has_room() {
            tokio::select! {
                ending = self.pump.only_write() => return Err(ending),
                () = sleep(LOOK_EVERY) => {}
                interrupt = interrupts.next(deadline) => match interrupt {
                    Interrupt::Cancelled => self.cancel().await?,
                    Interrupt::Alarm if Instant::now() >= self.limits.expires => return Err(self.out_of_time()),
                    Interrupt::Alarm => return Err(self.recorder.spool_full().into()),
                    Interrupt::Stopping => {
                        self.finishing = true;
                        self.stop_if_finished()?;
                    }
                    Interrupt::Due => return Err(Ending::stopping()),
                },
            }
        }
        Ok(())
    }

    /// Not in the middle of a message: then the client learns of it by waiting.
    async fn tell_waiting(&mut self, most: Duration) -> Result<(), Ending> {
        if self.from_target.is_inside() {
            return Ok(());
        }
        let message = "the session waits: what was recorded cannot be stored, and nothing is served unrecorded";
        let detail =
            format!("It goes on when there is room in the spool, and ends after {} s without.", most.as_secs());
        let notice = backend::notice_response(&ErrorFields::notice(message.to_owned()).with_detail(detail));
        self.recorder.record_replies(&notice, Vec::new()).await?;
        self.pump.client.queue(&notice);
        Ok(())
    }
}

/// Short beside a pause, long beside a look.
const LOOK_EVERY: Duration = Duration::from_millis(50);
