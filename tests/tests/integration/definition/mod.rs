//! The definition of masking, as a property: for random queries over random schemas, what comes through the relay is what
//! the same query gives on a copy whose protected columns were masked beforehand.
//!
//! Left out is what the definition does not fix: statements that write, system columns, volatile functions, `TABLESAMPLE`,
//! orders of rows that nothing fixes and what follows from them, sums of floating point numbers, `GROUP BY` that relies on a
//! primary key, for the copy has no constraints.

mod compare;
mod coverage;
mod expression;
mod forms;
mod from;
mod generator;
mod kind;
mod masks;
mod query;
mod random;
mod rows;
mod schema;
mod statement;
mod subquery;
mod world;

use std::fmt::Write;

use compare::{Answer, Session, Verdict, judge};
use coverage::Coverage;
use random::Random;
use statement::Statement;
use world::{Schema, World};

use crate::harness::Database;

#[test]
fn a_query_through_the_relay_answers_as_on_a_masked_copy() {
    let database = Database::eighteen().unwrap_or_else(Database::shared);
    let coverage = run(database, &[1, Random::seed()], QUERIES_OF_A_SHORT_RUN);
    judge_shares(&coverage);
}

/// `make definition`.
#[test]
#[ignore = "takes minutes"]
fn tens_of_thousands_of_queries_answer_as_on_a_masked_copy() {
    let given = |name| std::env::var(name).ok().filter(|number| !number.is_empty());
    let queries = given("QUERIES").map_or(QUERIES_OF_A_LONG_RUN, |number| number.parse().unwrap());
    let first = given("SEED").map_or_else(Random::seed, |number| number.parse().unwrap());
    let shared = Database::shared();
    let eighteen = Database::eighteen().filter(|eighteen| eighteen.version() != shared.version());
    for database in eighteen.into_iter().chain([shared]) {
        let seeds: Vec<u64> = (0..queries.div_ceil(QUERIES_OF_A_SCHEMA) as u64).map(|number| first + number).collect();
        let coverage = run(database, &seeds, queries / seeds.len());
        judge_shares(&coverage);
        if queries >= QUERIES_OF_A_LONG_RUN {
            assert_eq!(coverage.below(EXECUTED_MIN), Vec::<&str>::new(), "each kind {EXECUTED_MIN} times");
        }
    }
}

/// So many queries over the schema of each seed; the same seeds, the same queries.
fn run(database: &'static Database, seeds: &[u64], queries: usize) -> Coverage {
    eprintln!("PostgreSQL {}, seeds {seeds:?}, {queries} queries each", database.version());
    let world = World::made(database, seeds);
    let mut coverage = Coverage::default();
    let mut wrong = String::new();
    for schema in &world.schemas {
        try_schema(&world, schema, queries, &mut coverage, &mut wrong);
    }
    eprintln!("{}", coverage.table());
    assert!(wrong.is_empty(), "PostgreSQL {}:\n{wrong}", database.version());
    coverage
}

fn try_schema(world: &World, schema: &Schema, queries: usize, coverage: &mut Coverage, wrong: &mut String) {
    let (relayed, direct) = (world.relayed(schema), world.direct(schema));
    let mut seeds = Random::new(schema.seed);
    let settings = settings(&mut seeds);
    let opened = |login| Session::open(login, &settings).unwrap_or_else(|why| panic!("{why}\n{}", world.log()));
    let (mut relayed, mut direct) = (opened(&relayed), opened(&direct));
    for batch in 0..queries.div_ceil(BATCH) {
        let number = BATCH.min(queries - batch * BATCH);
        let statements: Vec<Statement> =
            (0..number).map(|_| statement::made(seeds.next(), &schema.relations)).collect();
        let ask = |session: &mut Session<'_>| -> Vec<Answer> {
            statements.iter().map(|statement| session.ask(&statement.steps, statement.ordered)).collect()
        };
        // Beside each other: they are sessions of different databases.
        let (through, copy) = std::thread::scope(|scope| {
            let copy = scope.spawn(|| ask(&mut direct));
            (ask(&mut relayed), copy.join().unwrap())
        });
        for ((statement, mut through), mut copy) in statements.iter().zip(through).zip(copy) {
            let verdict = judge(&mut through, &mut copy, &schema.row_types);
            if let Verdict::Different(how) = &verdict {
                writeln!(wrong, "seed {}: {}\n    {how}\n", schema.seed, statement.sql).unwrap();
            }
            coverage.add(&statement.sql, statement.uses_protected, &verdict);
        }
    }
    assert!(!world.log().contains("panicked"), "{}", world.log());
}

/// Masks do not follow from settings, though what is shown of them does.
fn settings(random: &mut Random) -> Vec<String> {
    let chosen = SETTINGS.iter().map(|(name, values)| format!("SET {name} = '{}'", random.pick(values)));
    chosen.chain(["SET statement_timeout = '2s'".to_owned()]).collect()
}

/// That the comparison compares something.
fn judge_shares(coverage: &Coverage) {
    let all = coverage.all();
    let percent = |part: usize, of: usize| part * 100 / of.max(1);
    let shares = [
        ("not refused", percent(all.tried() - all.refused, all.tried()), 80),
        ("failing nowhere", percent(all.tried() - all.failed_alike, all.tried()), 93),
        ("not empty", percent(all.non_empty, all.executed), 50),
        ("with protected columns in predicates, groups or joins", percent(all.on_protected, all.executed), 30),
    ];
    for (what, share, least) in shares {
        eprintln!("{share} % {what} (at least {least})");
    }
    assert!(shares.iter().all(|(_, share, least)| share >= least), "{shares:?}");
    assert_eq!(coverage.missing(EXPECTED), Vec::<&str>::new(), "all that the grammar is made for");
}

/// What no run may be without.
const EXPECTED: &[&str] = &[
    "AArrayExpr",
    "AConst",
    "AExpr",
    "AIndices",
    "AIndirection",
    "BoolExpr",
    "BooleanTest",
    "CaseExpr",
    "CoalesceExpr",
    "CollateClause",
    "ColumnRef",
    "CommonTableExpr",
    "CopyStmt",
    "CteCycleClause",
    "CteSearchClause",
    "DeclareCursorStmt",
    "ExecuteStmt",
    "FetchStmt",
    "FuncCall",
    "GroupingFunc",
    "GroupingSet",
    "JoinExpr",
    "MinMaxExpr",
    "NullTest",
    "ParamRef",
    "PrepareStmt",
    "RangeFunction",
    "RangeSubselect",
    "RangeVar",
    "RowExpr",
    "SelectStmt",
    "SortBy",
    "SqlValueFunction",
    "SubLink",
    "TypeCast",
    "WindowDef",
    "WithClause",
];

const SETTINGS: &[(&str, &[&str])] = &[
    ("datestyle", &["ISO, MDY", "German", "SQL, DMY", "Postgres, MDY"]),
    ("intervalstyle", &["postgres", "sql_standard", "iso_8601", "postgres_verbose"]),
    ("timezone", &["UTC", "Asia/Tokyo", "America/New_York"]),
    ("bytea_output", &["hex", "escape"]),
    ("extra_float_digits", &["1", "0", "3"]),
];
const QUERIES_OF_A_SHORT_RUN: usize = 600;
const QUERIES_OF_A_LONG_RUN: usize = 40_000;
const QUERIES_OF_A_SCHEMA: usize = 2_000;
/// Of each kind of node in a long run.
const EXECUTED_MIN: usize = 500;
/// How many answers are held in memory.
const BATCH: usize = 100;
