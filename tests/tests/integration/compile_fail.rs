//! What must not compile: each file of `tests/compile_fail` is given to the compiler with the relay's library as
//! built, and must fail with the error that its first lines name (`//! expect: TEXT`, all of them).
//!
//! The compiler is asked directly, once a file: no dependency is built a second time for this.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Programs, Said, repository};

#[test]
fn nothing_is_sent_that_was_not_recorded() {
    let mut seen = 0;
    for file in files("compile_fail") {
        let source = std::fs::read_to_string(&file).unwrap();
        let expected: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("//! expect: ")).collect();
        assert!(!expected.is_empty(), "{} says what it expects", file.display());
        let said = compile(&file).refused();
        for text in expected {
            assert!(said.contains(text), "{}: expected {text:?} in\n{said}", file.display());
        }
        seen += 1;
    }
    assert!(seen >= 3, "the cases were found");
}

#[test]
fn the_way_that_is_meant_compiles() {
    for file in files("compile_pass") {
        compile(&file).ok();
    }
}

fn compile(file: &Path) -> Said {
    let relay = Programs::built().library("relay");
    let rustc = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let mut command = Command::new(rustc);
    command.args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--cap-lints=allow"]);
    command.arg("--out-dir").arg(relay.with_file_name("compile_fail"));
    command.arg("-L").arg(format!("dependency={}", relay.with_file_name("deps").display()));
    command.arg("--extern").arg(format!("relay={}", relay.display()));
    Said::by(command.arg(file))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = repository().join("tests/tests").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
