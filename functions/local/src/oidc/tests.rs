//! The issuer over HTTP, as clients and attackers see it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::{Jwks, Kind, Login, Verifier};
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;

use super::Oidc;
use crate::mint::Mint;
use crate::users::Users;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CALLBACK: &str = "http://127.0.0.1:7001/callback";
const USERS: &str = r#"
audience = "affidavit"
user = [
    { name = "alice", kind = "user", full_name = "Alice <b>Analyst</b>", groups = ["engineers"] },
    { name = "bob", kind = "user", full_name = "Bob", groups = ["approvers"] },
    { name = "ci", kind = "service", full_name = "CI", secret = "ci-secret" },
    { name = "scribe", kind = "agent", full_name = "Scribe", groups = ["agents"], acts_for = "alice", secret = "agent-secret" },
    { name = "other", kind = "agent", full_name = "Other", acts_for = "bob", secret = "other-secret" },
]
"#;

/// A serving issuer and a client that follows no redirects.
struct Scene {
    url: String,
    mint: Mint,
    users: Users,
    client: Client,
}

impl Scene {
    async fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().serialize_pem();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), USERS).unwrap();
        let users = Users::read(file.path()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let oidc = Oidc::new(url.clone(), Mint::from_pem(&key).unwrap(), users.clone());
        tokio::spawn(axum::serve(listener, oidc.router()).into_future());
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { url, mint: Mint::from_pem(&key).unwrap(), users, client }
    }

    /// A request in order, with these parameters changed; an empty value leaves one out.
    fn parameters(changes: &[(&'static str, &str)]) -> Vec<(String, String)> {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let mut all = vec![
            ("response_type", "code"),
            ("client_id", Oidc::CLIENT),
            ("redirect_uri", CALLBACK),
            ("scope", "openid"),
            ("state", "s t&ate"),
            ("nonce", "n-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            all.retain(|(known, _)| known != name);
            if !value.is_empty() {
                all.push((name, value));
            }
        }
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    async fn show(&self, changes: &[(&'static str, &str)]) -> reqwest::Response {
        let url = Url::parse_with_params(&format!("{}/authorize", self.url), Self::parameters(changes)).unwrap();
        self.client.get(url).send().await.unwrap()
    }

    async fn log_in(&self, name: &str, changes: &[(&'static str, &str)]) -> reqwest::Response {
        let mut form = Self::parameters(changes);
        form.push(("login".to_owned(), name.to_owned()));
        self.client.post(format!("{}/authorize", self.url)).form(&form).send().await.unwrap()
    }

    async fn code(&self, name: &str) -> String {
        answer(&self.log_in(name, &[]).await, "code").unwrap()
    }

    async fn token(&self, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let answer = self.client.post(format!("{}/token", self.url)).form(form).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        (answer.status(), answer.json().await.unwrap())
    }

    async fn redeem(&self, changes: &[(&'static str, &str)]) -> (StatusCode, Value) {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", Oidc::CLIENT),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in changes {
            form.retain(|(known, _)| known != name);
            form.push((name, value));
        }
        self.token(&form).await
    }

    fn keys(&self) -> Jwks {
        Jwks::parse(self.mint.jwks().to_string().as_bytes()).unwrap()
    }

    fn token_of(&self, name: &str) -> String {
        let user = self.users.get(name).unwrap();
        self.mint.token(&self.url, &self.users, user, super::now(), 60).unwrap()
    }
}

/// A parameter of the answer that a redirect carries to the client.
fn answer(response: &reqwest::Response, name: &str) -> Option<String> {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let to = Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    assert!(to.as_str().starts_with(CALLBACK), "{to}");
    to.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_person_logs_in_and_the_id_token_carries_the_nonce() {
    let scene = Scene::new().await;
    let redirect = scene.log_in("bob", &[]).await;
    assert_eq!(answer(&redirect, "state").as_deref(), Some("s t&ate"));
    assert_eq!(answer(&redirect, "iss"), Some(scene.url.clone()));
    let code = answer(&redirect, "code").unwrap();
    let (status, body) = scene.redeem(&[("code", &code)]).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let login = Login { nonce: "n-1", since_unix: super::now() - 5 };
    let verifier = Verifier::new(&scene.url, Oidc::CLIENT, "groups");
    let id_token = body["id_token"].as_str().unwrap();
    let bob = verifier.verify_login(id_token, &scene.keys(), super::now(), &login).unwrap();
    assert_eq!(
        (bob.kind, bob.subject.as_str(), bob.groups.as_slice()),
        (Kind::User, "bob", ["approvers".to_owned()].as_slice())
    );
    let access_token = body["access_token"].as_str().unwrap();
    assert!(verifier.verify_login(access_token, &scene.keys(), super::now(), &login).is_err(), "no ID token");
}

#[tokio::test]
async fn the_page_lists_people_alone_and_escapes_what_it_shows() {
    let scene = Scene::new().await;
    let page = scene.show(&[("login_hint", "bob"), ("state", "\"><script>alert(1)</script>")]).await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.contains("form-action 'self' http://127.0.0.1:7001;"), "{policy}");
    let page = page.text().await.unwrap();
    assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
    assert!(page.contains("value=\"alice\"") && page.contains("value=\"bob\" required checked"), "{page}");
    assert!(!page.contains("scribe") && !page.contains("value=\"ci\""));
}

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_not_the_clients() {
    let scene = Scene::new().await;
    for changes in [
        [("redirect_uri", "https://evil.example/callback")],
        [("redirect_uri", "http://127.0.0.1@evil.example/callback")],
        [("redirect_uri", "")],
        [("client_id", "other")],
    ] {
        for response in [scene.show(&changes).await, scene.log_in("bob", &changes).await] {
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            assert!(response.headers().get("location").is_none());
        }
    }
    for name in ["mallory", "ci", "scribe"] {
        assert_eq!(scene.log_in(name, &[]).await.status(), StatusCode::BAD_REQUEST, "{name}");
    }
}

#[tokio::test]
async fn a_request_without_what_makes_it_safe_gets_no_code() {
    let scene = Scene::new().await;
    for (changes, error) in [
        ([("code_challenge", "")], "invalid_request"),
        ([("code_challenge", "short")], "invalid_request"),
        ([("code_challenge_method", "")], "invalid_request"),
        ([("code_challenge_method", "plain")], "invalid_request"),
        ([("nonce", "")], "invalid_request"),
        ([("state", "")], "invalid_request"),
        ([("response_type", "token")], "unsupported_response_type"),
        ([("scope", "profile")], "invalid_scope"),
        ([("prompt", "none")], "login_required"),
    ] {
        for response in [scene.show(&changes).await, scene.log_in("bob", &changes).await] {
            assert_eq!(answer(&response, "error").as_deref(), Some(error), "{changes:?}");
            assert_eq!(answer(&response, "code"), None);
        }
    }
}

#[tokio::test]
async fn another_sites_form_logs_nobody_in() {
    let scene = Scene::new().await;
    let mut form = Scene::parameters(&[]);
    form.push(("login".to_owned(), "bob".to_owned()));
    for (origin, status) in [("https://evil.example", 400), ("null", 400), (scene.url.as_str(), 303)] {
        let request = scene.client.post(format!("{}/authorize", scene.url)).form(&form).header("origin", origin);
        assert_eq!(request.send().await.unwrap().status(), status, "{origin}");
    }
}

#[tokio::test]
async fn a_code_is_good_once_for_its_client_callback_and_verifier() {
    let scene = Scene::new().await;
    let code = scene.code("bob").await;
    assert_eq!(scene.redeem(&[("code", &code)]).await.0, StatusCode::OK);
    let (status, body) = scene.redeem(&[("code", &code)]).await;
    assert_eq!((status, body["error"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_grant")), "replayed");
    for (change, error) in [
        (("code_verifier", "xBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "invalid_grant"),
        (("code_verifier", ""), "invalid_grant"),
        (("redirect_uri", "http://127.0.0.1:7002/callback"), "invalid_grant"),
    ] {
        let code = scene.code("bob").await;
        let (_, body) = scene.redeem(&[("code", &code), change]).await;
        assert_eq!(body["error"], error, "{change:?}");
        let (_, body) = scene.redeem(&[("code", &code)]).await;
        assert_eq!(body["error"], "invalid_grant", "a code that was tried is used up");
    }
    let code = scene.code("bob").await;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", Oidc::CLIENT),
        ("redirect_uri", CALLBACK),
        ("code", &code),
    ];
    assert_eq!(scene.token(&form).await.1["error"], "invalid_request", "PKCE is missing");
}

#[tokio::test]
async fn an_agent_exchanges_its_persons_token_for_one_that_names_both() {
    let scene = Scene::new().await;
    let alice = scene.token_of("alice");
    let form = |client: &'static str, secret: &'static str, subject: &str| {
        [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange".to_owned()),
            ("client_id", client.to_owned()),
            ("client_secret", secret.to_owned()),
            ("subject_token", subject.to_owned()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token".to_owned()),
        ]
    };
    let ask = async |form: Vec<(&str, String)>| {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        scene.token(&form).await
    };
    let (status, body) = ask(form("scribe", "agent-secret", &alice).to_vec()).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body["expires_in"].as_u64().unwrap() <= 60, "no longer than the person's own token");
    let verifier = Verifier::new(&scene.url, "affidavit", "groups");
    let agent = verifier.verify(body["access_token"].as_str().unwrap(), &scene.keys(), super::now()).unwrap();
    assert_eq!((agent.kind, agent.subject.as_str()), (Kind::Agent, "scribe"));
    assert_eq!(agent.acts_for.unwrap().subject, "alice");

    let foreign = Scene::new().await.token_of("alice");
    for (attempt, error) in [
        (form("scribe", "wrong", &alice), "invalid_client"),
        (form("ci", "ci-secret", &alice), "invalid_client"),
        (form("other", "other-secret", &alice), "invalid_request"),
        (form("scribe", "agent-secret", &scene.token_of("bob")), "invalid_request"),
        (form("scribe", "agent-secret", &scene.token_of("scribe")), "invalid_request"),
        (form("scribe", "agent-secret", &foreign), "invalid_request"),
    ] {
        assert_eq!(ask(attempt.to_vec()).await.1["error"], error);
    }
    let mut elsewhere = form("scribe", "agent-secret", &alice).to_vec();
    elsewhere.push(("audience", Oidc::CLIENT.to_owned()));
    assert_eq!(ask(elsewhere).await.1["error"], "invalid_target", "an agent never gets into the console");
}

#[tokio::test]
async fn discovery_names_what_there_is() {
    let scene = Scene::new().await;
    let url = format!("{}/.well-known/openid-configuration", scene.url);
    let document: Value = scene.client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(document["issuer"], scene.url);
    assert_eq!(document["authorization_endpoint"], format!("{}/authorize", scene.url));
    assert_eq!(document["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(document["response_types_supported"], serde_json::json!(["code"]));
}
