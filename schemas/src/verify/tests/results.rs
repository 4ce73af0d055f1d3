//! Results of which not all rows are on record: whether the outcome says what the execution promised.

use super::agreement::Ask;
use super::tree::{SECOND, T0, TestKeys, Tree, Writer, close, retire};
use super::vectors::read_tree;
use crate::digest::Sha256Digest;
use crate::event::{CloseReason, EventBody, Execute, Outcome, OutcomeKind};
use crate::rule::Rule;
use crate::sample;
use crate::verify::{Options, verify};

/// What the execution promises, what its outcome says, and whether that fits.
type Case = (Option<u64>, Option<u64>, bool, OutcomeKind, bool);

const CASES: &[Case] = &[
    (Some(0), Some(0), true, OutcomeKind::Completed, true),
    (Some(3), Some(2), true, OutcomeKind::Suspended, true),
    (Some(3), Some(3), true, OutcomeKind::Failed, true),
    (Some(3), None, false, OutcomeKind::Unknown, true),
    (Some(3), None, false, OutcomeKind::Skipped, true),
    (Some(3), Some(4), true, OutcomeKind::Completed, false),
    (Some(3), None, false, OutcomeKind::Completed, false),
    (Some(3), None, true, OutcomeKind::Failed, false),
    (Some(3), Some(1), false, OutcomeKind::Unknown, false),
    (None, Some(0), true, OutcomeKind::Completed, false),
];

#[test]
fn each_is_judged() {
    let keys = TestKeys::read();
    for case in CASES {
        let report = verify(&tree(case), keys.root(), &Options::default()).unwrap();
        let first = report.errors().next().map(|finding| finding.rule);
        assert_eq!(first, (!case.4).then_some(Rule::EventResult), "{case:?}: {:#?}", report.findings);
    }
}

/// All cases, for both verifiers.
pub(super) fn asks() -> Vec<Ask> {
    let ask = |case| Ask {
        name: format!("a result: {case:?}"),
        files: tree(case),
        options: Options::default(),
        is_bundle: false,
    };
    CASES.iter().map(ask).collect()
}

/// The stored tree with one more session.
fn tree((rows_kept, rows_recorded, digest, kind, _): &Case) -> Tree {
    let (keys, mut tree) = (TestKeys::read(), read_tree());
    let mut session = Writer::open(&mut tree, &keys, &keys.second, 3);
    let EventBody::Outcome(outcome) = sample::outcome(1, 1) else { unreachable!() };
    let result_hmac = digest.then(|| Sha256Digest::of(b"rows"));
    let events = vec![
        session.details(),
        sample::statement(1),
        EventBody::Execute(Execute { execution: 1, statement: 1, row_limit: 0, rows_kept: *rows_kept }),
        EventBody::Outcome(Outcome { outcome: *kind, rows_recorded: *rows_recorded, result_hmac, ..outcome }),
        close(CloseReason::ClientTerminated, 1, 1),
    ];
    session.chunk(&keys.second, events, &[], true);
    session.close(&keys.second, CloseReason::ClientTerminated);
    retire(&mut tree, &keys.second, &keys.second, 3, T0 + 200 * SECOND);
    tree
}
