//! The decision on a text: set algebra over a profile, nothing else.

use std::sync::Arc;

use pg_query::protobuf::{Node, ScanToken};
use schemas::event::{Decision, Path, Statement, Verdict};

use super::profile::AccessProfile;
use super::ruling::{Outcome, Ruling, StatementRuling};
use crate::catalog::{FIRST_USER_OID, Snapshot};
use crate::rewrite::{self, ByName, Class, Effects, Found, Own, Rewriter};
use crate::statement::{self, Parsed, Refusal, Tokenised, Vocabulary};

/// What a decision depends on, beside the text. All of it belongs into the key of a cache of decisions (rule 1).
pub struct Context<'a> {
    /// The principal's answers.
    pub profile: &'a AccessProfile,
    /// The catalog that the profile was computed for.
    pub snapshot: &'a Snapshot,
    /// What the session has chosen.
    pub footing: &'a Footing,
    /// What the session made that no snapshot tells of.
    pub own: &'a Arc<Own>,
    /// Keyed digest of a value, 16 hex digits, under the session's own key.
    pub token: &'a dyn Fn(&[u8]) -> String,
}

/// Settings of a session that decisions rest on, as they are at the moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footing {
    /// Where names are looked up; `pg_catalog` is implied and must not be in it.
    pub search_path: Arc<[String]>,
    /// A setting by which plans are made is not what it was when the session began.
    pub steers_plans: bool,
}

impl Footing {
    /// Names are looked up in these schemas, and plans are made as always.
    #[must_use]
    pub fn on(search_path: &[String]) -> Self {
        Self { search_path: search_path.into(), steers_plans: false }
    }
}

/// Decides on a text.
///
/// `parameter_types` are the OIDs that the client declared in `Parse`; 0 stands for one it left open. Either every
/// statement of the text may run, as rewritten, or none.
#[must_use]
pub fn decide(context: &Context<'_>, path: Path, sql: &str, parameter_types: &[u32]) -> Ruling {
    match precondition(context, parameter_types).and_then(|()| statement::parse(sql)) {
        Err(refusal) => unparsed(context, path, sql, refusal),
        Ok((parsed, tokens)) => Batch::decide(context, path, parsed).ruling(context, path, sql, &tokens),
    }
}

fn precondition(context: &Context<'_>, parameter_types: &[u32]) -> Result<(), Refusal> {
    if context.profile.epoch() != context.snapshot.epoch() {
        return Err(Refusal::forbidden("the session's access profile is of another catalog snapshot"));
    }
    if !context.profile.may_connect().permitted {
        return Err(Refusal::forbidden("policy does not permit this connection"));
    }
    if context.footing.search_path.iter().any(|schema| schema.starts_with("pg_") || schema == "information_schema") {
        return Err(Refusal::forbidden("the search path names a system schema")
            .hint("pg_catalog is searched first without being named."));
    }
    let plain = |oid: &u32| *oid < FIRST_USER_OID || context.snapshot.type_kind(*oid) == Some('e');
    if !parameter_types.iter().all(plain) {
        return Err(Refusal::unsupported("parameters of user-defined types other than enums are not supported yet"));
    }
    Ok(())
}

/// The statements of a text, each decided by itself first.
struct Batch {
    decided: Vec<Decided>,
    refusal: Option<Refusal>,
}

struct Decided {
    class: Class,
    start: usize,
    end: usize,
    result: Result<Rewritten, Refusal>,
    found: Found,
}

struct Rewritten {
    /// The text with names for masked scans and guards.
    with_names: String,
    /// The text that would run.
    upstream: String,
    effects: Effects,
}

