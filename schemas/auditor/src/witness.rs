//! `auditor witness`: the customer's own memory of a log. Whoever holds the log's key cannot show it one log and others
//! another, nor take back what it saw.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use schemas::dsse::{ENVELOPE_MAX, Envelope};
use schemas::ed25519::Ed25519Key;
use schemas::key_certificate::KeyCertificate;
use schemas::layout::{LogObjectKind, TRUST_PREFIX, parse_key_certificate, parse_log};
use schemas::log::{Checkpoint, Consistency, LogOrigin, NOTE_MAX, Note, Tile, Tiles, Witness};
use schemas::signature::PublicKey;
use schemas::verify::Source;
use zeroize::Zeroizing;

use crate::error::{Error, Exit};
use crate::folder::Folder;
use crate::trust::read_key;

/// What to witness, and as whom.
pub(crate) struct Request<'a> {
    pub(crate) checkpoint: &'a Path,
    pub(crate) state: &'a Path,
    pub(crate) key: &'a Path,
    pub(crate) name: &'a str,
    pub(crate) log: Option<&'a Path>,
    pub(crate) checkpoints_key: Option<&'a Path>,
    pub(crate) root: Option<&'a Path>,
}

/// Why a checkpoint is not cosigned: a name that stays, and what was found.
struct Refusal(&'static str, String);

/// Keeps and cosigns the checkpoint at `now` (seconds since 1970), or says why not.
pub(crate) fn run(request: &Request<'_>, now: u64, out: &mut dyn Write) -> Result<Exit, Error> {
    let key = private_key(request.key)?;
    let witness = witness(&key, request.name)?;
    // Of two that go on from the same checkpoint each could sign another history.
    let _alone = lock(request.state)?;
    let kept = read_kept(request.state)?;
    let (note, folder) = given(request, kept.as_ref().map(|(_, kept)| &kept.origin))?;
    let mut note = Note::from_slice(&note).map_err(|error| Error::content(request.checkpoint, error))?;
    let checked = check(request, &note, kept.as_ref(), folder.as_ref())?;
    let checkpoint = match checked {
        Ok(checkpoint) => checkpoint,
        Err(Refusal(name, message)) => {
            writeln!(out, "REFUSED {name}: {message}")?;
            return Ok(Exit::Findings);
        }
    };
    witness.cosign(&mut note, &key, now).map_err(|error| Error::content(request.key, error))?;
    let cosigned = note.to_vec();
    // Lines that others wrote must not make worthless what is kept, or keep the next time from reading it.
    if Note::from_slice(&cosigned).ok().and_then(|note| witness.saw(&note)).is_none() {
        let problem = "it is full, or bears a line of this witness that does not verify";
        writeln!(out, "REFUSED witness.lines: {problem}")?;
        return Ok(Exit::Findings);
    }
    // First kept, then told: what was cosigned is never forgotten.
    keep(request.state, &cosigned)?;
    let line = note.last_line().unwrap_or_default();
    writeln!(out, "log {}, {} entries, root {}", checkpoint.origin, checkpoint.size, checkpoint.root)?;
    write!(out, "{line}")?;
    Ok(Exit::Holds)
}

/// Prints the witness's public key.
pub(crate) fn print_key(key: &Path, name: &str, out: &mut dyn Write) -> Result<Exit, Error> {
    let witness = witness(&private_key(key)?, name)?;
    writeln!(out, "{}", witness.to_vkey())?;
    Ok(Exit::Holds)
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn check(
    request: &Request<'_>,
    note: &Note,
    kept: Option<&(Note, Checkpoint)>,
    folder: Option<&Folder>,
) -> Result<Result<Checkpoint, Refusal>, Error> {
    let bytes = note.to_vec();
    let said = Checkpoint::read_unverified(&bytes).map_err(|error| Error::content(request.checkpoint, error))?;
    let keys = checkpoints_keys(request, &said.origin, folder)?;
    let opened = keys.iter().find_map(|key| Checkpoint::open(&bytes, &said.origin, key).ok());
    let Some(checkpoint) = opened else {
        return refused("witness.signature", "no known key of this log signed it");
    };
    let Some((_, before)) = kept else { return Ok(Ok(checkpoint)) };
    if before.origin != checkpoint.origin {
        return refused(
            "witness.origin",
            format!("it is of log {}, kept is one of {}", checkpoint.origin, before.origin),
        );
    }
    if checkpoint.size < before.size {
        let message =
            format!("it has {} entries, and the log had {}: it was rolled back", checkpoint.size, before.size);
        return refused("witness.smaller", message);
    }
    if checkpoint.size == before.size {
        let forked = || refused("witness.forked", format!("another root of the same {} entries is kept", before.size));
        return if checkpoint.root == before.root { Ok(Ok(checkpoint)) } else { forked() };
    }
    let Some(folder) = folder else {
        let problem = "expected the folder with the log's tiles, for the log grew since what is kept";
        return Err(Error::Argument { argument: "--log", problem: problem.to_owned() });
    };
    match prove(folder, before, &checkpoint) {
        Ok(()) => Ok(Ok(checkpoint)),
        Err(problem) => refused(
            "witness.inconsistent",
            format!(
                "nothing shows that its {} entries begin with the {} that are kept: {problem}",
                checkpoint.size, before.size
            ),
        ),
    }
}

fn refused(name: &'static str, message: impl Into<String>) -> Result<Result<Checkpoint, Refusal>, Error> {
    Ok(Err(Refusal(name, message.into())))
}

/// Proves from the tiles that the later tree begins with the earlier one.
fn prove(folder: &Folder, before: &Checkpoint, after: &Checkpoint) -> Result<(), String> {
    let needed = Tiles::needed(after.size, |tree| Consistency::prove(before.size, after.size, tree));
    let mut read = BTreeMap::new();
    for tile in needed {
        let bytes = tile_bytes(folder, &after.origin, &tile)
            .ok_or_else(|| format!("{} is missing", after.origin.tile(&tile)))?;
        read.insert(tile, bytes);
    }
    let tiles = Tiles::new(after.size, read.iter().map(|(tile, bytes)| (*tile, bytes.as_slice())));
    let proof = tiles.and_then(|tiles| Consistency::prove(before.size, after.size, &tiles));
    let proven = proof.and_then(|proof| proof.verify(&before.root, &after.root));
    proven.map_err(|error| error.to_string())
}

/// A tile's bytes; of the full one in its place where it has grown since.
fn tile_bytes(folder: &Folder, origin: &LogOrigin, tile: &Tile) -> Option<Vec<u8>> {
    let read = |tile: &Tile| folder.get(&origin.tile(tile), TILE_MAX).ok();
    read(tile).or_else(|| read(&tile.full()))
}

/// The note, and the folder that has its log's tiles.
fn given(request: &Request<'_>, kept: Option<&LogOrigin>) -> Result<(Vec<u8>, Option<Folder>), Error> {
    if !request.checkpoint.is_dir() {
        let mut note = Vec::new();
        let file = fs::File::open(request.checkpoint).map_err(Error::file(request.checkpoint))?;
        // One byte more than a note may have is refused as too long.
        file.take(NOTE_MAX as u64 + 1).read_to_end(&mut note).map_err(Error::file(request.checkpoint))?;
        return Ok((note, request.log.map(open).transpose()?));
    }
    let folder = open(request.checkpoint)?;
    let mut newest: BTreeMap<LogOrigin, u64> = BTreeMap::new();
    for key in folder.list()? {
        if let Some((origin, LogObjectKind::Checkpoint(number))) =
            parse_log(&key).map(|object| (object.origin, object.kind))
        {
            let known = newest.entry(origin).or_default();
            *known = (*known).max(number);
        }
    }
    let single = || newest.keys().next().filter(|_| newest.len() == 1);
    let origin = kept.filter(|kept| newest.contains_key(*kept)).or_else(single).cloned();
    let problem = "expected one log with a checkpoint, or the one that is kept";
    let origin = origin.ok_or_else(|| Error::content(request.checkpoint, problem))?;
    let number = newest.get(&origin).copied().unwrap_or_default();
    let note = folder.get(&origin.checkpoint(number), NOTE_MAX as u64).map_err(Error::file(request.checkpoint))?;
    Ok((note, Some(folder)))
}

fn open(path: &Path) -> Result<Folder, Error> {
    Folder::bundle(path).map_or_else(|| Folder::open(path), Ok)
}

/// Keys that may sign this log's checkpoints: the one that was given, or those that the root certified.
fn checkpoints_keys(
    request: &Request<'_>,
    origin: &LogOrigin,
    folder: Option<&Folder>,
) -> Result<Vec<PublicKey>, Error> {
    if let Some(key) = request.checkpoints_key {
        return Ok(vec![read_key(key)?]);
    }
    let (Some(root), Some(folder)) = (request.root, folder) else {
        let problem = "expected a folder whose key certificates tell the log's key, or --checkpoints-key";
        return Err(Error::Argument { argument: "--root", problem: problem.to_owned() });
    };
    let root = read_key(root)?;
    let mut keys = Vec::new();
    for key in folder.list()?.iter().filter(|key| key.starts_with(TRUST_PREFIX) && parse_key_certificate(key).is_some())
    {
        let Ok(bytes) = folder.get(key, ENVELOPE_MAX as u64) else { continue };
        let opened = Envelope::from_slice(&bytes).and_then(|envelope| envelope.open::<KeyCertificate>(&root));
        let own = opened.ok().filter(|one| *origin == LogOrigin::of(&one.tenant, &one.environment));
        keys.extend(own.map(|certificate| certificate.checkpoints));
    }
    Ok(keys)
}

fn read_kept(state: &Path) -> Result<Option<(Note, Checkpoint)>, Error> {
    match fs::read(state) {
        Ok(bytes) => {
            let failed = |error: schemas::Error| Error::content(state, error);
            Ok(Some((Note::from_slice(&bytes).map_err(failed)?, Checkpoint::read_unverified(&bytes).map_err(failed)?)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(state)(error)),
    }
}

/// Held until the file is dropped. Of its own, for what is kept is replaced.
fn lock(state: &Path) -> Result<fs::File, Error> {
    let path = state.with_added_extension("lock");
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(Error::file(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::content(&path, "another witness is at work with what is kept")),
        Err(fs::TryLockError::Error(error)) => Err(Error::file(&path)(error)),
    }
}

/// Whole or not at all, durable before anything is told.
fn keep(state: &Path, note: &[u8]) -> Result<(), Error> {
    let unfinished = state.with_added_extension("unfinished");
    let write = || {
        let mut file = fs::File::create(&unfinished)?;
        file.write_all(note)?;
        file.sync_all()?;
        fs::rename(&unfinished, state)?;
        // Without this a machine that dies may come up with the one before, and go on from there another way.
        let folder = state.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(Error::file(state))
}

fn private_key(path: &Path) -> Result<Ed25519Key, Error> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(Error::file(path))?);
    Ed25519Key::from_pkcs8_pem(&text).map_err(|error| Error::content(path, error))
}

fn witness(key: &Ed25519Key, name: &str) -> Result<Witness, Error> {
    let argument = |error: schemas::Error| Error::Argument { argument: "--name", problem: error.to_string() };
    Witness::new(name, key.public_key()).map_err(argument)
}

/// 256 hashes.
const TILE_MAX: u64 = 256 * 32;
