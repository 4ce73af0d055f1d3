//! One client's session: decide, record, send; receive, record, release.
//!
//! A single task owns both streams. Nothing is read from one peer while bytes for the other still wait to be
//! written, so memory is bounded by one read in each direction, and a peer that does not read is waited for.

mod chosen;
mod copying;
mod cursors;
mod deciding;
mod detecting;
mod diagnostics;
mod held_requests;
mod holding;
mod in_flight;
mod interrupts;
mod kept;
mod leaving;
mod names;
mod open;
mod operation;
mod own_names;
mod pressure;
mod pump;
mod release;
mod replies;
mod requests;
mod segment;
mod settings;
mod uncommitted;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemas::event::{CloseReason, EventBody, OutcomeKind};
use tokio::time::Instant;
use wire::postgres::conversation::Conversation;
use wire::postgres::{Backend, Deframer, ErrorFields, Frontend, SqlState, TransactionStatus, backend};

use crate::access::{Access, Guarded};
use crate::approval::{Approvals, Turn};
use crate::cancel::Cancellation;
use crate::figures::Figures;
use crate::policy::Decisions;
use crate::recorder::{RecordError, Recorder};
use crate::stop::Stop;

use chosen::Chosen;
use holding::Holding;
use in_flight::InFlight;
use interrupts::{Interrupt, Interrupts};
use names::Names;
use operation::Prepared;
use own_names::OwnNames;
use pump::{Activity, Pump};
use segment::Segment;
use uncommitted::Uncommitted;

pub(crate) use open::serve;

/// An open session.
struct Session {
    pump: Pump,
    recorder: Recorder,
    figures: Arc<Figures>,
    guarded: Arc<Guarded>,
    access: Arc<Access>,
    principal: identity::Principal,
    chosen: Chosen,
    decisions: Decisions,
    conversation: Conversation,
    operations: InFlight,
    prepared: Names<Prepared>,
    portals: Names<Prepared>,
    transaction: TransactionStatus,
    /// A write in this transaction has fired triggers; deferred ones have yet to speak.
    deferred_triggers: bool,
    numbers: Numbers,
    limits: Limits,
    last_request: Instant,
    /// Set when a request must wait until the target has answered what went before ([`names`], [`segment`]).
    delayed: Option<Delayed>,
    from_client: Deframer<Frontend>,
    from_target: Deframer<Backend>,
    catalog_changed: bool,
    own: OwnNames,
    /// Something failed or was rolled back since the last transaction, and no COMMIT came after it.
    undone: bool,
    uncommitted: Uncommitted,
    /// Bytes of COPY data sent before it is known which COPY takes them.
    copied_ahead: u64,
    finishing: bool,
    /// Nothing more comes from the client; why the session ends once it has its answers.
    leaving: Option<CloseReason>,
    /// Steps since the session last looked at anything but its peers.
    in_a_row: u32,
    /// Absent when nobody can be asked.
    approvals: Option<Arc<Approvals>>,
    /// A statement that waits for approval.
    holding: Option<Holding>,
    /// The run of a portal that was bound by approval, until something else comes.
    turn: Option<Turn>,
    /// How a request for approval ended, until that is on record.
    unsaid: Option<EventBody>,
    segment: Segment,
    /// Settings by which literals and parameters are read, as the target last reported them.
    reading: BTreeMap<String, String>,
    reason: Option<String>,
    /// `reason` as the session was started with.
    first_reason: Option<String>,
}

/// A frontend message that is looked at again.
struct Delayed {
    message: wire::postgres::RawMessage<Frontend>,
    /// It is on record already.
    on_record: bool,
}

/// Counters of one session.
#[derive(Debug, Default)]
struct Numbers {
    ticket: u64,
    segment: u64,
    statement: u64,
    execution: u64,
}

/// When a session must end by itself.
#[derive(Debug, Clone, Copy)]
struct Limits {
    expires: Instant,
    idle: Duration,
}

/// Why a session ends, and what the client is told before it does.
#[derive(Debug)]
struct Ending {
    reason: CloseReason,
    told: Option<Box<ErrorFields>>,
}

