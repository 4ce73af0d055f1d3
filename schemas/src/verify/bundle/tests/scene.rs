//! Bundles in memory.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use crate::bundle::layout::BundleFile;
use crate::bundle::{
    Assembly, BundleManifest, Destination, FORMAT_VERSION, FORMS, Predicate, STRANGER, SigningKeys, TableFiles,
};
use crate::canonical;
use crate::digest::Sha256Digest;
use crate::dsse::Envelope;
use crate::key_certificate::KeyCertificate;
use crate::layout::{self, EVIDENCE_PREFIX, Scope};
use crate::period::Period;
use crate::safeguards::{Answering, Answers, HIPAA};
use crate::signature::{P256Key, PublicKey, Signer};
use crate::tables::{Derivation, RowSink, SessionRows};
use crate::verify::bundle::{BundleReport, verify_bundle};
use crate::verify::testing::{SECOND, T0, TestKeys, Tree, build, scope};
use crate::verify::{self, Options};

/// A bundle, and what a bundler has.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) bundles: Arc<P256Key>,
    root: PublicKey,
}

impl Scene {
    /// Everything.
    pub(super) fn whole() -> Self {
        static WHOLE: OnceLock<Scene> = OnceLock::new();
        WHOLE.get_or_init(|| Self::of(Period { from_us: T0, to_us: T0 + 3600 * SECOND })).clone()
    }

    /// What the relay served in its second life.
    pub(super) fn of_second_life() -> Self {
        static PART: OnceLock<Scene> = OnceLock::new();
        PART.get_or_init(|| Self::of(Period { from_us: T0 + 62 * SECOND, to_us: T0 + 3600 * SECOND })).clone()
    }

    fn of(period: Period) -> Self {
        let keys = TestKeys::read();
        let bundles = bundles_key();
        let memory = Memory::default();
        let assembly = Assembly::new(&memory);
        let evidence = evidence(&keys, period);
        for (key, object) in &evidence {
            assembly.put(&BundleFile::Object(key.clone()), object).unwrap();
        }
        let (path, certificate) = certificate(&keys.root, bundles.public_key(), &scope());
        assembly.put(&BundleFile::Object(path), &certificate).unwrap();
        let (counts, answers) = derive(&evidence, keys.root(), period, &assembly);
        for (file, bytes) in [
            (BundleFile::Guide, b"verify me".to_vec()),
            (BundleFile::Stranger, STRANGER.as_bytes().to_vec()),
            (BundleFile::Forms, FORMS.as_bytes().to_vec()),
            (BundleFile::Report, b"<!doctype html><title>report</title>".to_vec()),
            (BundleFile::Replay(keys.first_session(1)), b"<!doctype html><title>replay</title>".to_vec()),
            (BundleFile::Catalogue, HIPAA.as_bytes().to_vec()),
            (BundleFile::Safeguards, canonical::to_vec(&answers).unwrap()),
        ] {
            assembly.put(&file, &bytes).unwrap();
        }
        let Scope { tenant, environment, .. } = scope();
        let signers = SigningKeys { certificates: keys.root().key_id(), bundles: bundles.public_key().key_id() };
        let predicate = Predicate {
            format: FORMAT_VERSION,
            tenant,
            environment,
            period,
            created_us: T0 + 7200 * SECOND,
            counts,
            keys: signers,
        };
        let manifest = Envelope::of(&assembly.manifest(predicate), bundles.as_ref()).unwrap().to_vec().unwrap();
        let mut files = memory.into_files();
        files.insert(BundleFile::Manifest.path(), manifest);
        Self { files, bundles, root: keys.root().clone() }
    }

    pub(super) fn verify(&self) -> BundleReport {
        verify_bundle(&self.files, &self.root, &Options::default()).unwrap()
    }

