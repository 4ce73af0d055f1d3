//! The page of one request.

use std::borrow::Cow;

use askama::Template;
use schemas::approval::{ApprovalRequest, ApprovalVerdict, DecisionVerdict};
use schemas::event::{Actor, ActorKind};
use schemas::visible;

use super::seconds;
use crate::console::approvals::{Shown, State};
use crate::console::visitor::Visitor;

/// Exactly what would run, for whom and why, and what was decided.
#[derive(Template)]
#[template(path = "console/approval.html")]
pub(super) struct ApprovalPage<'a> {
    visitor: &'a Visitor,
    request: &'a ApprovalRequest,
    actors: Vec<ShownActor<'a>>,
    text: Cow<'a, str>,
    /// Somewhere in the text or parameters is a character that would not be seen, or that would move others.
    has_hidden: bool,
    parameters: Vec<ShownParameter<'a>>,
    settings: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    reason: Option<Cow<'a, str>>,
    asked: String,
    until: String,
    standing: &'static str,
    decision: Option<ShownDecision<'a>>,
    may_decide: bool,
    /// Why the visitor cannot decide, where somebody could.
    not_you: Option<&'static str>,
}

struct ShownActor<'a> {
    kind: &'static str,
    name: Cow<'a, str>,
    subject: Cow<'a, str>,
    issuer: Cow<'a, str>,
}

struct ShownParameter<'a> {
    number: usize,
    type_oid: u32,
    value: Option<Cow<'a, str>>,
}

struct ShownDecision<'a> {
    verdict: &'static str,
    name: Cow<'a, str>,
    subject: Cow<'a, str>,
    rationale: Cow<'a, str>,
    at: String,
}

pub(super) fn page<'a>(visitor: &'a Visitor, shown: &'a Shown) -> ApprovalPage<'a> {
    let request = &shown.request;
    let not_you = not_you(visitor, request);
    let parameters: Vec<ShownParameter<'_>> = (1..)
        .zip(&request.parameters)
        .map(|(number, parameter)| ShownParameter {
            number,
            type_oid: parameter.type_oid,
            value: parameter.value.as_deref().map(visible::text),
        })
        .collect();
    let text = visible::text(&request.text);
    let values = parameters.iter().filter_map(|parameter| parameter.value.as_ref());
    let has_hidden = std::iter::once(&text).chain(values).any(|shown| matches!(shown, Cow::Owned(_)));
    ApprovalPage {
        visitor,
        request,
        actors: std::iter::successors(Some(&request.actor), |actor| actor.acts_for.as_deref()).map(actor).collect(),
        text,
        has_hidden,
        parameters,
        settings: request.settings.iter().map(|(name, value)| (visible::line(name), visible::line(value))).collect(),
        reason: request.reason.as_deref().map(visible::text),
        asked: seconds(request.requested_us),
        until: seconds(request.expires_us),
        standing: standing(shown.state),
        decision: shown.decision.as_ref().map(|decision| ShownDecision {
            verdict: verdict(decision.verdict),
            name: visible::line(&decision.approver.name),
            subject: visible::line(&decision.approver.subject),
            rationale: visible::text(&decision.rationale),
            at: seconds(decision.decided_us),
        }),
        may_decide: shown.state == State::Pending && not_you.is_none(),
        not_you: not_you.filter(|_| shown.state == State::Pending),
    }
}

fn not_you(visitor: &Visitor, request: &ApprovalRequest) -> Option<&'static str> {
    if visitor.is_behind(&request.actor) {
        Some("You asked for this yourself, or it was asked on your behalf. Somebody else must decide.")
    } else if !visitor.may_decide() {
        Some("You may look at this request; deciding on it is for other groups.")
    } else {
        None
    }
}

fn actor(actor: &Actor) -> ShownActor<'_> {
    ShownActor {
        kind: match actor.kind {
            ActorKind::User => "person",
            ActorKind::Service => "service",
            ActorKind::Agent => "agent",
        },
        name: visible::line(&actor.name),
        subject: visible::line(&actor.subject),
        issuer: visible::line(&actor.issuer),
    }
}

fn standing(state: State) -> &'static str {
    match state {
        State::Pending => "Waiting for a decision",
        State::Decided(DecisionVerdict::Approved) => "Approved; the relay is verifying the decision",
        State::Decided(DecisionVerdict::Denied) => "Denied; the relay is verifying the decision",
        State::Overdue | State::Ended(ApprovalVerdict::Expired) => "Expired: nobody decided in time",
        State::Ended(ApprovalVerdict::Approved) => "Approved: the relay verified the decision and let it run",
        State::Ended(ApprovalVerdict::Denied) => "Denied: it did not run",
        State::Ended(ApprovalVerdict::Cancelled) => "Cancelled: the requester gave up or went away",
        State::Ended(ApprovalVerdict::Invalid) => "Invalid: the relay did not accept the decision, and nothing ran",
    }
}

fn verdict(verdict: DecisionVerdict) -> &'static str {
    match verdict {
        DecisionVerdict::Approved => "Approved",
        DecisionVerdict::Denied => "Denied",
    }
}
