//! Requests for approval, as people are shown them.

use schemas::approval::{ApprovalDecision, ApprovalRequest, ApprovalVerdict, DecisionVerdict};
use schemas::dsse::Envelope;
use schemas::identifiers::RequestId;
use schemas::layout::Scope;
use seams::{ApprovalRow, ApprovalState, KeyName};

use super::Env;
use super::problem::Problem;
use super::visitor::Visitor;
use crate::signers::{self, SignerError};

/// A request with its details, which the relay signed.
pub(super) struct Shown {
    pub(super) row: ApprovalRow,
    pub(super) request: ApprovalRequest,
    /// What somebody decided, if anybody has.
    pub(super) decision: Option<ApprovalDecision>,
    pub(super) state: State,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for somebody.
    Pending,
    /// Somebody decided; the relay has not said yet what became of it.
    Decided(DecisionVerdict),
    /// Nobody decided in time, as our clock has it; the relay has not said so yet.
    Overdue,
    /// The relay says how it ended.
    Ended(ApprovalVerdict),
}

/// A page of requests that the visitor may see.
pub(super) struct Page {
    pub(super) rows: Vec<ApprovalRow>,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<RequestId>,
}

impl State {
    pub(super) fn of(row: &ApprovalRow, now_us: u64) -> Self {
        match (row.outcome, row.verdict) {
            (Some(outcome), _) => Self::Ended(outcome),
            (None, Some(verdict)) => Self::Decided(verdict),
            (None, None) if row.expires_us.is_some_and(|end| now_us >= end) => Self::Overdue,
            (None, None) => Self::Pending,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Decided(_) => "decided",
            Self::Overdue | Self::Ended(ApprovalVerdict::Expired) => "expired",
            Self::Ended(ApprovalVerdict::Approved) => "approved",
            Self::Ended(ApprovalVerdict::Denied) => "denied",
            Self::Ended(ApprovalVerdict::Cancelled) => "cancelled",
            Self::Ended(ApprovalVerdict::Invalid) => "invalid",
        }
    }
}

/// At most `limit` requests; pending ones, or all. Whoever may see none but their own gets those.
pub(super) async fn list(
    env: &Env,
    visitor: &Visitor,
    state: ApprovalState,
    after: Option<&RequestId>,
    limit: usize,
) -> Result<Page, Problem> {
    let found = env.index.approvals(state, after, limit).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|row| row.request.clone());
    let now = env.now_us();
    let is_due = |row: &ApprovalRow| state == ApprovalState::Any || State::of(row, now) == State::Pending;
    let rows = found.into_iter().filter(|row| may_see(visitor, row) && is_due(row)).collect();
    Ok(Page { rows, next })
}

/// One request with its details.
pub(super) async fn show(env: &Env, visitor: &Visitor, id: &RequestId) -> Result<Shown, Problem> {
    let row = env.index.approval(id).await?.ok_or_else(Problem::no_such_request)?;
    // Whoever may see none but their own learns nothing of others, not even that they are damaged.
    let hide = |problem| if visitor.may_see_requests() { problem } else { Problem::no_such_request() };
    let request = details(env, &row).await.map_err(hide)?;
    if !visitor.may_see_requests() && !visitor.is_behind(&request.actor) {
        return Err(Problem::no_such_request());
    }
    let decision = decision(env, &row).await?;
    // The store knows first; the index may lag.
    let decided = ApprovalRow { verdict: decision.as_ref().map(|decision| decision.verdict).or(row.verdict), ..row };
    let state = State::of(&decided, env.now_us());
    Ok(Shown { row: decided, request, decision, state })
}

/// What the relay signed and stored of the request, whatever the index says.
async fn details(env: &Env, row: &ApprovalRow) -> Result<ApprovalRequest, Problem> {
    let (scope, id) = (scope(row), &row.request);
    let stored = env.store.get(&scope.approval_request(id)).await?;
    let gone = || Problem::not_found("The details of this request are not stored, or were deleted.");
    let stored = stored.ok_or_else(gone)?;
    let relay = signers::key_of(&*env.store, &env.root, &scope, &id.session.incarnation).await;
    let relay = relay.map_err(|error| match error {
        SignerError::Store(error) => error.into(),
        error => Problem::damaged(id, &error),
    })?;
    let opened = Envelope::from_slice(&stored).and_then(|envelope| envelope.open::<ApprovalRequest>(&relay));
    let request = opened.map_err(|error| Problem::damaged(id, &error))?;
    let says = Scope {
        tenant: request.tenant.clone(),
        environment: request.environment.clone(),
        relay: request.relay.clone(),
    };
    if says != scope || request.request != *id {
        return Err(Problem::damaged(id, &"it names another request"));
    }
    Ok(request)
}

/// What somebody decided, if it is the console's own word.
async fn decision(env: &Env, row: &ApprovalRow) -> Result<Option<ApprovalDecision>, Problem> {
    let Some(stored) = env.store.get(&scope(row).approval_decision(&row.request)).await? else { return Ok(None) };
    let ours = env.keys.public_key(KeyName::Approvals).await?;
    let opened = Envelope::from_slice(&stored).and_then(|envelope| envelope.open::<ApprovalDecision>(&ours));
    let decision = opened.map_err(|error| Problem::damaged(&row.request, &error))?;
    if decision.request != row.request {
        return Err(Problem::damaged(&row.request, &"the decision names another request"));
    }
    Ok(Some(decision))
}

pub(super) fn scope(row: &ApprovalRow) -> Scope {
    Scope { tenant: row.tenant.clone(), environment: row.environment.clone(), relay: row.relay.clone() }
}

fn may_see(visitor: &Visitor, row: &ApprovalRow) -> bool {
    let own = row.issuer.as_deref().zip(row.subject.as_deref());
    visitor.may_see_requests() || own.is_some_and(|(issuer, subject)| visitor.is(issuer, subject))
}
