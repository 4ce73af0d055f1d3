//! Stands between a client and the emulator and lets requests fail as networks and services let them fail.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How a request fails for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection breaks.
    Cut,
    /// The answer breaks off in its middle; what it answers was done.
    Torn,
    /// No answer comes, for as long as the client waits.
    Silence,
    /// The service answers with this status and code.
    Status(u16, &'static str),
}

/// A proxy that is told what shall fail. Its threads end with the process.
pub(crate) struct FaultProxy {
    address: String,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    /// In the first lines of a request, in lower case.
    of: &'static str,
    fault: Option<Fault>,
    /// The service gets the request all the same.
    persists: bool,
    times: usize,
}

impl FaultProxy {
    /// In front of this address.
    pub(crate) fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let plan = Arc::new(Mutex::new(Plan::default()));
        let (planned, upstream) = (plan.clone(), upstream.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (planned, upstream) = (planned.clone(), upstream.clone());
                // A client that left is no failure of the test.
                std::thread::spawn(move || client.and_then(|client| serve(client, &upstream, &planned)));
            }
        });
        Self { address, plan }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The next `times` requests with `of` in their heads fail; with `persists`, they are done all the same.
    pub(crate) fn fail(&self, of: &'static str, fault: Fault, persists: bool, times: usize) {
        *self.plan.lock().unwrap() = Plan { of, fault: Some(fault), persists, times };
    }

    /// Nothing fails from now on. Gives how many of the requests that should have failed never came.
    pub(crate) fn heal(&self) -> usize {
        std::mem::take(&mut *self.plan.lock().unwrap()).times
    }
}

/// One request a connection.
fn serve(client: TcpStream, upstream: &str, plan: &Mutex<Plan>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut client = client;
    let Some((head, body)) = read_request(&mut reader)? else { return Ok(()) };
    let Some((fault, persists)) = due(plan, &head.to_lowercase()) else {
        return client.write_all(&ask(upstream, &head, &body)?);
    };
    let answer = if persists || fault == Fault::Torn { ask(upstream, &head, &body)? } else { Vec::new() };
    match fault {
        Fault::Cut => client.shutdown(Shutdown::Both),
        Fault::Torn => client.write_all(&answer[..answer.len().saturating_sub(TORN)]),
        // Until the client hangs up.
        Fault::Silence => reader.read_to_end(&mut Vec::new()).map(drop),
        Fault::Status(status, code) => client.write_all(refusal(status, code, &head).as_bytes()),
    }
}

fn due(plan: &Mutex<Plan>, head: &str) -> Option<(Fault, bool)> {
    let mut plan = plan.lock().unwrap();
    let fault = plan.fault.filter(|_| plan.times > 0 && head.contains(plan.of))?;
    plan.times -= 1;
    Some((fault, plan.persists))
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let lower = head.to_lowercase();
    assert!(!lower.contains("transfer-encoding:"), "a body of known length: {lower}");
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    reader.read_exact(&mut body)?;
    Ok(Some((head, body)))
}

fn ask(upstream: &str, head: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut service = TcpStream::connect(upstream)?;
    // So that its answer has an end.
    service.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    service.write_all(body)?;
    let mut answer = Vec::new();
    service.read_to_end(&mut answer)?;
    Ok(answer)
}

/// S3 speaks XML, the others JSON.
fn refusal(status: u16, code: &str, head: &str) -> String {
    let (kind, body) = if head.to_lowercase().contains("x-amz-target:") {
        ("application/x-amz-json-1.0", format!(r#"{{"__type":"com.amazonaws#{code}","message":"said in a test"}}"#))
    } else {
        ("application/xml", format!("<Error><Code>{code}</Code><Message>said in a test</Message></Error>"))
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// So many bytes of an answer never come.
const TORN: usize = 3;
