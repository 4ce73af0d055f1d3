//! A client that can send anything: messages of the PostgreSQL protocol 3.0, well-formed or not, over TLS.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::Relay;

/// One connection to the relay, over TLS.
pub(crate) struct RawClient(StreamOwned<ClientConnection, TcpStream>);

/// A message of the relay's: its type and its body.
#[derive(Debug)]
pub(crate) struct Message {
    /// The type byte.
    pub(crate) tag: char,
    /// What follows the length.
    pub(crate) body: Vec<u8>,
}

impl RawClient {
    /// TLS is up, nothing else has been said.
    pub(crate) fn connect(relay: &Relay) -> Self {
        let (host, port) = relay.address();
        let stream = TcpStream::connect((host.as_str(), port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(over_tls(stream, &host, &relay.ca()))
    }

    /// Logged in as `name`, everything up to the first `ReadyForQuery` read.
    pub(crate) fn logged_in(relay: &Relay, name: &str) -> Self {
        Self::logged_in_with_key(relay, name).0
    }

    /// As [`Self::logged_in`], with the process id and secret for [`cancel`].
    pub(crate) fn logged_in_with_key(relay: &Relay, name: &str) -> (Self, Vec<u8>) {
        let mut client = Self::connect(relay);
        client.start(name);
        client.password(&relay.token(name));
        let mut key = Vec::new();
        loop {
            match client.read().expect("the log-in goes on") {
                Message { tag: 'K', body } => key = body,
                Message { tag: 'Z', .. } => return (client, key),
                refused @ Message { tag: 'E', .. } => panic!("{:?}\n{}", refused.fields(), relay.log()),
                _ => {}
            }
        }
    }

    /// `StartupMessage` for the clinic.
    pub(crate) fn start(&mut self, user: &str) {
        self.send(&startup(user));
    }

    /// `PasswordMessage`.
    pub(crate) fn password(&mut self, password: &str) {
        self.message(b'p', &[password.as_bytes(), &[0]].concat());
    }

    /// A message with its length.
    pub(crate) fn message(&mut self, tag: u8, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        self.send(&[&[tag], &length[..], body].concat());
    }

    /// Any bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
        self.0.flush().unwrap();
    }

    /// Says that nothing more comes and goes on listening: by TLS `close_notify` and TCP FIN, or by FIN alone.
    pub(crate) fn end_writing(&mut self, close_notify: bool) {
        if close_notify {
            self.0.conn.send_close_notify();
            self.0.flush().unwrap();
        }
        self.0.sock.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Everything up to the end of the connection.
    pub(crate) fn read_all(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.read()).collect()
    }

    /// How long [`Self::try_send`] waits for a peer that does not read.
    pub(crate) fn patience_to_write(&mut self, patience: Duration) {
        self.0.sock.set_write_timeout(Some(patience)).unwrap();
    }

    /// Whether the bytes were taken. After `false` the connection is of no use but to be dropped.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).and_then(|()| self.0.flush()).is_ok()
    }

    /// The next message; none when the relay has closed.
    pub(crate) fn read(&mut self) -> Option<Message> {
        read_message(&mut self.0)
    }

    /// Whether anything comes in this time.
    pub(crate) fn has_more_within(&mut self, time: Duration) -> bool {
        self.0.sock.set_read_timeout(Some(time)).unwrap();
        let came = self.0.sock.peek(&mut [0; 1]).is_ok();
        self.0.sock.set_read_timeout(Some(PATIENCE)).unwrap();
        came
    }

    /// Reads up to an `ErrorResponse`: its fields by their type letters.
    pub(crate) fn error(&mut self) -> BTreeMap<char, String> {
        loop {
            let message = self.read().expect("an error before the end");
            if message.tag == 'E' {
                return message.fields();
            }
        }
    }
}

