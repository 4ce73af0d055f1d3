//! The transparency log: its checkpoints are signed and of one growing tree, its entries are the statements that were
//! given, and every statement is among them.

mod checkpoints;
mod entries;
mod order;
mod standing;
mod tiles;
mod walk;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::examiner::Examiner;
use super::report::LogReport;
use super::revocations::Revocations;
use crate::digest::Sha256Digest;
use crate::dsse::Envelope;
use crate::heartbeat::Heartbeat;
use crate::identifiers::{Incarnation, Name, SessionId};
use crate::key_certificate::KeyCertificate;
use crate::layout::{LogObject, LogObjectKind, Object, ObjectKind, Scope, parse};
use crate::log::{Checkpoint, Entry, LogOrigin, Precedence, Rank, SecondKey, Tile};
use crate::rule::Rule;
use crate::signature::PublicKey;
use checkpoints::Claims;
use order::Order;
use walk::Walk;

/// Which objects of a log there are.
#[derive(Default)]
pub(super) struct StoredLog {
    pub(super) checkpoints: BTreeSet<u64>,
    pub(super) tiles: BTreeSet<Tile>,
    pub(super) staged: BTreeSet<(u64, Sha256Digest)>,
}

/// Every statement that was read, and the log it must be in: gathered while evidence is verified.
#[derive(Default)]
pub(super) struct Statements {
    all: Vec<Stated>,
    origins: BTreeMap<(Scope, Incarnation), String>,
    /// Heartbeats that hold, as far as order asks.
    beats: Vec<Beat>,
}

/// What a heartbeat says is stored.
struct Beat {
    object: Object,
    last_counter: u64,
    unstored: Vec<u64>,
    time_us: u64,
}

/// A statement that was read.
struct Stated {
    object: Object,
    /// Its hash in a log.
    hash: Sha256Digest,
    /// Its first place in its log.
    index: Option<u64>,
    /// The incarnation that signed it as it says itself, where that is another than its own.
    signer: Option<Incarnation>,
    /// When it was signed, for a statement of a relay that holds.
    time_us: Option<u64>,
}

impl StoredLog {
    pub(super) fn add(&mut self, kind: &LogObjectKind) {
        match kind {
            LogObjectKind::Checkpoint(number) => drop(self.checkpoints.insert(*number)),
            LogObjectKind::Tile(tile) => drop(self.tiles.insert(*tile)),
            LogObjectKind::Staged(number, root) => drop(self.staged.insert((*number, *root))),
            // Of use to the sealer alone.
            LogObjectKind::State(_) => {}
        }
    }
}

impl Statements {
    /// Notes what stands under this key, whoever signed it.
    pub(super) fn note(&mut self, key: &str, envelope: &Envelope) {
        if let Some(object) = parse(key).filter(|object| Rank::of(&object.kind).is_some()) {
            let signer = Incarnation::of_key(&envelope.key_id());
            let signer = (signer != *object.kind.incarnation()).then_some(signer);
            let hash = Entry::of(envelope).hash();
            self.all.push(Stated { object, hash, index: None, signer, time_us: None });
        }
    }

    /// The statement that was noted last holds.
    pub(super) fn hold(&mut self, time_us: u64) {
        if let Some(stated) = self.all.last_mut() {
            stated.time_us = Some(time_us);
        }
    }

    /// Notes a heartbeat that holds.
    pub(super) fn heard(&mut self, object: Object, heartbeat: &Heartbeat) {
        let Heartbeat { last_counter, time_us, .. } = *heartbeat;
        self.beats.push(Beat { object, last_counter, unstored: heartbeat.unstored.clone(), time_us });
    }

    /// Notes the log that an incarnation names.
    pub(super) fn names(&mut self, scope: &Scope, incarnation: &Incarnation, origin: &str) {
        self.origins.insert((scope.clone(), incarnation.clone()), origin.to_owned());
    }

    fn origin_of(&self, object: &Object) -> Option<&str> {
        let life = (object.scope.clone(), object.kind.incarnation().clone());
        self.origins.get(&life).map(String::as_str)
    }
}

