//! What must not lead to a decision, and what must not come back to a browser.

use reqwest::StatusCode;
use schemas::approval::ApprovalRequest;
use schemas::event::{Actor, ActorKind};
use schemas::signature::P256Key;
use serde_json::json;

use super::browser::{Browser, Page};
use super::decisions::decision_form;
use super::scene::{Scene, now_us};

fn told(code: &str, status: u16) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

/// A browser in which bob looks at the request.
async fn bob_looks(scene: &Scene, request: &ApprovalRequest) -> (Browser, Page) {
    let mut browser = Browser::new(&scene.client);
    let page = browser.get(&format!("{}/approvals/{}", scene.console, request.request)).await;
    let page = browser.follow(page).await;
    let page = browser.log_in(page, "bob").await;
    assert_eq!(page.status, StatusCode::OK);
    (browser, page)
}

#[tokio::test]
async fn nobody_decides_without_a_login_for_this_request() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    let other = scene.ask(scene.request(2)).await;
    let nonce = request.commitment.to_string();
    let bearer = scene.id_token("bob", "to-look").await;
    let fresh = scene.id_token("bob", &nonce).await;
    let id = &request.request;
    for (bearer, id_token, status, code) in [
        ("", fresh.as_str(), 401, "login-required"),
        ("invented", &fresh, 401, "login-refused"),
        (&scene.minted("bob", json!({"aud": "affidavit"})), &fresh, 401, "login-refused"),
        (&bearer, &bearer, 401, "login-refused"),
        (&bearer, "", 401, "login-refused"),
        (&bearer, &scene.id_token("bob", &other.commitment.to_string()).await, 401, "login-refused"),
        (&bearer, &scene.minted("bob", json!({})), 401, "login-refused"),
        (&bearer, &scene.minted("bob", json!({"nonce": nonce, "auth_time": 1_700_000_000})), 401, "login-refused"),
        (&bearer, &scene.minted("bob", json!({"nonce": nonce, "act": {"sub": "scribe"}})), 401, "login-refused"),
        (&bearer, &scene.minted("bob", json!({"nonce": nonce, "aud": "affidavit"})), 401, "login-refused"),
        (&bearer, &scene.id_token("carol", &nonce).await, 403, "forbidden"),
        (&scene.id_token("carol", "n").await, &scene.id_token("carol", &nonce).await, 404, "not-found"),
    ] {
        assert_eq!(scene.decide(bearer, id, id_token).await, told(code, status));
    }
    let url = format!("{}/api/v1/approvals/{id}/decision", scene.console);
    assert_eq!(scene.client.post(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(scene.decision(id).await.is_none(), "nothing was stored by any of it");
    assert_eq!(scene.decide(&bearer, id, &fresh).await, (200, None));
}

#[tokio::test]
async fn a_token_from_before_the_request_is_refused() {
    let scene = Scene::new().await;
    let later = now_us() + 120 * 1_000_000;
    let request = scene.ask(ApprovalRequest { requested_us: later, ..scene.request(1) }).await;
    let bearer = scene.id_token("bob", "n").await;
    let id_token = scene.id_token("bob", &request.commitment.to_string()).await;
    assert_eq!(scene.decide(&bearer, &request.request, &id_token).await, told("login-refused", 401));
}

#[tokio::test]
async fn neither_the_requester_nor_who_stands_behind_an_agent_decides() {
    let scene = Scene::new().await;
    let bob = scene.actor(ActorKind::User, "bob");
    let agent = Actor { acts_for: Some(Box::new(bob.clone())), ..scene.actor(ActorKind::Agent, "scribe") };
    let bearer = scene.id_token("bob", "n").await;
    for (statement, actor) in [(1, bob), (2, agent)] {
        let request = scene.ask(ApprovalRequest { actor, ..scene.request(statement) }).await;
        let id_token = scene.id_token("bob", &request.commitment.to_string()).await;
        assert_eq!(scene.decide(&bearer, &request.request, &id_token).await, told("self-approval", 403));
        assert!(scene.decision(&request.request).await.is_none());
        let (_, page) = bob_looks(&scene, &request).await;
        assert!(page.text.contains("Somebody else must decide") && !page.text.contains("value=\"approved\""));
    }
}

#[tokio::test]
async fn a_service_or_an_agent_never_decides() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    let id_token = scene.id_token("bob", &request.commitment.to_string()).await;
    let agent = scene.minted("alice", json!({"act": {"sub": "robot", "groups": ["approvers"]}}));
    let service = scene.minted("ci", json!({"client_id": "ci", "groups": ["approvers"]}));
    for bearer in [agent, service] {
        assert_eq!(scene.decide(&bearer, &request.request, &id_token).await, told("forbidden", 403));
    }
    assert!(scene.decision(&request.request).await.is_none());
}

