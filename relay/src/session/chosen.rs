//! Settings that decisions rest on, as the session has chosen them so far: as the target keeps them.
//!
//! Of each a transaction keeps two values, one for after its commit and one of `SET LOCAL`; a savepoint keeps both as they
//! were (PostgreSQL, `guc.c`: `push_old_value`, `AtEOXact_GUC`). What is answered is known. What is under way decides
//! whether a message has to wait ([`Session::waits_for_settings`]), or cannot be decided at all
//! ([`Session::behind_settings`]).
//!
//! `set_config('search_path', '', …)` is not followed, for it may stand where nobody knows whether it runs. By it the target
//! searches nothing where the relay still searches the path, so it finds fewer names than were looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::postgres::TransactionStatus;
use wire::postgres::conversation::OpKind;

use crate::policy::{Effects, Footing, Permit, Refusal, Savepoint, SettingChange};
use crate::rewrite::SEARCH_PATH;

use bytes::Bytes;

use super::operation::{Operation, Prepared};
use super::requests::Taken;
use super::{Ending, Session};

/// The values, and what they were when the transaction under way and its savepoints began.
#[derive(Debug)]
pub(super) struct Chosen {
    start: Arc<[String]>,
    footing: Arc<Footing>,
    now: Arc<Values>,
    settled: Arc<Values>,
    savepoints: Vec<Kept>,
    /// A value was changed since the transaction began.
    moved: bool,
    /// Something failed since then.
    failed: bool,
}

/// Savepoints of one name, one behind the other with nothing changed between them: drivers that make one before each
/// statement may never release them.
#[derive(Debug)]
struct Kept {
    name: String,
    values: Arc<Values>,
    times: u64,
}

/// What was chosen; what is not in it is as it was when the session began.
type Values = BTreeMap<&'static str, Value>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Value {
    /// As it will be when the transaction has committed.
    lasting: Option<Arc<[String]>>,
    /// By `SET LOCAL`.
    local: Option<Option<Arc<[String]>>>,
}

impl Chosen {
    /// Nothing: names are looked up where the session began to.
    pub(super) fn new(search_path: &[String]) -> Self {
        let footing = Arc::new(Footing::on(search_path));
        Self {
            start: Arc::clone(&footing.search_path),
            footing,
            now: Arc::default(),
            settled: Arc::default(),
            savepoints: Vec::new(),
            moved: false,
            failed: false,
        }
    }

    /// What a decision rests on.
    pub(super) fn footing(&self) -> &Arc<Footing> {
        &self.footing
    }

    /// Whether the end of the transaction may bring other values back.
    pub(super) fn has_moved(&self) -> bool {
        self.moved
    }

    /// A statement is done that does this, with this command tag.
    pub(super) fn completed(&mut self, effects: Option<&Effects>, tag: &str) {
        let undoes_part = effects.is_some_and(|effects| matches!(effects.savepoint, Savepoint::RolledBackTo(_)));
        match tag {
            "COMMIT" => self.committed(),
            // Also the answer to the `COMMIT` of a transaction that had failed.
            "ROLLBACK" if !undoes_part => self.undone(),
            _ => effects.into_iter().for_each(|effects| self.took_effect(effects)),
        }
    }

    fn took_effect(&mut self, effects: &Effects) {
        if effects.resets_settings {
            let all: Vec<&'static str> = self.now.keys().copied().collect();
            all.into_iter().for_each(|name| self.set(&SettingChange { name, value: None, local: false }));
        }
        if let Some(change) = &effects.setting {
            self.set(change);
        }
        match &effects.savepoint {
            Savepoint::Nothing => {}
            Savepoint::Made(name) => self.keep(name),
            Savepoint::Released(name) => {
                if let Some(at) = self.savepoint(name) {
                    self.savepoints.truncate(at.saturating_add(1));
                    if let Some(last) = self.savepoints.last_mut() {
                        last.times = last.times.saturating_sub(1);
                    }
                    self.savepoints.retain(|kept| kept.times > 0);
                }
            }
            Savepoint::RolledBackTo(name) => {
                self.failed = false;
                if let Some(at) = self.savepoint(name) {
                    self.savepoints.truncate(at.saturating_add(1));
                    if let Some(last) = self.savepoints.last() {
                        self.now = Arc::clone(&last.values);
                    }
                    self.stand();
                }
            }
        }
    }

    fn keep(&mut self, name: &str) {
        match self.savepoints.last_mut() {
            Some(last) if last.name == name && last.values == self.now => last.times = last.times.saturating_add(1),
            _ => self.savepoints.push(Kept { name: name.to_owned(), values: Arc::clone(&self.now), times: 1 }),
        }
    }

