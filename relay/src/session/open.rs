//! From an accepted connection to an open session: TLS, start-up, token, policy, target, evidence, greeting.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use identity::Principal;
use schemas::event::{Durability, SessionOpen};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use wire::postgres::conversation::Conversation;
use wire::postgres::frontend::cleartext_password;
use wire::postgres::startup::{self, Protocol};
use wire::postgres::{BackendMessage, Deframer, ErrorFields, Frontend, SqlState, Startup, TransactionStatus, backend};

use crate::access::{Access, Guarded};
use crate::approval::Approvals;
use crate::cancel::{Cancellation, SECRET_BYTES_3_0, SECRET_BYTES_3_2};
use crate::channel::{Channel, Stream, tune};
use crate::figures::Figures;
use crate::listener::Accepted;
use crate::policy::Decisions;
use crate::recorder::Recorder;
use crate::serve::Shared;
use crate::stop::Stop;
use crate::tls;
use crate::upstream::Upstream;

use super::chosen::Chosen;
use super::in_flight::InFlight;
use super::names::Names;
use super::own_names::OwnNames;
use super::pump::Pump;
use super::segment::Segment;
use super::settings::{Settings, is_for_reading};
use super::uncommitted::Uncommitted;
use super::{Limits, Numbers, Session};

/// Serves one accepted connection to its end.
pub(crate) async fn serve(accepted: Accepted, shared: Arc<Shared>, stop: Stop) {
    let peer = accepted.peer;
    let (place, figures) = (accepted.place, accepted.figures);
    if tune(&accepted.stream).is_err() {
        return;
    }
    // Each part in a box of its own: a session that waits for its client does not hold the room that opening took.
    let greeted = tokio::time::timeout(STARTUP_LIMIT, greet(accepted.stream, accepted.tls, &shared));
    let mut greeted = match Box::pin(greeted).await {
        Ok(Ok(Some(greeted))) => greeted,
        Ok(Ok(None)) => return,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "no start-up"),
        Err(_) => return tracing::debug!(%peer, "start-up took too long"),
    };
    let opened = if place.is_none() {
        Err(fatal(SqlState::TOO_MANY_CONNECTIONS, "this listener serves as many connections as it may"))
    } else {
        let within = tokio::time::timeout(OPEN_LIMIT, open(&mut greeted, peer, &shared));
        Box::pin(within)
            .await
            .unwrap_or_else(|_| Err(fatal(SqlState::QUERY_CANCELED, "opening the session took too long")))
    };
    match opened {
        Ok(opened) => {
            let _present = figures.present(|of| &of.sessions);
            figures.begun.add(1);
            Box::pin(opened.into_session(greeted, figures).run(stop)).await;
        }
        Err(refused) => {
            figures.refuse_login(refused.sqlstate);
            tracing::info!(%peer, sqlstate = refused.sqlstate.as_str(), "session refused");
            greeted.channel.queue(&backend::error_response(&refused));
            let goodbye = async {
                let _ = greeted.channel.write_out().await;
                greeted.channel.shutdown().await;
            };
            let _ = tokio::time::timeout(GOODBYE_LIMIT, goodbye).await;
        }
    }
    drop(place);
}

/// A connection that has said what it wants.
struct Greeted {
    channel: Channel,
    deframer: Deframer<Frontend>,
    tls: String,
    /// TLS is offered here, and the client did not take it.
    plaintext_refused: bool,
    protocol: Protocol,
    parameters: Vec<(String, String)>,
}

/// Why a connection ends before anything can be said to it.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    #[error("start-up: {0}")]
    Startup(#[from] wire::postgres::Error),
    #[error("bytes came between SSLRequest and TLS: somebody put them there")]
    Injected,
}