#[tokio::test]
async fn details_that_the_relay_did_not_sign_are_not_shown() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    let forged = ApprovalRequest { text: "SELECT 1".to_owned(), ..scene.request(2) };
    scene.store_signed(&forged, &P256Key::generate().unwrap()).await;
    let row = seams::ApprovalRow {
        requested_us: Some(1),
        commitment: Some(forged.commitment),
        ..scene.index.approval(&request.request).await.unwrap().unwrap()
    };
    // Somebody writes straight into the index.
    let row = seams::ApprovalRow { request: forged.request.clone(), ..row };
    scene.index.record_approval(row).await.unwrap();
    let bearer = scene.id_token("bob", "n").await;
    let (status, body) = scene.get(&bearer, &format!("approvals/{}", forged.request)).await;
    assert_eq!((status, body["error"]["code"].as_str()), (StatusCode::BAD_GATEWAY, Some("damaged")));
    let id_token = scene.id_token("bob", &forged.commitment.to_string()).await;
    assert_eq!(scene.decide(&bearer, &forged.request, &id_token).await, told("damaged", 502));
    let (status, _) = scene.get(&scene.minted("carol", json!({})), &format!("approvals/{}", forged.request)).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "who may not see it learns nothing");
}

#[tokio::test]
async fn a_form_of_another_site_or_without_a_session_begins_nothing() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    let url = format!("{}/approvals/{}/decide", scene.console, request.request);
    let (mut browser, page) = bob_looks(&scene, &request).await;
    let form = decision_form(&page, "approved", "looked at it");
    for origin in ["https://evil.example", "null", &scene.issuer] {
        let refused = browser.submit(&url, origin, &form).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{origin}");
    }
    let absent = scene.client.post(&url).form(&form).send().await.unwrap();
    assert_eq!(absent.status(), StatusCode::FORBIDDEN, "no origin at all");
    let stranger = Browser::new(&scene.client).submit(&url, &scene.console, &form).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    let mut other = form.clone();
    other.retain(|(name, _)| name != "commitment");
    other.push(("commitment".to_owned(), scene.request(2).commitment.to_string()));
    assert_eq!(browser.submit(&url, &scene.console, &other).await.status, StatusCode::CONFLICT, "not what was shown");
    let logout = browser.submit(&format!("{}/logout", scene.console), "https://evil.example", &[]).await;
    assert_eq!(logout.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_answer_counts_once_and_in_the_browser_that_asked() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    let link = format!("{}/approvals/{}", scene.console, request.request);
    let mut browser = Browser::new(&scene.client);
    let page = browser.get(&link).await;
    let login_page = browser.follow(page).await;
    let kept = browser.cookies.clone();
    let answered = browser.answer_login(login_page, "bob").await;
    let callback = answered.next().unwrap();

    let mut victim = Browser::new(&scene.client);
    assert_eq!(victim.get(callback.as_str()).await.status, StatusCode::BAD_REQUEST, "an answer planted elsewhere");
    let page = victim.get(&link).await;
    victim.follow(page).await;
    let planted = victim.get(callback.as_str()).await;
    assert_eq!(planted.status, StatusCode::BAD_REQUEST, "though a login is under way there");
    let other_issuer = callback.as_str().replace("iss=http", "iss=https");
    let mut copy = Browser::new(&scene.client);
    copy.cookies = kept.clone();
    assert_eq!(copy.get(&other_issuer).await.status, StatusCode::BAD_REQUEST, "an answer by another issuer");

    assert_eq!(browser.get(callback.as_str()).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get(callback.as_str()).await.status, StatusCode::BAD_REQUEST, "replayed");
    browser.cookies = kept;
    let replayed = browser.get(callback.as_str()).await;
    assert_eq!(replayed.status, StatusCode::UNAUTHORIZED, "replayed with the cookie that was taken away");
}

