//! Passwords of the relay's own logins, wherever they come from: none needs a restart to be changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use seams::{DatabaseLogin, Secret, Secrets, SecretsError};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use crate::config::{Connection, PasswordSource, SecretArn};
use crate::upstream::UpstreamError;

/// Where one login's password comes from.
#[derive(Clone)]
pub(crate) enum Password {
    /// A file's first line, read at every login.
    File(PathBuf),
    /// A variable.
    Environment(String),
    /// A secret that others rotate.
    Secret(Arc<Rotated>),
    /// Made for each login.
    Token(Arc<Tokens>),
}

/// A password to be shown to a target.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: Zeroizing<String>,
    /// It may be sent as it is, over verified TLS.
    pub(super) is_token: bool,
}

/// A password that whoever rotates it changes at the target and in its secret, in this order.
///
/// It is remembered, and asked for again when a target has refused it, by one login for all, and not more often than
/// every [`AGAIN`]: a target that refuses everybody must not become a flood of questions.
pub(crate) struct Rotated {
    secrets: Arc<dyn Secrets>,
    arn: SecretArn,
    user: String,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    password: Option<Zeroizing<String>>,
    /// When it was asked for last, whatever came of it.
    asked: Option<Instant>,
}

/// RDS's IAM authentication.
pub(crate) struct Tokens {
    secrets: Arc<dyn Secrets>,
    region: String,
    host: String,
    port: u16,
    user: String,
}

/// A secret's JSON as RDS makes it, of which this much is read.
#[derive(Deserialize)]
struct Credentials {
    username: Option<String>,
    password: String,
}

impl Password {
    /// That of a configured connection; nothing where it comes from a secret and there is nobody to ask.
    pub(crate) fn of(connection: &Connection, secrets: Option<&Arc<dyn Secrets>>) -> Option<Self> {
        let user = connection.user.clone();
        Some(match (&connection.password, secrets) {
            (PasswordSource::File(path), _) => Self::File(path.clone()),
            (PasswordSource::Environment(variable), _) => Self::Environment(variable.clone()),
            (PasswordSource::Secret(arn), Some(secrets)) => Self::Secret(Arc::new(Rotated {
                secrets: Arc::clone(secrets),
                arn: arn.clone(),
                user,
                known: Mutex::default(),
            })),
            (PasswordSource::RdsIam(region), Some(secrets)) => Self::Token(Arc::new(Tokens {
                secrets: Arc::clone(secrets),
                region: region.clone(),
                host: connection.host.clone(),
                port: connection.port,
                user,
            })),
            (PasswordSource::Secret(_) | PasswordSource::RdsIam(_), None) => return None,
        })
    }

    /// The password as of now.
    ///
    /// # Errors
    /// [`UpstreamError::Login`], naming where it should have come from.
    pub(super) async fn show(&self) -> Result<Shown, UpstreamError> {
        let text = match self {
            Self::Environment(variable) => std::env::var(variable)
                .map_err(|_| UpstreamError::Login(format!("environment variable {variable} is not set")))?,
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| UpstreamError::Login(format!("cannot read {}: {error}", path.display())))?,
            Self::Secret(rotated) => return rotated.show().await.map(Shown::password),
            Self::Token(tokens) => return tokens.make().await,
        };
        let text = Zeroizing::new(text);
        Ok(Shown::password(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())))
    }

    /// Another one than the target has just refused, if there is one by now.
    pub(super) async fn other_than(&self, refused: &Shown) -> Option<Shown> {
        match self {
            Self::Secret(rotated) => rotated.other_than(&refused.text).await.map(Shown::password),
            // The others are read at every login.
            Self::File(_) | Self::Environment(_) | Self::Token(_) => None,
        }
    }
}

impl Shown {
    fn password(text: Zeroizing<String>) -> Self {
        Self { text, is_token: false }
    }
}

impl Rotated {
    async fn show(&self) -> Result<Zeroizing<String>, UpstreamError> {
        let mut known = self.known.lock().await;
        match &known.password {
            Some(password) => Ok(password.clone()),
            None => self.ask(&mut known).await,
        }
    }

    async fn other_than(&self, refused: &str) -> Option<Zeroizing<String>> {
        let mut known = self.known.lock().await;
        // Another login may have asked meanwhile.
        if let Some(password) = known.password.as_ref().filter(|password| password.as_str() != refused) {
            return Some(password.clone());
        }
        match self.ask(&mut known).await {
            Ok(password) => (password.as_str() != refused).then_some(password),
            Err(error) => {
                tracing::warn!(%error, "the target refused a password, and whether there is another one is not known");
                None
            }
        }
    }

    /// The lock is held meanwhile: of many logins one asks, and the others hear what it was told.
    async fn ask(&self, known: &mut Known) -> Result<Zeroizing<String>, UpstreamError> {
        let failed = |why: &str| UpstreamError::Login(format!("{}: {why}", self.arn));
        if known.asked.is_some_and(|asked| asked.elapsed() < AGAIN) {
            return Err(failed("it was asked for a moment ago"));
        }
        // Before the answer: one who is cut short has asked, too.
        known.asked = Some(Instant::now());
        let secret = answered(self.secrets.get(self.arn.as_str())).await?;
        let Ok(Credentials { username, password }) = serde_json::from_str(secret.text()) else {
            return Err(failed("expected a JSON object with username and password"));
        };
        let password = Zeroizing::new(password);
        if username.is_some_and(|username| username != self.user) {
            return Err(failed(
                "it is of another user than the connection's; rotation that alternates users is not supported",
            ));
        }
        tracing::info!(secret = %self.arn, "read the password of a login");
        known.password = Some(password.clone());
        Ok(password)
    }
}

