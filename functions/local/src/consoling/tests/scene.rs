//! A data folder whose issuer, console and indexer run, and a relay's key.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use functions::{indexer, trust};
use relay::config::Config;
use reqwest::{Client, StatusCode, Url};
use schemas::approval::{
    ApprovalDecidedLeaf, ApprovalDecision, ApprovalRequest, ApprovalVerdict, RequestedObject, RequestedParameter,
};
use schemas::digest::Sha256Digest;
use schemas::dsse::{Envelope, Statement, pae};
use schemas::event::{Actor, ActorKind};
use schemas::identifiers::{Name, RequestId, SessionId};
use schemas::layout::Scope;
use schemas::leaf::Certificate;
use schemas::signature::{P256Key, Signer};
use seams::{EvidenceStore, FileStore, Index, KeyFiles, KeyName, Keys, RedbIndex, Retention};
use serde_json::{Value, json};

use crate::consoling::Consoling;
use crate::indexing::Indexing;
use crate::issuing::Issuing;
use crate::oidc::{Oidc, now};
use crate::serving::Serving;
use crate::users::Users;
use crate::watched_store::WatchedStore;
use crate::{Folder, bundles, tests, tokens};

pub(super) struct Scene {
    _outer: tempfile::TempDir,
    pub(super) folder: Folder,
    pub(super) issuer: String,
    pub(super) console: String,
    pub(super) store: Arc<dyn EvidenceStore>,
    pub(super) index: Arc<dyn Index>,
    pub(super) keys: Arc<dyn Keys>,
    pub(super) client: Client,
    relay: P256Key,
    _issuing: Issuing,
    _serving: Serving,
    _indexing: Indexing,
}

pub(super) fn now_us() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

impl Scene {
    pub(super) async fn new() -> Self {
        let (outer, folder) = tests::fresh().await;
        let issuing = Issuing::start(&folder).await.unwrap();
        let keys: Arc<dyn Keys> = Arc::new(KeyFiles::open(&folder.keys()).unwrap());
        let index: Arc<dyn Index> = Arc::new(RedbIndex::open(&folder.index()).unwrap());
        let files: Arc<dyn EvidenceStore> = Arc::new(FileStore::open(folder.evidence(), now).unwrap());
        let (watched, stored) = WatchedStore::new(files.clone());
        let store: Arc<dyn EvidenceStore> = Arc::new(watched);
        let env = indexer::Env {
            store: files,
            index: index.clone(),
            root: keys.public_key(KeyName::Certificates).await.unwrap(),
            approvals: keys.public_key(KeyName::Approvals).await.unwrap(),
        };
        let indexing = Indexing::start(env, stored);
        let consoling = Consoling::listen(&folder).await.unwrap();
        let console = consoling.url();
        let config = Config::read(&folder.relay_config()).unwrap();
        let bundler = bundles::env_of(&folder, &config, store.clone(), keys.clone()).await.unwrap();
        trust::certify(&bundles::signing_env(&bundler)).await.unwrap();
        let serving = consoling.serve(issuing.url(), index.clone(), bundler).unwrap();
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let scene = Self {
            _outer: outer,
            folder,
            issuer: issuing.url().to_owned(),
            console,
            store,
            index,
            keys,
            client,
            relay: P256Key::generate().unwrap(),
            _issuing: issuing,
            _serving: serving,
            _indexing: indexing,
        };
        scene.certify().await;
        scene
    }

    pub(super) fn scope(&self) -> Scope {
        Scope { tenant: name("demo"), environment: name("local"), relay: name("local") }
    }

    async fn certify(&self) {
        let Scope { tenant, environment, relay } = self.scope();
        let incarnation = self.relay.public_key().incarnation();
        let certificate = Certificate {
            tenant,
            environment,
            relay,
            incarnation: incarnation.clone(),
            spki: self.relay.public_key().clone(),
            not_before_us: 0,
            not_after_us: u64::MAX >> 12,
            build: "test".to_owned(),
        };
        let payload = schemas::canonical::to_vec(&certificate).unwrap();
        let signature = self.keys.sign(KeyName::Certificates, &pae(Certificate::TYPE, &payload)).await.unwrap();
        let root = self.keys.public_key(KeyName::Certificates).await.unwrap();
        let envelope = Envelope::assemble(Certificate::TYPE, payload, &root, signature).to_vec().unwrap();
        self.store.put(&self.scope().certificate(&incarnation), &envelope, Retention::none()).await.unwrap();
    }

    /// An actor of this issuer.
    pub(super) fn actor(&self, kind: ActorKind, subject: &str) -> Actor {
        Actor {
            kind,
            issuer: self.issuer.clone(),
            subject: subject.to_owned(),
            name: subject.to_uppercase(),
            groups: Vec::new(),
            acts_for: None,
        }
    }