#[tokio::test]
async fn whoever_logs_in_to_decide_must_be_who_was_shown_the_request() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    let (mut browser, page) = bob_looks(&scene, &request).await;
    let url = format!("{}/approvals/{}/decide", scene.console, request.request);
    let page = browser.submit(&url, &scene.console, &decision_form(&page, "approved", "looked at it")).await;
    let page = browser.follow(page).await;
    let page = browser.log_in(page, "carol").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(scene.decision(&request.request).await.is_none());
}

#[tokio::test]
async fn a_browser_is_sent_to_the_issuer_or_to_a_page_of_ours_and_nowhere_else() {
    let scene = Scene::new().await;
    let mut browser = Browser::new(&scene.client);
    for path in [
        "/?next=https://evil.example",
        "//evil.example/",
        "/approvals/%2f%2fevil.example",
        "/callback?state=x&next=//e",
    ] {
        let page = browser.get(&format!("{}{path}", scene.console)).await;
        if let Some(next) = page.next() {
            assert!(next.as_str().starts_with(&format!("{}/authorize?", scene.issuer)), "{path}: {next}");
        }
    }
}

#[tokio::test]
async fn what_others_wrote_is_text_on_the_page_and_nothing_in_it_hides() {
    let scene = Scene::new().await;
    let nasty = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\" onfocus=\"alert(1)";
    let mut actor = scene.actor(ActorKind::User, "alice");
    actor.name = nasty.chars().take(80).collect();
    let mut request = ApprovalRequest {
        text: format!("SELECT '{nasty}' -- \u{202e}drop\u{200b}"),
        reason: Some(nasty.to_owned()),
        target: nasty.to_owned(),
        target_role: nasty.to_owned(),
        actor,
        ..scene.request(1)
    };
    request.parameters[0].value = Some(nasty.to_owned());
    request.objects[0].object = nasty.to_owned();
    let request = scene.ask(request).await;
    let (mut browser, page) = bob_looks(&scene, &request).await;
    let url = format!("{}/approvals/{}/decide", scene.console, request.request);
    let asked = browser.submit(&url, &scene.console, &decision_form(&page, "approved", nasty)).await;
    let asked_text = asked.text.clone();
    let after = browser.follow(asked).await;
    let after = browser.log_in(after, "bob").await;
    assert!(after.text.contains("Approved"), "{}", after.text);
    for text in [&page.text, &asked_text, &after.text] {
        assert!(!text.contains("<script") && !text.contains("<img") && !text.contains("\" onfocus"), "{text}");
        assert!(!text.contains('\u{202e}') && !text.contains('\u{200b}'));
    }
    assert!(page.text.contains("⟨U+202E⟩drop⟨U+200B⟩") && page.text.contains("Each is shown by its code"));
}

#[tokio::test]
async fn every_response_forbids_scripts_frames_sniffing_and_storing() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    let (mut browser, page) = bob_looks(&scene, &request).await;
    let mut pages = vec![page];
    for path in ["/", "/style.css", "/nothing", "/callback", "/api/v1/approvals", "/approvals/x"] {
        pages.push(browser.get(&format!("{}{path}", scene.console)).await);
    }
    for page in pages {
        let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{}", page.url);
        assert!(
            policy.contains("frame-ancestors 'none'")
                && policy.contains("base-uri 'none'")
                && !policy.contains("unsafe")
        );
        assert_eq!(
            (header("x-content-type-options").as_str(), header("cache-control").as_str()),
            ("nosniff", "no-store")
        );
        assert_eq!(header("referrer-policy"), "same-origin");
    }
    let url = format!("{}/api/v1/approvals/{}/decision", scene.console, request.request);
    let bearer = scene.minted("bob", json!({}));
    let large = json!({"verdict": "approved", "rationale": "x".repeat(40_000), "id_token": "t"});
    let answer = scene.client.post(&url).bearer_auth(&bearer).json(&large).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let strange = json!({"verdict": "approved", "rationale": "x", "id_token": "t", "approver": "carol"});
    let answer = scene.client.post(&url).bearer_auth(&bearer).json(&strange).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
}
