//! Against published implementations of the same specifications: `tlog_tiles` and `signed_note` (Cloudflare).

use std::collections::HashMap;

use proptest::prelude::*;
use signed_note::{Note as TheirNote, Verifier, VerifierList};
use tlog_tiles::{
    Checkpoint as TheirCheckpoint, Hash, HashReader, Tile as TheirTile, check_record, check_tree, prove_record,
    prove_tree, record_hash, stored_hashes, tree_hash,
};

use super::{
    Checkpoint, Consistency, Edge, Inclusion, Note, NoteKey, SecondKey, Tile, TileKind, Tiles, Witness, naive,
};
use crate::digest::Sha256Digest;
use crate::ed25519::Ed25519Key;
use crate::signature::{P256Key, PublicKey, Signer};

/// Their tree: hashes by their own index.
#[derive(Default)]
struct Theirs(HashMap<u64, Hash>);

impl HashReader for Theirs {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[index]).collect())
    }
}

fn theirs(entries: &[Vec<u8>]) -> Theirs {
    let mut tree = Theirs::default();
    for (number, entry) in entries.iter().enumerate() {
        let hashes = stored_hashes(number as u64, entry, &tree).unwrap();
        let first = tree.0.len() as u64;
        tree.0.extend((first..).zip(hashes));
    }
    tree
}

fn hash(digest: Sha256Digest) -> Hash {
    Hash(*digest.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn roots_tiles_and_proofs_are_theirs(
        size in 1usize..900, index: prop::sample::Index, earlier: prop::sample::Index,
    ) {
        let (index, earlier) = (index.index(size), earlier.index(size) + 1);
        let (size64, index64, earlier64) = (size as u64, index as u64, earlier as u64);
        let entries = naive::entries(size);
        let tree = theirs(&entries);
        let (mut edge, mut tiles) = (Edge::default(), Vec::new());
        for entry in &entries {
            tiles.extend(edge.push(entry.clone()).unwrap());
        }
        tiles.extend(edge.partial().unwrap());
        let root = tree_hash(size64, &tree).unwrap();
        prop_assert_eq!(hash(edge.root()), root);
        for (tile, bytes) in &tiles {
            if let TileKind::Hashes(level) = tile.kind {
                let same = TheirTile::new(8, level, tile.index, tile.width.into(), false);
                prop_assert_eq!(&same.read_data(&tree).unwrap(), bytes);
            }
        }
        let ours = Tiles::new(size64, tiles.iter().filter(|(tile, _)| tile.kind != TileKind::Entries)
            .map(|(tile, bytes)| (*tile, bytes.as_slice()))).unwrap();
        let inclusion = Inclusion::prove(index64, size64, &ours).unwrap();
        let path: Vec<_> = inclusion.path.iter().copied().map(hash).collect();
        prop_assert_eq!(&path, &prove_record(size64, index64, &tree).unwrap());
        check_record(&path, size64, root, index64, record_hash(&entries[index])).unwrap();
        let consistency = Consistency::prove(earlier64, size64, &ours).unwrap();
        let path: Vec<_> = consistency.path.iter().copied().map(hash).collect();
        prop_assert_eq!(&path, &prove_tree(size64, earlier64, &tree).unwrap());
        check_tree(&path, size64, root, earlier64, tree_hash(earlier64, &tree).unwrap()).unwrap();
    }

    // Their paths name a tile height and call entries `data`, as golang.org/x/mod/sumdb does; the rest is the same.
    #[test]
    fn tile_paths_are_theirs(level in 0u8..8, index: u64, width in 1u16..=256, is_data: bool) {
        let level = if is_data { 0 } else { level };
        let kind = if is_data { TileKind::Entries } else { TileKind::Hashes(level) };
        let path = Tile { kind, index, width }.to_string();
        let their_path = TheirTile::new(8, level, index, width.into(), is_data).path();
        prop_assert_eq!(path, their_path.replacen("tile/8/", "tile/", 1).replacen("data", "entries", 1));
    }

    #[test]
    fn checkpoints_are_read_by_both(origin in "[a-z]{1,9}(\\.[a-z]{1,9})?(/[a-z0-9-]{1,9}){0,2}", size: u64, root: [u8; 32]) {
        let ours = Checkpoint { origin: origin.parse().unwrap(), size, root: Sha256Digest::from_bytes(root) };
        let theirs = TheirCheckpoint::from_bytes(ours.text().as_bytes()).unwrap();
        prop_assert_eq!((theirs.origin(), theirs.size(), theirs.hash()), (origin.as_str(), size, &Hash(root)));
        let text = String::from_utf8(theirs.to_bytes()).unwrap();
        prop_assert_eq!(Checkpoint::from_text(&text).unwrap(), ours);
    }
}

/// Their crate has no ECDSA; this is its place for one.
struct Ecdsa {
    key: PublicKey,
    id: u32,
}

impl Verifier for Ecdsa {
    fn name(&self) -> &str {
        "log.test/one"
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify(message, signature).is_ok()
    }
}

#[test]
fn notes_are_read_and_verified_by_both() {
    let signer = P256Key::generate().unwrap();
    let key = NoteKey::new("log.test/one", signer.public_key().clone()).unwrap();
    let text = "log.test/one\n1\nhash\n".to_owned();
    let note = Note::assemble(text.clone(), &key, signer.sign(text.as_bytes()).unwrap()).unwrap().to_vec();
    let theirs = TheirNote::from_bytes(&note).unwrap();
    assert_eq!((theirs.text(), theirs.to_bytes()), (text.as_bytes(), note));
    let verifier = Ecdsa { key: signer.public_key().clone(), id: u32::from_be_bytes(key.id()) };
    let (verified, unverified) = theirs.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
}

/// Neither has their crate cosignatures; the key id is its own, and the signature is checked by `ed25519-dalek`.
struct Cosigner {
    key: ed25519_dalek::VerifyingKey,
}

impl Verifier for Cosigner {
    fn name(&self) -> &str {
        "witness.test/w1"
    }

    fn key_id(&self) -> u32 {
        signed_note::key_id(self.name(), &[&[4], self.key.as_bytes().as_slice()].concat())
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let (time, signature) = signature.split_at(8);
        let time = u64::from_be_bytes(time.try_into().unwrap());
        let signed = [format!("cosignature/v1\ntime {time}\n").as_bytes(), message].concat();
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
        self.key.verify_strict(&signed, &signature).is_ok()
    }
}

/// Their own verifier of Ed25519 reads a log's second line.
#[test]
fn the_second_signature_of_a_checkpoint_is_verified_by_theirs() {
    let (log, second) = (P256Key::generate().unwrap(), Ed25519Key::generate().unwrap());
    let checkpoint = Checkpoint { origin: "log.test/one".parse().unwrap(), size: 7, root: Sha256Digest::of(b"root") };
    let mut note = checkpoint.sign(&log).unwrap();
    let key = SecondKey::new(checkpoint.origin.clone(), second.public_key());
    key.add(&mut note, second.sign(checkpoint.text().as_bytes())).unwrap();
    let public = ed25519_dalek::VerifyingKey::from_bytes(second.public_key().as_bytes()).unwrap();
    let vkey = signed_note::new_ed25519_verifier_key("log.test/one", &public);
    let verifier = signed_note::StandardVerifier::new(&vkey).unwrap();
    assert_eq!(verifier.key_id(), u32::from_be_bytes(key.id()));
    let theirs = TheirNote::from_bytes(&note.to_vec()).unwrap();
    let (verified, unverified) = theirs.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 1));
    assert_eq!(key.open(&note.to_vec()).unwrap(), checkpoint);
    assert!(key.add(&mut note, second.sign(b"another text")).is_err());
}

