//! What the relay logs must arrive: no text that is parsed may take the process's standard error away, not even for a
//! moment (`.cargo/config.toml` says how that is kept so).
#![cfg(target_os = "linux")]

use std::fs::read_link;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn standard_error_stays_where_it_is_while_texts_are_parsed() {
    let file = || read_link("/proc/self/fd/2").unwrap();
    let (before, done) = (file(), AtomicBool::new(false));
    let seen = std::thread::scope(|scope| {
        let parsing = scope.spawn(|| {
            for _ in 0..2_000 {
                pg_query::parse("SELECT 1 FROM a.b WHERE c = 'd'", 0).unwrap();
                pg_query::scan_tokens("SELECT 'x'").unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut seen = Vec::new();
        while !done.load(Ordering::Relaxed) && !parsing.is_finished() {
            seen.extend(Some(file()).filter(|now| *now != before));
        }
        seen
    });
    assert_eq!((seen.first(), file()), (None, before));
}
