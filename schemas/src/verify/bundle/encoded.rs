use crate::tables::Value;

/// The rows of a table as a file has them.
pub(super) trait EncodedRows {
    /// Compares the next row with the one that is expected.
    ///
    /// # Errors
    /// What is wrong with the file's form; nothing more can be read of it then.
    fn compare(&mut self, expected: &[Value]) -> Result<Compared, String>;

    /// Reads on, to the file's end or until `limit` rows were read, and tells how many.
    ///
    /// # Errors
    /// As for `compare`.
    fn rest(&mut self, limit: u64) -> Result<u64, String>;
}

/// How the next row is.
pub(super) enum Compared {
    /// As expected.
    Equal,
    /// Different, first in this column; in none when the same values are written in another way.
    Differs(Option<&'static str>),
    /// There is none.
    Missing,
}

/// The longest row that is read as text, in bytes: an event's limit, four times, for a row holds what an event holds
/// and quoting may double it.
pub(super) const ROW_MAX: u64 = 64 * 1024 * 1024;
