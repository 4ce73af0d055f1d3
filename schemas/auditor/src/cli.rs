//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Verifies and reads evidence, offline. Exit codes: 0 it holds, 1 findings, 2 wrong usage or unreadable.
#[derive(Debug, Parser)]
#[command(name = "auditor", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks signatures, chains, counters and contents, and of a bundle every file and every row of its tables; says
    /// what was checked and names every object that breaks a rule.
    Verify {
        /// Folder of the evidence, or a bundle.
        dir: PathBuf,
        /// Public key that certifies relays and the keys that sign bundles (PEM).
        #[arg(long, value_name = "FILE")]
        root: PathBuf,
        /// Checkpoint of a log that was kept from earlier: all that it covers must still be there. May be repeated.
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
        /// Public key that signs checkpoints (PEM); where absent, the keys that the root certified.
        #[arg(long, value_name = "FILE")]
        checkpoints_key: Option<PathBuf>,
        /// File with the key (vkey) of a witness: every checkpoint that was kept must be cosigned by one of them. May be
        /// repeated.
        #[arg(long, value_name = "FILE")]
        witness: Vec<PathBuf>,
        /// The report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keeps the newest checkpoint of a log and cosigns it, if the log only grew since the one that was kept; names why not
    /// otherwise. Prints the cosignature's line.
    Witness {
        /// Checkpoint, or folder of the evidence or bundle with the log in it.
        checkpoint: PathBuf,
        /// What is kept: the last checkpoint, with its cosignature. `verify --checkpoint` takes it.
        #[arg(long, value_name = "FILE")]
        state: PathBuf,
        /// The witness's private key (PEM, `openssl genpkey -algorithm ed25519`).
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The witness's name, such as `witness.clinic.example/log`.
        #[arg(long)]
        name: String,
        /// Folder with the log's tiles, where a checkpoint is given as a file.
        #[arg(long, value_name = "FOLDER")]
        log: Option<PathBuf>,
        /// Public key that signs checkpoints (PEM).
        #[arg(long, value_name = "FILE", required_unless_present = "root")]
        checkpoints_key: Option<PathBuf>,
        /// Public key that certified it (PEM).
        #[arg(long, value_name = "FILE")]
        root: Option<PathBuf>,
    },
    /// Prints the public key of a witness as `verify --witness` and others take it (vkey).
    WitnessKey {
        /// Its private key (PEM).
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Its name.
        #[arg(long)]
        name: String,
    },
    /// Shows one session: who, from where, each statement, decision, masked columns and outcome; with the keys also
    /// the exact queries and results.
    Replay {
        /// Folder of the evidence.
        dir: PathBuf,
        /// Session, or the beginning of its identifier where that is unique.
        session: String,
        /// Folder with `data.key`; recorded results may then show protected health information.
        #[arg(long, value_name = "FOLDER")]
        keys: Option<PathBuf>,
        /// Show also the whole of long texts that ran at the target.
        #[arg(long)]
        full: bool,
        /// How far it is trusted.
        #[command(flatten)]
        trust: TrustArguments,
    },
    /// Tells whether a file is what a client got from one execution, also where its rows are not on record.
    CheckResult {
        /// Folder of the evidence.
        dir: PathBuf,
        /// Session, or the beginning of its identifier where that is unique.
        session: String,
        /// The execution's number.
        execution: u64,
        /// What is claimed to be its result: of a COPY the copied data, otherwise the `DataRow` messages as they were sent.
        file: PathBuf,
        /// Folder with `data.key`.
        #[arg(long, value_name = "FOLDER")]
        keys: PathBuf,
        /// How far the evidence is trusted.
        #[command(flatten)]
        trust: TrustArguments,
    },
    /// Writes all sessions with their statements.
    Export {
        /// Folder of the evidence.
        dir: PathBuf,
        /// Form of the output.
        #[arg(long, value_enum)]
        format: Format,
        /// File to write; it must not exist. Without it, standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// How far it is trusted.
        #[command(flatten)]
        trust: TrustArguments,
    },
    /// Lists the sessions, verified or not.
    Sessions {
        /// Folder of the evidence.
        dir: PathBuf,
    },
}

/// How far evidence is trusted that is only shown.
#[derive(Debug, Args)]
pub struct TrustArguments {
    /// Public key that certifies relays (PEM); where absent, `certificates.pub.pem` of `--keys`.
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// Show it though it does not verify, or without verifying it.
    #[arg(long)]
    pub unverified: bool,
}

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line a statement, with its session (RFC 4180).
    Csv,
    /// Sessions that hold their statements.
    Json,
}
