//! The corpus as it stands in `tests/attacks/`: its README is the format's description.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::leak::Marks;
use crate::harness::repository;

/// One file: a class of attacks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Class {
    pub(crate) class: String,
    #[expect(dead_code, reason = "for people")]
    about: String,
    pub(crate) case: Vec<Case>,
}

/// One attack.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) why: String,
    #[serde(default, rename = "source")]
    _source: String,
    /// Major versions of the server that it works on.
    #[serde(default = "first")]
    pub(crate) since: u32,
    #[serde(default = "last")]
    pub(crate) until: u32,
    /// Extensions that the target must have.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    /// It changes what is global to a database, so it gets another one: that of this name.
    pub(crate) own_database: Option<String>,
    /// What the superuser makes beforehand.
    #[serde(default)]
    pub(crate) setup: String,
    /// Relations of the set-up that are protected.
    #[serde(default)]
    pub(crate) protects: BTreeMap<String, BTreeMap<String, toml::Value>>,
    pub(crate) steps: Vec<Step>,
    /// What tells that it succeeded, where that is another text than a canary.
    #[serde(default)]
    pub(crate) reveals: Vec<String>,
    /// Values for `{name}` in the steps: it succeeds where both give different answers.
    #[serde(default)]
    pub(crate) right: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) wrong: BTreeMap<String, String>,
}

/// One thing that somebody does.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Step {
    /// By whom; each name is a session of its own.
    pub(crate) session: String,
    pub(crate) does: Does,
}

/// What is done.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Opens the session, otherwise than by itself.
    Connect(Connect),
    /// `Query`.
    Sql(String),
    /// `Parse`, `Bind`, `Describe`, `Execute`, `Sync`.
    Extended(Extended),
    /// The same of each statement, without `Describe`, and one `Sync`.
    Pipeline(Vec<String>),
    /// `Query` with a `COPY … FROM STDIN`, and its data.
    CopyIn(CopyIn),
    /// `FunctionCall`.
    Call(Call),
    /// Any bytes, in hexadecimal; up to the next `ReadyForQuery` is read.
    Bytes(String),
    /// Somebody with every right, at the target itself.
    Superuser(String),
    /// Waits until the product knows of definitions that changed.
    Settle,
}

/// A step as it is written: one of these, and by whom.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "nameless")]
    session: String,
    connect: Option<Connect>,
    sql: Option<String>,
    extended: Option<Extended>,
    pipeline: Option<Vec<String>>,
    copy_in: Option<CopyIn>,
    call: Option<Call>,
    bytes: Option<String>,
    superuser: Option<String>,
    #[serde(default)]
    settle: bool,
}

impl TryFrom<Written> for Step {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { session, connect, sql, extended, pipeline, copy_in, call, bytes, superuser, settle } = written;
        let all = [
            connect.map(Does::Connect),
            sql.map(Does::Sql),
            extended.map(Does::Extended),
            pipeline.map(Does::Pipeline),
            copy_in.map(Does::CopyIn),
            call.map(Does::Call),
            bytes.map(Does::Bytes),
            superuser.map(Does::Superuser),
            settle.then_some(Does::Settle),
        ];
        let mut all: Vec<Does> = all.into_iter().flatten().collect();
        match (all.pop(), all.is_empty()) {
            (Some(does), true) => Ok(Self { session, does }),
            _ => Err("a step does one thing".to_owned()),
        }
    }
}

/// How a session is opened.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connect {
    /// Somebody who may see what is protected.
    #[serde(default)]
    pub(crate) revealer: bool,
    /// Start-up parameters.
    #[serde(default)]
    pub(crate) startup: BTreeMap<String, String>,
}

/// A statement of the extended protocol.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extended {
    /// None: what is prepared under `statement` already.
    pub(crate) sql: Option<String>,
    #[serde(default)]
    pub(crate) statement: String,
    #[serde(default)]
    pub(crate) portal: String,
    /// OIDs of the parameters' types.
    #[serde(default)]
    pub(crate) types: Vec<u32>,
    /// As text.
    #[serde(default)]
    pub(crate) parameters: Vec<String>,
    /// Results in binary.
    #[serde(default)]
    pub(crate) binary: bool,
    /// So many rows, and once more as many.
    #[serde(default)]
    pub(crate) rows: u32,
    /// `Execute` of the portal alone, as if SQL had declared it.
    #[serde(default)]
    pub(crate) execute_only: bool,
}

/// COPY from the client.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CopyIn {
    pub(crate) sql: String,
    pub(crate) data: String,
}

/// A call by the fast path.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// As `regprocedure` reads it.
    pub(crate) function: String,
    /// As text.
    pub(crate) arguments: Vec<String>,
}

/// What is the same for all of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schema {
    /// Planted values, by column.
    pub(crate) canaries: BTreeMap<String, String>,
    /// How the columns of protected relations are classified.
    pub(crate) protects: BTreeMap<String, BTreeMap<String, toml::Value>>,
}

/// Everything.
pub(crate) struct Corpus {
    pub(crate) schema: Schema,
    /// What to look for in answers.
    pub(crate) canaries: Marks,
    pub(crate) classes: Vec<Class>,
}

impl Corpus {
    /// Reads all of it; a file that is not as the README says fails by name.
    pub(crate) fn read() -> Self {
        let mut classes = Vec::new();
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder().join("classes")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let class: Class = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert_eq!(file.file_stem().unwrap().to_str().unwrap(), class.class, "a file is named after its class");
            classes.push(class);
        }
        let schema: Schema = toml::from_str(&std::fs::read_to_string(folder().join("schema.toml")).unwrap()).unwrap();
        let canaries = Marks::of(schema.canaries.values());
        Self { schema, canaries, classes }
    }

    /// Every case, with the name of its class.
    pub(crate) fn cases(&self) -> impl Iterator<Item = (&str, &Case)> {
        self.classes.iter().flat_map(|class| class.case.iter().map(|case| (class.class.as_str(), case)))
    }
}

impl Case {
    pub(crate) fn is_for(&self, version: u32) -> bool {
        (self.since..=self.until).contains(&version)
    }

    /// It succeeds by different answers.
    pub(crate) fn is_oracle(&self) -> bool {
        !self.right.is_empty()
    }

    /// It takes as long as the product may be behind.
    pub(crate) fn is_slow(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.does, Does::Settle))
    }

    /// The steps with these values in them.
    pub(crate) fn steps_with(&self, values: &BTreeMap<String, String>) -> Vec<Step> {
        let fill = |text: &str| {
            values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
        };
        let mut steps = self.steps.clone();
        for step in &mut steps {
            match &mut step.does {
                Does::Sql(text) | Does::Superuser(text) | Does::Bytes(text) => *text = fill(text),
                Does::Extended(extended) => {
                    extended.sql = extended.sql.as_deref().map(fill);
                    extended.parameters.iter_mut().for_each(|value| *value = fill(value));
                }
                Does::Pipeline(statements) => statements.iter_mut().for_each(|text| *text = fill(text)),
                Does::CopyIn(copy) => (copy.sql, copy.data) = (fill(&copy.sql), fill(&copy.data)),
                Does::Call(call) => call.arguments.iter_mut().for_each(|value| *value = fill(value)),
                Does::Connect(_) | Does::Settle => {}
            }
        }
        steps
    }
}

/// Where the corpus is.
pub(crate) fn folder() -> PathBuf {
    repository().join("tests/attacks")
}

fn first() -> u32 {
    15
}

fn last() -> u32 {
    18
}

fn nameless() -> String {
    "a".to_owned()
}
