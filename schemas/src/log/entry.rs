//! Entries of the log: statements as they were signed, without the signature.

use crate::approval::{ApprovalDecidedLeaf, ApprovalRequestedLeaf};
use crate::canonical;
use crate::digest::Sha256Digest;
use crate::dsse::{Envelope, Statement, pae, pae_header};
use crate::error::Error;
use crate::heartbeat::Heartbeat;
use crate::identifiers::{Incarnation, Name};
use crate::layout::{Object, ObjectKind, Scope};
use crate::leaf::{Certificate, RelayRetired, RelayStart, SessionCloseLeaf, SessionOpenLeaf, SessionVoid};
use crate::manifest::ChunkManifest;
use crate::payload_type::PayloadType;
use crate::revocation::{Abandoned, Revocation};

use super::hash;

/// One entry: the pre-authentication encoding (PAE) of a statement, so its SHA-256 is the statement digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    payload_type: PayloadType,
    payload: Vec<u8>,
}

/// Where a statement stands, and who must have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The object that holds it.
    pub object: Object,
    /// Who must have signed it.
    pub signatory: Signatory,
    /// Of a chunk, the times of its first and last event: microseconds since 1970.
    pub span_us: Option<(u64, u64)>,
}

/// Whose key signs a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signatory {
    /// The certificates root.
    Root,
    /// The key that signs the log's checkpoints.
    Checkpoints,
    /// An incarnation of the relay that the statement names.
    Incarnation(Incarnation),
}

impl Entry {
    /// The entry of a signed statement.
    #[must_use]
    pub fn of(envelope: &Envelope) -> Self {
        Self { payload_type: envelope.payload_type(), payload: envelope.payload().to_vec() }
    }

    /// Reads an entry; the statement in it is looked at by [`Entry::place`] alone.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is no PAE of a kind that this format knows.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        let (payload_type, payload) = split(bytes)?;
        Ok(Self { payload_type, payload: payload.to_vec() })
    }

    /// [`Entry::from_slice`] and [`Entry::place`], without a copy of the entry.
    ///
    /// # Errors
    /// Those of both.
    pub(crate) fn place_of(bytes: &[u8]) -> Result<Place, Error> {
        let (payload_type, payload) = split(bytes)?;
        place(payload_type, payload)
    }

    /// The entry's bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        pae(self.payload_type, &self.payload)
    }

    /// Its hash in the tree.
    #[must_use]
    pub fn hash(&self) -> Sha256Digest {
        hash::leaf(&self.to_vec())
    }

    /// Where its statement stands, as it says itself.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the payload is no statement of its kind.
    pub fn place(&self) -> Result<Place, Error> {
        place(self.payload_type, &self.payload)
    }

    /// The statement, if it is of this kind.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn read<T: Statement>(&self) -> Result<T, Error> {
        let refused = Error::Malformed { what: "log entry", expected: "a statement of another kind" };
        if self.payload_type == T::TYPE { canonical::from_slice(T::TYPE.as_str(), &self.payload) } else { Err(refused) }
    }
}

/// The kind of an entry's statement, and its payload.
fn split(bytes: &[u8]) -> Result<(PayloadType, &[u8]), Error> {
    let parse = || {
        let rest = bytes.strip_prefix(b"DSSEv1 ".as_slice())?;
        let mut fields = rest.splitn(4, |byte| *byte == b' ');
        let (_, kind, _) = (fields.next()?, fields.next()?, fields.next()?);
        let payload_type = PayloadType::from_text(std::str::from_utf8(kind).ok()?)?;
        Some((payload_type, fields.next()?))
    };
    // One spelling: whatever the lengths were, they must come out again.
    let is_spelled_so = |(payload_type, payload): &(PayloadType, &[u8])| {
        bytes.strip_suffix(*payload) == Some(pae_header(*payload_type, payload.len()).as_bytes())
    };
    let entry = parse().filter(is_spelled_so);
    entry.ok_or(Error::Malformed { what: "log entry", expected: "the PAE of a known kind of statement" })
}

fn place(payload_type: PayloadType, payload: &[u8]) -> Result<Place, Error> {
    match payload_type {
        PayloadType::Certificate => placed::<Certificate>(payload),
        PayloadType::RelayStart => placed::<RelayStart>(payload),
        PayloadType::RelayRetired => placed::<RelayRetired>(payload),
        PayloadType::SessionOpen => placed::<SessionOpenLeaf>(payload),
        PayloadType::Chunk => placed::<ChunkManifest>(payload),
        PayloadType::SessionClose => placed::<SessionCloseLeaf>(payload),
        PayloadType::SessionVoid => placed::<SessionVoid>(payload),
        PayloadType::ApprovalRequested => placed::<ApprovalRequestedLeaf>(payload),
        PayloadType::ApprovalDecided => placed::<ApprovalDecidedLeaf>(payload),
        PayloadType::Heartbeat => placed::<Heartbeat>(payload),
        PayloadType::Revocation => placed::<Revocation>(payload),
        PayloadType::Abandoned => placed::<Abandoned>(payload),
        PayloadType::ApprovalRequest
        | PayloadType::ApprovalDecision
        | PayloadType::SessionShredded
        | PayloadType::KeyCertificate
        | PayloadType::InToto => Err(Error::Malformed { what: "log entry", expected: "a statement that a log holds" }),
    }
}