impl Batch {
    fn decide(context: &Context<'_>, path: Path, parsed: Vec<Parsed>) -> Self {
        let many = parsed.len() > 1;
        let decided: Vec<Decided> = parsed.into_iter().map(|parsed| one(context, parsed)).collect();
        let first_refusal = decided.iter().find_map(|d| d.result.as_ref().err().cloned());
        let refusal = first_refusal.or_else(|| {
            if many && path == Path::Extended {
                return Some(Refusal::syntax("a prepared statement holds one statement"));
            }
            if path == Path::Extended && decided.iter().any(Decided::goes_by_name) {
                return Some(
                    Refusal::unsupported("PREPARE and EXECUTE are relayed as simple queries alone")
                        .hint("The protocol's own prepared statements have the same names and work."),
                );
            }
            // It stays prepared also when what follows it fails, and the name could not be told from another's.
            if many && decided.iter().any(Decided::prepares) {
                return Some(Refusal::unsupported("PREPARE must be sent alone"));
            }
            let changes = |d: &Decided| d.result.as_ref().is_ok_and(|rewritten| rewritten.effects.changes_resolution());
            // COMMIT means the same wherever it stands. Which of the names made in the same message a ROLLBACK leaves, nobody
            // could tell from the answers.
            let depends = |d: &Decided| !d.result.as_ref().is_ok_and(|rewritten| rewritten.effects.commits);
            let earlier = decided.iter().position(changes).is_some_and(|at| decided.iter().skip(at + 1).any(depends));
            if decided.iter().any(|d| d.needs_approval() && d.found.temporary) {
                let message = "a statement that needs approval cannot read or write a temporary table: nobody else sees what is in it";
                return Some(Refusal::unsupported(message));
            }
            if many && decided.iter().any(Decided::needs_approval) {
                let refusal = Refusal::unsupported("a statement that needs approval must be sent alone");
                return Some(refusal.hint("Send each statement of this text as a message of its own."));
            }
            earlier.then(|| {
                Refusal::unsupported(
                    "a statement that changes definitions, search_path or the planner's settings, or resets the session, must be sent alone",
                )
                    .hint("What follows it in the same message could mean something else afterwards.")
            })
        });
        Self { decided, refusal }
    }

    fn ruling(self, context: &Context<'_>, path: Path, sql: &str, tokens: &[ScanToken]) -> Ruling {
        let outcome = match &self.refusal {
            Some(refusal) => Outcome::Refused { refusal: refusal.clone() },
            None if self.decided.iter().any(Decided::needs_approval) => self.held(),
            None => {
                let texts: Vec<&str> = self
                    .decided
                    .iter()
                    .filter_map(|d| d.result.as_ref().ok())
                    .map(|rewritten| rewritten.upstream.as_str())
                    .collect();
                Outcome::Permitted { upstream_sql: texts.join("; ") }
            }
        };
        let batch = self.refusal;
        let told = |d: Decided| d.statement(context, path, (sql, tokens), batch.as_ref());
        let statements = self.decided.into_iter().map(told).collect();
        Ruling { statements, outcome }
    }
}

impl Batch {
    /// Of a text with one statement.
    fn held(&self) -> Outcome {
        let one = self.decided.first();
        let text = one.and_then(|one| one.result.as_ref().ok()).map(|rewritten| rewritten.upstream.clone());
        let objects = one.map(|one| one.found.resolved.iter().cloned().collect());
        Outcome::Held { upstream_sql: text.unwrap_or_default(), objects: objects.unwrap_or_default() }
    }
}

fn one(context: &Context<'_>, parsed: Parsed) -> Decided {
    let Parsed { node, start, end } = parsed;
    let access = context.profile.access();
    let rewriter = || Rewriter::new(context.snapshot, &context.footing.search_path, access, context.own);
    let (class, result, found) = match node {
        Err(refusal) => (Class::Other, Err(refusal), rewriter().into_found()),
        Ok(node) => {
            let again = (access.stores_masks && rewrite::may_store_masks(&node)).then(|| node.clone());
            match (rewritten(rewriter(), node), again) {
                // Refused: perhaps for masks alone, which somebody may approve. If not, it is the first refusal that counts.
                (first @ (_, Err(_), _), Some(again)) => {
                    let second = rewritten(rewriter().storing_masks(), again);
                    if second.1.is_ok() { second } else { first }
                }
                (first, _) => first,
            }
        }
    };
    let result = result.and_then(|rewritten| match context.footing.steers_plans && found.is_masked() {
        false => Ok(rewritten),
        true => Err(Refusal::forbidden(
            "masked columns are not read while settings by which plans are made are changed: an order of rows could follow from \
             raw values",
        )
        .hint("RESET them first, or RESET ALL.")),
    });
    Decided { class, start, end, result, found }
}

/// A statement as it would run: its text with names for scans and guards, and that with these themselves.
fn rewritten(mut rewriter: Rewriter<'_>, mut node: Node) -> (Class, Result<Rewritten, Refusal>, Found) {
    let class = rewrite::class(&node);
    let result = rewriter.statement(&mut node);
    let found = rewriter.into_found();
    let result = result.and_then(|effects| {
        let with_names = rewrite::deparse(node)?;
        let upstream = rewrite::spliced_text(with_names.clone(), &found.splices)?;
        Ok(Rewritten { with_names, upstream, effects })
    });
    (class, result, found)
}

