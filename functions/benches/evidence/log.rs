//! A log whose entries are given, of whatever size: the sealer would read, and verify, an object for each of them.

use schemas::dsse::Envelope;
use schemas::log::{Checkpoint, Edge, Entry, Tile};
use seams::{KeyName, Retention};

use crate::deployment::Deployment;

#[derive(Default)]
pub(crate) struct Log {
    edge: Edge,
    tiles: Vec<(Tile, Vec<u8>)>,
    /// Of checkpoints: size and root.
    heads: Vec<(u64, schemas::digest::Sha256Digest)>,
}

impl Log {
    pub(crate) fn append(&mut self, statements: &[Envelope]) {
        statements.iter().for_each(|statement| self.push(Entry::of(statement).to_vec()));
    }

    pub(crate) fn push(&mut self, entry: Vec<u8>) {
        self.tiles.extend(self.edge.push(entry).unwrap());
        if self.edge.size().is_multiple_of(BATCH) {
            self.heads.push((self.edge.size(), self.edge.root()));
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Stores tiles and checkpoints as a sealer leaves them.
    pub(crate) async fn store(&mut self, deployment: &Deployment) {
        let origin = deployment.origin();
        self.heads.push((self.edge.size(), self.edge.root()));
        self.tiles.extend(self.edge.partial().unwrap());
        for (tile, bytes) in self.tiles.drain(..) {
            deployment.store.put(&origin.tile(&tile), &bytes, Retention::none()).await.unwrap();
        }
        let key = deployment.keys.public_key(KeyName::Checkpoints).await.unwrap();
        for (number, (size, root)) in (1..).zip(&self.heads) {
            let checkpoint = Checkpoint { origin: origin.clone(), size: *size, root: *root };
            let signature = deployment.keys.sign(KeyName::Checkpoints, checkpoint.text().as_bytes()).await.unwrap();
            let note = checkpoint.assemble(&key, signature).unwrap().to_vec();
            deployment.store.put(&origin.checkpoint(number), &note, Retention::none()).await.unwrap();
        }
    }
}

/// Entries that a checkpoint adds.
const BATCH: u64 = functions::sealer::Env::BATCH as u64;