/// Reads start-up packets until one opens a session. `None`: it was a cancel request, or the peer left.
async fn greet(
    stream: tokio::net::TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    shared: &Shared,
) -> Result<Option<Greeted>, Unheard> {
    let mut stream: Box<dyn Stream> = Box::new(stream);
    let mut protection = "none".to_owned();
    let mut buffer = BytesMut::new();
    let mut encrypted = false;
    let mut asked = 0;
    loop {
        let packet = match read_startup(&mut stream, &mut buffer).await {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(None),
            Err(Unheard::Startup(error)) => {
                let told = backend::error_response(&ErrorFields::fatal(error.sqlstate(), error.to_string()));
                stream.write_all(&told).await?;
                stream.shutdown().await?;
                return Err(error.into());
            }
            Err(error) => return Err(error),
        };
        match packet {
            Startup::Cancel { process_id, secret } => {
                shared.cancel(process_id, &secret).await;
                // libpq takes an end of TLS without `close_notify` for a failure of the request.
                stream.shutdown().await?;
                return Ok(None);
            }
            Startup::Ssl | Startup::Gss if asked >= ENCRYPTION_REQUESTS_MAX => return Ok(None),
            Startup::Ssl if !encrypted && tls.is_some() => {
                // CVE-2021-23214: what came before TLS was not protected by it and must not be read after it.
                if !buffer.is_empty() {
                    return Err(Unheard::Injected);
                }
                stream.write_all(b"S").await?;
                if let Some(config) = &tls {
                    let accepted = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
                    protection = tls::describe(accepted.get_ref().1);
                    stream = Box::new(accepted);
                    encrypted = true;
                }
            }
            Startup::Ssl | Startup::Gss => {
                asked += 1;
                stream.write_all(b"N").await?;
            }
            Startup::Start { protocol, parameters } => {
                let mut deframer = Deframer::with_ceiling(BEFORE_AUTHENTICATION_MAX);
                deframer.push(&buffer);
                let channel = Channel::new(stream);
                let plaintext_refused = tls.is_some() && !encrypted;
                return Ok(Some(Greeted {
                    channel,
                    deframer,
                    tls: protection,
                    plaintext_refused,
                    protocol,
                    parameters,
                }));
            }
        }
    }
}

async fn read_startup(stream: &mut Box<dyn Stream>, buffer: &mut BytesMut) -> Result<Option<Startup>, Unheard> {
    loop {
        if let Some((packet, length)) = startup::decode(buffer)? {
            let _ = buffer.split_to(length);
            return Ok(Some(packet));
        }
        let mut piece = [0; 2048];
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Ok(None);
        }
        buffer.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
}

/// Everything a session needs, the greeting already queued.
struct Opened {
    upstream: Upstream,
    recorder: Recorder,
    guarded: Arc<Guarded>,
    access: Arc<Access>,
    principal: Principal,
    search_path: Vec<String>,
    reason: Option<String>,
    approvals: Option<Arc<Approvals>>,
    cancellation: Cancellation,
}

async fn open(greeted: &mut Greeted, peer: SocketAddr, shared: &Shared) -> Result<Opened, Box<ErrorFields>> {
    if greeted.plaintext_refused {
        let refused = fatal(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, "this listener requires TLS");
        return Err(with_hint(refused, "set sslmode=verify-full"));
    }
    negotiate(greeted)?;
    let principal = authenticate(greeted, shared).await?;
    let name = parameter(&greeted.parameters, "database").or_else(|| parameter(&greeted.parameters, "user"));
    let name = name.unwrap_or_default();
    let guarded = shared.connection(name).ok_or_else(|| {
        let refused = fatal(SqlState::INVALID_CATALOG_NAME, format!("no connection is named \"{name}\""));
        with_hint(refused, "the database name chooses the connection")
    })?;
    let settings = Settings::read(&greeted.parameters, &guarded.connection)?;
    let access = guarded.access(&principal).await.map_err(|error| {
        tracing::error!(%error, connection = %guarded.connection.name, "no access profile");
        fatal(
            SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
            "the target's catalog or the policy cannot be read",
        )
    })?;
    if !access.may_connect() {
        return Err(fatal(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("policy does not permit you to connect to \"{name}\""),
        ));
    }
    let upstream = guarded.login.connect(&settings.upstream).await.map_err(|error| {
        tracing::error!(%error, connection = %guarded.connection.name, "the target cannot be used");
        fatal(
            SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
            "the target cannot be reached or refuses the relay",
        )
    })?;
    let event = session_open(greeted, peer, &guarded, &access, &principal, &settings, &upstream);
    let recorder = shared.incarnations.open_session(event).await.map_err(|error| {
        tracing::error!(%error, "evidence cannot begin");
        fatal(SqlState::IO_ERROR, error.external())
    })?;
    let secret_length = if greeted.protocol >= Protocol::V3_2 { SECRET_BYTES_3_2 } else { SECRET_BYTES_3_0 };
    let cancellation = shared
        .cancellations
        .register(secret_length)
        .map_err(|error| fatal(SqlState::INTERNAL_ERROR, error.to_string()))?;
    welcome(greeted, &upstream, &cancellation)?;
    let Settings { search_path, reason, .. } = settings;
    let approvals = shared.approvals.clone();
    Ok(Opened { upstream, recorder, guarded, access, principal, search_path, reason, approvals, cancellation })
}

