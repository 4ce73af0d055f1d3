//! What a case of a corpus does, step by step, as it stands in its file.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One thing that somebody does.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Step {
    /// By whom; each name is a session of its own.
    pub(crate) session: String,
    pub(crate) does: Does,
}

impl Step {
    /// The same with other texts in it: what `fill` makes of each.
    pub(crate) fn filled(&self, fill: &dyn Fn(&str) -> String) -> Self {
        let mut step = self.clone();
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
        step
    }
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

fn nameless() -> String {
    "a".to_owned()
}
