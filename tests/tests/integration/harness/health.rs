//! What a relay tells of its health.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// `GET` at a URL such as `http://127.0.0.1:8080/ready`: status and body.
pub(crate) fn get(url: &str) -> (u16, String) {
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Waits until it is ready, or is not.
#[track_caller]
pub(crate) fn await_status(health: &str, status: u16) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (is, body) = get(&format!("{health}/ready"));
        if is == status {
            return body;
        }
        assert!(Instant::now() < deadline, "{is} and not {status}: {body}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One figure, by its name with its label, if it has one.
#[track_caller]
pub(crate) fn figure(health: &str, name: &str) -> f64 {
    let (status, text) = get(&format!("{health}/metrics"));
    assert!(status == 200 && text.ends_with("# EOF\n"), "{status}: {text}");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}
