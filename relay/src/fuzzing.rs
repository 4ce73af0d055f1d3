//! Entry points for fuzzing: each takes any bytes and fails (panics) only if a promise of this crate is broken. The
//! fuzz targets call them, and so do the property tests, so that both hold the same promises.

use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use schemas::event::{Path, Verdict};
use schemas::session_key::SessionKey;

use crate::catalog::Snapshot;
use crate::config::{Classification, Connection};
use crate::policy::{AccessProfile, Context, Footing, Outcome, Own, PolicySet, decide};
use crate::spool::Contents;
use crate::statement::parse_own;

/// Any bytes as a segment of the spool: a header and records, or none.
pub fn spool(bytes: &[u8]) {
    let Ok(key) = SessionKey::from_bytes([7; 32]).spool_key() else { return };
    let header = Contents::header(bytes);
    let contents = Contents::read(bytes.to_vec(), &key).ok().flatten();
    assert_eq!(header.as_ref(), contents.as_ref().map(|contents| &contents.header), "two opinions of a header");
    if let Some(contents) = contents {
        assert!(contents.records().next().is_none(), "records that nobody sealed were opened");
    }
}

/// Any text is decided: permitted as a text that can be parsed, held, or refused, and told so in evidence.
pub fn statement(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(worker) = WORKER.as_ref().and_then(|worker| worker.lock().ok()) else { return };
    let (texts, answers) = &*worker;
    let answered = texts.send(text.to_owned()).is_ok() && answers.recv().is_ok();
    assert!(answered, "deciding failed");
}

type Worker = std::sync::Mutex<(SyncSender<String>, Receiver<()>)>;

/// A thread with the stack of the relay's workers.
static WORKER: LazyLock<Option<Worker>> = LazyLock::new(|| {
    let ((texts, to_decide), (decided, answers)) = (sync_channel::<String>(0), sync_channel(0));
    let work = move || {
        let clinic = Clinic::new();
        while let Ok(text) = to_decide.recv() {
            clinic.iter().for_each(|clinic| clinic.decide(&text));
            if decided.send(()).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().stack_size(crate::cores::STACK).spawn(work).ok()?;
    Some(std::sync::Mutex::new((texts, answers)))
});

struct Clinic {
    snapshot: Snapshot,
    profile: AccessProfile,
    footing: Footing,
}

impl Clinic {
    fn new() -> Option<Self> {
        let snapshot = Snapshot::from_json(CATALOG).ok()?;
        let connection: Connection = toml::from_str(CONNECTION).ok()?;
        let classification: Classification = toml::from_str(CLASSIFICATION).ok()?;
        let policies = PolicySet::from_texts(&[("clinic.cedar".to_owned(), POLICIES.to_owned())]).ok()?;
        let principal = identity::Principal {
            kind: identity::Kind::User,
            issuer: "https://id.example".to_owned(),
            subject: "u1".to_owned(),
            name: "Ada".to_owned(),
            groups: vec!["analysts".to_owned()],
            expires_at: 4_000_000_000,
            acts_for: None,
        };
        let profile = policies.profile(&principal, &connection, &classification, &snapshot).ok()?;
        Some(Self { snapshot, profile, footing: Footing::on(&["public".to_owned(), "clinic".to_owned()]) })
    }

    fn decide(&self, text: &str) {
        for path in [Path::Simple, Path::Extended] {
            let token = |bytes: &[u8]| format!("{:016x}", bytes.len());
            let (profile, snapshot, footing) = (&self.profile, &self.snapshot, &self.footing);
            let ruling =
                decide(&Context { profile, snapshot, footing, own: Own::none(), token: &token }, path, text, &[]);
            match &ruling.outcome {
                Outcome::Permitted { upstream_sql } | Outcome::Held { upstream_sql, .. } => {
                    assert!(parse_own(upstream_sql).is_ok(), "what would be sent cannot be parsed");
                }
                Outcome::Refused { refusal } => {
                    assert!(!refusal.message.is_empty(), "a refusal without a reason");
                    let told = ruling.statements.iter().any(|one| one.event.decision.outcome == Verdict::Refused);
                    assert!(told, "a refusal is not on record");
                }
            }
        }
    }
}

const CONNECTION: &str = "name = 'clinic'\nhost = 'localhost'\ndatabase = 'clinic'\nuser = 'relay'\n\
    password = { file = 'p' }\nclassification = 'c.toml'\ntls = { mode = 'disable' }";
const POLICIES: &str = r#"
    @id("read") permit(principal in Group::"analysts", action in [Action::"connect", Action::"select"], resource);
    @id("write") permit(principal in Group::"analysts", action in [Action::"insert", Action::"update", Action::"delete"],
                        resource);
"#;
const CLASSIFICATION: &str = r#"
    [[table]]
    name = "clinic.patients"
    columns = { id = "clear", name = "redact", ssn = "last4", birth_date = "year", zip = "zip3" }
"#;
const CATALOG: &str = include_str!("fuzzing/clinic.json");

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// The seeds of the fuzz target.
    fn texts() -> Vec<String> {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds/statement");
        let files = std::fs::read_dir(seeds).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    #[test]
    fn the_seeds_mean_something() {
        let clinic = Clinic::new().unwrap();
        let token = |_: &[u8]| String::new();
        let context = Context {
            profile: &clinic.profile,
            snapshot: &clinic.snapshot,
            footing: &clinic.footing,
            own: Own::none(),
            token: &token,
        };
        let permitted = |text: &String| {
            matches!(decide(&context, schemas::event::Path::Simple, text, &[]).outcome, Outcome::Permitted { .. })
        };
        let count = texts().iter().filter(|text| permitted(text)).count();
        assert!(count > 5, "only {count} of the seeds are permitted");
        texts().iter().for_each(|text| statement(text.as_bytes()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn pieces_of_statements_are_decided(
            pieces in vec((prop::sample::select(texts()), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..5),
        ) {
            let mut text = String::new();
            for (piece, from, to) in pieces {
                let words: Vec<&str> = piece.split_inclusive(' ').collect();
                let (from, to) = (from.index(words.len()), to.index(words.len() + 1));
                words.get(from.min(to)..to).into_iter().flatten().for_each(|word| text.push_str(word));
            }
            statement(text.as_bytes());
        }

        #[test]
        fn any_text_is_decided(text in "\\PC{0,60}") {
            statement(text.as_bytes());
        }

        #[test]
        fn any_bytes_are_no_segment(bytes in vec(any::<u8>(), 0..300)) {
            spool(&bytes);
        }
    }
}
