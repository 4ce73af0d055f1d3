//! Reads what is wanted next on the machine's other cores: signatures are checked, chunks digested and decoded while the
//! objects before them are judged. Only what holds comes from here; whatever else is read again by who judges it, so
//! that findings are the same and come in the same order.

use std::collections::VecDeque;

use super::Source;
use super::certificates::Certificates;
use super::examiner::Examiner;
use super::inventory::StoredSession;
use super::lanes::{self, Lanes};
use crate::chunk::{Container, OpenedChunk};
use crate::dsse::{ENVELOPE_MAX, Envelope};
use crate::identifiers::{Incarnation, SessionId};
use crate::layout::Scope;
use crate::manifest::ChunkManifest;
use crate::rule::Violation;
use crate::signature::PublicKey;

/// What is read ahead of an incarnation.
#[derive(Default)]
pub(super) struct Ahead {
    lanes: Lanes<Wanted, Found>,
    /// Wanted next, in order.
    planned: VecDeque<Wanted>,
    /// Given to the lanes, in order.
    under_way: VecDeque<String>,
}

/// An object.
pub(super) enum Wanted {
    Statement(String),
    Chunk(String),
}

/// An object that holds, as far as it can be said without what came before it.
#[derive(Default)]
pub(super) enum Found {
    Statement(Envelope),
    /// With its length as stored.
    Chunk(Box<OpenedChunk>, usize),
    /// There is something to be said about it, or it is too large to wait in memory.
    #[default]
    Nothing,
}

/// A chunk that is judged: taken apart, or already read ahead.
pub(super) enum Chunk<'a> {
    Closed(Container<'a>),
    Opened(OpenedChunk),
}

/// Runs `then` while what it plans is read ahead.
pub(super) fn read<R>(
    examiner: &mut Examiner<'_>,
    certificates: &Certificates,
    then: impl FnOnce(&mut Examiner<'_>) -> R,
) -> R {
    let source = examiner.source();
    let work = |wanted| find(source, certificates, &wanted);
    lanes::with(&work, |lanes| {
        examiner.ahead.lanes = lanes;
        let result = then(examiner);
        examiner.ahead = Ahead::default();
        result
    })
}

/// A session's objects in the order in which they are judged.
pub(super) fn plan<'s>(
    scope: &'s Scope,
    session: SessionId,
    stored: &'s StoredSession,
) -> impl Iterator<Item = Wanted> + 's {
    let statement = |there: bool, key: String| there.then_some(Wanted::Statement(key));
    let statements = [
        statement(stored.void, scope.session_void(&session)),
        statement(stored.open, scope.session_open(&session)),
        statement(stored.close, scope.session_close(&session)),
    ];
    let chunks = stored.chunks.iter().map(move |sequence| Wanted::Chunk(scope.chunk(&session, *sequence)));
    statements.into_iter().flatten().chain(chunks)
}

impl Ahead {
    /// Plans what comes next, as far as it is worth it.
    pub(super) fn plan(&mut self, coming: &mut impl Iterator<Item = Wanted>, at_least: usize) {
        let missing = at_least.saturating_add(PLANNED).saturating_sub(self.planned.len());
        self.planned.extend(coming.take(missing));
        self.give();
    }

    /// The object, if it was planned and holds.
    pub(super) fn take(&mut self, key: &str) -> Found {
        if !self.under_way.iter().any(|given| given == key) {
            self.skip(key);
            return Found::Nothing;
        }
        while let Some(given) = self.under_way.pop_front() {
            let found = self.lanes.take(|_| Found::Nothing);
            if given == key {
                self.give();
                return found.unwrap_or_default();
            }
        }
        Found::Nothing
    }

    /// What was planned before this object is not wanted any more.
    fn skip(&mut self, key: &str) {
        let Some(place) = self.planned.iter().position(|wanted| wanted.key() == key) else { return };
        self.planned.drain(..=place);
        while self.under_way.pop_front().is_some() {
            self.lanes.take(|_| Found::Nothing);
        }
        self.give();
    }

    fn give(&mut self) {
        while let Some(wanted) = self.planned.pop_front() {
            if !self.lanes.has_room(wanted.bytes()) {
                self.planned.push_front(wanted);
                return;
            }
            self.under_way.push_back(wanted.key().to_owned());
            let bytes = wanted.bytes();
            self.lanes.give(wanted, bytes);
        }
    }
}

impl Chunk<'_> {
    pub(super) fn envelope(&self) -> &Envelope {
        match self {
            Self::Closed(container) => container.envelope(),
            Self::Opened(opened) => opened.envelope(),
        }
    }

    pub(super) fn manifest(&self) -> &ChunkManifest {
        match self {
            Self::Closed(container) => container.manifest(),
            Self::Opened(opened) => opened.manifest(),
        }
    }

    /// [`Container::verify`].
    pub(super) fn verify(&self, key: &PublicKey) -> Result<(), Violation> {
        match self {
            Self::Closed(container) => container.verify(key),
            Self::Opened(opened) => opened.verify(key),
        }
    }

    /// [`Container::decode`].
    pub(super) fn decode(self) -> Result<OpenedChunk, Violation> {
        match self {
            Self::Closed(container) => container.decode(),
            Self::Opened(opened) => Ok(opened),
        }
    }
}

impl Wanted {
    fn key(&self) -> &str {
        match self {
            Self::Statement(key) | Self::Chunk(key) => key,
        }
    }

    /// What it may take in memory.
    fn bytes(&self) -> usize {
        match self {
            Self::Statement(_) => ENVELOPE_MAX,
            // As stored, and the window that it is decoded through.
            Self::Chunk(_) => 2 * CHUNK_MAX,
        }
    }
}

fn find(source: &dyn Source, certificates: &Certificates, wanted: &Wanted) -> Found {
    let found = match wanted {
        Wanted::Statement(key) => find_statement(source, certificates, key),
        Wanted::Chunk(key) => find_chunk(source, certificates, key),
    };
    found.unwrap_or_default()
}

fn find_statement(source: &dyn Source, certificates: &Certificates, key: &str) -> Option<Found> {
    let bytes = source.get(key, ENVELOPE_MAX as u64).ok()?;
    let envelope = Envelope::from_slice(&bytes).ok()?;
    let signer = certificates.get(&Incarnation::of_key(&envelope.key_id()))?;
    // The envelope remembers it.
    envelope.verify(&signer.certificate.spki, envelope.payload_type()).ok()?;
    Some(Found::Statement(envelope))
}

fn find_chunk(source: &dyn Source, certificates: &Certificates, key: &str) -> Option<Found> {
    let bytes = source.get(key, CHUNK_MAX as u64).ok()?;
    let stored = bytes.len();
    let container = Container::parse(bytes).ok()?;
    let signer = certificates.get(&container.manifest().sealed_by)?;
    let fits = container.manifest().decoded.length <= CHUNK_MAX as u64;
    container.verify(&signer.certificate.spki).ok().filter(|()| fits)?;
    let opened = container.decode().ok()?;
    Some(Found::Chunk(Box::new(opened), stored))
}

/// Objects that are planned beyond the session that is judged: small ones come many at a time.
const PLANNED: usize = 32;
/// A chunk of a usual segment. Larger ones are read when nothing else is.
const CHUNK_MAX: usize = 4 * 1024 * 1024;
