//! What the transaction under way would take with it if it were undone.
//!
//! The target reports each statement as done before its transaction is, so what an error or `ROLLBACK` undoes is on
//! record as completed. Where the target's answers tell that it was undone, this says which executions it was.
//!
//! A commit point is `COMMIT`, or `ReadyForQuery` that says idle with no error before it. `BEGIN` is none: behind other
//! statements of one message it makes them part of its block (PostgreSQL, "Multiple Statements in a Simple Query").

use schemas::event::RolledBack;
use wire::postgres::TransactionStatus;

use crate::policy::OnTransaction;

/// Executions that are done and not committed, and whether an error undid them.
#[derive(Debug, Default)]
pub(super) struct Uncommitted {
    /// The first and last of them. What is done in between belongs to the same transaction, for there is one at a time.
    done: Option<(u64, u64)>,
    /// An error came after the last commit point.
    failed: bool,
    /// A `BEGIN` did.
    in_block: bool,
}

impl Uncommitted {
    /// The target has done an execution, wholly or as far as its row limit.
    pub(super) fn done(&mut self, execution: u64) {
        let first = self.done.map_or(execution, |(first, _)| first);
        self.done = Some((first, execution));
    }

    /// As [`Uncommitted::done`], with the command tag. Says what is undone by it.
    pub(super) fn completed(&mut self, execution: u64, tag: &str, on: OnTransaction) -> Option<RolledBack> {
        match (tag, on) {
            // The transaction goes on, and may still be undone with all that was in it.
            ("ROLLBACK", OnTransaction::UndoesPart) | ("SAVEPOINT" | "RELEASE", _) => None,
            ("BEGIN" | "START TRANSACTION", _) => {
                self.in_block = true;
                None
            }
            // Also the answer to the `COMMIT` of a transaction that had failed.
            ("ROLLBACK", _) => self.undone(),
            ("COMMIT", _) | (_, OnTransaction::Commits) => {
                self.settled();
                None
            }
            _ => {
                self.done(execution);
                None
            }
        }
    }

    /// An error came, of a statement that does this to its transaction.
    pub(super) fn failed(&mut self, on: OnTransaction) {
        if on == OnTransaction::Commits && !self.in_block {
            // It may have got as far as to commit what went before; in a block it is refused.
            self.settled();
        }
        self.failed = true;
    }

    /// The target waits for the next message. Says what was undone by an error before.
    pub(super) fn ready(&mut self, status: TransactionStatus) -> Option<RolledBack> {
        match status {
            TransactionStatus::Idle if self.failed => self.undone(),
            TransactionStatus::Idle => {
                self.settled();
                None
            }
            TransactionStatus::Active | TransactionStatus::Failed => None,
        }
    }

    /// Whatever was not committed is gone.
    pub(super) fn undone(&mut self) -> Option<RolledBack> {
        let done = self.done.take();
        self.settled();
        done.map(|(first_execution, last_execution)| RolledBack { first_execution, last_execution })
    }

    /// Nothing is open any more, or what became of it cannot be known.
    pub(super) fn settled(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers to what is sent, numbered from 1: a tag, or `error`; `Z` is `ReadyForQuery`, with its status.
    fn undone_by(answers: &[&str]) -> Vec<(u64, u64)> {
        let (mut uncommitted, mut execution, mut undone) = (Uncommitted::default(), 0, Vec::new());
        for answer in answers {
            let status = match *answer {
                "Z idle" => Some(TransactionStatus::Idle),
                "Z in" => Some(TransactionStatus::Active),
                "Z failed" => Some(TransactionStatus::Failed),
                _ => None,
            };
            execution += u64::from(status.is_none());
            let said = match (status, *answer) {
                (Some(status), _) => uncommitted.ready(status),
                (None, "error") => {
                    uncommitted.failed(OnTransaction::Nothing);
                    None
                }
                (None, "error of INDEX CONCURRENTLY") => {
                    uncommitted.failed(OnTransaction::Commits);
                    None
                }
                (None, "ROLLBACK TO") => uncommitted.completed(execution, "ROLLBACK", OnTransaction::UndoesPart),
                (None, "INDEX CONCURRENTLY") => {
                    uncommitted.completed(execution, "CREATE INDEX", OnTransaction::Commits)
                }
                (None, tag) => uncommitted.completed(execution, tag, OnTransaction::Nothing),
            };
            undone.extend(said.map(|range| (range.first_execution, range.last_execution)));
        }
        undone
    }

    #[test]
    fn an_error_undoes_what_its_implicit_transaction_had_done() {
        assert_eq!(undone_by(&["INSERT", "INSERT", "error", "Z idle"]), [(1, 2)]);
        assert_eq!(undone_by(&["error", "Z idle"]), []);
        assert_eq!(undone_by(&["INSERT", "Z idle", "error", "Z idle"]), [], "that was committed");
        assert_eq!(undone_by(&["INSERT", "COMMIT", "INSERT", "error", "Z idle"]), [(3, 3)]);
        assert_eq!(undone_by(&["INSERT", "ROLLBACK", "INSERT", "Z idle"]), [(1, 1)]);
        assert_eq!(undone_by(&["INSERT", "COMMIT", "error", "Z idle"]), [], "nothing was done since");
        assert_eq!(undone_by(&["INSERT", "INDEX CONCURRENTLY", "error", "Z idle"]), [], "that commits as it goes");
        assert_eq!(undone_by(&["INSERT", "error of INDEX CONCURRENTLY", "Z idle"]), [], "nobody knows how far it got");
    }

    #[test]
    fn a_block_ends_as_its_last_tag_says() {
        assert_eq!(
            undone_by(&["BEGIN", "Z in", "INSERT", "Z in", "error", "Z failed", "ROLLBACK", "Z idle"]),
            [(2, 2)]
        );
        assert_eq!(undone_by(&["BEGIN", "Z in", "INSERT", "Z in", "COMMIT", "Z idle"]), []);
        assert_eq!(undone_by(&["BEGIN", "Z in", "INSERT", "Z in", "error", "Z idle"]), [(2, 2)], "COMMIT failed");
        assert_eq!(undone_by(&["BEGIN", "Z in", "ROLLBACK", "Z idle"]), [], "nothing was done in it");
        let converted = ["INSERT", "BEGIN", "INSERT", "error", "Z failed", "ROLLBACK", "Z idle"];
        assert_eq!(undone_by(&converted), [(1, 3)], "BEGIN took the statement before it in");
    }

    #[test]
    fn a_block_refuses_what_commits_as_it_goes_and_is_undone() {
        let refused =
            ["BEGIN", "Z in", "INSERT", "Z in", "error of INDEX CONCURRENTLY", "Z failed", "ROLLBACK", "Z idle"];
        assert_eq!(undone_by(&refused), [(2, 2)]);
    }

    #[test]
    fn a_savepoint_keeps_the_transaction_open() {
        let back = ["BEGIN", "INSERT", "SAVEPOINT", "INSERT", "Z in", "error", "Z failed", "ROLLBACK TO", "Z in"];
        assert_eq!(undone_by(&[&back[..], &["INSERT", "COMMIT", "Z idle"]].concat()), []);
        assert_eq!(undone_by(&[&back[..], &["INSERT", "ROLLBACK", "Z idle"]].concat()), [(2, 7)]);
    }
}