/// PostgreSQL, "NegotiateProtocolVersion": a newer minor version or unknown `_pq_.` options are answered, not refused.
fn negotiate(greeted: &mut Greeted) -> Result<(), Box<ErrorFields>> {
    let asked = greeted.protocol;
    let unknown: Vec<&str> =
        greeted.parameters.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("_pq_.")).collect();
    // 3.1 was never released; a client that asks for it speaks 3.0 as well.
    let spoken = if asked >= Protocol::V3_2 { Protocol::V3_2 } else { Protocol::V3_0 };
    if asked != spoken || !unknown.is_empty() {
        let message = backend::negotiate_protocol_version(spoken, &unknown)
            .map_err(|error| fatal(SqlState::PROTOCOL_VIOLATION, error.to_string()))?;
        greeted.channel.queue(&message);
    }
    greeted.protocol = spoken;
    Ok(())
}

async fn authenticate(greeted: &mut Greeted, shared: &Shared) -> Result<Principal, Box<ErrorFields>> {
    greeted.channel.queue(&backend::authentication_cleartext_password());
    greeted.channel.write_out().await.map_err(|_| gone())?;
    let message = loop {
        if let Some(message) = greeted.deframer.next().map_err(|e| fatal(e.sqlstate(), e.to_string()))? {
            break message;
        }
        let mut piece = [0; 4096];
        let read = greeted.channel.read(&mut piece).await.map_err(|_| gone())?;
        if read == 0 {
            return Err(gone());
        }
        greeted.deframer.push(piece.get(..read).unwrap_or_default());
    };
    if message.tag() != b'p' {
        let text = format!("expected PasswordMessage, got {}", message.name());
        return Err(fatal(SqlState::PROTOCOL_VIOLATION, text));
    }
    let token = cleartext_password(message.body()).map_err(|e| fatal(e.sqlstate(), e.to_string()))?;
    shared.issuers.authenticate(token).await.map_err(|error| {
        tracing::info!(%error, "token refused");
        let refused = fatal(SqlState::INVALID_PASSWORD, format!("the token was not accepted: {error}"));
        with_hint(refused, "give an OIDC token as the password")
    })
}

fn session_open(
    greeted: &Greeted,
    peer: SocketAddr,
    guarded: &Guarded,
    access: &Access,
    principal: &Principal,
    settings: &Settings,
    upstream: &Upstream,
) -> SessionOpen {
    let connection = &guarded.connection;
    let greeting = upstream.greeting();
    // The recorder fills in salt and durability.
    SessionOpen {
        salt: String::new(),
        actor: crate::access::actor(principal),
        expires_at: principal.expires_at,
        client_address: peer.to_string(),
        client_application: settings.application.clone(),
        client_tls: greeted.tls.clone(),
        protocol: format!("postgresql {}.{}", greeted.protocol.major, greeted.protocol.minor),
        connection: connection.name.to_string(),
        target: connection.target(),
        target_role: connection.user.clone(),
        target_version: parameter(&greeting.parameters, "server_version").unwrap_or_default().to_owned(),
        target_tls: greeting.tls.clone(),
        policy_sha256: access.policy_sha256().to_owned(),
        scope: access.scope(),
        durability: Durability::Process,
    }
}

