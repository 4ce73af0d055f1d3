//! A session's requests for approval: what the relay stored about them says what its events say.

use std::collections::{BTreeMap, BTreeSet};

use super::examiner::Examiner;
use super::inventory::StoredApproval;
use super::session::Relay;
use super::statement::{self, Held};
use crate::approval::{ApprovalDecidedLeaf, ApprovalRequest, ApprovalRequestedLeaf, ApprovalVerdict};
use crate::digest::Sha256Digest;
use crate::dsse::{ENVELOPE_MAX, Envelope};
use crate::identifiers::{RequestId, SessionId};
use crate::ledger::Hold;
use crate::rule::Rule;

/// `held` are the session's held statements, if its events could be judged together. `ended` says that the session
/// ended in order: then nothing can be outstanding. A relay whose disk failed stored the end of a request, and could
/// not record it any more.
pub(super) fn check(
    examiner: &mut Examiner<'_>,
    relay: &Relay<'_>,
    session: &SessionId,
    stored: &BTreeMap<u64, StoredApproval>,
    held: Option<&BTreeMap<u64, Hold>>,
    ended: bool,
) {
    let known = held.into_iter().flat_map(|held| held.keys());
    let numbers: BTreeSet<u64> = stored.keys().chain(known).copied().collect();
    for statement in numbers {
        let request = RequestId { session: session.clone(), statement };
        let said = held.map(|held| held.get(&statement).cloned().unwrap_or_default());
        let mut approval = Approval { examiner, relay, request: &request, said: said.as_ref(), ended };
        let nothing = StoredApproval::default();
        approval.check(stored.get(&statement).unwrap_or(&nothing));
    }
}

/// One request and what the events say of it.
struct Approval<'a, 'e> {
    examiner: &'a mut Examiner<'e>,
    relay: &'a Relay<'a>,
    request: &'a RequestId,
    said: Option<&'a Hold>,
    ended: bool,
}

impl Approval<'_, '_> {
    fn check(&mut self, stored: &StoredApproval) {
        let requested = if stored.requested { self.read_requested() } else { None };
        self.examiner.report.checked.approvals += u64::from(requested.is_some());
        self.compare_requested(stored, requested.as_ref());
        let decided = if stored.decided { self.read_decided() } else { None };
        self.compare_decided(stored, requested.as_ref(), decided.as_ref());
        if let Some(requested) = &requested {
            self.check_details(requested);
        }
        if let Some(digest) = decided.and_then(|decided| decided.decision_sha256) {
            self.check_decision(&digest);
        }
    }

    fn read_requested(&mut self) -> Option<ApprovalRequestedLeaf> {
        let key = self.relay.scope.approval_requested(self.request);
        let rules = (Rule::ApprovalRequestedSignature, Rule::ApprovalRequestedIdentity);
        let stands_here = |leaf: &ApprovalRequestedLeaf| leaf.request == *self.request;
        let (scope, certificates) = (self.relay.scope, self.relay.certificates);
        let held: Option<Held<_>> = statement::check(self.examiner, scope, certificates, &key, rules, stands_here);
        held.map(|held| held.statement)
    }

    fn read_decided(&mut self) -> Option<ApprovalDecidedLeaf> {
        let key = self.relay.scope.approval_decided(self.request);
        let rules = (Rule::ApprovalDecidedSignature, Rule::ApprovalDecidedIdentity);
        let stands_here = |leaf: &ApprovalDecidedLeaf| leaf.request == *self.request;
        let (scope, certificates) = (self.relay.scope, self.relay.certificates);
        let held: Option<Held<_>> = statement::check(self.examiner, scope, certificates, &key, rules, stands_here);
        held.map(|held| held.statement)
    }

    fn compare_requested(&mut self, stored: &StoredApproval, leaf: Option<&ApprovalRequestedLeaf>) {
        let Some(said) = self.said else { return };
        // A relay that died may have written the event and not the leaf; then nobody was asked.
        let is_due =
            self.ended || matches!(said.decided, Some((ApprovalVerdict::Approved | ApprovalVerdict::Denied, _)));
        let message = match (said.requested, leaf) {
            (Some(_), None) if !stored.requested && is_due => "expected the approval-requested of an event",
            (Some(event), Some(leaf)) if event != (leaf.commitment, leaf.expires_us) => {
                "commitment or expiry are not those of the event"
            }
            (None, Some(_)) if self.ended => "there is no such event",
            _ => return,
        };
        let key = self.relay.scope.approval_requested(self.request);
        self.examiner.find(&key, Rule::ApprovalRequested, message);
    }

    fn compare_decided(
        &mut self,
        stored: &StoredApproval,
        requested: Option<&ApprovalRequestedLeaf>,
        leaf: Option<&ApprovalDecidedLeaf>,
    ) {
        let commitment =
            |leaf: &ApprovalDecidedLeaf| requested.is_some_and(|asked| asked.commitment != leaf.commitment);
        let said = self.said.map(|said| said.decided);
        let message = match (said, leaf) {
            (_, Some(leaf)) if commitment(leaf) => "the commitment is not that of the approval-requested",
            // Stored before an approved statement runs; of another end, before the session's close.
            (Some(Some((verdict, _))), None)
                if !stored.decided && (self.ended || (verdict == ApprovalVerdict::Approved && self.is_executed())) =>
            {
                "expected the approval-decided of an event"
            }
            (Some(Some(event)), Some(leaf)) if event != (leaf.verdict, leaf.decision_sha256) => {
                "verdict or digest are not those of the event"
            }
            (Some(None), Some(_)) if self.ended => "there is no such event",
            _ => return,
        };
        let key = self.relay.scope.approval_decided(self.request);
        self.examiner.find(&key, Rule::ApprovalDecided, message);
    }

    fn is_executed(&self) -> bool {
        self.said.is_some_and(|said| said.executed)
    }

    fn check_details(&mut self, requested: &ApprovalRequestedLeaf) {
        let key = self.relay.scope.approval_request(self.request);
        if self.relay.details.contains(&key)
            && !self.read_details(&key).is_some_and(|details| {
                let says = (&details.request, details.commitment, details.expires_us);
                says == (self.request, requested.commitment, requested.expires_us)
                    && (&details.tenant, &details.environment, &details.relay) == self.relay.scope.names()
            })
        {
            let message = "are not the details that the session's incarnation signed for this request";
            self.examiner.find(&key, Rule::ApprovalDetails, message);
        }
    }

    fn read_details(&mut self, key: &str) -> Option<ApprovalRequest> {
        let signer = self.relay.certificates.get(&self.request.session.incarnation)?;
        let bytes = self.examiner.peek(key, ENVELOPE_MAX as u64)?;
        Envelope::from_slice(&bytes).ok()?.open(&signer.certificate.spki).ok()
    }

    fn check_decision(&mut self, digest: &Sha256Digest) {
        let key = self.relay.scope.approval_decision(self.request);
        if !self.relay.details.contains(&key) {
            return;
        }
        let stored = self.examiner.peek(&key, ENVELOPE_MAX as u64);
        if stored.is_none_or(|bytes| Sha256Digest::of(&bytes) != *digest) {
            self.examiner.find(&key, Rule::ApprovalDecision, "is not the decision that the approval-decided names");
        }
    }
}