fn placed<T: Placed>(payload: &[u8]) -> Result<Place, Error> {
    let statement: T = canonical::from_slice(T::TYPE.as_str(), payload)?;
    let (tenant, environment, relay) = statement.relay();
    let scope = Scope { tenant: tenant.clone(), environment: environment.clone(), relay: relay.clone() };
    Ok(Place {
        object: Object { scope, kind: statement.kind() },
        signatory: statement.signatory(),
        span_us: statement.span_us(),
    })
}

/// A statement that names the place it stands in.
trait Placed: Statement {
    fn relay(&self) -> (&Name, &Name, &Name);
    fn kind(&self) -> ObjectKind;
    fn signatory(&self) -> Signatory;
    fn span_us(&self) -> Option<(u64, u64)>;
}

macro_rules! placed {
    ($($type:ty: $this:ident => $kind:expr, $signatory:expr $(, $span_us:expr)?;)*) => {
        $(impl Placed for $type {
            fn relay(&self) -> (&Name, &Name, &Name) {
                (&self.tenant, &self.environment, &self.relay)
            }
            fn kind(&self) -> ObjectKind {
                let $this = self;
                $kind
            }
            fn signatory(&self) -> Signatory {
                let $this = self;
                let _ = $this;
                $signatory
            }
            fn span_us(&self) -> Option<(u64, u64)> {
                let $this = self;
                let _ = $this;
                None$(.or(Some($span_us)))?
            }
        })*
    };
}

placed! {
    Certificate: s => ObjectKind::Certificate(s.incarnation.clone()), Signatory::Root;
    RelayStart: s => ObjectKind::RelayStart(s.incarnation.clone()), Signatory::Incarnation(s.incarnation.clone());
    RelayRetired: s => ObjectKind::RelayRetired(s.incarnation.clone()), Signatory::Incarnation(s.sealed_by.clone());
    SessionOpenLeaf: s => ObjectKind::SessionOpen(s.session.clone()),
        Signatory::Incarnation(s.session.incarnation.clone());
    ChunkManifest: s => ObjectKind::Chunk(s.session.clone(), s.sequence), Signatory::Incarnation(s.sealed_by.clone()),
        (s.first_time_us, s.last_time_us);
    SessionCloseLeaf: s => ObjectKind::SessionClose(s.session.clone()), Signatory::Incarnation(s.sealed_by.clone());
    ApprovalRequestedLeaf: s => ObjectKind::ApprovalRequested(s.request.clone()),
        Signatory::Incarnation(s.request.session.incarnation.clone());
    ApprovalDecidedLeaf: s => ObjectKind::ApprovalDecided(s.request.clone()),
        Signatory::Incarnation(s.request.session.incarnation.clone());
    Heartbeat: s => ObjectKind::Heartbeat(s.incarnation.clone(), s.sequence),
        Signatory::Incarnation(s.incarnation.clone());
    Revocation: s => ObjectKind::Revocation(s.incarnation.clone(), s.log_size), Signatory::Root;
    Abandoned: s => ObjectKind::Abandoned(s.incarnation.clone()), Signatory::Checkpoints;
    SessionVoid: s => ObjectKind::SessionVoid(s.session.clone()), Signatory::Incarnation(s.sealed_by.clone());
}

/// What tlog-tiles' u16 can count. An envelope is no longer, and holds its statement in Base64.
pub const ENTRY_MAX: usize = 65_535;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{P256Key, Signer};

    #[test]
    fn an_entry_is_the_pae_and_tells_where_its_statement_stands() {
        let key = P256Key::generate().unwrap();
        let name = |text: &str| text.parse().unwrap();
        let session = crate::identifiers::SessionId { incarnation: key.public_key().incarnation(), counter: 7 };
        let void = SessionVoid {
            tenant: name("clinic"),
            environment: name("test"),
            relay: name("r1"),
            session: session.clone(),
            sealed_by: session.incarnation.clone(),
            recovered: false,
            time_us: 1,
        };
        let envelope = Envelope::of(&void, &key).unwrap();
        let entry = Entry::of(&envelope);
        assert_eq!(entry.to_vec(), envelope.pae());
        assert_eq!(Entry::from_slice(&envelope.pae()).unwrap(), entry);
        let place = entry.place().unwrap();
        assert_eq!(place.object.kind, ObjectKind::SessionVoid(session.clone()));
        assert_eq!(place.signatory, Signatory::Incarnation(session.incarnation));
    }

    #[test]
    fn no_entry_has_a_second_spelling() {
        let good = pae(PayloadType::Chunk, b"{} {}");
        assert!(Entry::from_slice(&good).is_ok());
        let text = String::from_utf8(good).unwrap();
        for bad in [
            String::new(),
            text.replace("DSSEv1", "DSSEv2"),
            text.replace(" 5 ", " 4 "),
            text.replace(" 5 ", " 05 "),
            text.replace(" 39 ", " 38 "),
            text.replace("chunk", "trunk"),
            format!("{text} "),
        ] {
            assert!(Entry::from_slice(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Entry::from_slice(text.as_bytes()).unwrap().place().is_err(), "{{}} is no manifest");
    }
}
