//! One signed statement of a relay: readable, in its place, by a certified signer, at a time it was certified for.

use super::certificates::{Certificates, Certified};
use super::examiner::Examiner;
use crate::approval::{ApprovalDecidedLeaf, ApprovalRequestedLeaf};
use crate::digest::Sha256Digest;
use crate::dsse::{Envelope, Statement};
use crate::heartbeat::Heartbeat;
use crate::identifiers::{Incarnation, Name};
use crate::layout::Scope;
use crate::leaf::{RelayRetired, RelayStart, SessionCloseLeaf, SessionOpenLeaf, SessionVoid};
use crate::manifest::ChunkManifest;
use crate::rule::Rule;

/// What every statement of a relay says.
pub(super) trait RelayStatement: Statement {
    /// Tenant, environment, relay.
    fn place(&self) -> (&Name, &Name, &Name);
    /// The incarnation it is about.
    fn of(&self) -> &Incarnation;
    /// The incarnation that says it signed.
    fn signer(&self) -> &Incarnation;
    /// Whether it says that another incarnation than `of` signed.
    fn recovered(&self) -> bool;
    /// When it was signed.
    fn time_us(&self) -> u64;
}

/// A statement that holds, and its digest.
pub(super) struct Held<T> {
    pub(super) statement: T,
    pub(super) digest: Sha256Digest,
}

/// Reads and checks the statement stored at `key`; `stands_here` compares what only this kind of statement names.
pub(super) fn check<T: RelayStatement>(
    examiner: &mut Examiner<'_>,
    scope: &Scope,
    certificates: &Certificates,
    key: &str,
    rules: (Rule, Rule),
    stands_here: impl FnOnce(&T) -> bool,
) -> Option<Held<T>> {
    let (signature, identity) = rules;
    let envelope = examiner.read_envelope(key)?;
    let statement: T = match envelope.read_unverified() {
        Ok(statement) => statement,
        Err(error) => {
            examiner.find(key, Rule::EnvelopeForm, error.to_string());
            return None;
        }
    };
    let signer = check_signer(examiner, certificates, key, &statement)?;
    if !is_signed::<T>(&envelope, signer) {
        examiner.find(key, signature, "the signature does not verify under the signer's key");
        return None;
    }
    examiner.report.checked.signatures += 1;
    if !is_of(&statement, scope) || !stands_here(&statement) {
        examiner.find(key, identity, "names something else than the place it stands in");
        return None;
    }
    examiner.hold(scope, statement.time_us());
    Some(Held { statement, digest: envelope.statement_digest() })
}

/// The certificate of the statement's signer, if that is one who may sign it.
pub(super) fn check_signer<'c, T: RelayStatement>(
    examiner: &mut Examiner<'_>,
    certificates: &'c Certificates,
    key: &str,
    statement: &T,
) -> Option<&'c Certified> {
    let Some(certified) = certificates.get(statement.signer()) else {
        let message = format!("signer {} is no certified incarnation of this relay", statement.signer());
        examiner.find(key, Rule::SignerCertified, message);
        return None;
    };
    let recovered = statement.signer() != statement.of();
    if statement.recovered() != recovered {
        let message = format!("recovered is {}, expected {recovered} for this signer", statement.recovered());
        examiner.find(key, Rule::SignerRecovered, message);
    }
    if recovered && examiner.retired.as_ref() == Some(statement.of()) {
        let message = format!("{} signed it, and {} had retired by itself", statement.signer(), statement.of());
        examiner.find(key, Rule::SignerRetired, message);
    }
    if !certified.covers(statement.time_us(), examiner.options.grace_us) {
        let certificate = &certified.certificate;
        let (from, to) = (certificate.not_before_us, certificate.not_after_us);
        let message = format!("signed at {} us, expected {from} to {to} us", statement.time_us());
        examiner.find(key, Rule::CertificateValidity, message);
    }
    Some(certified)
}

/// Whether the statement names this relay.
pub(super) fn is_of<T: RelayStatement>(statement: &T, scope: &Scope) -> bool {
    statement.place() == scope.names()
}

fn is_signed<T: RelayStatement>(envelope: &Envelope, signer: &Certified) -> bool {
    envelope.verify(&signer.certificate.spki, T::TYPE).is_ok()
}

macro_rules! relay_statements {
    ($($type:ty: $this:ident => $of:expr, $signer:expr, $recovered:expr, $time_us:expr;)*) => {
        $(impl RelayStatement for $type {
            fn place(&self) -> (&Name, &Name, &Name) {
                (&self.tenant, &self.environment, &self.relay)
            }
            fn of(&self) -> &Incarnation {
                let $this = self;
                &$of
            }
            fn signer(&self) -> &Incarnation {
                let $this = self;
                &$signer
            }
            fn recovered(&self) -> bool {
                let $this = self;
                let _ = $this;
                $recovered
            }
            fn time_us(&self) -> u64 {
                let $this = self;
                $time_us
            }
        })*
    };
}

relay_statements! {
    RelayStart: s => s.incarnation, s.incarnation, false, s.time_us;
    Heartbeat: s => s.incarnation, s.incarnation, false, s.time_us;
    RelayRetired: s => s.incarnation, s.sealed_by, s.recovered, s.time_us;
    SessionOpenLeaf: s => s.session.incarnation, s.session.incarnation, false, s.time_us;
    SessionCloseLeaf: s => s.session.incarnation, s.sealed_by, s.recovered, s.time_us;
    SessionVoid: s => s.session.incarnation, s.sealed_by, s.recovered, s.time_us;
    ApprovalRequestedLeaf: s => s.request.session.incarnation, s.request.session.incarnation, false, s.time_us;
    ApprovalDecidedLeaf: s => s.request.session.incarnation, s.request.session.incarnation, false, s.time_us;
    ChunkManifest: s => s.session.incarnation, s.sealed_by, s.recovered, s.sealed_time_us;
}
