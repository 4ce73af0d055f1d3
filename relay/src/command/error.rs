//! Why a command did not do what it was asked.

/// Why a command did not do what it was asked. No text holds a token.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// An argument is not acceptable.
    #[error("{argument}: {problem}")]
    Argument {
        /// The argument.
        argument: &'static str,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// The console refused, in its own words.
    #[error("the console refused ({code}): {message}")]
    Refused {
        /// The console's code, for programs.
        code: String,
        /// The console's words.
        message: String,
    },
    /// The relay did not accept the decision, or the request ended otherwise.
    #[error("the decision is stored, but the request ended as {0}")]
    NotHonoured(String),
    /// The login did not come to an end.
    #[error("login: {0}")]
    Login(String),
    /// A server cannot be reached or does not answer as it should.
    #[error("{what}: {problem}")]
    Exchange {
        /// Which one.
        what: &'static str,
        /// What went wrong.
        problem: String,
    },
    /// Standard output or standard error is closed.
    #[error("output: {0}")]
    Output(#[from] std::io::Error),
}

impl CommandError {
    pub(super) fn exchange(what: &'static str, problem: impl std::fmt::Display) -> Self {
        Self::Exchange { what, problem: problem.to_string() }
    }

    /// A failure of the HTTP library, without the URL: it may hold a code.
    pub(super) fn http(what: &'static str) -> impl Fn(reqwest::Error) -> Self {
        move |error| Self::exchange(what, error.without_url())
    }
}
