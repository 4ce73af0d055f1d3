//! A statement that waits for approval (rule 23), and how the waiting ends.
//!
//! While something is held, nothing of the client's is decided: what it sends stays in its deframer up to a limit and
//! then in its socket. Both sockets are still read, so that a client or a target that goes ends the request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemas::approval::ApprovalVerdict;
use schemas::event::{EventBody, OutcomeKind, Path};
use tokio::time::Instant;
use wire::postgres::conversation::OpKind;
use wire::postgres::{ErrorFields, SqlState, TransactionStatus, backend};

use crate::approval::{Approved, Asked, Confirmed, End, Judgement, Made, Progress, Question, Watch};
use crate::catalog::Snapshot;
use crate::evidence::Storing;
use crate::figures::Present;
use crate::policy::{Effects, Permit, Refusal, Ruling};

use super::diagnostics::Exposure;
use super::operation::{Execution, Operation, Prepared, Standing};
use super::{Ending, Session};

/// What is held, and what becomes of it.
pub(super) struct Holding {
    asked: Arc<Asked>,
    resume: Resume,
    /// The catalog that it was asked on: the same text may mean something else on another.
    grounds: Arc<Snapshot>,
    /// To be published once the hold is on record.
    details: Vec<u8>,
    watch: Option<Watch>,
    /// When the client gets the next notice; nothing before the request is published.
    notice_at: Option<Instant>,
    /// How it ended, once a leaf is on its way that says so: there is one such leaf, whatever happens after.
    end: Option<End>,
    _waiting: Present,
}

/// The message that waits, with what its statement was decided from.
pub(super) enum Resume {
    /// A simple query.
    Query {
        /// The client's text.
        text: String,
        /// What may be said of its errors.
        exposure: Exposure,
        /// What changes once it ran.
        effects: Arc<[Effects]>,
        /// How many rows go on record at most; none where all do.
        rows_kept: Option<u64>,
    },
    /// A `Bind`.
    Bind {
        /// The portal it makes.
        portal: String,
        /// The statement it binds, under the number that this request has.
        prepared: Prepared,
    },
}

impl Session {
    /// Why a statement cannot wait here and now, if it cannot.
    pub(super) fn obstacle(&self) -> Option<Refusal> {
        if self.approvals.is_none() {
            return Some(Refusal::forbidden("the statement needs approval, and this relay has nobody to ask"));
        }
        if self.transaction != TransactionStatus::Idle {
            let refusal = Refusal::prerequisite("a statement that needs approval cannot wait inside of a transaction");
            return Some(refusal.hint("Send it by itself, with autocommit: it runs in a transaction of its own."));
        }
        if self.recorder.owed() >= OWED_MAX {
            let refusal = Refusal::io("earlier requests for approval could not be stored yet; try again later");
            return Some(refusal.hint("The evidence store is away or slow."));
        }
        None
    }

    /// Makes the request and holds; the events say so.
    pub(super) fn hold(
        &mut self,
        statement: u64,
        held: (&str, &[crate::policy::Resolved]),
        subject: crate::approval::Subject<'_>,
        resume: Resume,
        events: &mut Vec<EventBody>,
    ) -> Result<(), Refusal> {
        let Some(approvals) = &self.approvals else {
            return Err(Refusal::forbidden("this relay has nobody to ask for approval"));
        };
        let (text, objects) = held;
        let Made { asked, details } = approvals.ask(&Question {
            session: self.recorder.session(),
            statement,
            requester: &self.principal,
            connection: &self.guarded.connection,
            policy_sha256: self.access.policy_sha256(),
            text,
            objects,
            reason: self.reason.as_deref(),
            settings: &self.reading,
            subject,
        })?;
        events.push(EventBody::ApprovalRequested(asked.requested_event()));
        let (asked, grounds) = (Arc::new(asked), self.access.grounds());
        self.holding = Some(Holding {
            asked,
            resume,
            grounds,
            details,
            watch: None,
            notice_at: None,
            end: None,
            _waiting: self.figures.present(|of| &of.waiting),
        });
        Ok(())
    }

