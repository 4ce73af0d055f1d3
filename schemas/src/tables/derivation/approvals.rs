//! What a session may touch, and what it asked for.

use super::{Session, kebab};
use crate::approval::ApprovalVerdict;
use crate::event::{ApprovalDecided, ApprovalRequested, SessionOpen};
use crate::tables::{ApprovalRow, GrantRow, Time};

impl Session {
    pub(super) fn grant(&mut self, time: Time, open: &SessionOpen) {
        self.rows.grants.extend(open.scope.iter().map(|object| GrantRow {
            session: self.id.clone(),
            issuer: open.actor.issuer.clone(),
            subject: open.actor.subject.clone(),
            connection: open.connection.clone(),
            object: object.object.clone(),
            permitted: object.permitted.clone(),
            held: object.held.clone(),
            revealed: object.revealed.clone(),
            starts: time,
            expires: Time::from_seconds(open.expires_at),
        }));
    }

    pub(super) fn approval_requested(&mut self, time: Time, requested: ApprovalRequested) {
        self.rows.approvals.push(ApprovalRow {
            request: requested.request.to_string(),
            session: self.id.clone(),
            statement: requested.statement,
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            connection: self.connection.clone(),
            reason: requested.reason,
            commitment: requested.commitment.to_string(),
            requested: time,
            expires: Time(requested.expires_us),
            verdict: None,
            approver_kind: None,
            approver_issuer: None,
            approver_subject: None,
            approver_name: None,
            rationale: None,
            decided: None,
            decision_sha256: None,
            problem: None,
            outcome: None,
        });
    }

    pub(super) fn approval_decided(&mut self, time: Time, decided: ApprovalDecided) {
        let verdict = kebab(&decided.verdict);
        if decided.verdict != ApprovalVerdict::Approved {
            self.deny(time, decided.statement, "approval", Some(verdict.clone()));
        }
        // A session waits for one approval at a time: the request is the last one.
        let waiting = self.rows.approvals.iter_mut().rev().find(|row| row.statement == decided.statement);
        let Some(row) = waiting else { return };
        let approver = decided.approver.as_ref();
        row.verdict = Some(verdict);
        row.approver_kind = approver.map(|approver| kebab(&approver.kind));
        row.approver_issuer = approver.map(|approver| approver.issuer.clone());
        row.approver_subject = approver.map(|approver| approver.subject.clone());
        row.approver_name = approver.map(|approver| approver.name.clone());
        row.rationale = decided.rationale;
        row.decided = Some(Time(decided.decided_us));
        row.decision_sha256 = decided.decision_sha256.map(|digest| digest.to_string());
        row.problem = decided.problem;
    }
}
