//! The corpus of `tests/ordinary/`: ordinary work has the same results through the relay as at a twin of the database in
//! which the protected columns are masked.

mod compare;
mod corpus;
mod program;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use compare::Verdict;
use corpus::{Case, Corpus};
use world::World;

use crate::harness::Database;
use crate::harness::corpus::{Kept, Place};

#[test]
fn ordinary_work_has_the_same_results_but_for_masks() {
    judge(Database::shared().alone());
}

#[test]
fn ordinary_work_has_the_same_results_but_for_masks_on_postgresql_18() {
    match Database::eighteen() {
        Some(database) if database.version() != Database::shared().version() => judge(database.alone()),
        Some(_) => {}
        None => eprintln!("SKIPPED: PostgreSQL 18 is missing; tests/setup.sh installs it"),
    }
}

#[test]
fn the_corpus_is_large_and_every_case_has_a_name_of_its_own_and_somebody_who_does_it() {
    let corpus = Corpus::read();
    let mut ids: Vec<&str> = corpus.cases().map(|(_, case)| case.id.as_str()).collect();
    assert!(ids.len() >= CASES_MIN, "{} cases", ids.len());
    for (class, case) in corpus.cases() {
        assert!(case.id.starts_with(&format!("{class}-")), "{} is in {class}", case.id);
        assert!(!case.doing.is_empty(), "{} says what somebody is doing", case.id);
        assert!(case.steps.is_empty() == case.program.is_some(), "{} has steps or a program", case.id);
    }
    ids.sort_unstable();
    let twice = ids.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None);
}

fn judge(server: &'static Database) {
    let corpus = Corpus::read();
    let started = Instant::now();
    let world = World::made(&corpus, server);
    let made = started.elapsed();
    let cases: Vec<(&str, &Case)> = corpus.cases().filter(|(_, case)| world.is_for(case)).collect();
    // Beside each other: they work in databases of their own.
    let (direct, relayed) = std::thread::scope(|scope| {
        let direct = scope.spawn(|| all(&world, &cases, |case| world.direct(case)));
        let relayed = all(&world, &cases, |_| world.relayed());
        (direct.join().unwrap(), relayed)
    });
    let verdicts: Vec<Verdict> = cases
        .iter()
        .zip(direct.iter().zip(&relayed))
        .map(|((_, case), (direct, relayed))| compare::judge(case, direct, relayed))
        .collect();
    eprintln!(
        "{} of {} cases apply to PostgreSQL {}; set-up {made:.1?}, cases {:.1?}",
        cases.len(),
        corpus.cases().count(),
        server.version(),
        started.elapsed() - made,
    );
    eprintln!("{}", table(&cases, &verdicts));
    let mut wrong = String::new();
    for ((_, case), verdict) in cases.iter().zip(&verdicts) {
        match (verdict, &case.refused, &case.differs) {
            (Verdict::Same, None, None)
            | (Verdict::Refused(_), Some(_), None)
            | (Verdict::Different(_), None, Some(_)) => {}
            (Verdict::Same, ..) => writeln!(wrong, "NO LONGER SO {}: remove its mark", case.id).unwrap(),
            (Verdict::Refused(why), ..) => writeln!(wrong, "REFUSED {}: {why}", case.id).unwrap(),
            (Verdict::Different(how), ..) => writeln!(wrong, "DIFFERENT {}: {how}", case.id).unwrap(),
        }
    }
    assert!(wrong.is_empty(), "PostgreSQL {}:\n{wrong}", server.version());
}

fn all(world: &World, cases: &[(&str, &Case)], place: impl Fn(&Case) -> Place) -> Vec<corpus::Answer> {
    let mut kept = Kept::default();
    cases.iter().map(|(_, case)| world.answer(case, &place(case), &mut kept)).collect()
}

/// How many cases of each class had the same result and how many were refused, and for what reasons.
fn table(cases: &[(&str, &Case)], verdicts: &[Verdict]) -> String {
    let mut classes: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for ((class, case), verdict) in cases.iter().zip(verdicts) {
        let column = match verdict {
            Verdict::Same => 0,
            Verdict::Refused(_) => 1,
            Verdict::Different(_) => 2,
        };
        classes.entry(class).or_default()[column] += 1;
        if let (Verdict::Refused(_), Some(reason), _) | (Verdict::Different(_), _, Some(reason)) =
            (verdict, &case.refused, &case.differs)
        {
            reasons.entry(reason).or_default().push(&case.id);
        }
    }
    let mut text = format!("{:<16} {:>5} {:>8} {:>10}\n", "class", "same", "refused", "different");
    let mut sum = [0; 3];
    for (class, counts) in &classes {
        writeln!(text, "{class:<16} {:>5} {:>8} {:>10}", counts[0], counts[1], counts[2]).unwrap();
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    writeln!(text, "{:<16} {:>5} {:>8} {:>10}", "all", sum[0], sum[1], sum[2]).unwrap();
    for (reason, ids) in reasons {
        writeln!(text, "{:>3} {reason}: {}", ids.len(), ids.join(", ")).unwrap();
    }
    text
}

const CASES_MIN: usize = 200;
