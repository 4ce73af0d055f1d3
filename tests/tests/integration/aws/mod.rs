//! The adapters on AWS keep the contracts that the local ones keep, and faults between them and AWS lose nothing and
//! double nothing.

mod index;
mod keys;
mod lake;
mod lambdas;
mod overlays;
mod recovery;
mod secrets;
mod served;
mod store;
mod whole;

use crate::harness::{Emulator, Fault, FaultProxy, SECRET};

/// The emulator; a test that lacks it says so and ends.
#[macro_export]
macro_rules! emulator {
    () => {
        match $crate::harness::Emulator::shared() {
            Some(emulator) => emulator,
            None => {
                eprintln!("SKIPPED: ministack is missing; tests/setup.sh --test installs it");
                return;
            }
        }
    };
}

/// What every call must bear: what networks do, and what services answer when they have no time.
const FAULTS: [Fault; 4] =
    [Fault::Cut, Fault::Silence, Fault::Status(500, "InternalError"), Fault::Status(503, "SlowDown")];

/// Each fault of a call that changes something, twice: not done, and done but reported as failed.
fn faults() -> impl Iterator<Item = (Fault, bool)> {
    FAULTS.into_iter().flat_map(|fault| [(fault, false), (fault, true)]).chain([(Fault::Torn, true)])
}

/// Each fault of a call that changes nothing.
fn faults_of_reading() -> impl Iterator<Item = (Fault, bool)> {
    FAULTS.into_iter().map(|fault| (fault, false)).chain([(Fault::Torn, true)])
}

/// How many requests one after the other fail: one, which a retry mends; or all attempts. The latter is the same to the
/// caller whatever fails, but for half an answer, which may tell enough.
fn times(fault: Fault) -> &'static [usize] {
    if fault == Fault::Cut { &[1, 3] } else { &[1] }
}

fn proxy(emulator: &Emulator) -> FaultProxy {
    FaultProxy::before(emulator.address())
}

/// What an error tells, with all that caused it, is no secret and none of `hidden`.
fn tells_nothing(error: &dyn std::error::Error, hidden: &[&str]) {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let told = causes.map(|error| format!("{error} {error:?}")).collect::<String>();
    for hidden in hidden.iter().chain(&[SECRET, "said in a test"]) {
        assert!(!told.contains(hidden), "{told}");
    }
}