impl Message {
    /// Fields of an `ErrorResponse` or `NoticeResponse`.
    pub(crate) fn fields(&self) -> BTreeMap<char, String> {
        let fields = self.body.split(|byte| *byte == 0).filter(|field| !field.is_empty());
        fields.map(|field| (char::from(field[0]), String::from_utf8_lossy(&field[1..]).into_owned())).collect()
    }
}

/// TLS on a new connection, with a server that this authority vouches for.
pub(crate) fn over_tls(mut stream: TcpStream, host: &str, ca: &Path) -> StreamOwned<ClientConnection, TcpStream> {
    stream.write_all(&SSL_REQUEST).unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"S", "the server offers TLS");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}

/// `Query`.
pub(crate) fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &[sql.as_bytes(), &[0]])
}

/// `Parse`, without types.
pub(crate) fn parse(name: &str, sql: &str) -> Vec<u8> {
    parse_with(name, sql, &[])
}

/// `Parse`, with OIDs of its parameters' types.
pub(crate) fn parse_with(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let count = u16::try_from(types.len()).unwrap().to_be_bytes();
    let types: Vec<u8> = types.iter().flat_map(|oid| oid.to_be_bytes()).collect();
    message(b'P', &[name.as_bytes(), &[0], sql.as_bytes(), &[0], &count, &types])
}

/// Without parameters, results as text.
pub(crate) fn bind(portal: &str, statement: &str) -> Vec<u8> {
    message(b'B', &[portal.as_bytes(), &[0], statement.as_bytes(), &[0, 0, 0, 0, 0, 0, 0]])
}

/// Of the unnamed statement to the unnamed portal, with parameters as text.
pub(crate) fn bind_of(parameters: &[&str], binary: bool) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0];
    body.extend(u16::try_from(parameters.len()).unwrap().to_be_bytes());
    for value in parameters {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value.as_bytes());
    }
    body.extend([0, 1, 0, u8::from(binary)]);
    message(b'B', &[&body])
}

/// `Execute`, all rows.
pub(crate) fn execute(portal: &str) -> Vec<u8> {
    message(b'E', &[portal.as_bytes(), &[0, 0, 0, 0, 0]])
}

/// `Close` of a prepared statement.
pub(crate) fn close(statement: &str) -> Vec<u8> {
    message(b'C', &[b"S", statement.as_bytes(), &[0]])
}

/// `Sync`.
pub(crate) fn sync() -> Vec<u8> {
    message(b'S', &[])
}

/// `Describe` of a statement (`S`) or portal (`P`).
pub(crate) fn describe(kind: &str, name: &str) -> Vec<u8> {
    message(b'D', &[kind.as_bytes(), name.as_bytes(), &[0]])
}

/// Any message.
pub(crate) fn message(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut bytes = vec![tag];
    bytes.write_all(&u32::try_from(body.len() + 4).unwrap().to_be_bytes()).unwrap();
    bytes.extend_from_slice(&body);
    bytes
}

/// `CancelRequest`: length, code 80877102, process id and secret.
pub(crate) fn cancel(key: &[u8]) -> Vec<u8> {
    [&u32::try_from(key.len() + 8).unwrap().to_be_bytes()[..], &[4, 210, 22, 46], key].concat()
}

/// `StartupMessage`, protocol 3.0, database `clinic`.
pub(crate) fn startup(user: &str) -> Vec<u8> {
    let body = [&[0, 3, 0, 0], b"user\0" as &[u8], user.as_bytes(), b"\0database\0clinic\0\0"].concat();
    [&u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], &body].concat()
}

/// The next message of a stream; none at its end.
pub(crate) fn read_message(stream: &mut impl Read) -> Option<Message> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let mut body = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut body).ok()?;
    Some(Message { tag: char::from(head[0]), body })
}

/// PostgreSQL protocol, "SSLRequest": length 8, code 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// A debug build on a busy machine; and for so long a relay may wait for what somebody else has locked of the catalogue.
const PATIENCE: Duration = Duration::from_secs(90);