impl Session {
    /// Serves until the session ends; returns after everything is recorded and said.
    async fn run(mut self, stop: Stop, cancellation: Cancellation) {
        let mut interrupts = Interrupts::new(&stop, &cancellation, self.limits.expires);
        // What came with the password is here already, and perhaps nothing more will come.
        let mut went = self.forward_requests().await;
        let ending = loop {
            match went {
                Ok(()) => went = self.step(&mut interrupts).await,
                Err(ending) => break ending,
            }
        };
        drop(interrupts);
        let ending = self.as_left(ending);
        self.end(ending).await;
    }

    async fn step(&mut self, interrupts: &mut Interrupts<'_>) -> Result<(), Ending> {
        // What the client sends meanwhile waits in its socket, not here.
        let room = self.holding.is_none() || self.from_client.buffered() < HELD_BYTES_MAX;
        let may_read_client =
            room && self.leaving.is_none() && self.delayed.is_none() && self.operations.len() < IN_FLIGHT_MAX;
        // A peer that has something goes first, but not for ever: that must not keep a session from expiring.
        if self.in_a_row < STEPS_IN_A_ROW {
            let ready = self.pump.ready(may_read_client, &mut self.from_client, &mut self.from_target);
            match ready.await? {
                // Then neither peer had anything, and there is only to wait.
                Some(Activity::Written) => self.leave_if_answered()?,
                Some(activity) => {
                    self.in_a_row += 1;
                    return self.act(activity, interrupts).await;
                }
                None => {}
            }
        }
        self.in_a_row = 0;
        let deadline = self.deadline();
        let notice_at = self.holding.as_ref().and_then(Holding::notice_at);
        tokio::select! {
            activity = self.pump.next(may_read_client, &mut self.from_client, &mut self.from_target) => {
                self.act(activity?, interrupts).await
            }
            progress = holding::next_progress(&mut self.holding) => self.progress(progress).await,
            () = holding::at(notice_at) => self.tell_held().await,
            interrupt = interrupts.next(deadline) => match interrupt {
                Interrupt::Cancelled => self.cancel().await,
                Interrupt::Alarm => Err(self.out_of_time()),
                Interrupt::Stopping => {
                    self.finishing = true;
                    // What the client has sent already goes first: it may be that it leaves. The stop can be heard before
                    // the sockets were looked at.
                    let next = self.pump.next(may_read_client, &mut self.from_client, &mut self.from_target);
                    if let Ok(activity) = tokio::time::timeout(A_MOMENT, next).await {
                        self.act(activity?, interrupts).await?;
                    }
                    self.stop_if_finished()
                }
                Interrupt::Due => Err(Ending::stopping()),
            },
        }
    }

    async fn act(&mut self, activity: Activity, interrupts: &mut Interrupts<'_>) -> Result<(), Ending> {
        if activity.is_to_be_recorded() {
            self.hold_if_nearly_full(interrupts).await?;
        }
        match activity {
            Activity::Written => {}
            Activity::FromTarget => self.release_replies().await?,
            Activity::FromClient => self.forward_requests().await?,
            Activity::ClientEnded => self.leaving = Some(CloseReason::ClientDisconnected),
        }
        self.leave_if_answered()
    }

    /// When the session ends by itself, if nothing happens before.
    fn deadline(&self) -> Instant {
        // A COPY from the client waits for the client.
        let quiet = self.conversation.is_idle() || self.conversation.copying_in().is_some();
        let quiet = quiet && self.holding.is_none();
        let idle_at = self.last_request + self.limits.idle;
        if quiet { self.limits.expires.min(idle_at) } else { self.limits.expires }
    }

    fn out_of_time(&self) -> Ending {
        if Instant::now() >= self.limits.expires {
            return Ending::told(
                CloseReason::Expired,
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "the session has expired, by its token or by the relay's certificate: log in again",
            );
        }
        Ending::told(
            CloseReason::Idle,
            SqlState::IDLE_SESSION_TIMEOUT,
            "the session was idle for longer than this connection allows",
        )
    }

