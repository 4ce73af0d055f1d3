//! The waiting that no session's task does: publishing a request, and looking for its decision.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::asked::Asked;
use super::judge::Judgement;
use super::{Approvals, Permission};
use crate::access::Guarded;
use crate::evidence::Storing;

/// A published request being watched; dropping it ends the watching.
pub(crate) struct Watch {
    progress: mpsc::Receiver<Progress>,
    task: AbortHandle,
}

/// What happened to a request.
pub(crate) enum Progress {
    /// People can see it now.
    Published,
    /// It is over.
    Judged(Judgement),
}

impl Watch {
    /// Publishes a request and looks for its decision until it ends. `leaf` is its leaf on the way into the store:
    /// nobody is asked before that is there.
    pub(crate) fn start(
        approvals: Arc<Approvals>,
        guarded: Arc<Guarded>,
        asked: Arc<Asked>,
        details: Vec<u8>,
        leaf: Storing,
    ) -> Self {
        let (sender, progress) = mpsc::channel(2);
        let task = tokio::spawn(async move {
            let published = approvals.publish(&asked, &details, leaf).await;
            if published && sender.send(Progress::Published).await.is_err() {
                return;
            }
            let judgement = if published {
                approvals.await_decision(&asked, guarded.as_ref()).await
            } else {
                Judgement::Unpublished
            };
            // A session that has gone has ended the request itself.
            let _ = sender.send(Progress::Judged(judgement)).await;
        });
        Self { progress, task: task.abort_handle() }
    }

    /// The next thing that happens; cancel-safe.
    pub(crate) async fn next(&mut self) -> Progress {
        // A task that ended without a word has panicked: nothing was decided.
        self.progress.recv().await.unwrap_or(Progress::Judged(Judgement::Unpublished))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Approvals {
    async fn publish(&self, asked: &Asked, details: &[u8], leaf: Storing) -> bool {
        let key = self.incarnations.scope().approval_request(asked.request());
        let published = match leaf.within(PUBLISH_TIME).await {
            Ok(()) => self.incarnations.offer(&key, details).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &published {
            tracing::error!(request = %asked.request(), %error, "a request for approval cannot be published");
        }
        published.is_ok()
    }

    async fn await_decision(&self, asked: &Arc<Asked>, permission: &dyn Permission) -> Judgement {
        let key = self.incarnations.scope().approval_decision(asked.request());
        let mut pause = LOOK_FIRST;
        loop {
            if let Ok(Some(stored)) = self.incarnations.look(&key).await
                && let Ok(judgement) = self.judge(asked, permission, &stored).await
            {
                return judgement;
            }
            let left_us = asked.expires_us().saturating_sub(self.incarnations.now_us());
            if left_us == 0 {
                return Judgement::Expired;
            }
            sleep(pause.min(Duration::from_micros(left_us))).await;
            pause = (pause + LOOK_STEP).min(LOOK_LAST);
        }
    }
}

/// A client waits no longer to be told that nobody can be asked.
const PUBLISH_TIME: Duration = Duration::from_secs(20);
/// Between two looks at first: somebody who sits beside the requester approves at once.
const LOOK_FIRST: Duration = Duration::from_millis(500);
const LOOK_STEP: Duration = Duration::from_millis(50);
/// And later: a request costs two GETs in four seconds.
const LOOK_LAST: Duration = Duration::from_secs(2);
