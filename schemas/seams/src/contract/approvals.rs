use schemas::approval::{ApprovalVerdict, DecisionVerdict};
use schemas::digest::Sha256Digest;
use schemas::identifiers::{InvalidIdentifier, RequestId};

use super::{Breach, clause, failed, sample_session};
use crate::approval_row::{ApprovalRow, ApprovalState};
use crate::index::{Index, IndexError};

/// What the contract says of approvals.
pub(super) async fn approvals(index: &dyn Index) -> Result<(), Breach> {
    let (first, second) = (sample(1).map_err(failed)?, sample(2).map_err(failed)?);
    clause(index.approval(&first.request).await.map_err(failed)?.is_none(), "an unknown request is nothing")?;
    facts_merge_in_any_order(index, &first).await?;
    pending_ends_with_a_decision_or_an_end(index, &second).await?;
    index.record_approval(details(&sample(3).map_err(failed)?)).await.map_err(failed)?;
    let all = index.approvals(ApprovalState::Any, None, 100).await.map_err(failed)?;
    let ids: Vec<u64> = all.iter().map(|row| row.request.statement).collect();
    clause(ids == [1, 2, 3], "approvals gives all, by id")?;
    let page = index.approvals(ApprovalState::Any, Some(&first.request), 1).await.map_err(failed)?;
    clause(
        all.get(1..2) == Some(page.as_slice()),
        "a page begins after the request named and is no longer than asked",
    )?;
    let pending = index.approvals(ApprovalState::Pending, Some(&first.request), 100).await.map_err(failed)?;
    clause(all.get(2..3) == Some(pending.as_slice()), "pages of pending requests hold no others")?;
    requests_of_several_relays_come_in_pages(index, all).await
}

async fn requests_of_several_relays_come_in_pages(index: &dyn Index, known: Vec<ApprovalRow>) -> Result<(), Breach> {
    let mut all = known;
    for (incarnation, statement) in [("ff", 1_000_000), ("00", 7), ("ff", 999_999)] {
        let id = format!("{}-0000000001-{statement:06}", incarnation.repeat(16));
        let row = ApprovalRow { request: id.parse().map_err(failed)?, ..details(&sample(1).map_err(failed)?) };
        index.record_approval(row.clone()).await.map_err(failed)?;
        all.push(row);
    }
    all.sort_by_key(|row| row.request.to_string());
    for limit in [1, 2, 100] {
        for state in [ApprovalState::Any, ApprovalState::Pending] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = index.approvals(state, after.as_ref(), limit).await.map_err(failed)?;
                clause(page.len() <= limit, "a page has no more requests than asked for")?;
                let Some(last) = page.last() else { break };
                after = Some(last.request.clone());
                found.extend(page);
            }
            let expected = all.iter().filter(|row| state == ApprovalState::Any || row.is_pending());
            clause(found.iter().eq(expected), "pages give each request once, by the text of its id")?;
        }
    }
    clause(index.approvals(ApprovalState::Any, None, 0).await.map_err(failed)?.is_empty(), "a page of none is empty")
}

fn sample(statement: u64) -> Result<ApprovalRow, InvalidIdentifier> {
    let session = sample_session(1)?;
    let request = RequestId { session: session.session, statement };
    Ok(ApprovalRow::new(request, session.tenant, session.environment, session.relay))
}

fn details(plain: &ApprovalRow) -> ApprovalRow {
    ApprovalRow {
        commitment: Some(Sha256Digest::of(b"commitment")),
        expires_us: Some(9),
        issuer: Some("https://id.example".to_owned()),
        subject: Some("u-1".to_owned()),
        requested_us: Some(5),
        ..plain.clone()
    }
}

fn decision(plain: &ApprovalRow) -> ApprovalRow {
    ApprovalRow {
        verdict: Some(DecisionVerdict::Approved),
        approver_subject: Some("u-2".to_owned()),
        decided_us: Some(7),
        ..plain.clone()
    }
}

fn end(plain: &ApprovalRow) -> ApprovalRow {
    ApprovalRow { outcome: Some(ApprovalVerdict::Approved), ended_us: Some(8), ..plain.clone() }
}

async fn facts_merge_in_any_order(index: &dyn Index, plain: &ApprovalRow) -> Result<(), Breach> {
    for row in [end(plain), decision(plain), details(plain), end(plain), plain.clone(), decision(plain)] {
        index.record_approval(row).await.map_err(failed)?;
        let pending = index.approvals(ApprovalState::Pending, None, 100).await.map_err(failed)?;
        clause(pending.is_empty(), "a request whose end came first was never pending")?;
    }
    let expected = ApprovalRow {
        verdict: Some(DecisionVerdict::Approved),
        approver_subject: Some("u-2".to_owned()),
        decided_us: Some(7),
        outcome: Some(ApprovalVerdict::Approved),
        ended_us: Some(8),
        ..details(plain)
    };
    let known = index.approval(&plain.request).await.map_err(failed)?;
    clause(known.as_ref() == Some(&expected), "facts of a request merge in any order, repeated or not")?;
    let other = ApprovalRow { commitment: Some(Sha256Digest::of(b"other")), ..plain.clone() };
    let refused = index.record_approval(other).await;
    clause(matches!(refused, Err(IndexError::Conflict { .. })), "another commitment is a conflict")?;
    clause(index.approval(&plain.request).await.map_err(failed)? == known, "a conflict changes nothing")
}

async fn pending_ends_with_a_decision_or_an_end(index: &dyn Index, plain: &ApprovalRow) -> Result<(), Breach> {
    let pending = async || index.approvals(ApprovalState::Pending, None, 100).await.map_err(failed);
    let leaf = ApprovalRow { commitment: Some(Sha256Digest::of(b"commitment")), expires_us: Some(9), ..plain.clone() };
    index.record_approval(leaf).await.map_err(failed)?;
    clause(pending().await?.is_empty(), "a request is pending when its details are known")?;
    index.record_approval(details(plain)).await.map_err(failed)?;
    clause(pending().await? == [details(plain)], "a request without decision and end is pending")?;
    index.record_approval(decision(plain)).await.map_err(failed)?;
    clause(pending().await?.is_empty(), "a decided request is not pending")
}
