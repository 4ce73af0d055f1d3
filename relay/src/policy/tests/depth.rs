//! Depth bombs: whatever a text nests, the relay answers and stays up (rule 5).

use super::*;

/// The stack of the relay's worker threads, in bytes.
const WORKER_STACK: usize = 256 * 1024 * 1024;

/// Each family of bombs, by its number of repetitions.
fn bombs(n: usize) -> Vec<(&'static str, String)> {
    let nested = |open: &str, core: &str, close: &str| format!("{}{core}{}", open.repeat(n), close.repeat(n));
    vec![
        ("minus", format!("SELECT {}1", "- ".repeat(n))),
        ("minus column", format!("SELECT {}id FROM billing.payers", "- ".repeat(n))),
        ("parentheses", format!("SELECT {}", nested("(", "1", ")"))),
        ("not", format!("SELECT {}true", "NOT ".repeat(n))),
        ("plus", format!("SELECT 1{}", "+1".repeat(n))),
        ("concatenation", format!("SELECT 'a'{}", "||'a'".repeat(n))),
        ("and", format!("SELECT true{}", " AND (true OR false)".repeat(n / 5))),
        ("casts", format!("SELECT 1{}", "::text".repeat(n / 2))),
        ("functions", format!("SELECT {}", nested("abs(", "1", ")"))),
        ("case", format!("SELECT {}", nested("CASE WHEN true THEN ", "1", " END"))),
        ("arrays", format!("SELECT {}", nested("ARRAY[", "1", "]"))),
        ("subscripts", format!("SELECT id{} FROM billing.payers", "[1]".repeat(n / 3))),
        ("rows", format!("SELECT {}", nested("ROW(", "1", ")"))),
        ("sublinks", format!("SELECT {}", nested("(SELECT ", "1", ")"))),
        ("subqueries", format!("SELECT * FROM {}", nested("(SELECT * FROM ", "billing.payers", ") y"))),
        ("joins", format!("SELECT 1 FROM billing.payers p0{}", " CROSS JOIN billing.payers".repeat(n / 5))),
        ("masked joins", format!("SELECT 1 FROM patients{}", " CROSS JOIN patients".repeat((n / 10).min(60)))),
        ("unions", format!("SELECT 1{}", " UNION SELECT 1".repeat(n / 2))),
        ("unions of lists", format!("SELECT 1, 2{}", " UNION SELECT 1, 2".repeat(n / 2))),
        ("withs", format!("{}SELECT 1{}", "WITH a AS (".repeat(n / 6), ") SELECT 1".repeat(n / 6))),
        ("indirections", format!("SELECT {}1{}", "(".repeat(n / 4), ").x".repeat(n / 4))),
        ("collations", format!("SELECT 'a'{}", " COLLATE \"C\"".repeat(n / 2))),
        ("null tests", format!("SELECT 1{}", " IS NULL".repeat(n / 2))),
        ("in lists", format!("SELECT {}", nested("1 IN (", "1", ")"))),
        ("time zones", format!("SELECT now(){}", " AT TIME ZONE 'UTC'".repeat(n / 3))),
    ]
}

#[test]
fn no_nesting_overflows_a_worker_stack() {
    let worker = std::thread::Builder::new().stack_size(WORKER_STACK).spawn(|| {
        let clinic = Clinic::analyst();
        for n in [10, 100, 1_000, 2_400, 4_900, 100_000, 340_000] {
            for (family, bomb) in bombs(n) {
                let ruling = clinic.decide(&bomb);
                match ruling.outcome {
                    Outcome::Permitted { .. } | Outcome::Held { .. } => {}
                    Outcome::Refused { refusal } => {
                        assert!(n > 10 || family == "indirections", "{family} {n}: {}", refusal.message);
                    }
                }
            }
        }
    });
    worker.unwrap().join().unwrap();
}
