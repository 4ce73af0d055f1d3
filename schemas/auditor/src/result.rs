//! `auditor check-result`: whether a file is what a client got, by the keyed digest in the execution's outcome.

use std::io::{Read, Write};
use std::path::Path;

use schemas::digest::Sha256Digest;
use schemas::event::{EventBody, Outcome};
use schemas::result_digest::ResultDigest;

use crate::cli::TrustArguments;
use crate::error::{Error, Exit};
use crate::folder::Folder;
use crate::listing::{self, Listed};
use crate::names::count;
use crate::{trust, unlock};

/// What is to be checked against what.
pub(crate) struct Request<'a> {
    /// Beginning of the session's identifier.
    pub(crate) session: &'a str,
    /// The execution's number.
    pub(crate) execution: u64,
    /// The claimed result.
    pub(crate) file: &'a Path,
    /// Folder with `data.key`.
    pub(crate) keys: &'a Path,
}

pub(crate) fn run(
    dir: &Path,
    request: &Request<'_>,
    arguments: &TrustArguments,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let folder = Folder::open(dir)?;
    let listed = listing::find(&folder, request.session)?;
    trust::decide(&folder, arguments, Some(request.keys), Some(&listed.session))?;
    let (outcome, expected) = outcome(&folder, &listed, request.execution)?;
    let Some(key) = unlock::session_key(&folder, &listed, request.keys)? else {
        let problem = "the session's key was shredded, or is not among the evidence; nobody can check its digests";
        return Err(Error::Argument { argument: "SESSION", problem: problem.to_owned() });
    };
    let digest = key.result_key().map_err(|error| Error::content(folder.root(), error))?.begin();
    let same = digest_of(request.file, digest)? == expected;
    let what = format!("execution {} of statement {}", outcome.execution, outcome.statement);
    let (rows, bytes) = (count(outcome.rows_returned, "row"), count(outcome.bytes_returned, "byte"));
    let verdict = if same { "This is" } else { "This is NOT" };
    writeln!(out, "{verdict} what {what} returned: {rows}, {bytes}.")?;
    Ok(if same { Exit::Holds } else { Exit::Findings })
}

fn outcome(folder: &Folder, listed: &Listed, execution: u64) -> Result<(Outcome, Sha256Digest), Error> {
    let refused = |problem: &str| Error::Argument { argument: "EXECUTION", problem: problem.to_owned() };
    for chunk in listed.open(folder) {
        for event in chunk?.events() {
            let event = event.map_err(|violation| Error::content(folder.root(), violation))?;
            match event.body {
                EventBody::Outcome(outcome) if outcome.execution == execution && execution != 0 => {
                    let digest = outcome.result_hmac;
                    let kept =
                        "all of its rows are on record, or nothing is known of them: there is no digest to check";
                    return digest.map(|digest| (outcome, digest)).ok_or_else(|| refused(kept));
                }
                _ => {}
            }
        }
    }
    Err(refused("the session has no outcome of this execution; `auditor replay` tells which it has"))
}

fn digest_of(file: &Path, mut digest: ResultDigest) -> Result<Sha256Digest, Error> {
    let mut reader = std::fs::File::open(file).map_err(Error::file(file))?;
    let mut piece = vec![0; PIECE];
    loop {
        match reader.read(&mut piece).map_err(Error::file(file))? {
            0 => return Ok(digest.so_far()),
            read => digest.update(piece.get(..read).unwrap_or_default()),
        }
    }
}

/// A result may be longer than memory.
const PIECE: usize = 64 * 1024;
