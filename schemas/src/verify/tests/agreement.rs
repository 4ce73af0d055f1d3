//! `verify.py` shares no line with the verifier here, and says the same: whether evidence holds and, where one object is at
//! fault, which. Over everything that the other tests do to evidence, logs and bundles, and over random mutations.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::stranger::{self, encoded};
use super::tree::{TestKeys, Tree};
use super::vectors::{read_folder, read_tree};
use crate::dsse::Envelope;
use crate::rule::Severity;
use crate::signature::{P256Key, Signer};
use crate::verify::lanes::tests::on;
use crate::verify::{EarlierCheckpoint, Finding, Options, verify};

/// What both verifiers are asked.
pub(in crate::verify) struct Ask {
    pub(in crate::verify) name: String,
    pub(in crate::verify) files: Tree,
    pub(in crate::verify) options: Options,
    pub(in crate::verify) is_bundle: bool,
}

/// The objects at fault; nothing when it holds.
type Answer = Option<BTreeSet<String>>;

#[test]
fn both_verifiers_say_the_same_of_everything_that_tests_do_to_evidence_and_logs() {
    let mut asks = super::tampering::asks();
    asks.extend(super::insider::asks());
    asks.extend(super::log::asks());
    asks.extend(super::results::asks());
    asks.extend(super::shredding::asks());
    asks.extend(super::completeness::asks());
    let (name, files) = ("aborted while a request waited".to_owned(), super::vectors::aborted_while_a_request_waited());
    asks.push(Ask { name, files, options: Options::default(), is_bundle: false });
    assert!(asks.len() > 120);
    compare(&whole_tree(), &asks);
}

#[cfg(feature = "parquet")]
#[test]
fn both_verifiers_say_the_same_of_everything_that_tests_do_to_bundles() {
    let (base, asks) = crate::verify::bundle::asks_of_tests();
    assert!(asks.len() > 80);
    compare(&base, &asks);
}

#[test]
fn both_verifiers_say_the_same_of_random_mutations_of_evidence_and_log() {
    let (base, keys, mut random) = (whole_tree(), TestKeys::read(), Random(SEED));
    let options = options_with_log(&base, &keys);
    let asks = (0..MUTATIONS).map(|number| {
        let (mut files, mut name) = (base.clone(), format!("mutation {number}"));
        for _ in 0..=random.below(8) / 6 {
            name = format!("{name}: {}", mutate(&mut files, &keys, &mut random));
        }
        Ask { name, files, options: options.clone(), is_bundle: false }
    });
    compare(&base, &asks.collect::<Vec<_>>());
}

#[cfg(feature = "parquet")]
#[test]
fn both_verifiers_say_the_same_of_random_mutations_of_bundles() {
    let keys = TestKeys::read();
    let mut random = Random(SEED ^ 7);
    let (base, asks) = crate::verify::bundle::mutated(BUNDLE_MUTATIONS, |files| mutate(files, &keys, &mut random));
    compare(&base, &asks);
}

/// Asks both and compares. Rules that are not of `verify.py` are left out: it does not look at tables. It ends at the first
/// error, and does not go in our order: so the object that it names need be one that ours names in most cases alone.
fn compare(base: &Tree, asks: &[Ask]) {
    let strangers = ask_stranger(base, asks);
    let (mut differences, mut same, mut refused) = (Vec::new(), 0, 0);
    for (ask, stranger) in asks.iter().zip(strangers) {
        match (ours(ask), stranger) {
            (None, None) => {}
            (Some(objects), Some(why)) => {
                refused += 1;
                same += usize::from(objects.iter().any(|object| why.starts_with(&format!("{object}: "))));
            }
            (ours, why) => differences.push(format!("{}\n  ours {ours:?}\n  verify.py {why:?}", ask.name)),
        }
    }
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), asks.len(), differences.join("\n"));
    assert!(same * 5 >= refused * 4, "the same object in {same} of {refused}");
}

/// On several cores as on one: the whole report is the same.
fn ours(ask: &Ask) -> Answer {
    let judged = on(3, || judge(ask));
    assert_eq!(judged, on(0, || judge(ask)), "{}", ask.name);
    judged.0
}

/// The answer, and the report it is from.
fn judge(ask: &Ask) -> (Answer, Value) {
    let keys = TestKeys::read();
    #[cfg(feature = "parquet")]
    if ask.is_bundle {
        let report = crate::verify::verify_bundle(&ask.files, keys.root(), &ask.options).unwrap();
        let errors: Vec<_> = report.errors().filter(|finding| is_of_both(finding)).collect();
        let holds = report.checked.signature && report.evidence.checked.certificates > 0 && errors.is_empty();
        return ((!holds).then(|| objects(errors.into_iter())), json!(report));
    }
    let report = verify(&ask.files, keys.root(), &ask.options).unwrap();
    ((!report.holds()).then(|| objects(report.errors())), json!(report))
}

