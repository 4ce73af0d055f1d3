//! What the store tells of tampering with what a bundle is made of, so that who verifies the bundle hears of it.

use schemas::bundle::layout::BundleFile;
use schemas::export_notes::{ExportNotes, ExportedOverlay};
use schemas::layout::{environment_prefix, shreddings_prefix, trust_prefix};
use schemas::log::LogOrigin;

use super::{BundlerError, Env, Plan, WorkFolder};

/// Writes them into the folder, where there is anything to tell.
pub(super) async fn bring(env: &Env, plan: &Plan, folder: &WorkFolder) -> Result<(), BundlerError> {
    let objects = plan.parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.objects.len() as u64));
    let mut notes = ExportNotes { objects, overlays: Vec::new(), strangers: plan.strangers.clone() };
    for prefix in [
        environment_prefix(&env.tenant, &env.environment),
        trust_prefix(&env.tenant, &env.environment),
        shreddings_prefix(&env.tenant, &env.environment),
        LogOrigin::of(&env.tenant, &env.environment).prefix(),
    ] {
        let rest = ExportNotes::NAMED_MAX.saturating_sub(notes.overlays.len());
        notes.overlays.extend(env.store.overlays(&prefix, rest).await?.into_iter().map(|overlay| ExportedOverlay {
            key: overlay.key,
            what: overlay.kind.as_str().to_owned(),
            at_s: overlay.at_s,
        }));
    }
    if notes.is_quiet() { Ok(()) } else { folder.write(&BundleFile::Notes.path(), &notes.to_vec()?) }
}
