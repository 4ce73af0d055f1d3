//! The corpus of `tests/attacks/`: every attack succeeds on the database itself, and none through the relay.

mod corpus;
mod leak;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use corpus::{Case, Corpus};
use leak::{Marks, told};
use world::World;

use crate::harness::Database;
use crate::harness::corpus::{Kept, Place, Seen, run};

#[test]
fn every_attack_succeeds_on_the_database_and_none_through_the_relay() {
    judge(Database::shared());
}

#[test]
fn every_attack_succeeds_on_postgresql_18_and_none_through_the_relay() {
    match Database::eighteen() {
        Some(database) if database.version() != Database::shared().version() => judge(database),
        Some(_) => {}
        None => eprintln!("SKIPPED: PostgreSQL 18 is missing; tests/setup.sh installs it"),
    }
}

#[test]
fn the_corpus_is_large_and_every_case_has_a_name_of_its_own_and_a_reason() {
    let corpus = Corpus::read();
    let mut ids: Vec<&str> = corpus.cases().map(|(_, case)| case.id.as_str()).collect();
    assert!(ids.len() >= CASES_MIN && corpus.classes.len() >= CLASSES_MIN, "{} cases", ids.len());
    for (class, case) in corpus.cases() {
        assert!(!case.why.is_empty(), "{class}: {} says why", case.id);
        assert_eq!(case.right.len(), case.wrong.len(), "{}: each value has a right and a wrong one", case.id);
    }
    ids.sort_unstable();
    let twice = ids.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None);
}

/// What became of a case at one place.
struct Tried {
    /// Why it counts as a success, if it does.
    success: Option<String>,
    /// An error was among the answers.
    refused: bool,
    /// What was answered, for a failure's message.
    answers: String,
}

fn judge(database: &'static Database) {
    let corpus = Corpus::read();
    let started = Instant::now();
    let world = World::made(&corpus, database);
    let made = started.elapsed();
    let chosen = std::env::var(CHOSEN).unwrap_or_default();
    let is_chosen = |case: &Case| chosen.is_empty() || chosen.split(',').any(|begins| case.id.starts_with(begins));
    let applies = |(_, case): &(&str, &Case)| world.is_for(case) && is_chosen(case);
    let cases: Vec<(&str, &Case)> = corpus.cases().filter(applies).collect();
    // Beside each other: they are made in databases of their own.
    let (direct, relayed) = std::thread::scope(|scope| {
        let (_asking, over) = std::sync::mpsc::channel();
        let world = &world;
        scope.spawn(move || world.approve(&over));
        let direct = scope.spawn(|| try_all(&corpus, &cases, |case| world.direct(case)));
        let relayed = try_all(&corpus, &cases, |case| world.relayed(case));
        (direct.join().unwrap(), relayed)
    });
    eprintln!(
        "{} of {} cases apply to PostgreSQL {}; set-up {made:.1?}, attacks {:.1?}",
        cases.len(),
        corpus.cases().count(),
        database.version(),
        started.elapsed() - made,
    );
    eprintln!("{}", table(&cases, &relayed));
    if !chosen.is_empty() {
        cases.iter().zip(&relayed).for_each(|((_, case), tried)| eprintln!("{}: {}", case.id, tried.answers));
        eprintln!("{}", world.log());
    }
    let mut wrong = String::new();
    for (((_, case), direct), relayed) in cases.iter().zip(&direct).zip(&relayed) {
        if direct.success.is_none() {
            writeln!(wrong, "NO ATTACK {}: fails without a relay: {}", case.id, direct.answers).unwrap();
        }
        if let Some(how) = &relayed.success {
            writeln!(wrong, "LEAK {} ({}): {how}\n    {}", case.id, case.why, relayed.answers).unwrap();
        }
    }
    assert!(wrong.is_empty(), "PostgreSQL {}:\n{wrong}", database.version());
    let answered = relayed.iter().filter(|tried| !tried.refused).count();
    assert!(
        answered * 4 > cases.len() || !chosen.is_empty(),
        "the relay refuses nearly everything: {answered} answered\n{}",
        world.log()
    );
}

/// Those that wait for definitions to be known run beside the others.
fn try_all(corpus: &Corpus, cases: &[(&str, &Case)], place: impl Fn(&Case) -> Place + Sync) -> Vec<Tried> {
    let (slow, quick): (Vec<usize>, Vec<usize>) = (0..cases.len()).partition(|index| cases[*index].1.is_slow());
    let one = |index: usize, kept: &mut Kept| {
        let case = cases[index].1;
        (index, attempt(corpus, case, &place(case), kept))
    };
    let one = &one;
    let mut tried: Vec<(usize, Tried)> = std::thread::scope(|scope| {
        let waiting: Vec<_> = slow.iter().map(|index| scope.spawn(move || one(*index, &mut Kept::default()))).collect();
        let mut kept = Kept::default();
        let quick: Vec<_> = quick.iter().map(|index| one(*index, &mut kept)).collect();
        quick.into_iter().chain(waiting.into_iter().map(|one| one.join().unwrap())).collect()
    });
    tried.sort_by_key(|(index, _)| *index);
    tried.into_iter().map(|(_, tried)| tried).collect()
}

fn attempt(corpus: &Corpus, case: &Case, place: &Place, kept: &mut Kept) -> Tried {
    let right = run(&case.steps_with(&case.right), place, kept);
    let refused = |seen: &Seen| seen.answers().any(|message| message.tag == 'E');
    if case.is_oracle() {
        let wrong = run(&case.steps_with(&case.wrong), place, kept);
        let (one, other) = (told(&right), told(&wrong));
        let success = (one != other).then(|| "two guesses have two answers".to_owned());
        let answers = if one == other { shown(&one) } else { format!("{}\n    {}", shown(&one), shown(&other)) };
        return Tried { success, refused: refused(&right), answers };
    }
    let own = Marks::texts(&case.reveals);
    let found = own.found(&right).or_else(|| corpus.canaries.found(&right));
    Tried { success: found.map(str::to_owned), refused: refused(&right), answers: shown(&told(&right)) }
}

fn shown(told: &[(char, String)]) -> String {
    let text: String = told.iter().map(|(tag, text)| format!("{tag} {text:?} ")).collect();
    text.chars().take(ANSWER_SHOWN).collect()
}

/// How many cases of each class were refused, and how many were answered with masks.
fn table(cases: &[(&str, &Case)], relayed: &[Tried]) -> String {
    let mut classes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for ((class, _), tried) in cases.iter().zip(relayed) {
        let (refused, answered) = classes.entry(class).or_default();
        *if tried.refused { refused } else { answered } += 1;
    }
    let mut text = format!("{:<28} {:>7} {:>8}\n", "class", "refused", "answered");
    for (class, (refused, answered)) in &classes {
        writeln!(text, "{class:<28} {refused:>7} {answered:>8}").unwrap();
    }
    let sum = classes.values().fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
    writeln!(text, "{:<28} {:>7} {:>8}", "all", sum.0, sum.1).unwrap();
    text
}

/// The beginnings of cases' names, with commas between: only these are tried, and their answers through the relay shown.
const CHOSEN: &str = "AFFIDAVIT_ATTACKS";
const CASES_MIN: usize = 450;
const CLASSES_MIN: usize = 28;
/// Characters.
const ANSWER_SHOWN: usize = 600;
