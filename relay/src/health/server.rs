//! A few lines of HTTP/1.1 for `GET /ready` and `GET /metrics`: one request a connection, so many at a time, for so long.
//!
//! It has a thread of its own, with the priority of the sessions': a relay that is busy must not look dead.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::Health;
use super::exposition::{CONTENT_TYPE, exposition};

/// A bound address where health is told, until this is dropped.
pub(crate) struct HealthServer {
    address: SocketAddr,
    /// Never sent anything: the thread waits for its end.
    _alive: watch::Sender<()>,
}

/// An answer.
struct Answer {
    status: &'static str,
    kind: &'static str,
    text: String,
}

impl HealthServer {
    /// Binds an address, and answers from here on.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn start(address: SocketAddr, health: Arc<Health>) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(socket)?
        };
        let (alive, mut ended) = watch::channel(());
        thread::Builder::new().name("health".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // An error: the sender is gone.
                    _ = ended.changed() => {}
                    () = serve(listener, health) => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { address, _alive: alive })
    }

    /// Where it really is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: TcpListener, health: Arc<Health>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Who finds no place waits in the operating system's queue, for no longer than the others may take.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let health = Arc::clone(&health);
        tokio::spawn(async move {
            // Somebody who does not ask, or does not listen, is left.
            let _ = timeout(REQUEST_LIMIT, answer(stream, &health)).await;
            drop(place);
        });
    }
}

async fn answer(mut stream: TcpStream, health: &Health) -> io::Result<()> {
    let Some(head) = read_head(&mut stream).await? else { return Ok(()) };
    let Answer { status, kind, text } = answer_to(&head, health);
    let length = text.len();
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{text}"
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

/// What comes before a request's body; nothing if that is too long or never ends.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut piece).await?;
        head.extend_from_slice(piece.get(..read).unwrap_or_default());
        if read == 0 || head.len() > HEAD_MAX {
            return Ok(None);
        }
    }
    Ok(Some(head))
}

fn answer_to(head: &[u8], health: &Health) -> Answer {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let plain = |status, text: String| Answer { status, kind: "text/plain; charset=utf-8", text };
    match (method, path) {
        (b"GET", b"/ready") => match health.ready() {
            Ok(()) => plain("200 OK", "ready\n".to_owned()),
            Err(unready) => plain("503 Service Unavailable", format!("{unready}\n")),
        },
        (b"GET", b"/metrics") => Answer { status: "200 OK", kind: CONTENT_TYPE, text: exposition(health) },
        (b"GET", _) => plain("404 Not Found", "expected /ready or /metrics\n".to_owned()),
        _ => plain("405 Method Not Allowed", "expected GET\n".to_owned()),
    }
}

/// A load balancer has one for each of its zones, whoever gathers figures one or two.
const CONNECTIONS_MAX: usize = 32;
/// Less than those wait who ask: so who asks slowly keeps nobody else from an answer.
const REQUEST_LIMIT: Duration = Duration::from_secs(2);
/// Those who ask here send some hundred bytes.
const HEAD_MAX: usize = 8 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn server() -> (HealthServer, Arc<Health>) {
        let health = Arc::new(Health::default());
        let server = HealthServer::start(([127, 0, 0, 1], 0).into(), Arc::clone(&health)).unwrap();
        (server, health)
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // Who is not answered is cut off.
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn a_relay_that_has_not_begun_says_so_and_has_no_figures_but_that() {
        let (server, _health) = server();
        let ready = ask(server.address(), "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(ready.starts_with("HTTP/1.1 503 ") && ready.contains("\r\n\r\nstarting"), "{ready}");
        let figures = ask(server.address(), "GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(figures.contains("openmetrics-text; version=1.0.0") && figures.ends_with("affidavit_ready 0\n# EOF\n"));
        for (request, status) in [("GET / HTTP/1.1", "404"), ("POST /ready HTTP/1.1", "405"), ("nonsense", "405")] {
            let answer = ask(server.address(), &format!("{request}\r\n\r\n"));
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        }
    }

    #[test]
    fn who_sends_without_end_or_not_at_all_is_cut_off_and_keeps_nobody_waiting() {
        let (server, _health) = server();
        let endless = format!("GET /ready HTTP/1.1\r\nX: {}", "x".repeat(2 * HEAD_MAX));
        assert_eq!(ask(server.address(), &endless), "");
        let silent: Vec<_> =
            (0..CONNECTIONS_MAX + 8).map(|_| std::net::TcpStream::connect(server.address()).unwrap()).collect();
        let began = std::time::Instant::now();
        assert!(ask(server.address(), "GET /ready HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503 "));
        assert!(began.elapsed() < 3 * REQUEST_LIMIT, "{:?}", began.elapsed());
        drop(silent);
    }

    #[test]
    fn nothing_answers_after_the_end() {
        let (server, _health) = server();
        let address = server.address();
        drop(server);
        let refused = || std::net::TcpStream::connect(address).is_err();
        let patience = std::time::Instant::now() + Duration::from_secs(10);
        while !refused() {
            assert!(std::time::Instant::now() < patience);
            thread::sleep(Duration::from_millis(10));
        }
    }
}
