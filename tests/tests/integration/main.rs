//! One binary for all integration tests: real PostgreSQL, the real all-in-one process, real clients, an
//! emulator where AWS would be.
//!
//! `tests/setup.sh` installs what they need; a test that lacks something all the same says `SKIPPED` and why.

#[cfg(test)]
mod approvals;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod authentication;
#[cfg(test)]
mod aws;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod bundle;
#[cfg(test)]
mod cancelling;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod compile_fail;
#[cfg(test)]
mod console;
#[cfg(test)]
mod copying;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod cursors;
#[cfg(test)]
mod defining;
#[cfg(test)]
mod definition;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod detecting;
#[cfg(test)]
mod drivers;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod explaining;
#[cfg(test)]
mod full_spool;
#[cfg(test)]
mod functions;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod image;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod masking;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod notifications;
#[cfg(test)]
mod ordinary;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod pipelines;
#[cfg(test)]
mod prepared;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod results;
#[cfg(test)]
mod scanning;
#[cfg(test)]
mod shredding;
#[cfg(test)]
mod splits;
#[cfg(test)]
mod staleness;
#[cfg(test)]
mod structure;
#[cfg(test)]
mod undoing;
#[cfg(test)]
mod writing;