    /// Publishes the request, once it is on record that it was made.
    pub(super) async fn publish_held(&mut self) -> Result<(), Ending> {
        let (Some(approvals), Some(holding)) = (&self.approvals, &mut self.holding) else { return Ok(()) };
        if holding.watch.is_some() {
            return Ok(());
        }
        match approvals.announce(&self.recorder, &holding.asked) {
            Ok(leaf) => {
                let details = std::mem::take(&mut holding.details);
                let (approvals, guarded) = (Arc::clone(approvals), Arc::clone(&self.guarded));
                holding.watch = Some(Watch::start(approvals, guarded, Arc::clone(&holding.asked), details, leaf));
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "a request for approval cannot be signed");
                self.conclude(Judgement::Unpublished).await
            }
        }
    }

    /// What happened to the request that is held.
    pub(super) async fn progress(&mut self, progress: Progress) -> Result<(), Ending> {
        match progress {
            Progress::Published => self.tell_held().await,
            Progress::Judged(judgement) => {
                self.conclude(judgement).await?;
                self.forward_requests().await
            }
        }
    }

    /// The notice, at first and every minute: it also keeps what stands between from closing an idle connection.
    pub(super) async fn tell_held(&mut self) -> Result<(), Ending> {
        let (Some(approvals), Some(holding)) = (&self.approvals, &mut self.holding) else { return Ok(()) };
        holding.notice_at = Some(Instant::now() + NOTICE_EVERY);
        let notice = backend::notice_response(&notice(&holding.asked, approvals.page(&holding.asked)));
        self.recorder.record_replies(&notice, Vec::new()).await?;
        self.pump.client.queue(&notice);
        Ok(())
    }

    /// The client asked to cancel.
    pub(super) async fn cancel_held(&mut self) -> Result<(), Ending> {
        let refusal = Refusal::canceled("the request for approval was cancelled by whoever made it");
        self.end_held(End::undecided(ApprovalVerdict::Cancelled));
        self.decline(refusal).await?;
        self.forward_requests().await
    }

    /// The session ends: so does what it asked for. Gives the events that say so.
    pub(super) fn abandon_held(&mut self) -> Vec<EventBody> {
        if self.holding.as_ref().is_some_and(|holding| holding.watch.is_none()) {
            // Its request did not come on record: it was never asked.
            self.holding = None;
        }
        if let Some(decided) = self.unsaid.take() {
            return vec![decided];
        }
        self.end_held(End::undecided(ApprovalVerdict::Cancelled));
        let Some((holding, decided)) = self.take_held() else { return Vec::new() };
        self.unsaid = None;
        let one = Execution::new(0, holding.asked.request().statement, Exposure::Withheld);
        vec![decided, EventBody::Outcome(one.ended(OutcomeKind::Refused, Some(SqlState::QUERY_CANCELED)))]
    }

    async fn conclude(&mut self, judgement: Judgement) -> Result<(), Ending> {
        let (end, refusal) = match judgement {
            Judgement::Approved(approved) => return self.approved(approved).await,
            Judgement::Denied(decided) => {
                let words = format!("denied by {}: {}", decided.approver.name, decided.rationale);
                (End::decided(ApprovalVerdict::Denied, &decided), Refusal::forbidden(visible(&words)))
            }
            Judgement::Expired => {
                let refusal = Refusal::canceled("nobody decided on the request for approval in time");
                (End::undecided(ApprovalVerdict::Expired), refusal)
            }
            Judgement::Invalid { problem, decision_sha256 } => {
                tracing::error!(%problem, "SOMEBODY stored a decision on a request for approval that is none");
                let refusal = Refusal::forbidden(format!("the stored decision is not honoured: {problem}"));
                (End::invalid(&problem, decision_sha256), refusal.hint("Send the statement again to ask again."))
            }
            Judgement::Unpublished => {
                let refusal = Refusal::io("the request for approval could not be stored; try again later");
                (End::undecided(ApprovalVerdict::Cancelled), refusal)
            }
        };
        self.end_held(end);
        self.decline(refusal).await
    }

    /// On record in the store, then looked at again, then on record here, then sent.
    async fn approved(&mut self, approved: Approved) -> Result<(), Ending> {
        let stored = match self.end_held(End::decided(ApprovalVerdict::Approved, approved.decided())) {
            Some(storing) => storing.within(STORE_TIME).await.is_ok(),
            None => false,
        };
        if !stored {
            return self.decline(Refusal::io("the approval could not be stored as evidence; nothing ran")).await;
        }
        match self.decide_held_anew().await?.and_then(|ruling| approved.confirm(&ruling)) {
            Some(confirmed) => self.run_held(confirmed).await,
            None => self.decline(changed()).await,
        }
    }

    /// The decision again, over the catalog as it is now; none where what it touches is defined otherwise by now.
    async fn decide_held_anew(&mut self) -> Result<Option<Ruling>, Ending> {
        self.refresh(Duration::ZERO).await?;
        let Some(holding) = &self.holding else { return Ok(None) };
        if !self.access.is_alike(&holding.grounds, holding.asked.objects()) {
            return Ok(None);
        }
        Ok(match &holding.resume {
            Resume::Query { text, .. } => Some(self.decide_now(Path::Simple, text, &[])),
            Resume::Bind { prepared, .. } => match &prepared.standing {
                Standing::Held(source) => {
                    Some(self.decide_now(Path::Extended, &source.text, &prepared.parameter_types))
                }
                _ => None,
            },
        })
    }

    async fn run_held(&mut self, confirmed: Confirmed) -> Result<(), Ending> {
        let Some((holding, decided)) = self.take_held() else { return Ok(()) };
        let mut events = vec![decided];
        let statement = holding.asked.request().statement;
        let permit = match holding.resume {
            Resume::Query { exposure, effects, rows_kept, .. } => {
                let execution = self.number_execution(statement, 0, rows_kept, &mut events);
                let statements = vec![Execution::new(execution, statement, exposure).keeping(self.kept(rows_kept))];
                let operation = Operation::Query { statements, answered: 0, refusal: None, failed: None, effects };
                self.expect(OpKind::Query, operation, &mut events)?;
                confirmed.permit(events).0
            }
            Resume::Bind { portal, prepared } => {
                let exposure = prepared.exposure;
                let operation = Operation::Bind { portal: portal.clone(), statement, exposure };
                let ticket = self.expect(OpKind::Bind, operation, &mut events)?;
                let (permit, turn) = confirmed.permit(events);
                self.turn = Some(turn.clone());
                if let Some(ticket) = ticket {
                    let bound = Prepared { standing: Standing::Approved(turn), ..prepared };
                    self.portals.change(&portal, ticket, self.numbers.segment, Some(bound));
                }
                self.segment.begin_transaction();
                permit
            }
        };
        self.send_after_hold(permit).await
    }

    /// Something that fails goes to the target in the held message's place, so that the target skips what follows and
    /// answers in order (rule 6).
    async fn decline(&mut self, refusal: Refusal) -> Result<(), Ending> {
        let Some((holding, decided)) = self.take_held() else { return Ok(()) };
        let mut events = vec![decided];
        let statement = holding.asked.request().statement;
        let permit = match holding.resume {
            Resume::Query { exposure, effects, .. } => {
                let statements = vec![Execution::new(0, statement, exposure)];
                let refusal = Some(refusal);
                let operation = Operation::Query { statements, answered: 0, refusal, failed: None, effects };
                self.expect(OpKind::Query, operation, &mut events)?;
                Permit::failing_query(Bytes::new(), events)?
            }
            Resume::Bind { .. } => {
                self.expect(OpKind::Parse, Operation::Declined { statement, refusal }, &mut events)?;
                Permit::failing_parse(Bytes::new(), events)?
            }
        };
        self.send_after_hold(permit).await
    }

    async fn send_after_hold(&mut self, permit: Permit) -> Result<(), Ending> {
        self.last_request = Instant::now();
        let recorded = self.recorder.record(vec![permit]).await?;
        self.unsaid = None;
        self.pump.upstream.send(recorded);
        Ok(())
    }

    /// Says how the request ended; the leaf is on its way into the store then, once.
    fn end_held(&mut self, end: End) -> Option<Storing> {
        let (approvals, holding) = (self.approvals.as_ref()?, self.holding.as_mut()?);
        if holding.end.is_some() {
            return None;
        }
        let storing = approvals.announce_end(&self.recorder, &holding.asked, &end);
        holding.end = Some(end);
        storing.inspect_err(|error| tracing::error!(%error, "the end of a request cannot be signed")).ok()
    }

    /// What was held, and the event that says how that ended.
    fn take_held(&mut self) -> Option<(Holding, EventBody)> {
        let mut holding = self.holding.take()?;
        let end = holding.end.take().unwrap_or_else(|| End::undecided(ApprovalVerdict::Cancelled));
        let now_us = self.approvals.as_ref().map_or(0, |approvals| approvals.now_us());
        let decided = EventBody::ApprovalDecided(holding.asked.decided_event(&end, now_us));
        self.unsaid = Some(decided.clone());
        Some((holding, decided))
    }
}

