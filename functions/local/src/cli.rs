//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use schemas::identifiers::{Incarnation, SessionId};

use crate::error::Error;
use crate::folder::Folder;
use crate::init::{Init, Target, TargetTls};

/// Affidavit on one machine: a small OIDC issuer, certifier, relay, indexer and console in one process.
#[derive(Debug, Parser)]
#[command(name = "local", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fills a data folder: keys, certificates, users, policies, configuration.
    Init(InitArguments),
    /// Runs everything until SIGTERM or SIGINT; prints what to paste.
    Up {
        /// Where everything is.
        #[command(flatten)]
        data: Data,
        /// The relay without the functions behind it, as it is deployed: what it stores is indexed and appended to the log
        /// by the next run of everything.
        #[arg(long)]
        relay_alone: bool,
    },
    /// Prints a token for somebody in users.toml.
    Token {
        /// Name in users.toml.
        name: String,
        /// Where everything is.
        #[command(flatten)]
        data: Data,
        /// Minutes until the token expires, 1 to 1440.
        #[arg(long, default_value_t = 60)]
        minutes: u64,
    },
    /// Makes a folder of a period's evidence for an auditor: report, tables, replays, all signed.
    Bundle {
        /// Where everything is.
        #[command(flatten)]
        data: Data,
        /// First day (2026-11-20) or time (2026-11-20T10:00:00Z) of the period, UTC; without it, the first there is.
        #[arg(long, value_parser = instant)]
        from: Option<u64>,
        /// End of the period, exclusive; without it, now.
        #[arg(long, value_parser = instant)]
        to: Option<u64>,
        /// Folder to write; it must not exist.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Writes a page that shows one session, for a browser.
    Replay {
        /// Session.
        session: SessionId,
        /// Where everything is.
        #[command(flatten)]
        data: Data,
        /// Also what the client sent and received, opened with the data key: may show protected health information.
        #[arg(long)]
        results: bool,
        /// File to write; it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Destroys the key of a session that has ended: what it recorded of queries and results can never be read again.
    /// Its evidence still verifies, and says so.
    Shred {
        /// Session.
        session: SessionId,
        /// Where everything is.
        #[command(flatten)]
        data: Data,
    },
    /// Revokes the key of one life of the relay: what it signed and the log does not hold yet is void. A relay that serves
    /// with it stops at its next heartbeat.
    Revoke {
        /// Incarnation, as `auditor verify` prints it.
        incarnation: Incarnation,
        /// Where everything is.
        #[command(flatten)]
        data: Data,
        /// Entries of the log in which its statements stand; without it, those of the newest checkpoint.
        #[arg(long, value_name = "ENTRIES")]
        log_size: Option<u64>,
        /// It is taken out of service, and nobody else is thought to have the key.
        #[arg(long)]
        withdrawn: bool,
    },
    /// Lists the sessions in the index.
    Sessions {
        /// Where everything is.
        #[command(flatten)]
        data: Data,
    },
}

fn instant(text: &str) -> Result<u64, &'static str> {
    schemas::instant::parse(text).ok_or("expected a day (2026-11-20) or a time in UTC (2026-11-20T10:00:00Z)")
}

/// The data folder.
#[derive(Debug, Args)]
pub struct Data {
    /// Data folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

impl Data {
    /// The folder.
    ///
    /// # Errors
    /// [`Error`] when the path is none.
    pub fn folder(&self) -> Result<Folder, Error> {
        Folder::new(&self.data).map_err(Error::of("--data"))
    }
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArguments {
    #[command(flatten)]
    data: Data,
    /// Do nothing where the folder is filled already; without it, that is an error.
    #[arg(long)]
    pub(crate) unless_filled: bool,
    /// Host of the PostgreSQL to stand in front of.
    #[arg(long, default_value = "localhost")]
    target_host: String,
    /// Its port.
    #[arg(long, default_value_t = 5432)]
    target_port: u16,
    /// Its database.
    #[arg(long, default_value = "clinic")]
    target_database: String,
    /// The relay's login there.
    #[arg(long, default_value = "affidavit_relay")]
    target_user: String,
    /// File whose first line is that login's password; without it, the variable AFFIDAVIT_TARGET_PASSWORD.
    #[arg(long, value_name = "FILE")]
    target_password_file: Option<PathBuf>,
    /// PEM file of the roots that its certificate is checked against; without it, the system's.
    #[arg(long, value_name = "FILE")]
    target_ca: Option<PathBuf>,
    /// TLS towards it; `disable` for loopback targets alone.
    #[arg(long, value_enum, default_value_t = TlsMode::VerifyFull)]
    target_tls: TlsMode,
    /// Where the relay listens: loopback; port 0 takes a free one at each start.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the issuer listens: loopback; port 0 takes a free one at each start.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    issuer_listen: SocketAddr,
    /// Where the console listens: loopback; port 0 takes a free one at each start.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    console_listen: SocketAddr,
}

/// TLS towards the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TlsMode {
    VerifyFull,
    Disable,
}

impl InitArguments {
    /// The folder, and what to put there.
    ///
    /// # Errors
    /// [`Error`] when the folder's path is none.
    pub fn into_parts(self) -> Result<(Folder, Init), Error> {
        let tls = match self.target_tls {
            TlsMode::VerifyFull => TargetTls::VerifyFull(self.target_ca),
            TlsMode::Disable => TargetTls::Disable,
        };
        let target = Target {
            host: self.target_host,
            port: self.target_port,
            database: self.target_database,
            user: self.target_user,
            password_file: self.target_password_file,
            tls,
        };
        let settings = Init {
            target,
            listen: self.listen,
            issuer_listen: self.issuer_listen,
            console_listen: self.console_listen,
        };
        Ok((self.data.folder()?, settings))
    }
}