    /// The target's choice: the last one of that name.
    fn savepoint(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|kept| kept.name == name)
    }

    fn set(&mut self, change: &SettingChange) {
        let value = Arc::make_mut(&mut self.now).entry(change.name).or_default();
        match change.local {
            true => value.local = Some(change.value.clone()),
            false => *value = Value { lasting: change.value.clone(), local: None },
        }
        self.moved = true;
        self.stand();
    }

    /// An error came.
    pub(super) fn failed(&mut self) {
        self.failed = true;
    }

    /// The target waits for the next message.
    pub(super) fn ready(&mut self, status: TransactionStatus) {
        match status {
            TransactionStatus::Idle if self.failed => self.undone(),
            TransactionStatus::Idle => self.committed(),
            TransactionStatus::Active | TransactionStatus::Failed => {}
        }
    }

    fn committed(&mut self) {
        self.savepoints.clear();
        self.failed = false;
        if std::mem::take(&mut self.moved) {
            let now = Arc::make_mut(&mut self.now);
            now.values_mut().for_each(|value| value.local = None);
            now.retain(|_, value| value.lasting.is_some());
            self.settled.clone_from(&self.now);
            self.stand();
        }
    }

    fn undone(&mut self) {
        self.savepoints.clear();
        self.failed = false;
        if std::mem::take(&mut self.moved) {
            self.now.clone_from(&self.settled);
            self.stand();
        }
    }

    fn stand(&mut self) {
        let of = |value: &Value| value.local.clone().unwrap_or_else(|| value.lasting.clone());
        let search_path = self.now.get(SEARCH_PATH).and_then(of).unwrap_or_else(|| Arc::clone(&self.start));
        let steers_plans = self.now.iter().any(|(name, value)| *name != SEARCH_PATH && of(value).is_some());
        let footing = Footing { search_path, steers_plans };
        if *self.footing != footing {
            self.footing = Arc::new(footing);
        }
    }
}

impl Session {
    /// Whether something is on its way by which a setting may become another one, which only the target's answer tells.
    pub(super) fn waits_for_settings(&self) -> bool {
        let moved = self.chosen.has_moved();
        // The target drops what comes among the data of a COPY, and has nothing to say before these.
        let copying = self.conversation.copying_in().is_some();
        let mut sent = self.operations.up_to(self.segment.after());
        !copying && sent.any(|operation| moved || operation.moves_settings(moved))
    }

    /// A statement that may change one is on its way in the same pipeline, whose answers need not come before its `Sync`:
    /// nothing behind it can be decided.
    pub(super) fn behind_settings(&mut self, simple: bool, client: Bytes) -> Result<Taken, Ending> {
        let message = "a statement that changes search_path or the planner's settings must be the last of its pipeline";
        let refusal = Refusal::prerequisite(message).hint("Send Sync after it.");
        let kind = if simple { OpKind::Query } else { OpKind::Parse };
        self.expect(kind, Operation::Refused(refusal), &mut Vec::new())?;
        if simple {
            self.numbers.segment += 1;
            self.segment.end(self.numbers.ticket);
            return Ok(Taken::Permit(Permit::failing_query(client, Vec::new())?));
        }
        Ok(Taken::Permit(Permit::failing_parse(client, Vec::new())?))
    }

    /// Why these statements may not run in this order: what ends a transaction brings settings back, and others come behind
    /// it in the same message (rule 6).
    pub(super) fn unsettled<'e>(&self, effects: impl IntoIterator<Item = &'e Effects>) -> Option<Refusal> {
        let (moved, full) = (self.chosen.has_moved(), self.chosen.savepoints.len() >= SAVEPOINTS_MAX);
        if !moved && !full {
            return None;
        }
        let effects: Vec<&Effects> = effects.into_iter().collect();
        if full && effects.iter().any(|effects| matches!(effects.savepoint, Savepoint::Made(_))) {
            return Some(Refusal::limit(format!("a transaction has at most {SAVEPOINTS_MAX} savepoints at a time")));
        }
        let earlier = effects.len().saturating_sub(1);
        let ends = moved && effects.iter().take(earlier).any(|effects| effects.moves_settings(moved));
        ends.then(|| {
            Refusal::unsupported("what ends a transaction in which search_path or the planner's settings were set must be the last statement of its message")
                .hint("What follows it in the same message could mean something else afterwards.")
        })
    }

    /// Whether a prepared statement or portal was decided on what still holds: the target looks its names up anew.
    pub(super) fn stands(&self, prepared: &Prepared) -> bool {
        prepared.footing.as_ref().is_none_or(|footing| footing == self.chosen.footing())
    }
}

