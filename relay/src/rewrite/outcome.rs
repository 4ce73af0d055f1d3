//! What kind of statement it was, and what it does beyond returning rows.

use std::sync::Arc;

use super::own::OwnChange;

/// Class of a statement, as evidence names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `SELECT`, `VALUES`, `TABLE`.
    Select,
    /// `INSERT`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `MERGE`.
    Merge,
    /// A change of definitions.
    Ddl,
    /// `BEGIN`, `COMMIT`, `SAVEPOINT`, `LOCK`, ….
    Transaction,
    /// `SET`, `RESET`.
    Set,
    /// `SHOW`.
    Show,
    /// `COPY … TO STDOUT`.
    CopyOut,
    /// `COPY … FROM STDIN`.
    CopyIn,
    /// `DECLARE CURSOR`, `FETCH`, `MOVE`.
    Cursor,
    /// `EXPLAIN`, also of a query that runs.
    Explain,
    /// `PREPARE`.
    Prepare,
    /// `EXECUTE`.
    Execute,
    /// `LISTEN`, `NOTIFY`.
    Notify,
    /// `DISCARD`, `DEALLOCATE`, `CLOSE`, `UNLISTEN`.
    Discard,
    /// SQL of a kind that the relay does not serve.
    Other,
    /// Not SQL.
    Unparsed,
}

/// What a statement does to the session or the catalog, once it ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// The catalog snapshot is stale afterwards.
    pub changes_catalog: bool,
    /// It takes locks behind which the catalog cannot be read until its transaction ends.
    pub locks_relations: bool,
    /// A name in it was taken for one of nothing (`IF EXISTS`): a newer snapshot may know it.
    pub assumes_absent: bool,
    /// What becomes of the names that the session made.
    pub own: Vec<OwnChange>,
    /// Prepared statements that exist no longer.
    pub ends_prepared: EndsPrepared,
    /// Open portals and cursors exist no longer.
    pub closes_portals: bool,
    /// All settings return to what the session was started with.
    pub resets_settings: bool,
    /// What becomes of `affidavit.reason`.
    pub reason: ReasonChange,
    /// Which way COPY data flow while it runs.
    pub copies: Copies,
    /// What it does with a cursor.
    pub cursor: Cursor,
    /// What it does with a prepared statement, by name.
    pub by_name: ByName,
    /// What it does to its transaction.
    pub on_transaction: OnTransaction,
    /// It is `COMMIT`.
    pub commits: bool,
    /// It is `ROLLBACK` of all of a transaction.
    pub rolls_back: bool,
    /// What it does with a savepoint.
    pub savepoint: Savepoint,
    /// What it makes of a setting that decisions rest on.
    pub setting: Option<SettingChange>,
}

/// What becomes of a setting that decisions rest on: `search_path`, and those by which plans are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// Its name.
    pub name: &'static str,
    /// What it is now; nothing where it is what it was when the session began. Of the search path, its schemas; of the others
    /// it only matters that they are changed.
    pub value: Option<Arc<[String]>>,
    /// Until its transaction ends alone, `SET LOCAL`.
    pub local: bool,
}

/// What a statement does with a savepoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Savepoint {
    /// Nothing.
    #[default]
    Nothing,
    /// `SAVEPOINT`.
    Made(String),
    /// `RELEASE SAVEPOINT`.
    Released(String),
    /// `ROLLBACK TO SAVEPOINT`.
    RolledBackTo(String),
}

/// What a statement does with a prepared statement. SQL and the protocol give names in one space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ByName {
    /// Nothing, but what [`EndsPrepared`] says.
    #[default]
    Nothing,
    /// `PREPARE`.
    Prepares(String),
    /// `EXECUTE`.
    Executes(String),
}

/// What a statement does to its transaction beyond what its command tag tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnTransaction {
    /// Nothing.
    #[default]
    Nothing,
    /// Undoes a part of it, `ROLLBACK TO SAVEPOINT`; the tag is that of a `ROLLBACK`.
    UndoesPart,
    /// Commits it, with all that went before, as `CREATE INDEX CONCURRENTLY` does.
    Commits,
}

/// What a statement does with a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Cursor {
    /// Nothing.
    #[default]
    None,
    /// Makes one.
    Declared {
        /// Its name.
        name: String,
        /// It outlives its transaction.
        held: bool,
    },
    /// Reads from the one of this name, or moves it.
    Used(String),
    /// Changes the row at which the one of this name is, so that it must have read nothing protected.
    Positions(String),
    /// Ends the one of this name.
    Closed(String),
}

/// Which way a statement's COPY data flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Copies {
    /// It has none.
    #[default]
    Nothing,
    /// To the client.
    Out,
    /// From the client.
    In,
}

/// What becomes of the reason that requests for approval carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ReasonChange {
    /// Nothing.
    #[default]
    None,
    /// It is this.
    Set(String),
    /// It is again what the session was started with.
    Reset,
}

/// Prepared statements that a statement ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum EndsPrepared {
    /// None.
    #[default]
    None,
    /// The one of this name.
    Named(String),
    /// All of them.
    All,
}

impl Effects {
    /// What follows in the same message could mean something else (rule 6). Most settings that may be set change no
    /// resolution.
    #[must_use]
    pub fn changes_resolution(&self) -> bool {
        self.changes_catalog || self.resets_settings || self.setting.is_some() || !self.own.is_empty()
    }

    /// A setting that decisions rest on is another one afterwards, or perhaps is: where `moved`, such a setting was changed
    /// in the transaction already, and what ends it or undoes a part of it brings another value back.
    #[must_use]
    pub fn moves_settings(&self, moved: bool) -> bool {
        let undoes = self.commits || self.rolls_back || self.on_transaction != OnTransaction::Nothing;
        self.setting.is_some() || self.resets_settings || moved && undoes
    }
}

impl Class {
    /// As evidence names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Merge => "merge",
            Self::Ddl => "ddl",
            Self::Transaction => "transaction",
            Self::Set => "set",
            Self::Show => "show",
            Self::CopyOut | Self::CopyIn => "copy",
            Self::Cursor => "cursor",
            Self::Explain => "explain",
            Self::Prepare => "prepare",
            Self::Execute => "execute",
            Self::Notify => "notify",
            Self::Discard => "discard",
            Self::Other => "other",
            Self::Unparsed => "unparsed",
        }
    }
}
