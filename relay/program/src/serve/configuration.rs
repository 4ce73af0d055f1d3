//! Where `AFFIDAVIT_CONFIG` says that the configuration is: a folder of this machine, or a prefix in a bucket whose last
//! part is the digest of everything below it. The digest comes with the task's definition, so whoever can write to the
//! bucket still cannot change what a relay obeys.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws::{Deployment, Environment, EnvironmentError, FolderError, FolderLimits, S3Folder};
use relay::config::{Config, ConfigError};
use schemas::digest::Sha256Digest;
use schemas::identifiers::Name;

use super::agreement::{Disagreement, check};
use super::digest;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigurationError {
    /// A variable.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// It was not read from its bucket.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// It is not what its name says.
    #[error("what stands there has another digest than its prefix says: expected {expected}; apply Terraform again")]
    Changed {
        /// What it says.
        expected: Sha256Digest,
    },
    /// A file that would stand in an unexpected place.
    #[error(
        "{name:?} is no name of a file: expected at most {SEGMENTS_MAX} parts of letters, digits and . _ -, none \
         beginning with a dot"
    )]
    Name {
        /// Its key below the prefix.
        name: String,
    },
    /// It cannot be written down.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What it says.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It is another relay's, or another deployment's.
    #[error("relay.toml: {0}")]
    Disagreement(#[from] Disagreement),
}

/// Reads it and has it checked.
pub(super) async fn read(environment: &Environment, deployment: &Deployment) -> Result<Config, ConfigurationError> {
    let (folder, relay) = match Source::parse(&environment.text(VARIABLE)?)? {
        Source::Folder(folder) => (folder, None),
        Source::Bucket { bucket, relay, digest } => {
            let prefix = format!("{relay}/{digest}/");
            let scratch = PathBuf::from(environment.text("AFFIDAVIT_SCRATCH")?).join(relay.as_str());
            let files = S3Folder::new(&deployment.connection, bucket, prefix).read(LIMITS).await?;
            (write(&scratch, &digest, &files)?, Some(relay))
        }
    };
    let config = Config::read(&folder.join("relay.toml"))?;
    check(&config, deployment, relay.as_ref())?;
    Ok(config)
}

#[derive(Debug, PartialEq, Eq)]
enum Source {
    Folder(PathBuf),
    Bucket { bucket: String, relay: Name, digest: Sha256Digest },
}

impl Source {
    fn parse(text: &str) -> Result<Self, EnvironmentError> {
        let Some(place) = text.strip_prefix("s3://") else {
            return Ok(Self::Folder(PathBuf::from(text)));
        };
        let parts: Vec<&str> = place.split('/').collect();
        let [bucket, relay, digest, ""] = parts.as_slice() else { return Err(unexpected()) };
        let is_bucket = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b".-".contains(&letter);
        match (relay.parse(), digest.parse()) {
            (Ok(relay), Ok(digest)) if !bucket.is_empty() && bucket.bytes().all(is_bucket) => {
                Ok(Self::Bucket { bucket: (*bucket).to_owned(), relay, digest })
            }
            _ => Err(unexpected()),
        }
    }
}

/// Writes the files into `scratch`, which is theirs alone; nothing where they are not those of the digest.
fn write(
    scratch: &Path,
    expected: &Sha256Digest,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<PathBuf, ConfigurationError> {
    if let Some(name) = files.keys().find(|name| !is_plain(name)) {
        return Err(ConfigurationError::Name { name: name.chars().take(NAME_MAX).collect() });
    }
    if digest::of(files) != Some(*expected) {
        return Err(ConfigurationError::Changed { expected: *expected });
    }
    match fs::remove_dir_all(scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(scratch)(error)),
        _ => {}
    }
    for (name, bytes) in files {
        let path = scratch.join(name);
        let folder = path.parent().unwrap_or(scratch);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(bytes)).map_err(failed(&path))?;
    }
    Ok(scratch.to_owned())
}

/// A path that stays below where it is put, on whatever file system.
fn is_plain(name: &str) -> bool {
    let is_letter = |letter: u8| letter.is_ascii_alphanumeric() || b"._-".contains(&letter);
    let is_segment = |segment: &str| !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_letter);
    name.len() <= NAME_MAX && name.split('/').count() <= SEGMENTS_MAX && name.split('/').all(is_segment)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ConfigurationError {
    let path = path.to_owned();
    move |source| ConfigurationError::Write { path, source }
}

fn unexpected() -> EnvironmentError {
    EnvironmentError::new(VARIABLE, "expected s3://<bucket>/<relay>/<SHA-256, 64 hexadecimal digits>/, or a folder")
}

const VARIABLE: &str = "AFFIDAVIT_CONFIG";
/// `relay.toml`, and policies, classifications and CAs, a file each; far more than anybody reviews.
const LIMITS: FolderLimits = FolderLimits { files: 500, bytes: 16 * 1024 * 1024 };
const NAME_MAX: usize = 200;
const SEGMENTS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "145e78e2bb0618760bbd0d6625483b0afc5aea1ad7db2513da7d2d0effafe9c0";

    #[test]
    fn a_place_is_a_folder_or_a_prefix_with_a_digest() {
        assert_eq!(Source::parse("/etc/relay").unwrap(), Source::Folder("/etc/relay".into()));
        let digest: Sha256Digest = DIGEST.parse().unwrap();
        let expected = Source::Bucket { bucket: "clinic.config-1".to_owned(), relay: "one".parse().unwrap(), digest };
        assert_eq!(Source::parse(&format!("s3://clinic.config-1/one/{DIGEST}/")).unwrap(), expected);
        for bad in [
            format!("s3://clinic/one/{DIGEST}"),
            format!("s3://clinic/{DIGEST}/"),
            format!("s3://clinic/one/{DIGEST}/more/"),
            format!("s3:///one/{DIGEST}/"),
            format!("s3://cli nic/one/{DIGEST}/"),
            format!("s3://clinic/One/{DIGEST}/"),
            "s3://clinic/one/latest/".to_owned(),
        ] {
            let error = Source::parse(&bad).unwrap_err().to_string();
            assert!(error.contains("AFFIDAVIT_CONFIG: expected s3://"), "{bad}: {error}");
        }
    }

    #[test]
    fn files_stand_below_their_folder_with_what_was_there_before_gone() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("one");
        let files = |more: &[(&str, &str)]| -> BTreeMap<String, Vec<u8>> {
            let all = [("relay.toml", "relay = \"one\"\n"), ("policies/a.cedar", "permit")];
            all.iter().chain(more).map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
        };
        let written = |files: &BTreeMap<String, Vec<u8>>| write(&folder, &digest::of(files).unwrap(), files);
        written(&files(&[("policies/b.cedar", "forbid")])).unwrap();
        assert_eq!(written(&files(&[])).unwrap(), folder);
        assert_eq!(fs::read_to_string(folder.join("policies/a.cedar")).unwrap(), "permit");
        assert!(!folder.join("policies/b.cedar").exists(), "it was an earlier configuration's");

        let error = write(&folder, &DIGEST.parse().unwrap(), &files(&[])).unwrap_err().to_string();
        assert!(error.contains("another digest") && error.contains(DIGEST), "{error}");
        for bad in ["../outside", "/etc/passwd", "policies//a", "policies/.hidden", "", "a/b/c/d/e", "sp ace", "é"] {
            let error = written(&files(&[(bad, "")])).unwrap_err().to_string();
            assert!(error.contains("is no name of a file"), "{bad}: {error}");
        }
    }
}
