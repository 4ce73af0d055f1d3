//! What an envelope's payload is. Each kind has a type of its own, so that no signature can serve for another kind.

use std::fmt;

use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};

/// Kind of a signed statement; serialised as its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PayloadType {
    /// [`crate::leaf::Certificate`].
    #[serde(rename = "application/vnd.affidavit.certificate.v1+json")]
    Certificate,
    /// [`crate::leaf::RelayStart`].
    #[serde(rename = "application/vnd.affidavit.relay-start.v1+json")]
    RelayStart,
    /// [`crate::leaf::SessionOpenLeaf`].
    #[serde(rename = "application/vnd.affidavit.session-open.v1+json")]
    SessionOpen,
    /// [`crate::manifest::ChunkManifest`].
    #[serde(rename = "application/vnd.affidavit.chunk.v1+json")]
    Chunk,
    /// [`crate::leaf::SessionCloseLeaf`].
    #[serde(rename = "application/vnd.affidavit.session-close.v1+json")]
    SessionClose,
    /// [`crate::leaf::SessionVoid`].
    #[serde(rename = "application/vnd.affidavit.session-void.v1+json")]
    SessionVoid,
    /// [`crate::leaf::RelayRetired`].
    #[serde(rename = "application/vnd.affidavit.relay-retired.v1+json")]
    RelayRetired,
    /// [`crate::approval::ApprovalRequestedLeaf`].
    #[serde(rename = "application/vnd.affidavit.approval-requested.v1+json")]
    ApprovalRequested,
    /// [`crate::approval::ApprovalDecidedLeaf`].
    #[serde(rename = "application/vnd.affidavit.approval-decided.v1+json")]
    ApprovalDecided,
    /// [`crate::approval::ApprovalRequest`].
    #[serde(rename = "application/vnd.affidavit.approval-request.v1+json")]
    ApprovalRequest,
    /// [`crate::approval::ApprovalDecision`].
    #[serde(rename = "application/vnd.affidavit.approval-decision.v1+json")]
    ApprovalDecision,
    /// [`crate::shredding::SessionShredded`].
    #[serde(rename = "application/vnd.affidavit.session-shredded.v1+json")]
    SessionShredded,
    /// [`crate::key_certificate::KeyCertificate`].
    #[serde(rename = "application/vnd.affidavit.key-certificate.v1+json")]
    KeyCertificate,
    /// [`crate::heartbeat::Heartbeat`].
    #[serde(rename = "application/vnd.affidavit.heartbeat.v1+json")]
    Heartbeat,
    /// [`crate::revocation::Revocation`].
    #[serde(rename = "application/vnd.affidavit.revocation.v1+json")]
    Revocation,
    /// [`crate::revocation::Abandoned`].
    #[serde(rename = "application/vnd.affidavit.abandoned.v1+json")]
    Abandoned,
    /// [`crate::bundle::BundleManifest`]: an in-toto Statement, whose type is in-toto's for all of them. Its signing
    /// key signs nothing else, and its `predicateType` says which it is.
    #[serde(rename = "application/vnd.in-toto+json")]
    InToto,
}

impl PayloadType {
    /// The media type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "application/vnd.affidavit.certificate.v1+json",
            Self::RelayStart => "application/vnd.affidavit.relay-start.v1+json",
            Self::SessionOpen => "application/vnd.affidavit.session-open.v1+json",
            Self::Chunk => "application/vnd.affidavit.chunk.v1+json",
            Self::SessionClose => "application/vnd.affidavit.session-close.v1+json",
            Self::SessionVoid => "application/vnd.affidavit.session-void.v1+json",
            Self::RelayRetired => "application/vnd.affidavit.relay-retired.v1+json",
            Self::ApprovalRequested => "application/vnd.affidavit.approval-requested.v1+json",
            Self::ApprovalDecided => "application/vnd.affidavit.approval-decided.v1+json",
            Self::ApprovalRequest => "application/vnd.affidavit.approval-request.v1+json",
            Self::ApprovalDecision => "application/vnd.affidavit.approval-decision.v1+json",
            Self::SessionShredded => "application/vnd.affidavit.session-shredded.v1+json",
            Self::KeyCertificate => "application/vnd.affidavit.key-certificate.v1+json",
            Self::Heartbeat => "application/vnd.affidavit.heartbeat.v1+json",
            Self::Revocation => "application/vnd.affidavit.revocation.v1+json",
            Self::Abandoned => "application/vnd.affidavit.abandoned.v1+json",
            Self::InToto => "application/vnd.in-toto+json",
        }
    }
}

impl PayloadType {
    /// The kind of this media type, if it is one of ours.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let text: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
        Self::deserialize(text).ok()
    }
}

impl fmt::Display for PayloadType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serialised_form_is_the_media_type_and_no_two_are_equal() {
        use PayloadType::*;
        let all = [
            Certificate,
            RelayStart,
            SessionOpen,
            Chunk,
            SessionClose,
            SessionVoid,
            RelayRetired,
            ApprovalRequested,
            ApprovalDecided,
            ApprovalRequest,
            ApprovalDecision,
            SessionShredded,
            KeyCertificate,
            Heartbeat,
            Revocation,
            Abandoned,
            InToto,
        ];
        let texts: std::collections::BTreeSet<_> = all.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(texts.len(), all.len());
        for kind in all {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(PayloadType::from_text(kind.as_str()), Some(kind));
        }
    }
}