impl Decided {
    fn goes_by_name(&self) -> bool {
        self.result.as_ref().is_ok_and(|rewritten| rewritten.effects.by_name != ByName::Nothing)
    }

    fn prepares(&self) -> bool {
        self.result.as_ref().is_ok_and(|rewritten| matches!(rewritten.effects.by_name, ByName::Prepares(_)))
    }

    fn needs_approval(&self) -> bool {
        self.result.is_ok() && self.found.resolved.iter().any(|resolved| resolved.held)
    }

    fn statement(
        self,
        context: &Context<'_>,
        path: Path,
        (sql, tokens): (&str, &[ScanToken]),
        batch: Option<&Refusal>,
    ) -> StatementRuling {
        let range = if sql.get(self.start..self.end).is_some() { self.start..self.end } else { 0..sql.len() };
        let text = sql.get(range.clone()).unwrap_or(sql);
        let known = |name: &str| context.snapshot.knows(name);
        let (tokenised, literals) = statement::tokenise_own(sql, range, tokens, context.token, &known).unzip();
        let literals = literals.unwrap_or_default();
        let upstream = self.result.as_ref().ok().filter(|_| batch.is_none());
        let upstream_text = upstream.and_then(|rewritten| {
            let own_constants = |lexeme: &str| self.found.constants.contains(lexeme);
            let vocabulary = Vocabulary { own_constants: &own_constants, literals: &literals };
            let told = statement::tokenise_upstream(&rewritten.with_names, &known, &vocabulary)?;
            rewrite::spliced_told(told, &self.found.splices)
        });
        let (text_of, literals) = match tokenised {
            Some(Tokenised { text, literals }) => (Some(text), literals),
            None => (None, Vec::new()),
        };
        let decision = match (&self.result, batch) {
            (Err(refusal), _) => refused(refusal, &self.found),
            (Ok(_), Some(refusal)) => refused(&beside(refusal), &self.found),
            (Ok(_), None) => {
                permitted(&self.found, if self.needs_approval() { Verdict::Held } else { Verdict::Permitted })
            }
        };
        let scrub_diagnostics = self.found.protected || self.found.triggers || self.found.calls;
        let event = Statement {
            statement: 0,
            path,
            class: self.class.as_str().to_owned(),
            upstream_text: upstream_text.filter(|upstream| Some(upstream) != text_of.as_ref()),
            text: text_of,
            text_length: length(text),
            text_token: (context.token)(text.as_bytes()),
            literals,
            objects: self.found.touched.into_values().collect(),
            decision,
        };
        let effects = self.result.map(|rewritten| rewritten.effects).unwrap_or_default();
        StatementRuling { event, class: self.class, scrub_diagnostics, effects }
    }
}

/// Text that is not SQL, or exceeds a limit, is told by its length and keyed digest alone.
fn unparsed(context: &Context<'_>, path: Path, sql: &str, refusal: Refusal) -> Ruling {
    let event = Statement {
        statement: 0,
        path,
        class: Class::Unparsed.as_str().to_owned(),
        text: None,
        text_length: length(sql),
        text_token: (context.token)(sql.as_bytes()),
        literals: Vec::new(),
        upstream_text: None,
        objects: Vec::new(),
        decision: refused(&refusal, &Found::default()),
    };
    let statement =
        StatementRuling { event, class: Class::Unparsed, scrub_diagnostics: false, effects: Effects::default() };
    Ruling { statements: vec![statement], outcome: Outcome::Refused { refusal } }
}

fn refused(refusal: &Refusal, found: &Found) -> Decision {
    Decision {
        outcome: Verdict::Refused,
        policies: found.policies.iter().cloned().collect(),
        sqlstate: Some(refusal.sqlstate.to_owned()),
        reason: Some(refusal.reason.clone()),
    }
}

fn permitted(found: &Found, outcome: Verdict) -> Decision {
    Decision { outcome, policies: found.policies.iter().cloned().collect(), sqlstate: None, reason: None }
}

/// What a statement that could have run is told, when another one of its message could not.
fn beside(refusal: &Refusal) -> Refusal {
    Refusal { reason: format!("another statement of the message was refused: {}", refusal.reason), ..refusal.clone() }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
