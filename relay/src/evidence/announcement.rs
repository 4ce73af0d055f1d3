//! Before a relay serves: its key is certified, and certificate and relay-start are stored.

use std::sync::Arc;
use std::time::Duration;

use schemas::dsse::Envelope;
use schemas::identifiers::Incarnation as IncarnationId;
use schemas::leaf::{Certificate, RelayStart};
use schemas::signature::Signer;
use seams::KeyName;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::core::{Core, blocking};
use super::{CertificateRequest, Certifier, EvidenceError};
use crate::spool::Folder;

/// A certificate that was checked.
pub(super) struct Certified {
    envelope: Envelope,
    /// From when, microseconds since 1970.
    pub(super) from_us: u64,
    /// Until when sessions may record, microseconds since 1970.
    pub(super) until_us: u64,
}

/// Certificate and relay-start of an incarnation. Kept in its spool, so that recovery can store them should it have
/// died in between.
#[derive(Serialize, Deserialize)]
pub(super) struct Announcement {
    certificate: Envelope,
    start: Envelope,
}

impl Announcement {
    pub(super) async fn store(&self, core: &Core, id: &IncarnationId) -> Result<(), EvidenceError> {
        let (certificate, start) = (self.certificate.to_vec()?, self.start.to_vec()?);
        core.shipper.until_stored(&core.scope.certificate(id), &certificate, core.retention()).await?;
        core.shipper.until_stored(&core.scope.relay_start(id), &start, core.retention()).await?;
        Ok(())
    }
}

/// Has the incarnation's key certified, and checks what came back.
pub(super) async fn certify(core: &Core, certifier: &dyn Certifier, build: String) -> Result<Certified, EvidenceError> {
    let request = CertificateRequest {
        tenant: core.scope.tenant.clone(),
        environment: core.scope.environment.clone(),
        relay: core.scope.relay.clone(),
        public_key: core.key.public_key().clone(),
        build,
    };
    let envelope = certifier.certify(request.clone()).await?;
    let root = core.keys.public_key(KeyName::Certificates).await?;
    let certificate: Certificate =
        envelope.open(&root).map_err(|_| EvidenceError::Certificate("not signed by the certificates' root"))?;
    let asked = (&request.tenant, &request.environment, &request.relay, &request.public_key, &core.id);
    let given = (
        &certificate.tenant,
        &certificate.environment,
        &certificate.relay,
        &certificate.spki,
        &certificate.incarnation,
    );
    if asked != given {
        return Err(EvidenceError::Certificate("not what was asked for"));
    }
    let now_us = core.clock.now_us();
    let behind_us = certificate.not_before_us.saturating_sub(now_us);
    if behind_us > BEHIND_MOST_US {
        return Err(EvidenceError::ClockBehind { seconds: behind_us / 1_000_000 });
    }
    let until_us = certificate.not_after_us.saturating_sub(SEALING_MARGIN_US);
    if now_us >= until_us {
        return Err(EvidenceError::CertificateExpired);
    }
    Ok(Certified { envelope, from_us: certificate.not_before_us, until_us })
}

/// Keeps certificate and relay-start in the spool, then stores them: nothing is served before.
pub(super) async fn announce(core: &Core, folder: &Arc<Folder>, certified: &Certified) -> Result<(), EvidenceError> {
    let leaf = RelayStart {
        tenant: core.scope.tenant.clone(),
        environment: core.scope.environment.clone(),
        relay: core.scope.relay.clone(),
        incarnation: core.id.clone(),
        certificate: certified.envelope.statement_digest(),
        log_origin: core.origin.log_origin.clone(),
        heartbeat_seconds: core.evidence.heartbeat_seconds,
        time_us: core.clock.now_us(),
    };
    let announcement = Announcement { certificate: certified.envelope.clone(), start: Envelope::of(&leaf, &core.key)? };
    let (bytes, folder) = (schemas::canonical::to_vec(&announcement)?, Arc::clone(folder));
    blocking(move || Ok(folder.keep_announcement(&bytes)?)).await?;
    let stored = timeout(START_TIME, announcement.store(core, &core.id)).await;
    stored.map_err(|_| EvidenceError::StoreUnavailable)?
}

/// A supervisor that restarts the relay does the rest.
const START_TIME: Duration = Duration::from_secs(60);
/// A verifier forgives five minutes; one is left for clocks to drift.
const BEHIND_MOST_US: u64 = 4 * 60 * 1_000_000;
/// Recording ends so long before the certificate that what was recorded can still be sealed under it.
const SEALING_MARGIN_US: u64 = 30_000_000;
