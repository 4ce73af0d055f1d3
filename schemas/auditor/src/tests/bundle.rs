//! A bundle of the golden evidence in a folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use schemas::bundle::layout::BundleFile;
use schemas::bundle::{Assembly, Destination, FORMAT_VERSION, FORMS, Predicate, STRANGER, SigningKeys, TableFiles};
use schemas::canonical;
use schemas::dsse::Envelope;
use schemas::key_certificate::KeyCertificate;
use schemas::layout::key_certificate;
use schemas::period::Period;
use schemas::safeguards::{Answering, HIPAA};
use schemas::signature::{P256Key, Signer};
use schemas::tables::{Derivation, RowSink, SessionRows};
use schemas::verify::{self, Options, Source};

use super::{VECTORS, auditor};
use crate::Exit;
use crate::folder::Folder;

/// Where a bundle is made.
struct Place(PathBuf);

impl Destination for Place {
    fn create(&self, path: &str) -> io::Result<Box<dyn Write + Send>> {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap())?;
        Ok(Box::new(File::create_new(path)?))
    }
}

struct Rows(TableFiles, Answering);

impl RowSink for Rows {
    fn session(&mut self, rows: &SessionRows) -> io::Result<()> {
        self.1.session(rows);
        self.0.session(rows)
    }
}

fn make(folder: &Path) {
    make_of(&Path::new(VECTORS).join("tree"), folder);
}

/// Makes a bundle of this evidence, with its log if it has one.
pub(super) fn make_of(evidence: &Path, folder: &Path) {
    let key = |name: &str| fs::read_to_string(format!("{VECTORS}/test-keys/{name}")).unwrap();
    let root = P256Key::from_pkcs8_pem(&key("TEST-KEY-root.pem")).unwrap();
    let checkpoints = P256Key::from_pkcs8_pem(&key("TEST-KEY-checkpoints.pem")).unwrap();
    let signer = P256Key::generate().unwrap();
    let evidence = Folder::open(evidence).unwrap();
    let place = Place(folder.to_owned());
    let assembly = Assembly::new(&place);
    let is_bundled = |key: &String| key.starts_with("evidence/") || key.starts_with("log/");
    for key in evidence.keys().unwrap().into_iter().filter(is_bundled) {
        assembly.put(&BundleFile::Object(key.clone()), &evidence.read(&key).unwrap()).unwrap();
    }
    let (tenant, environment): (schemas::identifiers::Name, _) = ("clinic".parse().unwrap(), "test".parse().unwrap());
    let spki = signer.public_key().clone();
    let certificate = KeyCertificate {
        tenant: tenant.clone(),
        environment,
        checkpoints: checkpoints.public_key().clone(),
        checkpoints_ed25519: None,
        approvals: spki.clone(),
        bundles: spki.clone(),
        not_before_us: 0,
        not_after_us: u64::MAX >> 11,
    };
    let environment = certificate.environment.clone();
    let certificate = Envelope::of(&certificate, &root).unwrap();
    let path = key_certificate(&tenant, &environment, &certificate.statement_digest());
    assembly.put(&BundleFile::Object(path), &certificate.to_vec().unwrap()).unwrap();
    let mut rows = Rows(assembly.tables().unwrap(), Answering::new(HIPAA).unwrap());
    let mut derivation = Derivation::new(&mut rows);
    verify::observe(&evidence, root.public_key(), &Options::default(), &mut derivation).unwrap();
    derivation.finish().unwrap();
    let Rows(tables, answering) = rows;
    let counts = tables.finish().unwrap();
    for (file, bytes) in [
        (BundleFile::Safeguards, canonical::to_vec(&answering.finish()).unwrap()),
        (BundleFile::Catalogue, HIPAA.as_bytes().to_vec()),
        (BundleFile::Guide, Vec::new()),
        (BundleFile::Stranger, STRANGER.as_bytes().to_vec()),
        (BundleFile::Forms, FORMS.as_bytes().to_vec()),
        (BundleFile::Report, Vec::new()),
    ] {
        assembly.put(&file, &bytes).unwrap();
    }
    let period = Period { from_us: 1_790_000_000_000_000, to_us: 1_790_003_600_000_000 };
    let keys = SigningKeys { certificates: root.public_key().key_id(), bundles: spki.key_id() };
    let created_us = period.to_us;
    let predicate = Predicate { format: FORMAT_VERSION, tenant, environment, period, created_us, counts, keys };
    let manifest = Envelope::of(&assembly.manifest(predicate), &signer).unwrap();
    fs::write(folder.join(BundleFile::Manifest.path()), manifest.to_vec().unwrap()).unwrap();
}

#[test]
fn a_bundle_is_recognised_verified_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("bundle");
    make(&dir);
    let (dir, root) = (dir.display().to_string(), format!("{VECTORS}/root.pub.pem"));
    let answer = auditor(&["verify", &dir, "--root", &root]);
    assert_eq!(answer.exit, Exit::Holds, "{}", answer.out);
    assert!(answer.out.starts_with("Bundle of clinic/test, 2026-09-21T"), "{}", answer.out);
    assert!(answer.out.contains("signed by the bundles key") && answer.out.contains("statements: "), "{}", answer.out);
    let answer = auditor(&["verify", &dir, "--root", &root, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(json["holds"], true);
    assert_eq!(json["report"]["bundle"]["counts"], json["report"]["checked"]["rows"]);
    let answer = auditor(&["export", &dir, "--root", &root, "--format", "json"]);
    assert!(answer.exit == Exit::Holds && answer.out.starts_with("{\"verified\":true"), "{}", answer.problems);

    fs::write(format!("{dir}/csv/statements.csv"), "nothing").unwrap();
    let answer = auditor(&["verify", &dir, "--root", &root]);
    assert_eq!(answer.exit, Exit::Findings);
    assert!(answer.out.contains("ERROR csv/statements.csv\n  bundle.digest"), "{}", answer.out);
    assert_eq!(auditor(&["export", &dir, "--root", &root, "--format", "json"]).exit, Exit::Findings);
}

#[test]
fn a_bundle_that_lost_its_manifest_is_no_evidence_that_holds() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("bundle");
    make(&dir);
    fs::remove_file(dir.join(BundleFile::Manifest.path())).unwrap();
    let answer = auditor(&["verify", &dir.display().to_string(), "--root", &format!("{VECTORS}/root.pub.pem")]);
    assert_eq!(answer.exit, Exit::Findings);
    assert!(answer.out.contains("NO VALID SIGNATURE") && answer.out.contains("bundle.manifest"), "{}", answer.out);
}
