/// What went wrong, sorted by who is at fault. No variant carries a value from evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The producer of the bytes: they are not what `SPEC.md` says.
    #[error("{what}: expected {expected}")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// What `SPEC.md` asks of it.
        expected: &'static str,
    },
    /// The producer of the bytes: a named limit is exceeded.
    #[error("{what}: longer than the limit of {limit} bytes")]
    TooLarge {
        /// What was measured.
        what: &'static str,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The signer: a signature does not verify under the expected key.
    #[error("{0}: signature does not verify under the expected key")]
    Signature(&'static str),
    /// The holder of a key: sealed bytes do not open under this key in this place.
    #[error("{0}: does not open under this key in this place")]
    Sealed(&'static str),
    /// The operator: a key cannot be read.
    #[error("{what}: expected {expected}")]
    Key {
        /// Which key.
        what: &'static str,
        /// The form it must have.
        expected: &'static str,
    },
    /// This program: a value it made itself cannot be written.
    #[error("bug: {0}")]
    Bug(&'static str),
    /// The machine: the cryptographic provider or the compressor failed.
    #[error("{0} failed")]
    Machine(&'static str),
}