/// `AuthenticationOk`, the target's parameters, a cancel key of the relay's own, `ReadyForQuery`.
fn welcome(greeted: &mut Greeted, upstream: &Upstream, cancellation: &Cancellation) -> Result<(), Box<ErrorFields>> {
    let failed = |error: wire::postgres::EncodeError| fatal(SqlState::INTERNAL_ERROR, error.to_string());
    greeted.channel.queue(&backend::authentication_ok());
    for (name, value) in &upstream.greeting().parameters {
        // `session_authorization` names the relay's login at the target; `is_superuser` is of that login, too.
        if name != "session_authorization" {
            greeted.channel.queue(&backend::parameter_status(name, value).map_err(failed)?);
        }
    }
    let (process_id, secret) = cancellation.key();
    let mut key = BytesMut::new();
    BackendMessage::BackendKeyData { process_id, secret }.encode(&mut key).map_err(failed)?;
    greeted.channel.queue(&key);
    greeted.channel.queue(&backend::ready_for_query(TransactionStatus::Idle));
    Ok(())
}

impl Opened {
    fn into_session(self, mut greeted: Greeted, figures: Arc<Figures>) -> Ready {
        greeted.deframer.set_ceiling(u32::MAX);
        greeted.channel.counted_in(Arc::clone(&figures));
        let left = self.principal.expires_at.saturating_sub(crate::access::unix_seconds());
        let now = Instant::now();
        // What a session says at its end must still be sealed under its incarnation's certificate.
        let certified = self.recorder.time_left().saturating_sub(GOODBYE);
        let limits = Limits {
            // Capped, for an instant cannot be arbitrarily far.
            expires: now + Duration::from_secs(left.min(SESSION_MAX_SECONDS)).min(certified),
            idle: Duration::from_secs(self.guarded.connection.idle_seconds),
        };
        let reported = &self.upstream.greeting().parameters;
        let reading = reported.iter().filter(|(name, _)| is_for_reading(name)).cloned().collect();
        let session = Session {
            pump: Pump { client: greeted.channel, upstream: self.upstream },
            recorder: self.recorder,
            figures,
            guarded: self.guarded,
            access: self.access,
            principal: self.principal,
            chosen: Chosen::new(&self.search_path),
            decisions: Decisions::default(),
            conversation: Conversation::new(),
            operations: InFlight::default(),
            prepared: Names::new(),
            portals: Names::new(),
            transaction: TransactionStatus::Idle,
            deferred_triggers: false,
            numbers: Numbers::default(),
            limits,
            last_request: now,
            delayed: None,
            from_client: greeted.deframer,
            from_target: Deframer::new(),
            catalog_changed: false,
            own: OwnNames::default(),
            undone: false,
            uncommitted: Uncommitted::default(),
            copied_ahead: 0,
            finishing: false,
            leaving: None,
            in_a_row: 0,
            approvals: self.approvals,
            holding: None,
            turn: None,
            reading,
            unsaid: None,
            segment: Segment::default(),
            first_reason: self.reason.clone(),
            reason: self.reason,
        };
        Ready { session, cancellation: self.cancellation }
    }
}

/// A session about to run, with its place in the cancel registry.
struct Ready {
    session: Session,
    cancellation: Cancellation,
}

impl Ready {
    async fn run(self, stop: Stop) {
        self.session.run(stop, self.cancellation).await;
    }
}

fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn fatal(sqlstate: SqlState, message: impl Into<String>) -> Box<ErrorFields> {
    Box::new(ErrorFields::fatal(sqlstate, message))
}

fn with_hint(fields: Box<ErrorFields>, hint: &str) -> Box<ErrorFields> {
    Box::new(fields.with_hint(hint))
}

fn gone() -> Box<ErrorFields> {
    fatal(SqlState::CONNECTION_FAILURE, "the client left during start-up")
}

/// As PostgreSQL's `authentication_timeout`, for everything before a token is asked for.
const STARTUP_LIMIT: Duration = Duration::from_secs(30);
/// For token, policy, target and evidence together.
const OPEN_LIMIT: Duration = Duration::from_secs(60);
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);
/// libpq asks once for GSS and once for TLS.
const ENCRYPTION_REQUESTS_MAX: u8 = 4;
/// Until the peer is known it may send a token's length and no more.
const BEFORE_AUTHENTICATION_MAX: u32 = wire::postgres::limits::PASSWORD_MAX;
/// Telling both peers that it is over, and recording that.
const GOODBYE: Duration = Duration::from_secs(5);
/// One week; no token lives longer.
const SESSION_MAX_SECONDS: u64 = 7 * 24 * 3600;
