//! One binary for all integration tests: real PostgreSQL, the real all-in-one process, real clients.
//!
//! `tests/setup.sh` installs what they need; a test that lacks something all the same says `SKIPPED` and why.

#[cfg(test)]
mod structure;
