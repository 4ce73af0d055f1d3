//! Nothing is shown as evidence that was not verified, unless the auditor says so.

use std::path::{Path, PathBuf};

use schemas::identifiers::SessionId;
use schemas::log::Witness;
use schemas::rule::Severity;
use schemas::signature::PublicKey;
use schemas::verify::{self, BundleReport, EarlierCheckpoint, Options, Report};

use crate::cli::TrustArguments;
use crate::error::Error;
use crate::folder::{BundleFolder, Folder};

/// How far shown evidence can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It verifies under the root that was given.
    Verified,
    /// It does not, or nobody asked.
    Unverified,
}

/// What the auditor trusts and has kept.
pub(crate) struct Grounds {
    root: PublicKey,
    options: Options,
}

impl Grounds {
    /// Trusts the key in this file, and what it certified.
    pub(crate) fn read(root: &Path) -> Result<Self, Error> {
        Ok(Self { root: read_key(root)?, options: Options::default() })
    }

    /// Trusts the key in this file to sign checkpoints.
    pub(crate) fn with_checkpoints_key(mut self, key: Option<&Path>) -> Result<Self, Error> {
        self.options.checkpoints_key = key.map(read_key).transpose()?;
        Ok(self)
    }

    /// Trusts that these witnesses saw what was kept.
    pub(crate) fn with_witnesses(mut self, files: &[PathBuf]) -> Result<Self, Error> {
        for file in files {
            let text = std::fs::read_to_string(file).map_err(Error::file(file))?;
            let witness = Witness::from_vkey(text.trim()).map_err(|error| Error::content(file, error))?;
            self.options.witnesses.push(witness);
        }
        Ok(self)
    }

    /// Has kept the checkpoints in these files.
    pub(crate) fn with_checkpoints(mut self, files: &[PathBuf]) -> Result<Self, Error> {
        for file in files {
            let note = std::fs::read(file).map_err(Error::file(file))?;
            self.options.earlier.push(EarlierCheckpoint { name: file.display().to_string(), note });
        }
        Ok(self)
    }
}

/// Verifies everything in the folder.
pub(crate) fn verify(folder: &Folder, grounds: &Grounds) -> Result<Report, Error> {
    verify::verify(folder, &grounds.root, &grounds.options).map_err(Error::file(folder.root()))
}

/// Verifies a bundle.
pub(crate) fn verify_bundle(folder: &Folder, grounds: &Grounds) -> Result<BundleReport, Error> {
    let (root, options) = (&grounds.root, &grounds.options);
    verify::verify_bundle(&BundleFolder(folder), root, options).map_err(Error::file(folder.root()))
}

/// What is known of what is shown.
pub(crate) struct Judged {
    pub(crate) trust: Trust,
    /// When the session's key was destroyed, if a statement that holds says so.
    pub(crate) shredded_us: Option<u64>,
}

/// Decides whether one session, or without one all evidence, may be shown.
pub(crate) fn decide(
    folder: &Folder,
    arguments: &TrustArguments,
    keys: Option<&Path>,
    session: Option<&SessionId>,
) -> Result<Judged, Error> {
    let Some(root) = root_file(arguments, keys) else {
        return if arguments.unverified {
            Ok(Judged { trust: Trust::Unverified, shredded_us: None })
        } else {
            Err(no_root())
        };
    };
    let grounds = Grounds::read(&root)?;
    let (report, all_holds, findings) = match Folder::bundle(folder.root()) {
        None => {
            let report = verify(folder, &grounds)?;
            (report.clone(), report.holds(), report.findings)
        }
        Some(bundle) => {
            let report = verify_bundle(&bundle, &grounds)?;
            let holds = report.holds();
            let findings = report.errors().cloned().collect();
            (report.evidence, holds, findings)
        }
    };
    let judged = session.map(|session| report.sessions.iter().find(|one| one.session == *session));
    let holds = judged.map_or(all_holds, |judged| judged.is_some_and(|judged| judged.sound));
    let shredded_us = judged.flatten().and_then(|judged| judged.shredded_us);
    match (holds, arguments.unverified) {
        (true, _) => Ok(Judged { trust: Trust::Verified, shredded_us }),
        (false, true) => Ok(Judged { trust: Trust::Unverified, shredded_us }),
        (false, false) => {
            let mut errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
            let first = errors.next().map_or("nothing was verified".to_owned(), |finding| {
                format!("{}: {}: {}", finding.object, finding.rule, finding.message)
            });
            let problem = "this evidence does not verify; `auditor verify` tells all, `--unverified` shows it anyway";
            Err(Error::Unverified(format!("{problem}\n{first}")))
        }
    }
}

fn root_file(arguments: &TrustArguments, keys: Option<&Path>) -> Option<PathBuf> {
    let beside_keys = || keys.map(|folder| folder.join("certificates.pub.pem")).filter(|file| file.exists());
    arguments.root.clone().or_else(beside_keys)
}

pub(crate) fn read_key(path: &Path) -> Result<PublicKey, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    PublicKey::from_pem(&text).map_err(|error| Error::content(path, error))
}

fn no_root() -> Error {
    let problem =
        "expected the public key that certifies relays, or --unverified to show evidence without verifying it";
    Error::Argument { argument: "--root", problem: problem.to_owned() }
}
