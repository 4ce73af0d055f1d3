//! Deciding, as approvers do it.

use identity::{Jwks, Login, Verifier};
use reqwest::StatusCode;
use schemas::approval::DecisionVerdict;
use serde_json::Value;

use super::browser::{Browser, Page};
use super::scene::Scene;
use crate::oidc::{Oidc, now};

/// Fills in the request's page.
pub(super) fn decision_form(page: &Page, verdict: &str, rationale: &str) -> Vec<(String, String)> {
    let mut form = page.fields();
    form.push(("verdict".to_owned(), verdict.to_owned()));
    form.push(("rationale".to_owned(), rationale.to_owned()));
    form
}

#[tokio::test]
async fn an_approver_follows_the_link_logs_in_twice_and_has_decided() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    let link = format!("{}/approvals/{}", scene.console, request.request);
    let mut browser = Browser::new(&scene.client);
    let page = browser.get(&link).await;
    let page = browser.follow(page).await;
    let page = browser.log_in(page, "bob").await;
    assert_eq!((page.status, page.url.as_str()), (StatusCode::OK, link.as_str()));
    for shown in [
        "WHERE id = $1",
        "4711",
        "ticket 12: billed twice",
        "DateStyle = ISO, DMY",
        "This binds the statement, not today's rows",
        "ALICE",
    ] {
        assert!(page.text.contains(shown), "{shown} is missing: {}", page.text);
    }
    let form = decision_form(&page, "denied", "not this quarter");
    let page = browser.submit(&format!("{link}/decide"), &scene.console, &form).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let asked = page.next().unwrap();
    let parameter =
        |name: &str| asked.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    assert_eq!(parameter("nonce"), Some(request.commitment.to_string()));
    assert_eq!(parameter("prompt").as_deref(), Some("login"));
    let page = browser.follow(page).await;
    let page = browser.log_in(page, "bob").await;
    assert_eq!(page.url.as_str(), link);
    assert!(page.text.contains("Denied") && page.text.contains("not this quarter"), "{}", page.text);
    assert!(!page.text.contains("<form method=\"post\" action=\"/approvals"), "a decided request has no form");

    let decision = scene.decision(&request.request).await.unwrap();
    assert_eq!((decision.verdict, decision.rationale.as_str()), (DecisionVerdict::Denied, "not this quarter"));
    assert_eq!((decision.approver.subject.as_str(), decision.commitment), ("bob", request.commitment));
    scene.until(|row| row.verdict == Some(DecisionVerdict::Denied), &request.request).await;
    let keys = scene.client.get(format!("{}/keys", scene.issuer)).send().await.unwrap().bytes().await.unwrap();
    let login = Login { nonce: &request.commitment.to_string(), since_unix: request.requested_us / 1_000_000 };
    let verified = Verifier::new(&scene.issuer, Oidc::CLIENT, "groups")
        .verify_login(&decision.id_token, &Jwks::parse(&keys).unwrap(), now(), &login)
        .unwrap();
    assert_eq!(verified.subject, "bob", "the relay can verify it by itself");
}

#[tokio::test]
async fn a_program_lists_reads_and_decides() {
    let scene = Scene::new().await;
    for statement in 1..=3 {
        scene.ask(scene.request(statement)).await;
    }
    let bearer = scene.id_token("bob", "to-look").await;
    let (status, first) = scene.get(&bearer, "approvals?limit=2").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(first["approvals"].as_array().unwrap().len(), 2);
    assert_eq!(first["approvals"][0]["requester"]["subject"], "alice");
    let next = first["next"].as_str().unwrap();
    let (_, second) = scene.get(&bearer, &format!("approvals?limit=2&after={next}")).await;
    assert_eq!((second["approvals"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
    let request = scene.request(2);
    let (_, shown) = scene.get(&bearer, &format!("approvals/{}", request.request)).await;
    assert_eq!(shown["request"]["text"], request.text.as_str());
    let nonce = shown["request"]["commitment"].as_str().unwrap();
    let id_token = scene.id_token("bob", nonce).await;
    assert_eq!(scene.decide(&bearer, &request.request, &id_token).await, (200, None));
    assert_eq!(scene.decision(&request.request).await.unwrap().verdict, DecisionVerdict::Approved);
    scene.until(|row| row.verdict.is_some(), &request.request).await;
    let (_, left) = scene.get(&bearer, "approvals").await;
    assert_eq!(left["approvals"].as_array().unwrap().len(), 2);
    let (_, shown) = scene.get(&bearer, &format!("approvals/{}", request.request)).await;
    assert_eq!(
        (shown["state"].as_str(), shown["decision"]["rationale"].as_str()),
        (Some("decided"), Some("looked at it"))
    );
    assert!(shown["decision"].get("id_token").is_none(), "the approver's token is nobody else's");
}

#[tokio::test]
async fn a_request_is_decided_once_and_in_time() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    let bearer = scene.id_token("bob", "to-look").await;
    let id_token = scene.id_token("bob", &request.commitment.to_string()).await;
    let (one, two) = tokio::join!(
        scene.decide(&bearer, &request.request, &id_token),
        scene.decide(&bearer, &request.request, &id_token)
    );
    let mut statuses = [one.0, two.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "of two at once one counts");
    assert_eq!(scene.decide(&bearer, &request.request, &id_token).await, (409, Some("over".to_owned())));

    let expired = schemas::approval::ApprovalRequest { expires_us: super::scene::now_us(), ..scene.request(2) };
    let expired = scene.ask(expired).await;
    let id_token = scene.id_token("bob", &expired.commitment.to_string()).await;
    assert_eq!(scene.decide(&bearer, &expired.request, &id_token).await, (409, Some("over".to_owned())));
    let (_, pending) = scene.get(&bearer, "approvals").await;
    assert_eq!(pending["approvals"], serde_json::json!([]), "what has expired does not wait");
}

#[tokio::test]
async fn people_see_what_is_theirs_and_reviewers_the_sessions() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    let path = format!("approvals/{}", request.request);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| scene.minted(name, serde_json::json!({})));
    for (who, status, rows) in [(&alice, 200, 1), (&bob, 200, 1), (&carol, 404, 0)] {
        assert_eq!(scene.get(who, &path).await.0.as_u16(), status);
        let (_, listed) = scene.get(who, "approvals").await;
        assert_eq!(listed["approvals"].as_array().unwrap().len(), rows);
    }
    assert_eq!(scene.get(&carol, "approvals/no-such-id").await.0, StatusCode::NOT_FOUND);
    assert_eq!(scene.get(&bob, "sessions").await.0, StatusCode::OK);
    assert_eq!(scene.get(&alice, "sessions").await.0, StatusCode::FORBIDDEN);
    let session = request.request.session.to_string();
    assert_eq!(scene.get(&alice, &format!("sessions/{session}")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(
        scene.get(&bob, &format!("sessions/{session}")).await.0,
        StatusCode::NOT_FOUND,
        "no leaf of it is stored"
    );
    for bad in ["approvals?limit=0", "approvals?limit=101", "approvals?state=all", "approvals?after=x", "sessions?x=1"]
    {
        assert_eq!(scene.get(&bob, bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
}
