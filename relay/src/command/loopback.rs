//! The redirect that ends a login in the browser, received on this machine (RFC 8252 section 7.3).

use std::time::Duration;

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::error::CommandError;

/// A port that was free.
pub(super) struct Loopback {
    listener: TcpListener,
    port: u16,
}

/// What the identity provider answered.
pub(super) struct Answer {
    pub(super) code: Option<String>,
    pub(super) state: Option<String>,
    pub(super) issuer: Option<String>,
}

impl Loopback {
    pub(super) async fn listen() -> Result<Self, CommandError> {
        let failed = |error: std::io::Error| CommandError::Login(format!("cannot listen on 127.0.0.1: {error}"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port })
    }

    /// The redirect URI.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.port)
    }

    /// Waits for the browser. What does not carry `state` is somebody else's, and waiting goes on.
    pub(super) async fn answer(&self, state: &str) -> Result<Answer, CommandError> {
        let waiting = async {
            loop {
                let Ok((stream, _)) = self.listener.accept().await else { continue };
                let received = tokio::time::timeout(REQUEST, self.receive(stream, state)).await;
                if let Ok(Some(answer)) = received {
                    return answer;
                }
            }
        };
        let late = |_| CommandError::Login("nobody logged in within ten minutes".to_owned());
        tokio::time::timeout(PATIENCE, waiting).await.map_err(late)
    }

    async fn receive(&self, mut stream: TcpStream, state: &str) -> Option<Answer> {
        let target = target(&mut stream).await?;
        let answer = Answer::read(&target).filter(|answer| answer.state.as_deref() == Some(state));
        let (status, text) = match &answer {
            Some(_) => ("200 OK", "You are logged in. Go back to the terminal; this page can be closed.\n"),
            None => ("404 Not Found", "There is nothing here.\n"),
        };
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
             Connection: close\r\n\r\n{text}",
            length = text.len()
        );
        // Whether the browser still listens changes nothing.
        let _ = stream.write_all(response.as_bytes()).await;
        let _ = stream.shutdown().await;
        answer
    }
}

impl Answer {
    /// From a request target, or the whole URL of a redirect: the path must be that of the callback.
    pub(super) fn read(target: &str) -> Option<Self> {
        let url = Url::parse("http://127.0.0.1/").and_then(|base| base.join(target)).ok()?;
        (url.path() == "/callback").then_some(())?;
        let value = |name: &str| {
            let mut all = url.query_pairs().filter(|(known, _)| known == name);
            let (first, second) = (all.next(), all.next());
            first.filter(|_| second.is_none()).map(|(_, value)| value.into_owned())
        };
        Some(Self { code: value("code"), state: value("state"), issuer: value("iss") })
    }
}

/// The target of a `GET` request.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(piece.get(..read)?);
        if request.len() > REQUEST_MAX {
            return None;
        }
    }
    let request = String::from_utf8(request).ok()?;
    let mut words = request.lines().next()?.split(' ');
    (words.next()? == "GET").then_some(())?;
    words.next().map(str::to_owned)
}

/// People look for their second factor.
const PATIENCE: Duration = Duration::from_mins(10);
/// For one request of a browser on this machine.
const REQUEST: Duration = Duration::from_secs(5);
/// Bytes; a code has at most a few kilobytes.
const REQUEST_MAX: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    async fn send(port: u16, request: String) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn only_the_answer_with_our_state_ends_the_login() {
        let loopback = Loopback::listen().await.unwrap();
        let port = loopback.port;
        let waiting = tokio::spawn(async move { loopback.answer("ours").await.unwrap() });
        for other in [
            "GET /favicon.ico",
            "GET /callback?code=evil&state=other",
            "GET /callback?code=evil",
            "POST /callback?state=ours",
        ] {
            assert!(!send(port, format!("{other} HTTP/1.1\r\nHost: x\r\n\r\n")).await.contains("200 OK"), "{other}");
        }
        let twice = "GET /callback?code=good&state=ours&state=other HTTP/1.1\r\n\r\n".to_owned();
        assert!(send(port, twice).await.contains("404"));
        let answer =
            send(port, "GET /callback?code=a%2Bb&state=ours&iss=http%3A%2F%2Fi HTTP/1.1\r\n\r\n".to_owned()).await;
        assert!(answer.contains("200 OK"));
        let answer = waiting.await.unwrap();
        assert_eq!((answer.code.as_deref(), answer.issuer.as_deref()), (Some("a+b"), Some("http://i")));
    }
}
