//! Logging in at a target: start-up packet, SCRAM-SHA-256 or a token, greeting (PostgreSQL, "Start-up", "SASL
//! Authentication").

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use wire::postgres::backend::Authentication;
use wire::postgres::scram::{Challenge, Client, SaltedKeys, ScramError, Verifier};
use wire::postgres::startup::Protocol;
use wire::postgres::{Backend, BackendMessage, Deframer, RawMessage, Severity, SqlState, Startup, frontend};
use zeroize::Zeroizing;

use crate::channel::Channel;
use crate::upstream::password::{Password, Shown};
use crate::upstream::{Greeting, Target, Upstream, UpstreamError};

/// Logs in at one target with the relay's own credentials.
#[derive(Clone)]
pub struct Login {
    target: Target,
    user: String,
    database: String,
    password: Password,
    keys: Logins,
}

/// Derived SCRAM keys by login, so that PBKDF2 (0.65 ms) is paid once and not a session (rule 26).
#[derive(Clone, Default)]
pub struct Logins {
    keys: Arc<Mutex<HashMap<String, Derived>>>,
}

/// Keys, and the password that they were derived from: a rotated one must not be answered with old keys.
#[derive(Clone)]
struct Derived {
    password: Zeroizing<String>,
    keys: SaltedKeys,
}

impl Login {
    /// The login for a target.
    pub(crate) fn new(target: Target, user: String, database: String, password: Password, keys: Logins) -> Self {
        Self { target, user, database, password, keys }
    }

    /// Connects and logs in, within the connection's time. `settings` go into the start-up packet.
    ///
    /// # Errors
    /// [`UpstreamError`].
    pub async fn connect(&self, settings: &[(String, String)]) -> Result<Upstream, UpstreamError> {
        tokio::time::timeout(self.target.limit(), self.log_in(settings)).await.map_err(|_| UpstreamError::TimedOut)?
    }

    /// Tries once more where the target refused a password that was changed meanwhile.
    async fn log_in(&self, settings: &[(String, String)]) -> Result<Upstream, UpstreamError> {
        let mut shown = None;
        let error = match self.try_to_log_in(settings, &mut shown).await {
            Err(error) if is_about_the_login(&error) => error,
            result => return result,
        };
        let Some(refused) = shown else { return Err(error) };
        let Some(other) = self.password.other_than(&refused).await else { return Err(error) };
        self.try_to_log_in(settings, &mut Some(other)).await
    }

    /// `shown` is the password to show, or the one that was.
    async fn try_to_log_in(
        &self,
        settings: &[(String, String)],
        shown: &mut Option<Shown>,
    ) -> Result<Upstream, UpstreamError> {
        let reached = self.target.reach().await?;
        let mut dialogue = Dialogue { channel: reached.channel, deframer: Deframer::new() };
        let mut parameters =
            vec![("user".to_owned(), self.user.clone()), ("database".to_owned(), self.database.clone())];
        parameters.extend(settings.iter().cloned());
        let mut packet = BytesMut::new();
        // 3.0 is what every supported server speaks; 3.2 would only lengthen the cancel secret.
        Startup::Start { protocol: Protocol::V3_0, parameters }.encode(&mut packet)?;
        dialogue.say(&packet).await?;
        self.authenticate(&mut dialogue, shown).await?;
        let mut greeting = dialogue.greeting().await?;
        greeting.tls = reached.tls;
        greeting.check_pinned()?;
        if dialogue.deframer.buffered() > 0 {
            return Err(UpstreamError::Login("the target spoke before it was asked".to_owned()));
        }
        Ok(Upstream { channel: dialogue.channel, target: self.target.clone(), greeting, ends: false })
    }

    async fn authenticate(&self, dialogue: &mut Dialogue, shown: &mut Option<Shown>) -> Result<(), UpstreamError> {
        let request = dialogue.hear().await?;
        let asked = match BackendMessage::decode(&request)? {
            // `trust`: the target asks for nothing. Accepted, for who may reach the target is its operator's to say.
            BackendMessage::Authentication(Authentication::Ok) => return Ok(()),
            BackendMessage::Authentication(asked) => asked,
            other => return Err(unexpected("an authentication request", &other)),
        };
        let shown = match shown {
            Some(shown) => shown,
            None => shown.insert(self.password.show().await?),
        };
        if shown.is_token {
            return self.send_token(dialogue, &asked, &shown.text).await;
        }
        let client = Client::for_request(&asked, nonce()?, None).map_err(login)?;
        let mut packet = BytesMut::new();
        frontend::sasl_initial_response(client.mechanism(), Some(&client.first()), &mut packet)?;
        dialogue.say(&packet).await?;
        let reply = dialogue.hear().await?;
        let BackendMessage::Authentication(Authentication::SaslContinue(server_first)) =
            BackendMessage::decode(&reply)?
        else {
            return Err(UpstreamError::Login("expected AuthenticationSASLContinue".to_owned()));
        };
        let (answer, verifier) = self.answer(&client.challenge(server_first).map_err(login)?, &shown.text)?;
        packet.clear();
        frontend::sasl_response(&answer, &mut packet)?;
        dialogue.say(&packet).await?;
        let last = dialogue.hear().await?;
        let BackendMessage::Authentication(Authentication::SaslFinal(server_final)) = BackendMessage::decode(&last)?
        else {
            return Err(UpstreamError::Login("expected AuthenticationSASLFinal".to_owned()));
        };
        verifier.verify(server_final).map_err(login)?;
        accepted(dialogue).await
    }