    /// A stopping relay lets a transaction finish, and ends a session that has none.
    fn stop_if_finished(&self) -> Result<(), Ending> {
        let busy = !self.conversation.is_idle() || self.transaction != TransactionStatus::Idle;
        if self.finishing && !busy { Err(Ending::stopping()) } else { Ok(()) }
    }

    async fn cancel(&mut self) -> Result<(), Ending> {
        if self.holding.is_some() {
            return self.cancel_held().await;
        }
        let Ok(packet) = self.pump.upstream.cancel_request() else { return Ok(()) };
        let recorded = self.recorder.record(vec![crate::policy::Permit::cancel(packet)]).await?;
        self.pump.upstream.send_cancel(recorded);
        Ok(())
    }

    async fn end(mut self, ending: Ending) {
        tracing::info!(session = %self.recorder.session(), reason = ?ending.reason, "session ends");
        let mut unknown = self.without_outcome();
        unknown.extend(self.abandon_held());
        unknown.extend(self.undone_by_ending(ending.reason));
        // In the middle of a message nothing can be said. What detectors keep back has no beginning at the client.
        let inside = self.from_target.is_inside() && ending.reason != CloseReason::IdentifierDetected;
        let told = ending.told.filter(|_| !inside);
        let told = told.map(|fields| backend::error_response(&fields)).unwrap_or_default();
        if let Err(error) = self.recorder.end(ending.reason, unknown, &told).await {
            tracing::error!(%error, "the end of a session could not be recorded");
        }
        self.pump.client.queue(&told);
        self.pump.close().await;
    }

    /// A transaction that is open when its connection ends is undone. Not said while something is in flight, which could
    /// be its commit, nor where the outcomes may not be on record.
    fn undone_by_ending(&mut self, reason: CloseReason) -> Option<EventBody> {
        let known = self.conversation.is_idle() && reason != CloseReason::EvidenceFailure;
        self.uncommitted.undone().filter(|_| known).map(EventBody::RolledBack)
    }

    /// Executions that were sent and have not been answered: they may or may not have run.
    fn without_outcome(&mut self) -> Vec<EventBody> {
        let open = self.operations.iter_mut();
        let outcomes = open.flat_map(|operation| operation.unfinished(OutcomeKind::Unknown, None));
        outcomes.map(EventBody::Outcome).collect()
    }
}

impl Ending {
    fn told(reason: CloseReason, sqlstate: SqlState, message: &str) -> Self {
        Self { reason, told: Some(Box::new(ErrorFields::fatal(sqlstate, message))) }
    }

    fn silent(reason: CloseReason) -> Self {
        Self { reason, told: None }
    }

    fn stopping() -> Self {
        Self::told(CloseReason::RelayStopping, SqlState::ADMIN_SHUTDOWN, "the relay is stopping")
    }
}

impl From<RecordError> for Ending {
    fn from(error: RecordError) -> Self {
        tracing::error!(%error, "evidence cannot be written: the session ends");
        let message = match error {
            RecordError::SpoolFull { .. } => {
                "evidence cannot be written, the spool is full: nothing is served unrecorded"
            }
            RecordError::CertificateExpired => {
                "evidence cannot be signed any more, the relay's certificate has expired"
            }
            _ => "evidence cannot be written: nothing is served unrecorded",
        };
        Self::told(CloseReason::EvidenceFailure, SqlState::IO_ERROR, message)
    }
}

/// Rows and COPY data up to this length are taken whole; longer ones go on piece by piece as they come, with what one read
/// brings.
const WHOLE_MAX: u32 = 256 * 1024;
/// Bytes that a client may send ahead while its statement is held; more waits in its socket.
const HELD_BYTES_MAX: usize = 64 * 1024;
/// Prepared statements and portals that one session may hold, pending ones included.
const NAMES_MAX: usize = 10_000;
/// Messages that may wait for the target's answer; a client that pipelines more is read later.
const IN_FLIGHT_MAX: usize = 10_000;
/// Of a stop, which takes seconds.
const A_MOMENT: Duration = Duration::from_millis(20);
/// Some milliseconds of a busy session.
const STEPS_IN_A_ROW: u32 = 64;
