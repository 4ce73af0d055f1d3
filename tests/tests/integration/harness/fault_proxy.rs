//! Stands between a client and the emulator and lets requests fail as networks and services let them fail.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::weather::{Call, Strike, Weather};

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
    /// It reaches the service so much later.
    Delay(Duration),
    /// It reaches the service twice; the client has the second answer.
    Twice,
    /// Who asks is killed, as `kill -9` does.
    Kill,
}

/// A proxy that is told what shall fail. Its threads end with the process.
pub(crate) struct FaultProxy {
    address: String,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    /// In the first lines of a request, in lower case.
    of: &'static str,
    fault: Option<Fault>,
    /// The service gets the request all the same.
    persists: bool,
    times: usize,
    weather: Option<Weather>,
    /// Who asks.
    client: Option<Arc<Mutex<Child>>>,
    /// Requests that came.
    requests: usize,
    /// What fell on them, by the call.
    struck: BTreeMap<Call, usize>,
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
        let mut plan = self.plan.lock().unwrap();
        (plan.of, plan.fault, plan.persists, plan.times) = (of, Some(fault), persists, times);
    }

    /// From now on this tells of each request what falls on it.
    pub(crate) fn weather(&self, weather: Weather) {
        self.plan.lock().unwrap().weather = Some(weather);
    }

    /// Nothing fails from now on. Gives how many of the requests that should have failed never came.
    pub(crate) fn heal(&self) -> usize {
        let mut plan = self.plan.lock().unwrap();
        (plan.fault, plan.weather) = (None, None);
        std::mem::take(&mut plan.times)
    }

    /// The process that asks, which [`Fault::Kill`] kills.
    pub(crate) fn serve_client(&self, client: Arc<Mutex<Child>>) {
        self.plan.lock().unwrap().client = Some(client);
    }

    /// How many requests came so far.
    pub(crate) fn requests(&self) -> usize {
        self.plan.lock().unwrap().requests
    }

    /// How often something fell on a request to this service.
    pub(crate) fn struck(&self, service: &str) -> usize {
        let plan = self.plan.lock().unwrap();
        plan.struck.iter().filter(|(call, _)| call.service == service).map(|(_, times)| times).sum()
    }

    /// How often something fell on each call to this service.
    pub(crate) fn struck_calls(&self, service: &str) -> BTreeMap<String, usize> {
        let plan = self.plan.lock().unwrap();
        let of_service = plan.struck.iter().filter(|(call, _)| call.service == service);
        of_service.map(|(call, times)| (call.operation.clone(), *times)).collect()
    }
}

/// One request a connection.
fn serve(client: TcpStream, upstream: &str, plan: &Mutex<Plan>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut client = client;
    let Some((head, body)) = read_request(&mut reader)? else { return Ok(()) };
    let Some(Strike { fault, persists }) = due(plan, &head) else {
        return client.write_all(&ask(upstream, &head, &body)?);
    };
    let answer = if persists || fault == Fault::Torn { ask(upstream, &head, &body)? } else { Vec::new() };
    match fault {
        Fault::Delay(time) => {
            std::thread::sleep(time);
            client.write_all(&ask(upstream, &head, &body)?)
        }
        Fault::Twice => {
            ask(upstream, &head, &body)?;
            client.write_all(&ask(upstream, &head, &body)?)
        }
        Fault::Kill => {
            let asking = plan.lock().unwrap().client.clone().expect("somebody to kill");
            let killed = asking.lock().unwrap().kill();
            killed.and_then(|()| client.shutdown(Shutdown::Both))
        }
        Fault::Cut => client.shutdown(Shutdown::Both),
        Fault::Torn => client.write_all(&answer[..answer.len().saturating_sub(TORN)]),
        // Until the client hangs up.
        Fault::Silence => reader.read_to_end(&mut Vec::new()).map(drop),
        Fault::Status(status, code) => client.write_all(refusal(status, code, &head).as_bytes()),
    }
}

fn due(plan: &Mutex<Plan>, head: &str) -> Option<Strike> {
    let mut plan = plan.lock().unwrap();
    plan.requests += 1;
    if let Some(weather) = &mut plan.weather {
        let call = Call::of(head);
        let strike = weather(&call)?;
        *plan.struck.entry(call).or_default() += 1;
        return Some(strike);
    }
    let fault = plan.fault.filter(|_| plan.times > 0 && head.to_lowercase().contains(plan.of))?;
    plan.times -= 1;
    Some(Strike { fault, persists: plan.persists })
}

/// Its head, and its body; nothing when none comes.
pub(super) fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<(String, Vec<u8>)>> {
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
