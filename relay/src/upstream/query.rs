//! The relay's own questions to the target, on a connection of their own: never a client's text.

use bytes::BytesMut;
use wire::postgres::{BackendMessage, Deframer, frontend};

use super::login::Dialogue;
use super::{Login, UpstreamError};

/// Runs one query of the relay's and returns the text of its one row's one column.
///
/// # Errors
/// [`UpstreamError`]; a result of another shape is one, too.
pub async fn query_text(login: &Login, sql: &'static str) -> Result<String, UpstreamError> {
    let settings = [
        ("application_name", "affidavit catalog"),
        ("client_encoding", "UTF8"),
        ("search_path", "pg_catalog"),
        ("default_transaction_read_only", "on"),
        ("statement_timeout", "60000"),
        // Compiling one query of so many parts takes ten times as long as running it.
        ("jit", "off"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let upstream = login.connect(&settings).await?;
    let mut dialogue = Dialogue { channel: upstream.channel, deframer: Deframer::new() };
    let answer = tokio::time::timeout(QUERY_LIMIT, one_text(&mut dialogue, sql)).await;
    dialogue.channel.shutdown().await;
    answer.map_err(|_| UpstreamError::TimedOut)?
}

/// A connection for several questions, none of which can write or take long.
pub(crate) struct Questions {
    dialogue: Dialogue,
}

impl Questions {
    /// Logs in.
    ///
    /// # Errors
    /// [`UpstreamError`].
    pub(crate) async fn open(login: &Login) -> Result<Self, UpstreamError> {
        let settings = [
            ("application_name", "affidavit scan"),
            ("client_encoding", "UTF8"),
            ("search_path", "pg_catalog"),
            ("default_transaction_read_only", "on"),
            ("statement_timeout", "15000"),
            ("lock_timeout", "2000"),
            ("jit", "off"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let upstream = login.connect(&settings).await?;
        Ok(Self { dialogue: Dialogue { channel: upstream.channel, deframer: Deframer::new() } })
    }

    /// The text of one row's one column. The next question can be asked also when the target refused this one.
    ///
    /// # Errors
    /// [`UpstreamError`].
    pub(crate) async fn ask(&mut self, sql: &str) -> Result<String, UpstreamError> {
        let answer = tokio::time::timeout(QUERY_LIMIT, one_text(&mut self.dialogue, sql)).await;
        let answer = answer.map_err(|_| UpstreamError::TimedOut)?;
        if matches!(answer, Err(UpstreamError::Refused(_))) {
            tokio::time::timeout(QUERY_LIMIT, self.ready()).await.map_err(|_| UpstreamError::TimedOut)??;
        }
        answer
    }

    async fn ready(&mut self) -> Result<(), UpstreamError> {
        while !matches!(BackendMessage::decode(&self.dialogue.hear().await?)?, BackendMessage::ReadyForQuery(_)) {}
        Ok(())
    }

    /// Leaves.
    pub(crate) async fn close(mut self) {
        self.dialogue.channel.shutdown().await;
    }
}

async fn one_text(dialogue: &mut Dialogue, sql: &str) -> Result<String, UpstreamError> {
    let mut packet = BytesMut::new();
    frontend::query(sql, &mut packet)?;
    dialogue.say(&packet).await?;
    let mut text = None;
    loop {
        let message = dialogue.hear().await?;
        match BackendMessage::decode(&message)? {
            BackendMessage::DataRow(row) => {
                let value = row.columns().next().flatten().unwrap_or_default();
                text = Some(String::from_utf8_lossy(value).into_owned());
            }
            BackendMessage::ReadyForQuery(_) => break,
            _ => {}
        }
    }
    text.ok_or_else(|| UpstreamError::Login("the relay's own query returned no row".to_owned()))
}

/// Reading the catalog of a database with 100,000 columns takes a few seconds.
const QUERY_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);
