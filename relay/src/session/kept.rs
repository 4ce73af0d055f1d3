//! Which rows of an execution go on record. Those that do not are digested before the client gets them.

use schemas::result_digest::ResultDigest;

/// What is kept of the rows of an execution that does not keep all.
#[derive(Debug)]
pub(crate) struct Kept {
    /// How many at most.
    most: u64,
    /// How many so far.
    rows: u64,
    /// The row that came last, of which a part may be to come, is kept.
    last: bool,
    digest: ResultDigest,
}

impl Kept {
    /// The first `most` rows, of which none has come yet.
    pub(crate) fn first(most: u64, digest: ResultDigest) -> Self {
        Self { most, rows: 0, last: false, digest }
    }

    /// A row comes, or its beginning. Says whether it goes on record.
    pub(crate) fn row(&mut self, digested: &[u8]) -> bool {
        self.last = self.rows < self.most;
        self.rows += u64::from(self.last);
        self.more(digested)
    }

    /// The same row goes on. Says whether it goes on record.
    pub(crate) fn more(&mut self, digested: &[u8]) -> bool {
        self.digest.update(digested);
        self.last
    }

    /// Rows on record.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Of all rows that came, on record or not.
    pub(crate) fn digest(&self) -> schemas::digest::Sha256Digest {
        self.digest.so_far()
    }
}

#[cfg(test)]
mod tests {
    use schemas::result_digest::ResultKey;

    use super::*;

    #[test]
    fn the_first_rows_are_kept_whole_and_all_are_digested() {
        let key = ResultKey::new(&[7; 32]);
        let mut kept = Kept::first(2, key.begin());
        assert!(kept.row(b"a") && kept.row(b"b") && kept.more(b"b"));
        assert!(!kept.row(b"c") && !kept.more(b"c") && !kept.row(b"d"));
        let mut all = key.begin();
        all.update(b"abbccd");
        assert_eq!((kept.rows(), kept.digest()), (2, all.so_far()));
    }

    #[test]
    fn of_none_none_is_kept() {
        let mut kept = Kept::first(0, ResultKey::new(&[7; 32]).begin());
        assert!(!kept.row(b"a") && !kept.more(b"a"));
        assert_eq!(kept.rows(), 0);
    }
}
