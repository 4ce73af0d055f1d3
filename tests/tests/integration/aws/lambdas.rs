//! The functions' own programs as Lambda functions of the emulator, and what they do for each other: stored objects are
//! indexed, logged, bundled and shown, and what does not verify is put aside and named.

use std::time::Duration;

use schemas::digest::Sha256Digest;
use schemas::dsse::{Envelope, Statement};
use schemas::identifiers::SessionId;
use schemas::layout::Scope;
use schemas::leaf::{Certificate, RelayStart, SessionOpenLeaf};
use schemas::log::LogOrigin;
use schemas::signature::{P256Key, Signer};
use seams::{Index, KeyName, Keys, Retention};
use serde_json::{Value, json};

use crate::emulator;
use crate::harness::{Lambdas, Relay, now_s};

const CERTIFIER: [(&str, &str); 2] = [("AFFIDAVIT_RELAYS", "r1,r2"), ("AFFIDAVIT_CERTIFICATE_HOURS", "24")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_relay_stores_goes_through_all_of_the_functions() {
    let emulator = emulator!();
    let lambdas = Lambdas::new(emulator).await;
    let relay = P256Key::generate().unwrap();
    lambdas.deploy("certifier", lambdas.variables(&KeyName::ALL, &CERTIFIER)).await;
    for relay in ["r1", "r3"] {
        lambdas.alias("certifier", relay).await;
    }
    let certificate = certify(&lambdas, &relay).await;
    certify_keys(&lambdas).await;

    let bundler = [("AFFIDAVIT_WORK", "/tmp")];
    let names = [KeyName::Certificates, KeyName::Checkpoints, KeyName::Bundles];
    lambdas.deploy("indexer", lambdas.variables(&[KeyName::Certificates, KeyName::Approvals], &[])).await;
    lambdas.deploy("sealer", lambdas.variables(&[KeyName::Certificates, KeyName::Checkpoints], &[])).await;
    lambdas.deploy("bundler", lambdas.variables(&names, &bundler)).await;
    lambdas.map_stored().await;

    let session = SessionId { incarnation: relay.public_key().incarnation(), counter: 1 };
    indexed(&lambdas, &relay, &session, certificate).await;
    sealed(&lambdas).await;
    shown(&lambdas, &session).await;
}

/// Through the alias of its name, and in no other way; the answer is the certificate.
async fn certify(lambdas: &Lambdas<'_>, relay: &P256Key) -> Envelope {
    let certifier = lambdas.arn("certifier");
    let asked = json!({ "key": relay.public_key(), "build": "relay test" });
    for stranger in [certifier.clone(), format!("{certifier}:r3")] {
        let refused = lambdas.invoke(&stranger, &asked).await.unwrap_err();
        assert_eq!(refused["errorType"], "Refused", "{refused}");
    }
    let answer = lambdas.invoke(&format!("{certifier}:r1"), &asked).await.unwrap();
    let envelope: Envelope = serde_json::from_value(answer).unwrap();
    let root = lambdas.key_service().public_key(KeyName::Certificates).await.unwrap();
    let certificate: Certificate = envelope.open(&root).unwrap();
    assert_eq!((certificate.relay.as_str(), certificate.spki.incarnation()), ("r1", relay.public_key().incarnation()));
    envelope
}

/// As the schedule has it done.
async fn certify_keys(lambdas: &Lambdas<'_>) {
    for _ in 0..2 {
        let certified = lambdas.invoke(&lambdas.arn("certifier"), &json!({ "certify": "keys" })).await;
        assert_eq!(certified, Ok(Value::Null));
    }
    assert_eq!(lambdas.store().await.list("trust/clinic/test/").await.unwrap().len(), 1);
}

/// S3 → SQS → indexer → DynamoDB.
async fn indexed(lambdas: &Lambdas<'_>, relay: &P256Key, session: &SessionId, certificate: Envelope) {
    let store = lambdas.store().await;
    let scope = scope();
    let forged = scope.session_close(session);
    store.put(&forged, b"{\"payload\":\"of nobody\"}", Retention::days(1)).await.unwrap();
    lambdas.send_stored("no notification of S3's").await;
    for (key, bytes) in life(relay, session, &certificate) {
        store.put(&key, &bytes, Retention::days(1)).await.unwrap();
    }
    let index = lambdas.index();
    for look in 0.. {
        let rows = index.sessions().await.unwrap();
        if rows.iter().any(|row| row.session == *session && row.opened_us.is_some()) {
            break;
        }
        assert!(look < 120, "it was not indexed: {rows:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let named: Value = serde_json::from_str(&lambdas.receive(&lambdas.quarantine).await).unwrap();
    assert_eq!(named["key"], forged.as_str());
    assert!(store.get(&forged).await.unwrap().is_some(), "it stays: it is evidence");
    assert_eq!(lambdas.receive(&lambdas.unindexed).await, "no notification of S3's");
}

/// As the schedule has it done.
async fn sealed(lambdas: &Lambdas<'_>) {
    let first = lambdas.invoke(&lambdas.arn("sealer"), &json!({})).await.unwrap();
    // Certificate, start, session; the keys' certificate is in no log. What is forged is named.
    assert_eq!((&first["size"], &first["rejected"]), (&json!(3), &json!(1)), "{first}");
    let again = lambdas.invoke(&lambdas.arn("sealer"), &json!({})).await.unwrap();
    assert_eq!((&again["entries"], &again["size"]), (&json!(0), &json!(3)), "{again}");
    assert_eq!(again["rejected"], 0, "it is named once: {again}");
}

/// The console through an HTTP API: nobody without a token, nobody with a bad one; a bundle is begun and is there.
async fn shown(lambdas: &Lambdas<'_>, session: &SessionId) {
    let issuer = Relay::shared();
    let token = tokio::task::block_in_place(|| issuer.token("bob"));
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(&token).unwrap().claims;
    let url = lambdas.http_api().await;
    let groups: Vec<&str> = claims["groups"].as_array().unwrap().iter().map(|group| group.as_str().unwrap()).collect();
    let (address, bundler, client) = (issuer.endpoint("issuer"), lambdas.arn("bundler"), audience(&claims));
    let groups = groups.join(",");
    let variables = [
        ("AFFIDAVIT_BUNDLER", bundler.as_str()),
        ("AFFIDAVIT_CONSOLE_URL", "https://console.example"),
        ("AFFIDAVIT_ISSUER", &address),
        ("AFFIDAVIT_CLIENT_ID", &client),
        ("AFFIDAVIT_GROUPS_CLAIM", "groups"),
        ("AFFIDAVIT_REVIEWERS", &groups),
    ];
    lambdas.deploy("console", lambdas.variables(&[KeyName::Certificates, KeyName::Approvals], &variables)).await;

    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let sessions = format!("{url}/api/v1/sessions");
    let (head, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    for bad in [None, Some("nonsense"), Some(forged.as_str())] {
        let request = bad.iter().fold(http.get(&sessions), |request, token| request.bearer_auth(token));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{bad:?}");
        assert_eq!(
            answer.headers()["content-security-policy"].to_str().unwrap().split(';').next(),
            Some("default-src 'none'")
        );
    }
    let page: Value = http.get(&sessions).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
    assert!(page.to_string().contains(&session.to_string()), "{page}");
    let login = http.get(format!("{url}/login")).send().await.unwrap().status();
    assert!(!login.is_server_error(), "{login}");

    let bundles = format!("{url}/api/v1/bundles");
    let period = json!({ "from": "2020-01-01", "to": "2100-01-01" });
    let begun = http.post(&bundles).bearer_auth(&token).json(&period).send().await.unwrap();
    assert_eq!(begun.status(), 202);
    for look in 0.. {
        let listed: Value = http.get(&bundles).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
        if let Some(id) = listed["bundles"][0].as_str() {
            let file = format!("{bundles}/{id}/manifest.dsse.json");
            assert_eq!(http.get(&file).send().await.unwrap().status(), 401);
            let sent = http.get(&file).bearer_auth(&token).send().await.unwrap();
            assert_eq!(sent.status(), 307);
            // The emulator checks the signature, and gives no disposition with a version.
            let link = sent.headers()["location"].to_str().unwrap();
            assert!(link.contains("versionId=") && link.contains("response-content-disposition=attachment"), "{link}");
            let file = http.get(link).send().await.unwrap();
            assert_eq!(file.status(), 200);
            let bundles = lambdas.key_service().public_key(KeyName::Bundles).await.unwrap();
            let manifest = Envelope::from_slice(&file.bytes().await.unwrap()).unwrap();
            assert!(manifest.verify(&bundles, manifest.payload_type()).is_ok());
            return;
        }
        assert!(look < 120, "there is no bundle: {listed}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn audience(claims: &Value) -> String {
    claims["aud"].as_str().or_else(|| claims["aud"][0].as_str()).unwrap().to_owned()
}

/// What a relay stores until a session is open.
fn life(relay: &P256Key, session: &SessionId, certificate: &Envelope) -> Vec<(String, Vec<u8>)> {
    let scope = scope();
    let (tenant, environment, name) = (scope.tenant.clone(), scope.environment.clone(), scope.relay.clone());
    let now_us = now_s() * 1_000_000;
    let start = RelayStart {
        tenant: tenant.clone(),
        environment: environment.clone(),
        relay: name.clone(),
        incarnation: session.incarnation.clone(),
        certificate: certificate.statement_digest(),
        log_origin: LogOrigin::of(&tenant, &environment).to_string(),
        heartbeat_seconds: 60,
        time_us: now_us,
    };
    let open = SessionOpenLeaf {
        tenant,
        environment,
        relay: name,
        session: session.clone(),
        connection: "clinic".parse().unwrap(),
        time_us: now_us,
        policy_sha256: Sha256Digest::of(b"policy"),
        details_commitment: Sha256Digest::of(b"details"),
        data_key_id: "data".to_owned(),
    };
    vec![
        (scope.certificate(&session.incarnation), certificate.to_vec().unwrap()),
        (scope.relay_start(&session.incarnation), sign(&start, relay)),
        (scope.session_open(session), sign(&open, relay)),
    ]
}

fn sign<T: Statement>(statement: &T, key: &P256Key) -> Vec<u8> {
    Envelope::of(statement, key).unwrap().to_vec().unwrap()
}

fn scope() -> Scope {
    let name = |text: &str| text.parse().unwrap();
    Scope { tenant: name("clinic"), environment: name("test"), relay: name("r1") }
}
