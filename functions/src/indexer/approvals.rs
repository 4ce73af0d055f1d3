//! Indexing what is stored about a request for approval: its leaves, its details, the decision on it.

use schemas::approval::{ApprovalDecidedLeaf, ApprovalDecision, ApprovalRequest, ApprovalRequestedLeaf};
use schemas::identifiers::RequestId;
use schemas::layout::Scope;
use seams::ApprovalRow;

use super::{Indexed, IndexerError, Reader, of_index, rejected, scope};

/// The leaf: a statement is held.
pub(super) async fn requested(reader: &Reader<'_>, request: &RequestId) -> Result<Indexed, IndexerError> {
    let leaf: ApprovalRequestedLeaf = reader.signed_by(&request.session.incarnation).await?;
    reader.same(&scope(&leaf.tenant, &leaf.environment, &leaf.relay), leaf.request == *request)?;
    let known =
        ApprovalRow { commitment: Some(leaf.commitment), expires_us: Some(leaf.expires_us), ..row(reader, request) };
    record(reader, known).await
}

/// The details that an approver is shown.
pub(super) async fn details(reader: &Reader<'_>, request: &RequestId) -> Result<Indexed, IndexerError> {
    let details: ApprovalRequest = reader.signed_by(&request.session.incarnation).await?;
    reader.same(&scope(&details.tenant, &details.environment, &details.relay), details.request == *request)?;
    let known = ApprovalRow {
        commitment: Some(details.commitment),
        expires_us: Some(details.expires_us),
        connection: Some(details.connection),
        issuer: Some(details.actor.issuer),
        subject: Some(details.actor.subject),
        requested_us: Some(details.requested_us),
        ..row(reader, request)
    };
    record(reader, known).await
}

/// The decision, as the console signed it. Whether it counts is the relay's to say.
pub(super) async fn decision(reader: &Reader<'_>, request: &RequestId) -> Result<Indexed, IndexerError> {
    let opened = reader.envelope()?.open(&reader.env.approvals);
    let decision: ApprovalDecision = opened.map_err(|error| rejected(reader.key, error))?;
    // A decision does not say in whose scope it stands; the incarnation's certificate does.
    reader.signer(&request.session.incarnation).await?;
    reader.same(&reader.object.scope, decision.request == *request)?;
    let known = ApprovalRow {
        commitment: Some(decision.commitment),
        verdict: Some(decision.verdict),
        approver_issuer: Some(decision.approver.issuer),
        approver_subject: Some(decision.approver.subject),
        decided_us: Some(decision.decided_us),
        ..row(reader, request)
    };
    record(reader, known).await
}

/// The leaf: how the request ended.
pub(super) async fn decided(reader: &Reader<'_>, request: &RequestId) -> Result<Indexed, IndexerError> {
    let leaf: ApprovalDecidedLeaf = reader.signed_by(&request.session.incarnation).await?;
    reader.same(&scope(&leaf.tenant, &leaf.environment, &leaf.relay), leaf.request == *request)?;
    let known = ApprovalRow {
        commitment: Some(leaf.commitment),
        outcome: Some(leaf.verdict),
        ended_us: Some(leaf.time_us),
        ..row(reader, request)
    };
    record(reader, known).await
}

fn row(reader: &Reader<'_>, request: &RequestId) -> ApprovalRow {
    let Scope { tenant, environment, relay } = reader.object.scope.clone();
    ApprovalRow::new(request.clone(), tenant, environment, relay)
}

async fn record(reader: &Reader<'_>, known: ApprovalRow) -> Result<Indexed, IndexerError> {
    let request = known.request.clone();
    reader.env.index.record_approval(known).await.map_err(|error| of_index(reader.key, &error))?;
    Ok(Indexed::Approval(request))
}
