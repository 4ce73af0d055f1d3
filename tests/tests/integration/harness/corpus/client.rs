//! A session at any PostgreSQL-speaking server: the database itself, the relay, or another product.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use wire::postgres::scram::{ChannelBinding, Client as Scram};

use super::step::{Call, CopyIn, Extended};
use crate::harness::Database;
use crate::harness::raw::{self, Message, message, parse_with, query, read_message, sync};

/// Where to log in, and as whom.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password: String,
    /// The authority that vouches for the server; without it there is no TLS.
    pub(crate) ca: Option<PathBuf>,
}

impl Login {
    /// As the superuser, past the relay.
    pub(crate) fn superuser(server: &Database, database: &str) -> Self {
        Self::direct(server, database, ["PGUSER", "SUPERUSER_PASSWORD_FILE"])
    }

    /// As whom the relay logs in, past it.
    pub(crate) fn of_relay(server: &Database, database: &str) -> Self {
        Self::direct(server, database, ["RELAY_USER", "RELAY_PASSWORD_FILE"])
    }

    fn direct(server: &Database, database: &str, [user, password_file]: [&str; 2]) -> Self {
        let password = std::fs::read_to_string(server.get(password_file)).unwrap();
        Self {
            host: server.get("PGHOST").to_owned(),
            port: server.get("PGPORT").parse().unwrap(),
            database: database.to_owned(),
            user: server.get(user).to_owned(),
            password: password.trim_end().to_owned(),
            ca: Some(server.ca()),
        }
    }
}

