//! Deciding: the checks that spare people a useless decision, and the signed object that the relay reads.

use identity::Login;
use schemas::approval::{ApprovalDecision, ApprovalRequest, Approver, DecisionVerdict};
use schemas::canonical;
use schemas::dsse::{Envelope, Statement, pae};
use schemas::identifiers::RequestId;
use seams::{KeyName, Retention, StoreError};

use super::approvals::{self, Shown, State};
use super::problem::Problem;
use super::visitor::Visitor;
use super::{Env, rationale};

/// What somebody wants to decide.
pub(super) struct Intent<'a> {
    pub(super) request: &'a RequestId,
    pub(super) verdict: DecisionVerdict,
    pub(super) rationale: &'a str,
}

/// Whether the visitor could decide now, before they are asked to log in for it.
pub(super) async fn may(env: &Env, visitor: &Visitor, request: &RequestId) -> Result<Shown, Problem> {
    let shown = approvals::show(env, visitor, request).await?;
    check_approver(visitor, &shown.request)?;
    check_open(&shown)?;
    Ok(shown)
}

/// Signs and stores a decision. `id_token` is of a login made for this decision: its nonce is the commitment.
/// Who that is must be `visitor`, who was shown the request.
pub(super) async fn decide(
    env: &Env,
    visitor: &Visitor,
    intent: &Intent<'_>,
    id_token: &str,
) -> Result<ApprovalDecision, Problem> {
    let rationale = rationale::check(intent.rationale)?;
    let shown = may(env, visitor, intent.request).await?;
    let nonce = shown.request.commitment.to_string();
    let login = Login { nonce: &nonce, since_unix: shown.request.requested_us / 1_000_000 };
    let principal = env.provider.verify_login(id_token, env.now(), &login).await?;
    let approver = Visitor::of(&principal, &env.settings.access);
    if !approver.is(&visitor.issuer, &visitor.subject) {
        return Err(Problem::forbidden("You logged in as somebody else than who was shown the request."));
    }
    check_approver(&approver, &shown.request)?;
    let decision = ApprovalDecision {
        request: intent.request.clone(),
        commitment: shown.request.commitment,
        verdict: intent.verdict,
        approver: Approver { issuer: approver.issuer, subject: approver.subject, name: approver.name },
        rationale,
        decided_us: env.now_us(),
        id_token: id_token.to_owned(),
    };
    store(env, &shown, &decision).await?;
    Ok(decision)
}

async fn store(env: &Env, shown: &Shown, decision: &ApprovalDecision) -> Result<(), Problem> {
    let payload = canonical::to_vec(decision)?;
    let signature = env.keys.sign(KeyName::Approvals, &pae(ApprovalDecision::TYPE, &payload)).await?;
    let key = env.keys.public_key(KeyName::Approvals).await?;
    let envelope = Envelope::assemble(ApprovalDecision::TYPE, payload, &key, signature).to_vec()?;
    let place = approvals::scope(&shown.row).approval_decision(&decision.request);
    match env.store.put(&place, &envelope, Retention::none()).await {
        Ok(_) => {
            tracing::info!(request = %decision.request, verdict = ?decision.verdict, approver = decision.approver.subject, "decided");
            Ok(())
        }
        Err(StoreError::Conflict { .. }) => Err(Problem::over("Somebody else has just decided on this request.")),
        Err(error) => Err(error.into()),
    }
}

fn check_approver(visitor: &Visitor, request: &ApprovalRequest) -> Result<(), Problem> {
    if !visitor.is_person {
        return Err(Problem::forbidden("Only a person decides; this is a service or an agent."));
    }
    if visitor.is_behind(&request.actor) {
        return Err(Problem::self_approval());
    }
    if !visitor.may_decide() {
        return Err(Problem::forbidden("You are in none of the groups that decide on requests."));
    }
    Ok(())
}

fn check_open(shown: &Shown) -> Result<(), Problem> {
    match shown.state {
        State::Pending => Ok(()),
        State::Overdue => Err(Problem::over("This request has expired.")),
        State::Decided(_) => Err(Problem::over("This request was decided already.")),
        State::Ended(_) => Err(Problem::over(format!("This request is over: {}.", shown.state.as_str()))),
    }
}
