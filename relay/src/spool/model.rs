//! The spool against a model: a list of what was appended. Whatever a death cuts off or a hand changes, what is read
//! back is a beginning of that list.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use schemas::data_block::Direction;
use schemas::dsse::Envelope;
use schemas::entropy::SystemEntropy;
use schemas::event::{CloseReason, Event, EventBody, Execute};
use schemas::identifiers::SessionId;
use schemas::payload_type::PayloadType;
use schemas::session_key::{SessionKey, SpoolKey};
use schemas::signature::{P256Key, Signer};
use schemas::wrapped_key::WrappingKey;
use tempfile::TempDir;

use super::disk::Change;
use super::disk::faults::{self, Fault};
use super::folder::Entry;
use super::record::{DATA_MAX, Record};
use super::{Contents, End, Ending, Kind, Origin, SessionFacts, Spool, SpoolError, Tape};

#[derive(Debug, Clone)]
enum Step {
    Append { executions: u8, data: usize, direction: Direction },
    Age,
}

impl Step {
    /// Records that it makes.
    fn records(&self) -> usize {
        match self {
            Self::Age => 0,
            Self::Append { executions, data, .. } => usize::from(*executions) + data.div_ceil(DATA_MAX),
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let direction = prop_oneof![Just(Direction::Frontend), Just(Direction::Backend)];
    let size = prop_oneof![4 => 0_usize..200, 1 => 0_usize..5000, 1 => DATA_MAX - 1..DATA_MAX + 2];
    let append = (0_u8..4, size, direction).prop_map(|(executions, data, direction)| Step::Append {
        executions,
        data,
        direction,
    });
    prop::collection::vec(prop_oneof![6 => append, 1 => Just(Step::Age)], 0..20)
}

struct World {
    _root: TempDir,
    folder: Arc<super::Folder>,
    key: SpoolKey,
    tape: Tape,
    /// What was appended, in order.
    model: Vec<Record<'static>>,
    executions: u64,
    time_us: u64,
}

impl World {
    fn new(limit: u64, segment_bytes: u64) -> Self {
        let root = tempfile::tempdir().unwrap();
        let name = |text: &str| text.parse().unwrap();
        let log_origin = "log.test".to_owned();
        let origin = Origin { tenant: name("clinic"), environment: name("test"), relay: name("relay-1"), log_origin };
        let signer = P256Key::generate().unwrap();
        let session = SessionId { incarnation: signer.public_key().incarnation(), counter: 1 };
        let (folder, _) = Spool::open(root.path(), limit).unwrap().create(&session.incarnation, &origin).unwrap();
        let key = SessionKey::generate(&SystemEntropy).unwrap();
        let data_key = WrappingKey::generate(&SystemEntropy).unwrap();
        let facts = SessionFacts {
            origin,
            wrapped_key: data_key.wrap(&key, &session, &SystemEntropy).unwrap(),
            session,
            connection: name("db"),
            open: Envelope::sign(PayloadType::SessionOpen, b"{}".to_vec(), &signer).unwrap(),
        };
        let (folder, key) = (Arc::new(folder), key.spool_key().unwrap());
        let tape = Tape::create(Arc::clone(&folder), Arc::new(facts), key.clone(), segment_bytes).unwrap();
        Self { _root: root, folder, key, tape, model: Vec::new(), executions: 0, time_us: 100 }
    }

    fn take(&mut self, step: &Step) {
        assert!(self.try_to_take(step));
    }

    /// Whether it was acknowledged; the model expects it either way.
    fn try_to_take(&mut self, step: &Step) -> bool {
        match step {
            Step::Age => self.tape.rotate_if_older(Duration::ZERO).is_ok(),
            Step::Append { executions, data, direction } => {
                self.time_us += 1;
                let data: Vec<u8> = (0..*data).map(|n| n.to_le_bytes()[0]).collect();
                let events: Vec<EventBody> = (0..*executions).map(|_| self.execution()).collect();
                let appended = self.tape.append(events, &data, *direction, self.time_us);
                for bytes in data.chunks(DATA_MAX) {
                    let record =
                        Record::Data { direction: *direction, time_us: self.time_us, bytes: bytes.to_vec().into() };
                    self.model.push(record);
                }
                appended.is_ok()
            }
        }
    }

    /// The next execution, which the model expects.
    fn execution(&mut self) -> EventBody {
        self.executions += 1;
        let body =
            EventBody::Execute(Execute { execution: self.executions, statement: 1, row_limit: 0, rows_kept: None });
        let event = Event { number: self.executions, time_us: self.time_us, body: body.clone() };
        self.model.push(Record::Event(schemas::canonical::to_vec(&event).unwrap().into()));
        body
    }

    fn last_segment(&self) -> Entry {
        *self.folder.entries().unwrap().last().unwrap()
    }

    /// Everything that is read back, and the bytes that are not.
    fn read(&self) -> (Vec<Record<'static>>, u64) {
        let (mut records, mut discarded) = (Vec::new(), 0);
        for (expected, entry) in (1..).zip(self.folder.entries().unwrap()) {
            assert_eq!((entry.sequence, entry.kind), (expected, Kind::Spool));
            let bytes = self.folder.read(entry).unwrap();
            let length = bytes.len() as u64;
            let Some(contents) = Contents::read(bytes, &self.key).unwrap() else {
                discarded += length;
                continue;
            };
            let before: Vec<u64> = (1..contents.header.first_event).collect();
            assert_eq!(contents.header.pending, before, "executions without outcome are carried on");
            records.extend(contents.records().map(owned));
            discarded += contents.discarded_bytes;
        }
        (records, discarded)
    }
}

fn owned(record: Record<'_>) -> Record<'static> {
    match record {
        Record::Event(line) => Record::Event(line.into_owned().into()),
        Record::Data { direction, time_us, bytes } => {
            Record::Data { direction, time_us, bytes: bytes.into_owned().into() }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn all_that_was_appended_is_read_back_in_order(steps in steps()) {
        let mut world = World::new(u64::MAX, 4096);
        steps.iter().for_each(|step| world.take(step));
        prop_assert!(world.read() == (world.model, 0));
    }

    #[test]
    fn a_cut_anywhere_leaves_a_beginning_and_counts_the_rest(steps in steps(), at in any::<prop::sample::Index>()) {
        let mut world = World::new(u64::MAX, 4096);
        steps.iter().for_each(|step| world.take(step));
        let path = world.folder.file(world.last_segment());
        let bytes = std::fs::read(&path).unwrap();
        let cut = at.index(bytes.len() + 1);
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let (records, discarded) = world.read();
        prop_assert!(records.len() <= world.model.len() && records == world.model[..records.len()]);
        prop_assert!(discarded <= cut as u64);
        prop_assert!(cut < bytes.len() || (discarded == 0 && records.len() == world.model.len()));
    }

    #[test]
    fn a_disk_that_fails_anywhere_leaves_all_that_was_acknowledged_and_nothing_else_than_was_tried(
        steps in steps(),
        change in prop_oneof![Just(Change::Create), Just(Change::Write)],
        spared in 0_usize..12,
        fault in prop_oneof![
            Just(Fault::NotDone),
            Just(Fault::DiskFull),
            Just(Fault::DoneAndReportedFailed),
            Just(Fault::Torn),
        ],
    ) {
        let mut world = World::new(u64::MAX, 4096);
        let _planned = faults::plan(world.folder.path(), change, ".spool", spared, fault);
        let acknowledged = steps.iter().take_while(|step| world.try_to_take(step)).map(|_| ()).count();
        let acknowledged: usize = steps.iter().take(acknowledged).map(Step::records).sum();
        let records = world.read().0;
        prop_assert!(records.len() >= acknowledged, "{} of {acknowledged}", records.len());
        prop_assert!(records.len() <= world.model.len() && records == world.model[..records.len()]);
    }

    #[test]
    fn a_changed_byte_ends_what_is_believed(steps in steps(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let mut world = World::new(u64::MAX, 4096);
        steps.iter().for_each(|step| world.take(step));
        let path = world.folder.file(world.last_segment());
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        std::fs::write(&path, &bytes).unwrap();
        let (records, discarded) = world.read();
        prop_assert!(records.len() <= world.model.len() && records == world.model[..records.len()]);
        prop_assert!(discarded > 0);
    }

    #[test]
    fn bytes_that_are_no_segment_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let world = World::new(u64::MAX, 4096);
        let _ = Contents::header(&bytes);
        let _ = Contents::read(bytes, &world.key);
    }
}

#[test]
fn a_segment_that_was_not_begun_in_whole_was_never_begun() {
    let mut world = World::new(u64::MAX, 1 << 20);
    world.take(&Step::Append { executions: 3, data: 10, direction: Direction::Frontend });
    world.take(&Step::Age);
    let begun = std::fs::read(world.folder.file(world.last_segment())).unwrap();
    assert_eq!(Contents::header(&begun).unwrap().pending, [1, 2, 3]);
    for cut in 0..begun.len() {
        assert!(Contents::header(&begun[..cut]).is_none(), "{cut} of {} bytes hide what is pending", begun.len());
    }
}

#[test]
fn nothing_that_a_client_sent_is_legible_in_the_spool() {
    let mut world = World::new(u64::MAX, 1 << 20);
    world.tape.append(vec![EventBody::Cancel], b"the patient's name", Direction::Frontend, 1).unwrap();
    let bytes = std::fs::read(world.folder.file(world.last_segment())).unwrap();
    for clear in [b"patient".as_slice(), b"cancel"] {
        assert!(!bytes.windows(clear.len()).any(|window| window == clear));
    }
}

#[test]
fn a_record_opens_in_its_own_segment_alone() {
    let (mut first, second) = (World::new(u64::MAX, 1 << 20), World::new(u64::MAX, 1 << 20));
    first.tape.append(vec![EventBody::Cancel], b"", Direction::Frontend, 1).unwrap();
    let from = std::fs::read(first.folder.file(first.last_segment())).unwrap();
    let to = std::fs::read(second.folder.file(second.last_segment())).unwrap();
    let header = super::record::split(&from).map(|(header, _)| header.len() + 4).unwrap();
    let moved = [to.as_slice(), &from[header..]].concat();
    for key in [&first.key, &second.key] {
        assert!(Contents::read(moved.clone(), key).unwrap().unwrap().records().next().is_none());
    }
}

#[test]
fn a_full_spool_takes_nothing_but_the_end() {
    let mut world = World::new(20_000, 1 << 20);
    let refused = world.tape.append(Vec::new(), &[0; 30_000], Direction::Backend, 1);
    assert!(matches!(refused, Err(SpoolError::Full { limit: 20_000 })));
    // A smaller batch still fits: nothing was lost by the refusal.
    world.tape.append(Vec::new(), &[0; 1000], Direction::Backend, 1).unwrap();
    let used = world.folder.budget().used();
    world.folder.budget().force(20_000);
    world.tape.close(End::silent(CloseReason::EvidenceFailure), 2).unwrap();
    assert_eq!(world.tape.progress().ending, Some(Ending::Orderly));
    assert_eq!(world.read().0.len(), 2);
    assert_eq!(
        world.folder.budget().used() - 20_000,
        std::fs::metadata(world.folder.file(world.last_segment())).unwrap().len()
    );
    assert!(used < 20_000);
}

#[test]
fn after_a_failed_write_nothing_more_is_taken() {
    let mut world = World::new(u64::MAX, 1 << 20);
    world.take(&Step::Append { executions: 1, data: 10, direction: Direction::Frontend });
    world.tape.break_file();
    let append = |world: &mut World| world.tape.append(vec![EventBody::Cancel], b"x", Direction::Frontend, 9);
    assert!(matches!(append(&mut world), Err(SpoolError::Disk { .. })));
    assert!(matches!(append(&mut world), Err(SpoolError::Poisoned)));
    assert!(matches!(world.tape.close(End::silent(CloseReason::EvidenceFailure), 9), Err(SpoolError::Poisoned)));
    assert_eq!(world.tape.progress().ending, Some(Ending::Broken));
    assert!(world.read() == (world.model, 0));
}

/// What a session says at its end may fill a segment, so that its close begins another.
#[test]
fn an_end_in_two_segments_is_flushed_in_both() {
    let mut world = World::new(u64::MAX, 4096);
    world.tape.append(vec![EventBody::Cancel], b"", Direction::Frontend, 1).unwrap();
    let end = End { last: Vec::new(), told: &[b'!'; 4096], reason: CloseReason::Idle };
    let written = world.tape.close(end, 2).unwrap();
    assert_eq!(world.tape.progress().sequence, 3);
    for spared in [0, 1] {
        let planned = faults::plan(world.folder.path(), Change::FlushSegment, "", spared, Fault::NotDone);
        assert!(written.flush_content().is_err(), "after {spared} flushes");
        drop(planned);
    }
    written.flush().unwrap();
}

#[test]
fn an_end_that_begins_a_segment_has_its_name_flushed() {
    let mut world = World::new(u64::MAX, 1 << 20);
    world.tape.append(vec![EventBody::Cancel], b"", Direction::Frontend, 1).unwrap();
    world.tape.rotate_if_older(Duration::ZERO).unwrap();
    assert!(world.tape.close(End::silent(CloseReason::Idle), 2).unwrap().noteworthy);
}