/// One session.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    /// It ended.
    pub(crate) over: bool,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Client {
    /// Logs in; `None` where that is refused. What the server said is put to `said`.
    pub(crate) fn log_in(login: &Login, startup: &BTreeMap<String, String>, said: &mut Vec<Message>) -> Option<Self> {
        let stream = TcpStream::connect((login.host.as_str(), login.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let stream: Box<dyn Stream> = match &login.ca {
            Some(ca) => Box::new(raw::over_tls(stream, &login.host, ca)),
            None => Box::new(stream),
        };
        let mut client = Self { stream, over: false };
        let mut body = vec![0, 3, 0, 0];
        let own = [("user", &login.user), ("database", &login.database)];
        for (name, value) in own.into_iter().chain(startup.iter().map(|(name, value)| (name.as_str(), value))) {
            body.extend([name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
        }
        body.push(0);
        client.send(&[&u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], &body].concat());
        client.authenticate(&login.password, said)?;
        let mut greeting = client.until_ready();
        // Process number and secret are of no interest, and never the same twice.
        greeting.retain(|message| message.tag != 'K');
        let open = greeting.last().is_some_and(|message| message.tag == 'Z');
        said.extend(greeting.into_iter().filter(|message| matches!(message.tag, 'E' | 'N')));
        open.then_some(client)
    }

    fn authenticate(&mut self, password: &str, said: &mut Vec<Message>) -> Option<()> {
        let mut scram = None;
        loop {
            let message = read_message(&mut self.stream)?;
            if message.tag != 'R' {
                said.push(message);
                return None;
            }
            let data = &message.body[4..];
            match message.body[3] {
                0 => return Some(()),
                3 => self.send(&raw::message(b'p', &[password.as_bytes(), &[0]])),
                10 => {
                    let client = Scram::new([7; 18], ChannelBinding::Unsupported);
                    let first = client.first();
                    let length = u32::try_from(first.len()).unwrap().to_be_bytes();
                    self.send(&raw::message(b'p', &[b"SCRAM-SHA-256\0", &length, &first]));
                    scram = Some(client);
                }
                11 => {
                    let challenge = scram.take().unwrap().challenge(data).unwrap();
                    let (answer, _unchecked) = challenge.answer(&challenge.derive(password)).unwrap();
                    self.send(&raw::message(b'p', &[&answer]));
                }
                12 => {}
                other => panic!("authentication request {other} is not for this client"),
            }
        }
    }

    /// A simple query. COPY data that is asked for is none.
    pub(crate) fn sql(&mut self, sql: &str) -> Vec<Message> {
        self.send(&query(sql));
        self.until_ready()
    }

    /// Any messages that one `ReadyForQuery` ends.
    pub(crate) fn exchange(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.send(bytes);
        self.until_ready()
    }

    pub(crate) fn extended(&mut self, step: &Extended) -> Vec<Message> {
        let mut bytes = Vec::new();
        if let Some(sql) = &step.sql {
            bytes.extend(parse_with(&step.statement, sql, &step.types));
        }
        if !step.execute_only {
            bytes.extend(bind_with(step));
        }
        bytes.extend(raw::describe("P", &step.portal));
        for _ in 0..if step.rows > 0 { 2 } else { 1 } {
            bytes.extend(message(b'E', &[step.portal.as_bytes(), &[0], &step.rows.to_be_bytes()]));
        }
        bytes.extend(sync());
        self.send(&bytes);
        self.until_ready()
    }

    pub(crate) fn pipeline(&mut self, statements: &[String]) -> Vec<Message> {
        let run = |sql: &String| [raw::parse("", sql), raw::bind("", ""), raw::execute("")].concat();
        let mut bytes: Vec<u8> = statements.iter().flat_map(run).collect();
        bytes.extend(sync());
        self.send(&bytes);
        self.until_ready()
    }

    pub(crate) fn copy_in(&mut self, copy: &CopyIn) -> Vec<Message> {
        self.send(&query(&copy.sql));
        let mut said = self.until(|tag| matches!(tag, 'G' | 'Z'));
        if said.last().is_some_and(|message| message.tag == 'G') {
            self.send(&[message(b'd', &[copy.data.as_bytes()]), message(b'c', &[])].concat());
            said.extend(self.until_ready());
        }
        said
    }

    /// Calls the function of this OID, with arguments and result as text.
    pub(crate) fn call(&mut self, oid: u32, call: &Call) -> Vec<Message> {
        let count = u16::try_from(call.arguments.len()).unwrap().to_be_bytes();
        let mut body = [&oid.to_be_bytes()[..], &[0, 0], &count].concat();
        for argument in &call.arguments {
            body.extend(u32::try_from(argument.len()).unwrap().to_be_bytes());
            body.extend(argument.as_bytes());
        }
        body.extend([0, 0]);
        self.send(&message(b'F', &[&body]));
        self.until_ready()
    }

    pub(crate) fn bytes(&mut self, hex: &str) -> Vec<Message> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        self.send(&digits.chunks(2).map(byte).collect::<Vec<_>>());
        self.until_ready()
    }

    /// Back to what a new session is; `false` where it cannot be.
    pub(crate) fn reset(&mut self) -> bool {
        let mut done = !self.over;
        for sql in ["ROLLBACK", "DISCARD ALL"] {
            done = done && self.sql(sql).iter().all(|message| message.tag != 'E') && !self.over;
        }
        done
    }

    fn send(&mut self, bytes: &[u8]) {
        // The end of the session is noticed where its answer is missed.
        let _ended = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
    }

    fn until_ready(&mut self) -> Vec<Message> {
        let mut said = Vec::new();
        loop {
            said.extend(self.until(|tag| matches!(tag, 'G' | 'Z')));
            if self.over || said.last().is_none_or(|message| message.tag == 'Z') {
                return said;
            }
            self.send(&message(b'c', &[]));
        }
    }

    fn until(&mut self, last: impl Fn(char) -> bool) -> Vec<Message> {
        let mut said: Vec<Message> = Vec::new();
        while said.last().is_none_or(|message| !last(message.tag)) {
            match read_message(&mut self.stream) {
                Some(message) => said.push(message),
                None => {
                    self.over = true;
                    break;
                }
            }
        }
        said
    }
}

fn bind_with(step: &Extended) -> Vec<u8> {
    let mut body = [step.portal.as_bytes(), &[0], step.statement.as_bytes(), &[0, 0, 0]].concat();
    body.extend(u16::try_from(step.parameters.len()).unwrap().to_be_bytes());
    for value in &step.parameters {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value.as_bytes());
    }
    body.extend([0, 1, 0, u8::from(step.binary)]);
    message(b'B', &[&body])
}

/// A debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
