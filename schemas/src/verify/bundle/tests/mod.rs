//! A bundle of the golden evidence, and everything that is done to bundles.

mod scene;
mod tampering;

pub(in crate::verify) use tampering::{asks, mutated};

use scene::Scene;

use crate::rule::Rule;
use crate::signature::{P256Key, Signer};
use crate::tables::Table;
use crate::verify::Options;

#[test]
fn a_bundle_holds_and_tells_what_was_checked() {
    let scene = Scene::whole();
    let report = scene.verify();
    assert!(report.holds(), "{:#?}", report.findings);
    let checked = &report.checked;
    assert_eq!(checked.files, scene.files.len() as u64 - 1);
    assert_eq!((checked.tables, checked.key_certificates, checked.signature), (30, 1, true));
    assert_eq!(checked.equal_rows, 3 * checked.rows.values().sum::<u64>());
    assert_eq!(Some(&checked.rows), report.bundle.as_ref().map(|bundle| &bundle.counts));
    assert!(checked.rows["approvals"] > 0 && checked.rows["denials"] > 0 && checked.safeguards > 0);
}

#[test]
fn a_session_outside_the_period_is_told_by_its_statements_alone() {
    let (whole, part) = (Scene::whole(), Scene::of_second_life());
    let report = part.verify();
    assert!(report.holds(), "{:#?}", report.findings);
    assert!(report.evidence.sessions.iter().any(|session| session.outside));
    assert!(report.checked.rows["sessions"] < whole.verify().checked.rows["sessions"]);
    assert!(part.files.keys().filter(|path| path.ends_with(".zst")).count() > 0);
}

#[test]
fn a_bundle_holds_only_under_its_root() {
    let scene = Scene::whole();
    let stranger = scene.bundles.public_key().clone();
    let report = crate::verify::verify_bundle(&scene.files, &stranger, &Options::default()).unwrap();
    assert!(!report.holds());
    assert!(report.errors().any(|finding| finding.rule == Rule::KeyCertificate));
}

#[test]
fn no_byte_of_a_bundle_can_be_flipped_or_cut() {
    let scene = Scene::whole();
    for (index, path) in scene.files.keys().enumerate() {
        let length = scene.files[path].len();
        for position in [(index * 7919) % length, length - 1] {
            let mut changed = scene.clone();
            changed.edit(path, |bytes| bytes[position] ^= 1 << (index % 8));
            let report = changed.verify();
            assert!(!report.holds(), "{path} byte {position}");
            assert!(report.errors().any(|finding| finding.object == *path), "{path} byte {position}");
        }
        let mut changed = scene.clone();
        changed.edit(path, |bytes| bytes.truncate(length - 1));
        assert!(!changed.verify().holds(), "{path} cut");
    }
}

/// Parquet is taken apart by a crate that is not ours: whatever stands in a file that a bundler signed, it is a finding.
#[test]
fn a_parquet_file_that_is_none_is_a_finding() {
    let scene = Scene::whole();
    let path = "tables/statements.parquet";
    let length = scene.files[path].len();
    assert!(scene.verify().checked.rows[Table::Statements.name()] > 0);
    for position in (0..length).step_by(length / 100) {
        let mut changed = scene.clone();
        changed.edit(path, |bytes| bytes[position] ^= 0x55);
        changed.resign(|_| {});
        // Not every byte of a Parquet file says something of a row.
        for finding in changed.verify().errors() {
            assert_eq!(finding.object, path, "byte {position}");
            assert!(matches!(finding.rule, Rule::TableForm | Rule::TableRows), "byte {position}");
        }
    }
}

/// Its schema is nested so deep that the crate, which follows it by recursion, needs more stack than there is: a
/// program that takes it apart dies of it.
#[test]
fn a_parquet_file_that_nobody_signed_is_not_taken_apart() {
    let mut scene = Scene::whole();
    let path = "tables/statements.parquet";
    scene.edit(path, |bytes| *bytes = nested_parquet(400_000));
    let stranger = P256Key::generate().unwrap();
    scene.resign_with(&stranger, |_| {});
    let report = scene.verify();
    assert!(!report.holds());
    assert!(report.errors().any(|finding| finding.rule == Rule::BundleSignature));
    assert_eq!((report.checked.tables, report.checked.safeguards), (0, 0), "nothing is worth being taken apart");
}

/// A footer alone: `FileMetaData` (Thrift, compact protocol) whose schema is one group within another.
fn nested_parquet(depth: u32) -> Vec<u8> {
    // version 1, then the list of schema elements with its length.
    let mut footer = vec![0x15, 0x02, 0x19, 0xfc];
    let mut left = depth;
    while left > 0x7f {
        footer.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    footer.push(u8::try_from(left).unwrap());
    for _ in 0..depth {
        // repetition_type REQUIRED, name "a", num_children 1, end.
        footer.extend_from_slice(&[0x35, 0x00, 0x18, 0x01, b'a', 0x15, 0x02, 0x00]);
    }
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1", footer.as_slice(), &length, b"PAR1"].concat()
}