/// Checks the logs that are there and names those that are not.
pub(super) fn check(examiner: &mut Examiner<'_>, stored: &BTreeMap<LogOrigin, StoredLog>, revocations: &Revocations) {
    let certificates = std::mem::take(&mut examiner.trusted);
    let mut statements = std::mem::take(&mut examiner.statements);
    let outside = examiner.report.sessions.iter().filter(|session| session.outside);
    let outside = outside.map(|session| (session.scope.clone(), session.session.clone())).collect();
    let mut by_hash: HashMap<Sha256Digest, Vec<usize>> = HashMap::new();
    for (place, stated) in statements.all.iter().enumerate() {
        by_hash.entry(stated.hash).or_default().push(place);
    }
    let mut seen = Precedence::default();
    for (origin, stored) in stored {
        let (keys, second) = keys(examiner, origin, &statements, &certificates);
        let log = Log { origin, stored, keys: &keys, second: &second };
        let report = check_one(examiner, &log, &mut statements, &by_hash, &outside, &mut seen);
        examiner.report.logs.push(report);
    }
    let kept_out = order::name_early_heartbeats(examiner, &statements);
    name_unlogged(examiner, stored, &statements, (&seen, &kept_out));
    standing::name_void(examiner, &statements, revocations, &outside);
    name_lost(examiner, stored);
}

/// One log to check.
struct Log<'a> {
    origin: &'a LogOrigin,
    stored: &'a StoredLog,
    /// Any of these may have signed; none when no key is known.
    keys: &'a [PublicKey],
    /// Second keys of the same holders: a line of one that is there must verify.
    second: &'a [SecondKey],
}

/// Sessions of which chunks need not be there.
type Outside = BTreeSet<(Scope, SessionId)>;

fn check_one(
    examiner: &mut Examiner<'_>,
    log: &Log<'_>,
    statements: &mut Statements,
    by_hash: &HashMap<Sha256Digest, Vec<usize>>,
    outside: &Outside,
    seen: &mut Precedence,
) -> LogReport {
    if log.keys.is_empty() {
        let message = "no key is known that signs its checkpoints: whoever wrote the evidence may have written it";
        examiner.find(&log.origin.prefix(), Rule::LogKey, message);
    }
    let claims = Claims::read(examiner, log);
    let mut report = LogReport {
        origin: log.origin.clone(),
        signed: !log.keys.is_empty(),
        checkpoint: claims.newest.as_ref().map_or(0, |(number, _)| *number),
        size: claims.newest.as_ref().map_or(0, |(_, newest)| newest.size),
        root: claims.newest.as_ref().map(|(_, newest)| newest.root),
        earlier: 0,
        witnessed: claims.witnessed,
        entries: 0,
        outside: 0,
    };
    let mut walk = Walk::new(log, claims, outside, by_hash);
    let mut order = Order::of(statements);
    walk.run(examiner, &mut report, |hash, index| {
        let places = by_hash.get(hash)?;
        let mut object = None;
        for place in places {
            let origin = statements.all.get(*place).and_then(|stated| statements.origin_of(&stated.object));
            let is_here = origin.is_none_or(|origin| origin == log.origin.as_str());
            let stated = statements.all.get_mut(*place)?;
            if is_here {
                order.judge(stated, seen);
                stated.index.get_or_insert(index);
            }
            seen.insert(&stated.object);
            object = Some(());
        }
        object
    });
    order.name(examiner);
    walk.missing().iter().for_each(|object| seen.insert(object));
    report
}

/// Names the statements that are in no log.
fn name_unlogged(
    examiner: &mut Examiner<'_>,
    stored: &BTreeMap<LogOrigin, StoredLog>,
    statements: &Statements,
    (seen, kept_out): (&Precedence, &BTreeSet<(Scope, SessionId)>),
) {
    let is_kept_out = |object: &Object| match &object.kind {
        ObjectKind::SessionOpen(session) | ObjectKind::SessionVoid(session) => {
            kept_out.contains(&(object.scope.clone(), session.clone()))
        }
        _ => false,
    };
    let mut absent: BTreeMap<&str, u64> = BTreeMap::new();
    for stated in statements.all.iter().filter(|stated| stated.index.is_none()) {
        let origin = statements.origin_of(&stated.object);
        let log = origin.and_then(|origin| stored.keys().find(|stored| stored.as_str() == origin));
        match (origin, log) {
            (Some(origin), None) => *absent.entry(origin).or_default() += 1,
            // Without a relay-start nobody says which log; without any log that is told already.
            (None, _) if stored.is_empty() => {}
            _ if seen.is_followed(&stated.object) || is_kept_out(&stated.object) => {
                let message = "not in the log, though what was stored after it is: it was kept out, or put here later";
                examiner.find(&stated.object.key(), Rule::LogStatement, message);
            }
            _ => {
                let message = "not in the log: newer than its newest checkpoint";
                examiner.find(&stated.object.key(), Rule::LogPending, message);
            }
        }
    }
    for (origin, count) in absent {
        let message = format!("{count} statements say they go to this log, and it is not here");
        let log = format!("{}{origin}/", crate::layout::LOG_PREFIX);
        examiner.find(&log, Rule::LogAbsent, message);
        if !examiner.options.witnesses.is_empty() {
            let message = "witnesses are named, and this log, which statements say they go to, is none that they saw";
            examiner.find(&log, Rule::CheckpointWitness, message);
        }
    }
}

