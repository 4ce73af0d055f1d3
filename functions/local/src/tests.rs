//! A fresh data folder, and the issuer in it, as a relay sees them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use identity::Kind;
use relay::config::{self, Classification, Config, ListenerTls, PasswordSource};
use relay::issuers::Issuers;
use serde_json::Value;

use crate::init::{Init, Target, TargetTls, init};
use crate::issuing::Issuing;
use crate::running::{Parts, Running};
use crate::settings::Endpoints;
use crate::tokens::token;
use crate::{Error, Folder};

fn settings() -> Init {
    let target = Target {
        host: "127.0.0.1".to_owned(),
        port: 5432,
        database: "clinic".to_owned(),
        user: "o'brien\"\\".to_owned(),
        password_file: None,
        tls: TargetTls::Disable,
    };
    let loopback = "127.0.0.1:0".parse().unwrap();
    Init { target, listen: loopback, issuer_listen: loopback, console_listen: loopback }
}

pub(crate) async fn fresh() -> (tempfile::TempDir, Folder) {
    let outer = tempfile::tempdir().unwrap();
    let folder = Folder::new(&outer.path().join("data")).unwrap();
    init(&folder, &settings()).await.unwrap();
    (outer, folder)
}

/// The folder with a serving issuer, and a relay's view of it.
async fn issuing() -> (tempfile::TempDir, Folder, Issuing, Issuers) {
    let (outer, folder) = fresh().await;
    let issuing = Issuing::start(&folder).await.unwrap();
    let url = issuing.url().to_owned();
    let endpoints = Endpoints {
        relay: "localhost:1".to_owned(),
        issuer: url.clone(),
        console: "http://127.0.0.1:1".to_owned(),
        health: None,
        ca: "ca".to_owned(),
        pid: 1,
    };
    endpoints.write(&folder).unwrap();
    let issuer = config::Issuer { issuer: url, audience: "affidavit".to_owned(), groups_claim: "groups".to_owned() };
    (outer, folder, issuing, Issuers::new(&[issuer]).unwrap())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_fresh_folder_is_one_the_relay_accepts() {
    let (_outer, folder) = fresh().await;
    let config = Config::read(&folder.relay_config()).unwrap();
    assert_eq!(config.connection[0].user, "o'brien\"\\");
    assert!(matches!(config.connection[0].password, PasswordSource::Environment(_)));
    let tls = config.listener[0].tls.as_ref().unwrap();
    assert!(matches!(tls, ListenerTls::Files { key, .. } if *key == folder.server_key()), "{tls:?}");
    assert!(!Classification::read(&config.connection[0].classification).unwrap().table.is_empty());
    assert!(config.policies.join("clinic.cedar").exists());
}

#[tokio::test]
async fn what_a_relay_alone_stored_is_logged_by_the_next_run_of_everything() {
    let outer = tempfile::tempdir().unwrap();
    let (folder, password) = (Folder::new(&outer.path().join("data")).unwrap(), outer.path().join("password"));
    std::fs::write(&password, "synthetic\n").unwrap();
    let target = Target { password_file: Some(password), ..settings().target };
    init(&folder, &Init { target, ..settings() }).await.unwrap();
    let stored = |what: &str| {
        let paths = files(&folder.evidence());
        paths.iter().filter(|path| path.display().to_string().contains(what)).count()
    };
    Running::start(&folder, Parts::RelayAlone).await.unwrap().stop().await.unwrap();
    assert!(stored("/objects/evidence/") > 0, "a relay's start is evidence");
    assert_eq!(stored("/objects/log/"), 0);
    Running::start(&folder, Parts::All).await.unwrap().stop().await.unwrap();
    assert!(stored("/objects/log/") > 0);
}

#[tokio::test]
async fn every_secret_is_for_its_owner_alone() {
    let (_outer, folder) = fresh().await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.root()), 0o700);
    for path in files(folder.root()) {
        let text = std::fs::read_to_string(&path).unwrap();
        let secret = text.contains("PRIVATE KEY") || text.contains("secret =") || path.ends_with("data.key");
        assert_eq!(mode(&path), if secret { 0o600 } else { 0o644 }, "{}", path.display());
    }
}

#[tokio::test]
async fn a_filled_folder_and_a_public_address_are_refused() {
    let (_outer, folder) = fresh().await;
    let again = init(&folder, &settings()).await.unwrap_err();
    assert!(again.to_string().contains("relay.toml: exists already"), "{again}");
    let public = Init { listen: "0.0.0.0:5432".parse().unwrap(), ..settings() };
    let refusal = init(&folder, &public).await.unwrap_err();
    assert!(matches!(refusal, Error::Argument { argument: "--listen", .. }));
}

#[tokio::test]
async fn tokens_of_all_users_are_what_the_relay_takes() {
    let (_outer, folder, issuing, issuers) = issuing().await;
    for (name, kind, groups) in [
        ("alice", Kind::User, "engineers"),
        ("bob", Kind::User, "approvers"),
        ("carol", Kind::User, "clinicians"),
        ("ci", Kind::Service, "ci"),
        ("scribe", Kind::Agent, "agents"),
    ] {
        let principal = issuers.authenticate(&token(&folder, name, 5).unwrap()).await.unwrap();
        assert_eq!((principal.kind, principal.subject.as_str()), (kind, name));
        assert_eq!(principal.groups, [groups]);
        assert_eq!(principal.acts_for.map(|whom| whom.subject), (name == "scribe").then(|| "alice".to_owned()));
    }
    for (name, minutes) in [("mallory", 5), ("alice", 0), ("alice", 1441)] {
        assert!(matches!(token(&folder, name, minutes), Err(Error::Argument { .. })));
    }
    issuing.stop().await.unwrap();
}

#[tokio::test]
async fn without_a_running_issuer_and_a_port_there_is_no_token() {
    let (_outer, folder) = fresh().await;
    assert!(token(&folder, "alice", 5).unwrap_err().to_string().contains("local.toml: issuer has port 0"));
    std::fs::write(folder.settings(), "issuer = \"127.0.0.1:15480\"").unwrap();
    assert!(token(&folder, "alice", 5).is_ok());
}

#[tokio::test]
async fn a_service_fetches_its_token_with_its_secret() {
    let (_outer, folder, issuing, issuers) = issuing().await;
    let users = std::fs::read_to_string(folder.users()).unwrap();
    let secret = users.lines().find_map(|line| line.strip_prefix("secret = ")).unwrap().trim_matches('"').to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = |body: String| {
        let request = client.post(format!("{}/token", issuing.url())).body(body);
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    let body = format!("grant_type=client_credentials&client_id=ci&client_secret={secret}");
    let by_form = ask(body.clone()).send().await.unwrap();
    assert_eq!(by_form.headers()["cache-control"], "no-store");
    let by_header = ask("grant_type=client_credentials".to_owned()).basic_auth("ci", Some(&secret));
    for answer in [by_form, by_header.send().await.unwrap()] {
        let answer: Value = answer.json().await.unwrap();
        let principal = issuers.authenticate(answer["access_token"].as_str().unwrap()).await.unwrap();
        assert_eq!((principal.kind, principal.subject.as_str()), (Kind::Service, "ci"));
    }
    for (body, status) in [
        (body.replace("client_id=ci", "client_id=alice"), 401),
        (body.replace(&secret, "wrong"), 401),
        ("grant_type=client_credentials&client_id=ci".to_owned(), 401),
        (body.replace("client_credentials", "password"), 400),
        ("x".repeat(30_000), 413),
    ] {
        assert_eq!(ask(body).send().await.unwrap().status(), status);
    }
    issuing.stop().await.unwrap();
}
