//! One part: brings the evidence of an incarnation, and draws the replay pages of its sessions.

use std::collections::BTreeSet;
use std::io;

use schemas::bundle::layout::BundleFile;
use schemas::layout;
use schemas::verify::{self, Options, Source};

use super::replay::Drawing;
use super::{BundlerError, Env, Part, Plan, WorkFolder};
use crate::signers;

/// Brings a part's objects into the folder and writes `replay/<session>.html` for its sessions. Parts can be made in
/// any order, and made again.
///
/// # Errors
/// [`BundlerError`].
pub async fn part(env: &Env, plan: &Plan, part: &Part, folder: &WorkFolder) -> Result<(), BundlerError> {
    let mut signed = BTreeSet::new();
    for key in &part.objects {
        let bytes = bring(env, key, folder).await?;
        signed.extend(signers::said(key, &bytes));
    }
    // Who recovered sessions is certified in another part; a certificate stands in the folder whoever brought it.
    let mut certificates = Vec::new();
    for other in plan.parts.iter().filter(|other| other.scope == part.scope && signed.contains(&other.incarnation)) {
        let key = other.scope.certificate(&other.incarnation);
        if other.objects.contains(&key) {
            bring(env, &key, folder).await?;
            certificates.push(key);
        }
    }
    let mut drawing = Drawing::default();
    for key in &plan.shreddings {
        let Some((scope, session)) = layout::parse_shredding(key) else { continue };
        if (&scope, &session.incarnation) == (&part.scope, &part.incarnation) {
            bring(env, key, folder).await?;
            drawing.shredded.insert(session);
        }
    }
    let evidence = OfPart { folder, objects: &part.objects, certificates: &certificates };
    let options = Options { period: Some(plan.period), ..Options::default() };
    verify::observe(&evidence, &env.root, &options, &mut drawing)
        .map_err(|error| BundlerError::folder(folder.root(), error))?;
    for page in drawing.finish()? {
        folder.write(&BundleFile::Replay(page.session).path(), page.html.as_bytes())?;
    }
    Ok(())
}

async fn bring(env: &Env, key: &str, folder: &WorkFolder) -> Result<Vec<u8>, BundlerError> {
    let bytes = env.store.get(key).await?.ok_or_else(|| BundlerError::gone(key))?;
    folder.write(key, &bytes)?;
    Ok(bytes)
}

/// What of the folder belongs to one part.
struct OfPart<'a> {
    folder: &'a WorkFolder,
    objects: &'a [String],
    certificates: &'a [String],
}

impl Source for OfPart<'_> {
    fn keys(&self) -> io::Result<Vec<String>> {
        let mut keys = [self.objects, self.certificates].concat();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    fn get(&self, key: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.folder.get(key, limit)
    }
}