/// Names the checkpoints from earlier whose log is not there.
fn name_lost(examiner: &mut Examiner<'_>, stored: &BTreeMap<LogOrigin, StoredLog>) {
    for earlier in examiner.options.earlier.clone() {
        match Checkpoint::read_unverified(&earlier.note) {
            Ok(checkpoint) if stored.contains_key(&checkpoint.origin) => {}
            Ok(checkpoint) => {
                let message = format!("log {} with its {} entries is not here", checkpoint.origin, checkpoint.size);
                examiner.find(&earlier.name, Rule::CheckpointEarlier, message);
            }
            Err(error) => examiner.find(&earlier.name, Rule::CheckpointForm, error.to_string()),
        }
    }
}

/// The keys that may sign this log's checkpoints: the one that was given, or those that were certified for its tenant
/// and environment.
fn keys(
    examiner: &Examiner<'_>,
    origin: &LogOrigin,
    statements: &Statements,
    certificates: &[KeyCertificate],
) -> (Vec<PublicKey>, Vec<SecondKey>) {
    if let Some(given) = &examiner.options.checkpoints_key {
        return (vec![given.clone()], Vec::new());
    }
    // A log whose name tells whose it is is nobody else's, whatever a relay of theirs names.
    let owned = origin.as_str().strip_prefix("affidavit/").and_then(|rest| rest.split_once('/'));
    let owned = owned.filter(|(_, environment)| !environment.contains('/'));
    let is_named = |tenant: &Name, environment: &Name| {
        let mut named = statements.origins.iter().filter(|(_, named)| named.as_str() == origin.as_str());
        let place = (tenant, environment);
        match owned {
            Some(_) => *origin == LogOrigin::of(tenant, environment),
            None => named.any(|((scope, _), _)| (&scope.tenant, &scope.environment) == place),
        }
    };
    let own = certificates.iter().filter(|certificate| is_named(&certificate.tenant, &certificate.environment));
    let pair = |certificate: &KeyCertificate| {
        let second = certificate.checkpoints_ed25519.map(|key| SecondKey::new(origin.clone(), key));
        (certificate.checkpoints.clone(), second)
    };
    let (keys, second): (Vec<_>, Vec<_>) = own.map(pair).unzip();
    (keys, second.into_iter().flatten().collect())
}

/// Sorts a log's object into its log.
pub(super) fn add(logs: &mut BTreeMap<LogOrigin, StoredLog>, object: LogObject) {
    logs.entry(object.origin).or_default().add(&object.kind);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{P256Key, Signer};
    use crate::verify::Options;

    /// Who has the keys of a test environment must not sign for production, though a relay of theirs says so.
    #[test]
    fn a_log_that_is_somebodys_by_its_name_is_nobody_elses() {
        let key = P256Key::generate().unwrap();
        let certificate = |environment: &str| KeyCertificate {
            tenant: "clinic".parse().unwrap(),
            environment: environment.parse().unwrap(),
            checkpoints: key.public_key().clone(),
            checkpoints_ed25519: None,
            approvals: key.public_key().clone(),
            bundles: key.public_key().clone(),
            not_before_us: 0,
            not_after_us: 1,
        };
        let scope = Scope {
            tenant: "clinic".parse().unwrap(),
            environment: "test".parse().unwrap(),
            relay: "relay-1".parse().unwrap(),
        };
        let (source, mut observer) = (BTreeMap::new(), ());
        let examiner = Examiner::new(&source, Options::default(), &mut observer);
        for (origin, environment, signs) in [
            ("affidavit/clinic/test", "test", true),
            ("affidavit/clinic/production", "test", false),
            ("affidavit/clinic/production", "production", true),
            ("log.test/clinic", "test", true),
            ("log.test/clinic", "production", false),
        ] {
            let mut statements = Statements::default();
            statements.names(&scope, &key.public_key().incarnation(), origin);
            let (keys, _) = keys(&examiner, &origin.parse().unwrap(), &statements, &[certificate(environment)]);
            assert_eq!(!keys.is_empty(), signs, "{origin} by {environment}");
        }
    }
}