impl Holding {
    /// When the client is due its next notice.
    pub(super) fn notice_at(&self) -> Option<Instant> {
        self.notice_at
    }
}

/// The next thing that happens to what is held; never, while nothing is.
pub(super) async fn next_progress(holding: &mut Option<Holding>) -> Progress {
    match holding.as_mut().and_then(|holding| holding.watch.as_mut()) {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

/// A moment that may never come.
pub(super) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn notice(asked: &Asked, page: Option<String>) -> ErrorFields {
    let held = asked.objects().iter().filter(|object| object.held);
    let what: Vec<String> = held.map(|object| format!("{} on {}", object.verb, object.object)).collect();
    let until = schemas::instant::rfc3339(asked.expires_us());
    let request = asked.request();
    let how = match page {
        Some(page) => format!("An approver can run: relay approve {request}, or look at {page}"),
        None => format!("An approver can run: relay approve {request}"),
    };
    let message = format!("held for approval: {} needs somebody else's consent before it runs", what.join(", "));
    ErrorFields::notice(message).with_detail(format!("Request {request} waits until {until}.")).with_hint(how)
}

fn changed() -> Refusal {
    Refusal::prerequisite("approved, but the statement would not do the same any more: catalog or policy changed")
        .hint("Send it again to ask again.")
}

/// Somebody else's words, for one line of a message.
fn visible(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_MAX).collect()
}

/// Below the 350 s idle time-out of a network load balancer (rule 23).
const NOTICE_EVERY: Duration = Duration::from_secs(60);
/// What was approved is on record in the store before it runs; a client that waited for a person waits for that.
const STORE_TIME: Duration = Duration::from_secs(10);
/// Leaves of one session that may wait for the store; each is kept in memory and tried again and again.
const OWED_MAX: usize = 16;
/// Characters.
const WORDS_MAX: usize = 500;