/// More than drivers and mappers nest.
const SAVEPOINTS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn set(path: &str, local: bool) -> Effects {
        let value = (path != "default").then(|| [path.to_owned()].into());
        Effects { setting: Some(SettingChange { name: SEARCH_PATH, value, local }), ..Effects::default() }
    }

    fn savepoint(savepoint: Savepoint) -> Effects {
        Effects { savepoint, ..Effects::default() }
    }

    /// Where names are looked up after these are done. `Z` is `ReadyForQuery` outside of a transaction, `E` an error.
    fn path_after(done: &str) -> String {
        let mut chosen = Chosen::new(&["start".to_owned()]);
        for one in done.split("; ") {
            let words: Vec<&str> = one.split(' ').collect();
            match *words.as_slice() {
                ["Z"] => chosen.ready(TransactionStatus::Idle),
                ["E"] => chosen.failed(),
                ["SET", "LOCAL", path] => chosen.completed(Some(&set(path, true)), "SET"),
                ["SET", path] => chosen.completed(Some(&set(path, false)), "SET"),
                ["RESET", "ALL"] => {
                    chosen.completed(Some(&Effects { resets_settings: true, ..Effects::default() }), "RESET");
                }
                ["SAVEPOINT", name] => {
                    chosen.completed(Some(&savepoint(Savepoint::Made(name.to_owned()))), "SAVEPOINT");
                }
                ["RELEASE", name] => {
                    chosen.completed(Some(&savepoint(Savepoint::Released(name.to_owned()))), "RELEASE");
                }
                ["TO", name] => {
                    chosen.completed(Some(&savepoint(Savepoint::RolledBackTo(name.to_owned()))), "ROLLBACK");
                }
                [tag] => chosen.completed(None, tag),
                _ => panic!("{one}"),
            }
        }
        chosen.footing().search_path.join(",")
    }

    #[test]
    fn what_is_set_lasts_from_its_commit_on_and_is_undone_with_its_transaction() {
        assert_eq!(path_after("SET a; Z"), "a");
        assert_eq!(path_after("SET a; E; Z"), "start");
        assert_eq!(path_after("SET a; Z; BEGIN; SET b; ROLLBACK; Z"), "a");
        assert_eq!(path_after("BEGIN; SET a; COMMIT; Z; E; Z"), "a");
        assert_eq!(path_after("BEGIN; SET a; E; ROLLBACK; SET b; Z"), "b");
        assert_eq!(path_after("SET a; Z; SET default; Z"), "start");
        assert_eq!(path_after("SET a; Z; BEGIN; RESET ALL; ROLLBACK; Z"), "a");
    }

    #[test]
    fn what_is_set_locally_ends_with_the_transaction() {
        assert_eq!(path_after("SET LOCAL a"), "a");
        assert_eq!(path_after("SET LOCAL a; Z"), "start");
        assert_eq!(path_after("BEGIN; SET LOCAL a; COMMIT"), "start");
        assert_eq!(path_after("BEGIN; SET a; SET LOCAL b"), "b");
        assert_eq!(path_after("BEGIN; SET a; SET LOCAL b; COMMIT"), "a");
        assert_eq!(path_after("BEGIN; SET LOCAL b; SET a; COMMIT"), "a");
        assert_eq!(path_after("SET a; Z; BEGIN; SET LOCAL default"), "start");
        assert_eq!(path_after("SET a; Z; BEGIN; SET LOCAL default; COMMIT; Z"), "a");
    }

    #[test]
    fn a_savepoint_brings_back_both_values() {
        assert_eq!(path_after("BEGIN; SET a; SAVEPOINT s; SET LOCAL b; E; TO s"), "a");
        assert_eq!(path_after("BEGIN; SET LOCAL a; SAVEPOINT s; SET b; TO s; COMMIT"), "start");
        assert_eq!(path_after("BEGIN; SET LOCAL a; SAVEPOINT s; SET b; RELEASE s; COMMIT"), "b");
        assert_eq!(path_after("BEGIN; SET a; SAVEPOINT s; SET LOCAL b; RELEASE s"), "b");
        assert_eq!(path_after("BEGIN; SAVEPOINT s; SET a; SAVEPOINT s; SET b; TO s"), "a");
        assert_eq!(path_after("BEGIN; SAVEPOINT s; SET a; SAVEPOINT s; SET b; RELEASE s; TO s"), "start");
        assert_eq!(path_after("BEGIN; SAVEPOINT s; SAVEPOINT t; SET a; TO s; SET b; TO s; COMMIT"), "start");
        assert_eq!(path_after("BEGIN; SET a; SAVEPOINT s; SAVEPOINT s; SET b; RELEASE s; TO s"), "a");
        assert_eq!(path_after("BEGIN; SET a; SAVEPOINT s; SAVEPOINT s; RELEASE s; RELEASE s; SET b; COMMIT"), "b");
    }

    #[test]
    fn a_savepoint_before_each_statement_takes_no_room() {
        let mut chosen = Chosen::new(&[]);
        for _ in 0..5_000 {
            chosen.completed(Some(&savepoint(Savepoint::Made("autosave".to_owned()))), "SAVEPOINT");
        }
        assert_eq!(chosen.savepoints.len(), 1);
    }

    #[test]
    fn plans_are_steered_as_long_as_one_of_their_settings_is_changed() {
        let mut chosen = Chosen::new(&[]);
        let set = |name, changed: bool, local| {
            let value = changed.then(|| Arc::from([]));
            Effects { setting: Some(SettingChange { name, value, local }), ..Effects::default() }
        };
        chosen.completed(Some(&set("work_mem", true, false)), "SET");
        chosen.completed(Some(&set("enable_sort", true, true)), "SET");
        assert!(chosen.footing().steers_plans);
        chosen.completed(Some(&set("work_mem", false, false)), "RESET");
        assert!(chosen.footing().steers_plans);
        chosen.ready(TransactionStatus::Idle);
        assert!(!chosen.footing().steers_plans);
    }
}
