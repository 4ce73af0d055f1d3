//! Python beside us that asks `verify.py`: a line to its standard input, a line of JSON back.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::tree::vectors;

/// The answers to asks, one each, of a script beside this file.
pub(super) fn ask(script: &str, asks: impl Iterator<Item = Value> + Send) -> Vec<Value> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(python())
        .arg(here.join("src/verify/tests").join(script))
        .args([here.clone(), vectors().join("root.pub.pem")])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tests/setup.sh --test installs Python with cryptography and zstandard");
    let answers = BufReader::new(python.stdout.take().unwrap());
    let mut stdin = python.stdin.take().unwrap();
    let answers: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(move || {
            for ask in asks {
                // Python that ended early is told of below.
                if writeln!(stdin, "{ask}").is_err() {
                    return;
                }
            }
        });
        answers.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    });
    assert!(python.wait().unwrap().success(), "after {} answers", answers.len());
    answers
}

pub(super) fn encoded(bytes: &[u8]) -> Value {
    STANDARD.encode(bytes).into()
}

/// As `tests/setup.sh` installs it.
fn python() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = set("AFFIDAVIT_CACHE").or_else(|| Some(set("XDG_CACHE_HOME")?.join("affidavit")));
    let cache = cache.unwrap_or_else(|| set("HOME").unwrap().join(".cache/affidavit"));
    cache.join("venv/bin/python")
}
