//! The last step: tables, exports, safeguards and report of all parts, and one signature over every file.

use std::fs::File;
use std::io;

use schemas::bundle::layout::BundleFile;
use schemas::bundle::{
    Assembly, BundleManifest, Counts, FORMAT_VERSION, FORMS, Predicate, STRANGER, SigningKeys, TableFiles,
};
use schemas::digest::{Hasher, Sha256Digest};
use schemas::dsse::{Envelope, Statement, pae};
use schemas::layout::trust_prefix;
use schemas::safeguards::{Answering, Answers, Catalogue, HIPAA};
use schemas::tables::{Derivation, RowSink, SessionRows};
use schemas::verify::{self, Options, Report};
use schemas::{canonical, layout};
use seams::KeyName;

use super::figures::Figures;
use super::log::{self, LogHead};
use super::report::Material;
use super::{BundlerError, Env, Plan, WorkFolder, notes, verify_by_hand};

/// What a finished bundle says of itself.
#[derive(Debug, Clone)]
pub struct Merged {
    /// Statement digest of its manifest: names the bundle's whole content.
    pub manifest: Sha256Digest,
    /// Rows of each table.
    pub counts: Counts,
    /// What the verifier said of the evidence in it.
    pub evidence: Report,
}

/// Ends a bundle whose parts all stand in the folder.
///
/// # Errors
/// [`BundlerError`].
pub async fn merge(env: &Env, plan: &Plan, folder: &WorkFolder) -> Result<Merged, BundlerError> {
    bring_trust(env, folder).await?;
    notes::bring(env, plan, folder).await?;
    if let Some(head) = &plan.log {
        log::bring(env, head, folder).await?;
    }
    let key = env.keys.public_key(KeyName::Bundles).await?;
    let (manifest, derived) = assemble(env, plan, folder, key.key_id())?;
    let payload = canonical::to_vec(&manifest)?;
    let signature = env.keys.sign(KeyName::Bundles, &pae(BundleManifest::TYPE, &payload)).await?;
    let manifest = Envelope::assemble(BundleManifest::TYPE, payload, &key, signature);
    folder.write(&BundleFile::Manifest.path(), &manifest.to_vec()?)?;
    Ok(Merged { manifest: manifest.statement_digest(), counts: derived.counts, evidence: derived.evidence })
}

/// Writes every file but the manifest, and gives what the manifest says.
fn assemble(
    env: &Env,
    plan: &Plan,
    folder: &WorkFolder,
    signer: Sha256Digest,
) -> Result<(BundleManifest, Derived), BundlerError> {
    let assembly = Assembly::new(folder);
    include_stored(folder, &assembly)?;
    let derived = derive(env, plan, folder, &assembly)?;
    let catalogue = Catalogue::parse(HIPAA)?;
    let report = Material {
        env,
        plan,
        verified: &derived.evidence,
        figures: &derived.figures,
        catalogue: &catalogue,
        answers: &derived.answers,
        log: told_of_log(plan.log.as_ref()),
    };
    for (file, bytes) in [
        (BundleFile::Report, report.render()?.into_bytes()),
        (BundleFile::Safeguards, canonical::to_vec(&derived.answers)?),
        (BundleFile::Catalogue, HIPAA.as_bytes().to_vec()),
        (BundleFile::Guide, verify_by_hand::guide(env, plan)?.into_bytes()),
        (BundleFile::Stranger, STRANGER.as_bytes().to_vec()),
        (BundleFile::Forms, FORMS.as_bytes().to_vec()),
    ] {
        assembly.put(&file, &bytes).map_err(|error| BundlerError::folder(folder.root(), error))?;
    }
    let manifest = assembly.manifest(Predicate {
        format: FORMAT_VERSION,
        tenant: env.tenant.clone(),
        environment: env.environment.clone(),
        period: plan.period,
        created_us: plan.made_us,
        counts: derived.counts.clone(),
        keys: SigningKeys { certificates: env.root.key_id(), bundles: signer },
    });
    Ok((manifest, derived))
}

fn told_of_log(head: Option<&LogHead>) -> String {
    match head {
        Some(LogHead { number, size }) => format!(
            "The log of this environment is part of the bundle up to its checkpoint {number}, with {size} entries: no \
             statement that it holds can be changed or taken away without every later checkpoint telling. Statements \
             that are newer than that checkpoint are named as findings."
        ),
        None => "No log was kept of these statements: that all of them were given rests on the counters alone, and on \
                 the word of who made the bundle."
            .to_owned(),
    }
}

/// The certificates of the keys that no relay has: that of bundles among them.
async fn bring_trust(env: &Env, folder: &WorkFolder) -> Result<(), BundlerError> {
    for key in env.store.list(&trust_prefix(&env.tenant, &env.environment)).await? {
        if layout::parse_key_certificate(&key).is_some() {
            let bytes = env.store.get(&key).await?.ok_or_else(|| BundlerError::gone(&key))?;
            folder.write(&key, &bytes)?;
        }
    }
    Ok(())
}

/// Names what parts have brought.
fn include_stored(folder: &WorkFolder, assembly: &Assembly<'_>) -> Result<(), BundlerError> {
    let failed = |error| BundlerError::folder(folder.root(), error);
    for path in folder.files().map_err(failed)? {
        let file = BundleFile::parse(&path)
            .ok_or_else(|| BundlerError::Object { key: path.clone(), problem: "no file of a bundle".to_owned() })?;
        assembly.include(&file, digest(folder, &path).map_err(failed)?);
    }
    Ok(())
}

/// What the evidence gives.
struct Derived {
    evidence: Report,
    counts: Counts,
    answers: Answers,
    figures: Figures,
}

/// Every row goes once into the tables, the answers and the figures of the report.
struct Rows {
    tables: TableFiles,
    answering: Answering,
    figures: Figures,
}

impl RowSink for Rows {
    fn session(&mut self, rows: &SessionRows) -> io::Result<()> {
        self.answering.session(rows);
        self.figures.session(rows);
        self.tables.session(rows)
    }
}

fn derive(env: &Env, plan: &Plan, folder: &WorkFolder, assembly: &Assembly<'_>) -> Result<Derived, BundlerError> {
    let failed = |error| BundlerError::folder(folder.root(), error);
    let tables = assembly.tables().map_err(failed)?;
    let mut rows = Rows { tables, answering: Answering::new(HIPAA)?, figures: Figures::default() };
    let mut derivation = Derivation::new(&mut rows);
    let options = Options { period: Some(plan.period), ..Options::default() };
    let evidence = verify::observe(folder, &env.root, &options, &mut derivation).map_err(failed)?;
    derivation.finish().map_err(failed)?;
    Ok(Derived {
        evidence,
        counts: rows.tables.finish().map_err(failed)?,
        answers: rows.answering.finish(),
        figures: rows.figures,
    })
}

fn digest(folder: &WorkFolder, path: &str) -> io::Result<Sha256Digest> {
    let mut hasher = Hasher::new();
    io::copy(&mut File::open(folder.root().join(path))?, &mut Into(&mut hasher))?;
    Ok(hasher.finish())
}

/// A hasher as something that bytes are written to.
struct Into<'a>(&'a mut Hasher);

impl io::Write for Into<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