    /// A request of alice's, the session's `statement`th, which waits for a quarter of an hour.
    pub(super) fn request(&self, statement: u64) -> ApprovalRequest {
        let session = SessionId { incarnation: self.relay.public_key().incarnation(), counter: 1 };
        let Scope { tenant, environment, relay } = self.scope();
        let now = now_us();
        ApprovalRequest {
            tenant,
            environment,
            relay,
            request: RequestId { session, statement },
            commitment: Sha256Digest::of(format!("commitment {statement}").as_bytes()),
            actor: self.actor(ActorKind::User, "alice"),
            connection: name("clinic"),
            target: "db.test:5432/clinic".to_owned(),
            target_role: "affidavit_relay".to_owned(),
            text: "UPDATE billing.invoices SET status = 'void'\nWHERE id = $1".to_owned(),
            parameters: vec![
                RequestedParameter { type_oid: 20, value: Some("4711".to_owned()) },
                RequestedParameter { type_oid: 25, value: None },
            ],
            settings: std::collections::BTreeMap::from([("DateStyle".to_owned(), "ISO, DMY".to_owned())]),
            objects: vec![RequestedObject {
                object: "billing.invoices".to_owned(),
                oid: 16_422,
                verb: "update".to_owned(),
                held: true,
                from_masks: Vec::new(),
            }],
            reason: Some("ticket 12: billed twice".to_owned()),
            policy_sha256: Sha256Digest::of(b"policy"),
            requested_us: now,
            expires_us: now + 15 * 60 * 1_000_000,
        }
    }

    /// Stores the request as the relay does, and waits until it is indexed.
    pub(super) async fn ask(&self, request: ApprovalRequest) -> ApprovalRequest {
        self.store_signed(&request, &self.relay).await;
        self.until(|row| row.requested_us.is_some(), &request.request).await;
        request
    }

    pub(super) async fn store_signed(&self, request: &ApprovalRequest, key: &P256Key) {
        let envelope = Envelope::of(request, key).unwrap().to_vec().unwrap();
        let place = self.scope().approval_request(&request.request);
        self.store.put(&place, &envelope, Retention::none()).await.unwrap();
    }

    pub(super) async fn until(&self, is: impl Fn(&seams::ApprovalRow) -> bool, request: &RequestId) {
        for _ in 0..200 {
            if self.index.approval(request).await.unwrap().is_some_and(|row| is(&row)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{request} was not indexed");
    }

    /// Says as the relay how the request ended, as soon as somebody decided.
    pub(super) async fn end_when_decided(&self, request: &ApprovalRequest, verdict: ApprovalVerdict) {
        self.until(|row| row.verdict.is_some(), &request.request).await;
        let Scope { tenant, environment, relay } = self.scope();
        let leaf = ApprovalDecidedLeaf {
            tenant,
            environment,
            relay,
            request: request.request.clone(),
            commitment: request.commitment,
            verdict,
            decision_sha256: None,
            time_us: now_us(),
        };
        let envelope = Envelope::of(&leaf, &self.relay).unwrap().to_vec().unwrap();
        let place = self.scope().approval_decided(&request.request);
        self.store.put(&place, &envelope, Retention::none()).await.unwrap();
    }

    /// The decision, if one is stored; it must be signed by the approvals key.
    pub(super) async fn decision(&self, request: &RequestId) -> Option<ApprovalDecision> {
        let stored = self.store.get(&self.scope().approval_decision(request)).await.unwrap()?;
        let key = self.keys.public_key(KeyName::Approvals).await.unwrap();
        Some(Envelope::from_slice(&stored).unwrap().open(&key).unwrap())
    }

    /// The ID token of a login with this nonce, by the issuer's own form.
    pub(super) async fn id_token(&self, login: &str, nonce: &str) -> String {
        let verifier = "v".repeat(43);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let callback = "http://127.0.0.1:1/callback";
        let form = [
            ("response_type", "code"),
            ("client_id", Oidc::CLIENT),
            ("redirect_uri", callback),
            ("scope", "openid"),
            ("state", "s"),
            ("nonce", nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("login", login),
        ];
        let answer = self.client.post(format!("{}/authorize", self.issuer)).form(&form).send().await.unwrap();
        let to = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        let code = to.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", Oidc::CLIENT),
            ("redirect_uri", callback),
            ("code", &code),
            ("code_verifier", &verifier),
        ];
        let answer = self.client.post(format!("{}/token", self.issuer)).form(&form).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["id_token"].as_str().unwrap().to_owned()
    }

    /// A token that the issuer would sign for this user of `users.toml` with these further claims.
    pub(super) fn minted(&self, user: &str, claims: Value) -> String {
        let users = Users::read(&self.folder.users()).unwrap();
        let mint = tokens::read_mint(&self.folder).unwrap();
        mint.id_token(&self.issuer, Oidc::CLIENT, users.get(user).unwrap(), claims, now(), 60).unwrap()
    }

    pub(super) async fn get(&self, bearer: &str, path: &str) -> (StatusCode, Value) {
        let request = self.client.get(format!("{}/api/v1/{path}", self.console)).bearer_auth(bearer);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// `POST approvals/{id}/decision`; gives status and the error's code.
    pub(super) async fn decide(&self, bearer: &str, request: &RequestId, id_token: &str) -> (u16, Option<String>) {
        let url = format!("{}/api/v1/approvals/{request}/decision", self.console);
        let body = json!({ "verdict": "approved", "rationale": "looked at it", "id_token": id_token });
        let answer = self.client.post(url).bearer_auth(bearer).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["error"]["code"].as_str().map(str::to_owned))
    }
}
