//! Decisions that were made already, so that the same text is not parsed, resolved and rewritten again (rule 1).
//!
//! One session has one of these: connection, database, principal, role and token key are its own and never change. What
//! can change is compared at each look ([`Grounds`]); the rest is the key, byte for byte. Nothing is normalised: a text
//! that differs in a literal is another text (rule 25).

use std::collections::HashMap;
use std::sync::Arc;

use schemas::event::Path;

use super::decide::{Context, Footing, decide};
use super::ruling::{Outcome, Ruling};
use crate::rewrite::Own;

/// A session's permitted texts and what was ruled on them.
#[derive(Debug, Default)]
pub struct Decisions {
    grounds: Grounds,
    /// What was asked for since the older half was dropped last.
    young: HashMap<Box<str>, Vec<Made>>,
    /// What was asked for before; dropped when the younger half is full.
    old: HashMap<Box<str>, Vec<Made>>,
    /// Bytes of the younger half, by [`cost`].
    bytes: usize,
    /// How often nothing was remembered.
    decided: u64,
}

/// What a decision rests on beside text, path and types of parameters.
#[derive(Debug, Default, PartialEq, Eq)]
struct Grounds {
    epoch: String,
    policy_sha256: String,
    footing: Footing,
    own: Arc<Own>,
}

#[derive(Debug)]
struct Made {
    path: Path,
    parameter_types: Box<[u32]>,
    ruling: Arc<Ruling>,
}

impl Decisions {
    /// As [`decide`], which is asked only for what it has not permitted before on the same grounds. The context is that
    /// of one session: its token key and its principal must be the same each time.
    pub fn decide(&mut self, context: &Context<'_>, path: Path, sql: &str, parameter_types: &[u32]) -> Arc<Ruling> {
        self.stand_on(context);
        if let Some(ruling) = self.known(path, sql, parameter_types) {
            return ruling;
        }
        self.decided = self.decided.saturating_add(1);
        let ruling = Arc::new(decide(context, path, sql, parameter_types));
        // What is refused may be an unknown name, which another catalog knows; what is held is decided anew anyway.
        if matches!(ruling.outcome, Outcome::Permitted { .. }) {
            self.keep(sql, Made { path, parameter_types: parameter_types.into(), ruling: Arc::clone(&ruling) });
        }
        ruling
    }

    /// How many decisions were made and not remembered.
    #[must_use]
    pub fn decided(&self) -> u64 {
        self.decided
    }

    /// What both halves take.
    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        let all = self.young.iter().chain(&self.old);
        all.flat_map(|(sql, made)| made.iter().map(move |made| cost(sql, made))).sum()
    }

    /// Forgets everything that was decided on other grounds.
    fn stand_on(&mut self, context: &Context<'_>) {
        // In full, so that whatever a decision depends on next must be thought of here.
        let Context { profile, snapshot, footing, own, token: _ } = context;
        let Grounds { epoch, policy_sha256, footing: stood_on, own: made } = &self.grounds;
        // Nearly always it is the same one: there is nothing to compare.
        let same = Arc::ptr_eq(made, own) || made == *own;
        if epoch != snapshot.epoch() || policy_sha256 != profile.policy_sha256() || stood_on != *footing || !same {
            let grounds = Grounds {
                epoch: snapshot.epoch().to_owned(),
                policy_sha256: profile.policy_sha256().to_owned(),
                footing: (*footing).clone(),
                own: Arc::clone(own),
            };
            *self = Self { grounds, decided: self.decided, ..Self::default() };
        }
    }

    fn known(&mut self, path: Path, sql: &str, parameter_types: &[u32]) -> Option<Arc<Ruling>> {
        if let Some(made) = find(&self.young, path, sql, parameter_types) {
            return Some(Arc::clone(&made.ruling));
        }
        let made = self.old.get_mut(sql).and_then(|all| {
            let place = all.iter().position(|made| made.is_for(path, parameter_types))?;
            Some(all.swap_remove(place))
        })?;
        let ruling = Arc::clone(&made.ruling);
        self.keep(sql, made);
        Some(ruling)
    }

    fn keep(&mut self, sql: &str, made: Made) {
        let cost = cost(sql, &made);
        if cost > HALF_BYTES {
            return;
        }
        if self.bytes.saturating_add(cost) > HALF_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(cost);
        self.young.entry(sql.into()).or_default().push(made);
    }
}

impl Made {
    fn is_for(&self, path: Path, parameter_types: &[u32]) -> bool {
        self.path == path && *self.parameter_types == *parameter_types
    }
}

fn find<'m>(
    half: &'m HashMap<Box<str>, Vec<Made>>,
    path: Path,
    sql: &str,
    parameter_types: &[u32],
) -> Option<&'m Made> {
    half.get(sql)?.iter().find(|made| made.is_for(path, parameter_types))
}

/// Bytes that an entry takes, about: its texts, and for each part what lists and allocations add.
fn cost(sql: &str, made: &Made) -> usize {
    let upstream = match &made.ruling.outcome {
        Outcome::Permitted { upstream_sql } | Outcome::Held { upstream_sql, .. } => upstream_sql.len(),
        Outcome::Refused { .. } => 0,
    };
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let statements = made.ruling.statements.iter().map(|ruled| {
        let event = &ruled.event;
        let columns = |touched: &schemas::event::Touched| touched.masked.len().saturating_add(touched.revealed.len());
        let parts = event.objects.iter().map(|touched| columns(touched).saturating_add(2)).sum::<usize>();
        let parts = parts.saturating_add(event.literals.len()).saturating_add(event.decision.policies.len());
        text(&event.text)
            .saturating_add(text(&event.upstream_text))
            .saturating_add(parts.saturating_mul(PART_BYTES))
            .saturating_add(STATEMENT_BYTES)
    });
    let statements = statements.fold(0, usize::saturating_add);
    let types = size_of_val(&*made.parameter_types);
    sql.len().saturating_add(upstream).saturating_add(types).saturating_add(statements)
}

/// Half of what one session may keep: dozens of ordinary statements. An idle connection without any keeps nothing.
pub(super) const HALF_BYTES: usize = 64 * 1024;
/// A statement's ruling and the entry that holds it, without texts and lists.
const STATEMENT_BYTES: usize = 768;
/// A literal, a column or an object: two short texts.
const PART_BYTES: usize = 96;
