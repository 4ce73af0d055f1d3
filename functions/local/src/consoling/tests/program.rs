//! `relay approvals`, `relay approve`, `relay deny`, logged in by the issuer's own form.

use relay::command::{self, CommandError, Console, Decision};
use schemas::approval::{ApprovalRequest, ApprovalVerdict, DecisionVerdict, RequestedParameter};

use super::scene::Scene;

fn console(scene: &Scene, login: &str) -> Console {
    Console { console: scene.console.clone(), issuer: None, login: Some(login.to_owned()) }
}

async fn listed(scene: &Scene, login: &str, request: Option<&str>) -> Result<String, CommandError> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    command::approvals(&console(scene, login), request, &mut out, &mut err).await?;
    Ok(String::from_utf8(out).unwrap())
}

async fn decide(
    scene: &Scene,
    login: &str,
    request: &ApprovalRequest,
    verdict: DecisionVerdict,
) -> Result<String, CommandError> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let decision = Decision {
        request: format!("{}/approvals/{}", scene.console, request.request),
        rationale: "ticket 12".to_owned(),
        console: console(scene, login),
    };
    command::decide(&decision, verdict, &mut out, &mut err).await?;
    Ok(String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn an_approver_lists_approves_and_hears_what_the_relay_says() {
    let scene = Scene::new().await;
    let text = "UPDATE t SET a = 1 --\u{1b}[2J\u{202e}\r\nWHERE b".to_owned();
    let mut asked = ApprovalRequest { text, ..scene.request(1) };
    asked.parameters.push(RequestedParameter { type_oid: 25, value: Some("NULL".to_owned()) });
    let request = scene.ask(asked).await;
    let list = listed(&scene, "bob", None).await.unwrap();
    assert!(list.contains(&request.request.to_string()) && list.contains("alice on clinic"), "{list}");
    assert!(
        listed(&scene, "bob", Some(&request.request.to_string())).await.unwrap().contains("ticket 12: billed twice")
    );
    let (told, ()) = tokio::join!(
        decide(&scene, "bob", &request, DecisionVerdict::Approved),
        scene.end_when_decided(&request, ApprovalVerdict::Approved)
    );
    let told = told.unwrap();
    assert!(told.contains("UPDATE t SET a = 1 --⟨U+001B⟩[2J⟨U+202E⟩⟨U+000D⟩\n"), "{told}");
    assert!(told.contains("$1 = '4711'") && told.contains("$2 = NULL ") && told.contains("$3 = 'NULL' "), "{told}");
    assert!(told.contains("DateStyle = ISO, DMY"), "{told}");
    assert!(told.ends_with("approved; the relay verified it\n"), "{told}");
    assert_eq!(scene.decision(&request.request).await.unwrap().rationale, "ticket 12");
    assert_eq!(listed(&scene, "bob", None).await.unwrap(), "Nothing waits for a decision.\n");
}

#[tokio::test]
async fn a_decision_that_the_relay_does_not_honour_is_a_failure() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    let (told, ()) = tokio::join!(
        decide(&scene, "bob", &request, DecisionVerdict::Denied),
        scene.end_when_decided(&request, ApprovalVerdict::Invalid)
    );
    assert!(matches!(told, Err(CommandError::NotHonoured(state)) if state == "invalid"));
}

#[tokio::test]
async fn the_consoles_refusals_are_told_and_only_people_of_the_form_log_in() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    for (login, expected) in [("alice", "self-approval"), ("carol", "not-found")] {
        let refusal = decide(&scene, login, &request, DecisionVerdict::Approved).await.unwrap_err();
        assert!(matches!(&refusal, CommandError::Refused { code, .. } if code == expected), "{refusal}");
    }
    for login in ["mallory", "ci", "scribe"] {
        let refusal = decide(&scene, login, &request, DecisionVerdict::Approved).await.unwrap_err();
        assert!(refusal.to_string().contains("--login: expected one of alice, bob, carol"), "{refusal}");
    }
    assert!(scene.decision(&request.request).await.is_none());
}

#[tokio::test]
async fn a_console_or_issuer_without_tls_elsewhere_is_refused() {
    let scene = Scene::new().await;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let far = Console { console: "http://console.example".to_owned(), ..console(&scene, "bob") };
    let refusal = command::approvals(&far, None, &mut out, &mut err).await.unwrap_err();
    assert!(refusal.to_string().starts_with("--console: http://console.example is not https"), "{refusal}");
    let far = Console { issuer: Some("http://id.example".to_owned()), ..console(&scene, "bob") };
    let refusal = command::approvals(&far, None, &mut out, &mut err).await.unwrap_err();
    assert!(refusal.to_string().starts_with("--issuer: http://id.example is not https"), "{refusal}");
}