fn objects<'a>(errors: impl Iterator<Item = &'a Finding>) -> BTreeSet<String> {
    errors.map(|finding| finding.object.clone()).collect()
}

fn is_of_both(finding: &Finding) -> bool {
    let tables = ["table.", "safeguards.", "bundle.counts"];
    finding.severity == Severity::Error && !tables.iter().any(|prefix| finding.rule.id().starts_with(prefix))
}

fn ask_stranger(base: &Tree, asks: &[Ask]) -> Vec<Option<String>> {
    let files: Map<_, _> = base.iter().map(|(key, bytes)| (key.clone(), encoded(bytes))).collect();
    let lines = std::iter::once(json!({ "base": files })).chain(asks.iter().map(|ask| asked(base, ask)));
    let answers = stranger::ask("agreement.py", lines);
    assert_eq!(answers.len(), asks.len());
    answers.iter().map(|why| why.as_str().map(str::to_owned)).collect()
}

fn asked(base: &Tree, ask: &Ask) -> Value {
    let gone = base.keys().filter(|key| !ask.files.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let other = ask.files.iter().filter(|(key, bytes)| base.get(*key) != Some(bytes));
    let change: Map<_, _> = gone.chain(other.map(|(key, bytes)| (key.clone(), encoded(bytes)))).collect();
    let earlier: Vec<_> = ask.options.earlier.iter().map(|kept| json!([kept.name, encoded(&kept.note)])).collect();
    let key = ask.options.checkpoints_key.as_ref().map(|key| encoded(&key.spki_der()));
    let witnesses: Vec<_> = ask.options.witnesses.iter().map(crate::log::Witness::to_vkey).collect();
    json!({ "change": change, "earlier": earlier, "witnesses": witnesses, "checkpoints_key": key, "bundle": ask.is_bundle })
}

fn whole_tree() -> Tree {
    let mut tree = read_tree();
    tree.extend(read_folder("log"));
    tree
}

fn options_with_log(tree: &Tree, keys: &TestKeys) -> Options {
    let note = tree.iter().find(|(key, _)| key.ends_with("checkpoint/0000000001")).unwrap().1.clone();
    Options {
        checkpoints_key: Some(keys.checkpoints.public_key().clone()),
        earlier: vec![EarlierCheckpoint { name: "kept".to_owned(), note }],
        ..Options::default()
    }
}

/// Does one thing to one file, and tells which.
fn mutate(files: &mut Tree, keys: &TestKeys, random: &mut Random) -> String {
    let names: Vec<String> = files.keys().cloned().collect();
    let (name, other) = (random.of(&names).clone(), random.of(&names).clone());
    let mut bytes = files[&name].clone();
    let (at, kind) = (random.below(bytes.len() + 1), random.below(12));
    match kind {
        0 => drop(files.remove(&name)),
        1 => drop(files.insert(name.clone(), files[&other].clone())),
        2 => {
            let both = (files[&name].clone(), files[&other].clone());
            files.extend([(name.clone(), both.1), (other.clone(), both.0)]);
        }
        3 => drop(files.insert(name.replacen('1', "2", 1 + random.below(9)), bytes)),
        4..=6 if name.ends_with(".json") && resign(&mut bytes, keys, random) => drop(files.insert(name.clone(), bytes)),
        7 => drop(files.insert(name.clone(), [&bytes[..at], b"{\"\n ", &bytes[at..]].concat())),
        8 => drop(files.insert(name.clone(), bytes[..at].to_vec())),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
            files.insert(name.clone(), bytes);
        }
    }
    format!("{kind} at {at} of {name} ({other})")
}

/// Changes a character of a statement and signs it again, as whoever has all keys.
fn resign(bytes: &mut Vec<u8>, keys: &TestKeys, random: &mut Random) -> bool {
    let Ok(envelope) = Envelope::from_slice(bytes) else { return false };
    let all: [&P256Key; 3] = [&keys.first, &keys.second, &keys.root];
    let Some(key) = all.into_iter().find(|key| key.public_key().key_id() == envelope.key_id()) else { return false };
    let mut payload = envelope.payload().to_vec();
    let at = random.below(payload.len());
    payload[at] = *random.of(b"0123456789abcdefz-\"{}[],: tn");
    *bytes = Envelope::sign(envelope.payload_type(), payload, key).unwrap().to_vec().unwrap();
    true
}

/// xorshift64*: the same mutations every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % end.max(1)
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

const SEED: u64 = 0x00AF_F1DA_7175_EED5;
const MUTATIONS: usize = 800;
/// Verifying a bundle takes longer: its tables are made again.
const BUNDLE_MUTATIONS: usize = 200;