    pub(super) fn edit(&mut self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.files.get_mut(path).unwrap_or_else(|| panic!("{path}")));
    }

    pub(super) fn edit_text(&mut self, path: &str, change: impl FnOnce(String) -> String) {
        self.edit(path, |bytes| *bytes = change(String::from_utf8(bytes.clone()).unwrap()).into_bytes());
    }

    pub(super) fn manifest(&self) -> BundleManifest {
        let envelope = &self.files[&BundleFile::Manifest.path()];
        Envelope::from_slice_within(envelope, usize::MAX).unwrap().read_unverified().unwrap()
    }

    /// Names all files as they are now, changes what else the manifest says, and signs with the bundles key.
    pub(super) fn resign(&mut self, change: impl FnOnce(&mut BundleManifest)) {
        let key = self.bundles.clone();
        self.resign_with(&key, change);
    }

    pub(super) fn resign_with(&mut self, key: &P256Key, change: impl FnOnce(&mut BundleManifest)) {
        let predicate = self.manifest().predicate;
        let manifest = BundleFile::Manifest.path();
        let named = self.files.iter().filter(|(path, _)| **path != manifest);
        let digests = named.map(|(path, bytes)| (path.clone(), Sha256Digest::of(bytes))).collect();
        let mut statement = BundleManifest::new(&digests, predicate);
        change(&mut statement);
        let envelope = Envelope::of(&statement, key).unwrap().to_vec().unwrap();
        self.files.insert(manifest, envelope);
    }

    /// The first path that ends so.
    pub(super) fn path(&self, ending: &str) -> String {
        self.files.keys().find(|path| path.ends_with(ending)).unwrap_or_else(|| panic!("{ending}")).clone()
    }

    /// The session of the golden tree with two chunks.
    pub(super) fn chunk(&self, sequence: u64) -> String {
        scope().chunk(&TestKeys::read().first_session(1), sequence)
    }
}

/// The same in every scene, so that one's manifest could be taken for another's.
fn bundles_key() -> Arc<P256Key> {
    static KEY: OnceLock<Arc<P256Key>> = OnceLock::new();
    KEY.get_or_init(|| Arc::new(P256Key::generate().unwrap())).clone()
}

/// Path and envelope of a key certificate.
pub(super) fn certificate(root: &P256Key, bundles: &PublicKey, scope: &Scope) -> (String, Vec<u8>) {
    let certificate = KeyCertificate {
        tenant: scope.tenant.clone(),
        environment: scope.environment.clone(),
        checkpoints: bundles.clone(),
        checkpoints_ed25519: None,
        approvals: bundles.clone(),
        bundles: bundles.clone(),
        not_before_us: T0,
        not_after_us: T0 + 86_400 * SECOND,
    };
    let envelope = Envelope::of(&certificate, root).unwrap();
    let path = layout::key_certificate(&scope.tenant, &scope.environment, &envelope.statement_digest());
    (path, envelope.to_vec().unwrap())
}

/// The golden evidence without the chunks of sessions outside of the period.
fn evidence(keys: &TestKeys, period: Period) -> Tree {
    let mut tree = build(keys);
    tree.retain(|key, _| key.starts_with(EVIDENCE_PREFIX));
    let report = verify::verify(&tree, keys.root(), &Options::default()).unwrap();
    assert!(report.holds());
    for session in report.sessions {
        if session.opened_us.is_some_and(|opened| !period.overlaps(opened, session.closed_us)) {
            let prefix = session.scope.session_prefix(&session.session);
            tree.retain(|key, _| !key.starts_with(&prefix) || !key.ends_with(".zst"));
        }
    }
    tree
}

struct Rows(TableFiles, Answering);

impl RowSink for Rows {
    fn session(&mut self, rows: &SessionRows) -> io::Result<()> {
        self.1.session(rows);
        self.0.session(rows)
    }
}

fn derive(
    evidence: &Tree,
    root: &PublicKey,
    period: Period,
    assembly: &Assembly<'_>,
) -> (crate::bundle::Counts, Answers) {
    let mut rows = Rows(assembly.tables().unwrap(), Answering::new(HIPAA).unwrap());
    let mut derivation = Derivation::new(&mut rows);
    let options = Options { period: Some(period), ..Options::default() };
    let report = verify::observe(evidence, root, &options, &mut derivation).unwrap();
    assert!(report.holds(), "{:#?}", report.findings);
    derivation.finish().unwrap();
    (rows.0.finish().unwrap(), rows.1.finish())
}

type Shared = Arc<Mutex<Vec<u8>>>;

/// Files in memory.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Shared>>);

struct MemoryFile(Shared);

impl Memory {
    fn into_files(self) -> BTreeMap<String, Vec<u8>> {
        let files = self.0.into_inner().unwrap();
        files.into_iter().map(|(path, file)| (path, std::mem::take(&mut *file.lock().unwrap()))).collect()
    }
}

impl Destination for Memory {
    fn create(&self, path: &str) -> io::Result<Box<dyn Write + Send>> {
        let file = Shared::default();
        let before = self.0.lock().unwrap().insert(path.to_owned(), file.clone());
        if before.is_some() { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(Box::new(MemoryFile(file))) }
    }
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
