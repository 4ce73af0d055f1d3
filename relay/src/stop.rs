//! Stopping in two steps: *requested* (finish what runs, take nothing new), then *due* (end now).

use std::time::Duration;

use tokio::sync::watch;

/// The receiving side; cloned into every task.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    stage: watch::Receiver<Stage>,
}

/// The sending side. Dropping it is the same as both steps at once: nothing outlives its owner.
#[derive(Debug)]
pub(crate) struct StopSender {
    stage: watch::Sender<Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Running,
    Requested,
    Due,
}

/// A connected pair.
#[must_use]
pub(crate) fn channel() -> (StopSender, Stop) {
    let (sender, receiver) = watch::channel(Stage::Running);
    (StopSender { stage: sender }, Stop { stage: receiver })
}

impl StopSender {
    /// Asks everything to finish, and makes the end due after `grace`.
    pub(crate) async fn stop_within(&self, grace: Duration, finished: impl Future<Output = ()>) {
        self.stage.send_replace(Stage::Requested);
        if tokio::time::timeout(grace, finished).await.is_err() {
            self.stage.send_replace(Stage::Due);
        }
    }
}

impl Stop {
    /// Resolves once stopping was requested.
    pub(crate) async fn requested(&self) {
        self.reached(Stage::Requested).await;
    }

    /// Resolves once the end is due.
    pub(crate) async fn due(&self) {
        self.reached(Stage::Due).await;
    }

    async fn reached(&self, stage: Stage) {
        let mut receiver = self.stage.clone();
        // An error means that the sender is gone, which counts as due.
        let _ = receiver.wait_for(|now| *now >= stage).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_is_due_only_after_the_grace() {
        let (sender, stop) = channel();
        let never = std::future::pending::<()>();
        let stopping = tokio::spawn(async move {
            sender.stop_within(Duration::from_millis(20), never).await;
            sender
        });
        stop.requested().await;
        stop.due().await;
        let _ = stopping.await;
    }

    #[tokio::test]
    async fn a_lost_sender_stops_everything() {
        let (sender, stop) = channel();
        drop(sender);
        stop.due().await;
    }
}