impl Tokens {
    async fn make(&self) -> Result<Shown, UpstreamError> {
        let Self { region, host, port, user, .. } = self;
        let login = DatabaseLogin { region, host, port: *port, user };
        let token = answered(self.secrets.database_token(&login)).await?;
        Ok(Shown { text: Zeroizing::new(token.text().to_owned()), is_token: true })
    }
}

async fn answered(asking: impl Future<Output = Result<Secret, SecretsError>>) -> Result<Secret, UpstreamError> {
    match timeout(ANSWER_LIMIT, asking).await {
        Ok(Ok(secret)) => Ok(secret),
        Ok(Err(error)) => Err(UpstreamError::Login(error.to_string())),
        Err(_) => Err(UpstreamError::Login("whoever holds the secret did not answer in time".to_owned())),
    }
}

/// As long as a rotation leaves target and secret apart, about; and so many questions a day cost cents.
const AGAIN: Duration = Duration::from_secs(5);
/// A login has ten seconds by default, and others wait for this one's answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex as StdMutex, PoisonError};

    use async_trait::async_trait;

    use super::*;

    /// A holder that counts how often it is asked, and takes a while to answer.
    #[derive(Default)]
    struct Holder {
        text: StdMutex<Option<String>>,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Secrets for Holder {
        async fn get(&self, arn: &str) -> Result<Secret, SecretsError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            let text = self.text.lock().unwrap_or_else(PoisonError::into_inner).clone();
            text.map(Secret::new).ok_or_else(|| SecretsError::Refused(arn.to_owned()))
        }

        async fn database_token(&self, login: &DatabaseLogin<'_>) -> Result<Secret, SecretsError> {
            Err(SecretsError::Refused(login.host.to_owned()))
        }
    }

    fn rotated(text: Option<&str>) -> (Arc<Holder>, Rotated) {
        let holder = Arc::new(Holder::default());
        put(&holder, text);
        let arn = SecretArn::try_from("arn:aws:secretsmanager:eu-central-1:1:secret:clinic".to_owned()).unwrap();
        let secrets: Arc<dyn Secrets> = Arc::clone(&holder) as _;
        (holder, Rotated { secrets, arn, user: "relay".to_owned(), known: Mutex::default() })
    }

    fn put(holder: &Holder, text: Option<&str>) {
        *holder.text.lock().unwrap() = text.map(str::to_owned);
    }

    /// As if the last question had been long ago.
    async fn later(rotated: &Rotated) {
        let mut known = rotated.known.lock().await;
        known.asked = known.asked.and_then(|asked| asked.checked_sub(AGAIN));
    }

    const FIRST: &str = r#"{"username":"relay","password":"first","engine":"postgres","port":5432}"#;
    const SECOND: &str = r#"{"username":"relay","password":"second"}"#;

    #[tokio::test]
    async fn many_logins_ask_once_and_again_only_when_one_was_refused_and_not_at_once() {
        let (holder, rotated) = rotated(Some(FIRST));
        let asked = || holder.asked.load(Ordering::SeqCst);
        let shown = tokio::join!(rotated.show(), rotated.show(), rotated.show());
        assert_eq!([shown.0, shown.1, shown.2].map(|one| one.unwrap().to_string()), ["first"; 3]);
        assert_eq!(asked(), 1);
        put(&holder, Some(SECOND));
        assert_eq!((rotated.show().await.unwrap().as_str(), asked()), ("first", 1), "nobody was refused");
        assert!(rotated.other_than("first").await.is_none() && asked() == 1, "it was asked a moment ago");
        later(&rotated).await;
        let others = tokio::join!(rotated.other_than("first"), rotated.other_than("first"));
        assert_eq!([others.0, others.1].map(|one| one.unwrap().to_string()), ["second"; 2]);
        assert_eq!(asked(), 2, "one asked for both");
        assert_eq!(rotated.show().await.unwrap().as_str(), "second");
    }

    #[tokio::test]
    async fn a_target_that_refuses_everybody_makes_no_flood_of_questions() {
        let (holder, rotated) = rotated(Some(FIRST));
        rotated.show().await.unwrap();
        later(&rotated).await;
        for _ in 0..20 {
            assert!(rotated.other_than("first").await.is_none());
        }
        assert_eq!(holder.asked.load(Ordering::SeqCst), 2);
        // Also where there is no secret at all.
        let (holder, rotated) = self::rotated(None);
        for _ in 0..20 {
            rotated.show().await.unwrap_err();
        }
        assert_eq!(holder.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_is_no_login_of_this_user_is_refused_and_not_told() {
        for (text, expected) in [
            (r#"{"username":"relay_clone","password":"hunter2"}"#, "another user"),
            (r#"{"user":"relay"}"#, "expected a JSON object"),
            ("hunter2", "expected a JSON object"),
        ] {
            let error = rotated(Some(text)).1.show().await.unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("secret:clinic"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(rotated(Some(r#"{"password":"only"}"#)).1.show().await.unwrap().as_str(), "only");
    }
}