#[test]
fn a_cosignature_is_read_and_verified_by_both() {
    let (log, own) = (P256Key::generate().unwrap(), Ed25519Key::generate().unwrap());
    let checkpoint = Checkpoint { origin: "log.test/one".parse().unwrap(), size: 7, root: Sha256Digest::of(b"root") };
    let mut note = checkpoint.sign(&log).unwrap();
    let witness = Witness::new("witness.test/w1", own.public_key()).unwrap();
    witness.cosign(&mut note, &own, 1_790_000_000).unwrap();
    let key = ed25519_dalek::VerifyingKey::from_bytes(own.public_key().as_bytes()).unwrap();
    let theirs = TheirNote::from_bytes(&note.to_vec()).unwrap();
    let verify = |key| theirs.verify(&VerifierList::new(vec![Box::new(Cosigner { key })]));
    let (verified, unverified) = verify(key).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 1));
    assert_eq!(theirs.text(), checkpoint.text().as_bytes());
    let stranger = Ed25519Key::generate().unwrap().public_key();
    assert!(verify(ed25519_dalek::VerifyingKey::from_bytes(stranger.as_bytes()).unwrap()).is_err());
}

// The example of c2sp.org/signed-note, "Verifier keys": a note with an Ed25519 signature reads, and says nothing to us.
#[test]
fn a_note_that_another_implementation_signed_is_read() {
    let note = "This is an example message.\n\n\u{2014} example.com/foo \
                Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    let read = Note::from_slice(note.as_bytes()).unwrap();
    assert_eq!(read.text_unverified(), "This is an example message.\n");
    assert_eq!(read.to_vec(), note.as_bytes());
    let key = NoteKey::new("example.com/foo", P256Key::generate().unwrap().public_key().clone()).unwrap();
    assert!(read.verify(&key).is_err());
}