    /// A token goes as it is, which nothing else does; nobody but the target can read it, or it does not go.
    async fn send_token(
        &self,
        dialogue: &mut Dialogue,
        asked: &Authentication<'_>,
        token: &str,
    ) -> Result<(), UpstreamError> {
        if !matches!(asked, Authentication::CleartextPassword) {
            let problem = "the target asks for a password and not for a token: is the role a member of rds_iam?";
            return Err(UpstreamError::Login(problem.to_owned()));
        }
        if !self.target.is_verified() {
            return Err(UpstreamError::Login("a token is sent over verified TLS alone".to_owned()));
        }
        let mut packet = BytesMut::new();
        frontend::password(token, &mut packet)?;
        dialogue.say(&packet).await?;
        accepted(dialogue).await
    }

    fn answer(
        &self,
        challenge: &Challenge,
        password: &Zeroizing<String>,
    ) -> Result<(Vec<u8>, Verifier), UpstreamError> {
        let known = self.keys.keys.lock().unwrap_or_else(PoisonError::into_inner).get(&self.user).cloned();
        let keys = match known {
            Some(known) if known.password == *password && known.keys.fit(challenge) => known.keys,
            _ => challenge.derive(password),
        };
        let answered = challenge.answer(&keys).map_err(login)?;
        let mut cache = self.keys.keys.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(self.user.clone(), Derived { password: password.clone(), keys });
        Ok(answered)
    }
}

/// Messages in turn, before the session's own loop begins.
pub(super) struct Dialogue {
    pub(super) channel: Channel,
    pub(super) deframer: Deframer<Backend>,
}

impl Dialogue {
    pub(super) async fn say(&mut self, bytes: &[u8]) -> Result<(), UpstreamError> {
        self.channel.queue(bytes);
        Ok(self.channel.write_out().await?)
    }

    /// The next message; an error of the target is an [`UpstreamError::Refused`].
    pub(super) async fn hear(&mut self) -> Result<RawMessage<Backend>, UpstreamError> {
        loop {
            if let Some(message) = self.deframer.next()? {
                match BackendMessage::decode(&message)? {
                    BackendMessage::ErrorResponse(fields) if fields.severity >= Severity::Error => {
                        return Err(UpstreamError::Refused(fields));
                    }
                    BackendMessage::NoticeResponse(_) => continue,
                    _ => return Ok(message),
                }
            }
            let mut buffer = [0; 4096];
            let read = self.channel.read(&mut buffer).await?;
            if read == 0 {
                return Err(UpstreamError::Closed);
            }
            self.deframer.push(buffer.get(..read).unwrap_or_default());
        }
    }

    async fn greeting(&mut self) -> Result<Greeting, UpstreamError> {
        let mut greeting = Greeting::default();
        for _ in 0..GREETING_MAX {
            match BackendMessage::decode(&self.hear().await?)? {
                BackendMessage::ParameterStatus { name, value } => {
                    greeting.parameters.push((name.to_owned(), value.to_owned()));
                }
                BackendMessage::BackendKeyData { process_id, secret } => {
                    greeting.process_id = process_id;
                    greeting.secret = Bytes::copy_from_slice(secret);
                }
                BackendMessage::ReadyForQuery(_) => return Ok(greeting),
                other => return Err(unexpected("ParameterStatus, BackendKeyData or ReadyForQuery", &other)),
            }
        }
        Err(UpstreamError::Login(format!("more than {GREETING_MAX} messages in the greeting")))
    }
}

impl Greeting {
    /// A pooler between relay and target may ignore start-up parameters: then statements would be read otherwise than
    /// the relay reads them.
    fn check_pinned(&self) -> Result<(), UpstreamError> {
        for (name, expected) in [("client_encoding", "UTF8"), ("standard_conforming_strings", "on")] {
            let value = self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            if value != Some(expected) {
                return Err(UpstreamError::Login(format!("expected {name} = {expected} in the target's greeting")));
            }
        }
        Ok(())
    }
}

/// What PostgreSQL answers to a wrong password, and RDS to a token that it does not take.
fn is_about_the_login(error: &UpstreamError) -> bool {
    let codes = [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION];
    matches!(error, UpstreamError::Refused(fields) if codes.contains(&fields.sqlstate))
}

async fn accepted(dialogue: &mut Dialogue) -> Result<(), UpstreamError> {
    match BackendMessage::decode(&dialogue.hear().await?)? {
        BackendMessage::Authentication(Authentication::Ok) => Ok(()),
        other => Err(unexpected("AuthenticationOk", &other)),
    }
}

fn nonce() -> Result<[u8; 18], UpstreamError> {
    let mut nonce = [0; 18];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| UpstreamError::Login("no randomness".to_owned()))?;
    Ok(nonce)
}

fn login(error: ScramError) -> UpstreamError {
    UpstreamError::Login(error.to_string())
}

fn unexpected(expected: &str, got: &BackendMessage<'_>) -> UpstreamError {
    UpstreamError::Login(format!("expected {expected}, got {got:?}"))
}

/// PostgreSQL reports about fifteen parameters; extensions add a few.
const GREETING_MAX: usize = 256;
