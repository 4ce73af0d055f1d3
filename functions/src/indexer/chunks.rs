//! Indexing a chunk: structure, signature and digests hold before any of its events is believed.

use schemas::chunk::Container;
use schemas::event::EventBody;
use schemas::identifiers::SessionId;
use schemas::manifest::ChunkManifest;
use seams::{ChunkRow, SessionRow};

use super::{Indexed, IndexerError, Reader, of_index, rejected, scope};

pub(super) async fn index(reader: &Reader<'_>, session: &SessionId, sequence: u64) -> Result<Indexed, IndexerError> {
    let refuse = |violation| rejected(reader.key, violation);
    let container = Container::parse(&reader.bytes).map_err(refuse)?;
    let manifest = container.manifest().clone();
    let is_named = manifest.session == *session && manifest.sequence == sequence;
    reader.same(&scope(&manifest.tenant, &manifest.environment, &manifest.relay), is_named)?;
    container.verify(&reader.signer(&manifest.sealed_by).await?).map_err(refuse)?;
    let digest = container.envelope().statement_digest();
    let opened = container.decode().map_err(refuse)?;

    let mut known = SessionRow { connection: Some(manifest.connection.clone()), ..reader.row(session) };
    if manifest.first_event == 1
        && let Some(first) = opened.events().next()
        && let EventBody::SessionOpen(open) = first.map_err(refuse)?.body
    {
        known.issuer = Some(open.actor.issuer);
        known.subject = Some(open.actor.subject);
    }
    reader.env.index.record_session(known).await.map_err(|error| of_index(reader.key, &error))?;
    reader
        .env
        .index
        .record_chunk(row(reader, &manifest, digest))
        .await
        .map_err(|error| of_index(reader.key, &error))?;
    Ok(Indexed::Chunk(session.clone(), sequence))
}

fn row(reader: &Reader<'_>, manifest: &ChunkManifest, digest: schemas::digest::Sha256Digest) -> ChunkRow {
    ChunkRow {
        session: manifest.session.clone(),
        sequence: manifest.sequence,
        key: reader.key.to_owned(),
        manifest: digest,
        length: reader.bytes.len() as u64,
        events: manifest.events,
        first_time_us: manifest.first_time_us,
        last_time_us: manifest.last_time_us,
    }
}
