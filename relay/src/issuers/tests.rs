//! Against a small HTTP server that plays the issuer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{AuthenticationError, Issuers, Patience};
use crate::config;

const NOW: u64 = 1_795_000_000;

/// Paths and what they answer; a path that is absent answers 503.
type Pages = Arc<Mutex<HashMap<String, String>>>;

struct Served {
    url: String,
    pages: Pages,
    requests: Arc<AtomicUsize>,
    key: EcdsaKeyPair,
}

impl Served {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (pages, requests) = (Pages::default(), Arc::new(AtomicUsize::new(0)));
        let (theirs, counter) = (pages.clone(), requests.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let page = theirs.lock().unwrap().get(request.split(' ').nth(1).unwrap_or("")).cloned();
                counter.fetch_add(1, Ordering::SeqCst);
                let (status, body) = page.map_or(("503 Away", String::new()), |page| ("200 OK", page));
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let served = Self { url, pages, requests, key };
        served.page(
            "/.well-known/openid-configuration",
            &json!({
                "issuer": served.url, "jwks_uri": format!("{}/keys", served.url)
            }),
        );
        served.publish("one");
        served
    }

    fn page(&self, path: &str, body: &Value) {
        self.pages.lock().unwrap().insert(path.to_owned(), body.to_string());
    }

    fn publish(&self, kid: &str) {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        self.page("/keys", &json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y}]}));
    }

    fn token(&self, kid: &str, audience: &str) -> String {
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        let claims = json!({"iss": self.url, "aud": audience, "sub": "alice", "exp": NOW + 60}).to_string();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn issuers(&self, patience: Patience) -> Issuers {
        let issuer = |audience: &str| config::Issuer {
            issuer: self.url.clone(),
            audience: audience.to_owned(),
            groups_claim: "groups".to_owned(),
        };
        Issuers::with(&[issuer("people"), issuer("machines")], patience, Arc::new(|| NOW)).unwrap()
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn impatient() -> Patience {
    Patience { between_fetches: Duration::ZERO, exchange: Duration::from_millis(500), ..Patience::default() }
}

#[tokio::test]
async fn keys_are_fetched_once_for_many_logins_and_either_audience() {
    let served = Served::start().await;
    let issuers = served.issuers(Patience::default());
    let (people, machines) = (served.token("one", "people"), served.token("one", "machines"));
    let logins = tokio::join!(issuers.authenticate(&people), issuers.authenticate(&people));
    assert_eq!(logins.0.unwrap().subject, "alice");
    logins.1.unwrap();
    issuers.authenticate(&machines).await.unwrap();
    assert_eq!(served.requests(), 2, "one discovery, one key set");
    let other = issuers.authenticate(&served.token("one", "others")).await;
    assert!(matches!(other, Err(AuthenticationError::Token(_))));
}

#[tokio::test]
async fn a_rotated_key_is_fetched_when_a_token_names_it() {
    let served = Served::start().await;
    let issuers = served.issuers(impatient());
    issuers.authenticate(&served.token("one", "people")).await.unwrap();
    served.publish("two");
    issuers.authenticate(&served.token("two", "people")).await.unwrap();
    assert!(issuers.authenticate(&served.token("one", "people")).await.is_err(), "the old key is withdrawn");
}

#[tokio::test]
async fn invented_kids_cause_no_flood() {
    let served = Served::start().await;
    let issuers = served.issuers(Patience::default());
    issuers.authenticate(&served.token("one", "people")).await.unwrap();
    for kid in 0..20 {
        assert!(issuers.authenticate(&served.token(&kid.to_string(), "people")).await.is_err());
    }
    assert_eq!(served.requests(), 2);
}

#[tokio::test]
async fn keys_outlive_an_outage_of_their_issuer_but_not_for_ever() {
    let served = Served::start().await;
    let token = served.token("one", "people");
    let patience = Patience { fresh: Duration::ZERO, ..impatient() };
    let (patient, strict) =
        (served.issuers(patience), served.issuers(Patience { serve_stale: Duration::ZERO, ..patience }));
    patient.authenticate(&token).await.unwrap();
    served.pages.lock().unwrap().clear();
    patient.authenticate(&token).await.unwrap();
    assert_eq!(strict.authenticate(&token).await, Err(AuthenticationError::IssuerUnavailable));
}

#[tokio::test]
async fn an_issuer_that_answers_wrongly_has_no_keys() {
    let served = Served::start().await;
    let token = served.token("one", "people");
    let discovery = "/.well-known/openid-configuration";
    let keys = format!("{}/keys", served.url);
    for wrong in [
        json!({"issuer": "https://other.example", "jwks_uri": keys}),
        json!({"issuer": served.url, "jwks_uri": "http://192.0.2.1/keys"}),
        json!({"issuer": served.url, "jwks_uri": "file:///etc/passwd"}),
        json!({"issuer": served.url, "jwks_uri": keys, "pad": "x".repeat(70_000)}),
        json!({"issuer": served.url}),
        json!([]),
    ] {
        served.page(discovery, &wrong);
        let refusal = served.issuers(impatient()).authenticate(&token).await;
        assert_eq!(refusal, Err(AuthenticationError::IssuerUnavailable));
    }
    let stranger = Served::start().await;
    let refusal = served.issuers(impatient()).authenticate(&stranger.token("one", "people")).await;
    assert_eq!(refusal, Err(AuthenticationError::UnknownIssuer));
}

#[test]
fn an_issuer_without_https_must_be_this_machine() {
    let of = |issuer: &str| {
        let issuer = issuer.to_owned();
        Issuers::new(&[config::Issuer { issuer, audience: "a".to_owned(), groups_claim: "groups".to_owned() }])
    };
    for good in [
        "https://id.example",
        "https://id.example/realms/x/",
        "http://127.0.0.1:1",
        "http://[::1]:1",
        "http://localhost:1",
    ] {
        of(good).unwrap();
    }
    for bad in
        ["http://id.example", "http://127.0.0.1.example", "id.example", "ftp://localhost", "https://u:p@id.example"]
    {
        assert!(of(bad).unwrap_err().to_string().contains("issuer[0].issuer"), "{bad}");
    }
}
