//! Bundles over the API.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::scene::Scene;

async fn begin(scene: &Scene, bearer: &str, body: Value) -> (StatusCode, Value) {
    let request = scene.client.post(format!("{}/api/v1/bundles", scene.console)).bearer_auth(bearer).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reviewer_asks_for_a_bundle_and_fetches_its_files() {
    let scene = Scene::new().await;
    let [alice, bob] = ["alice", "bob"].map(|name| scene.minted(name, json!({})));
    let period = json!({"from": "2026-01-01", "to": "2100-01-01T00:00:00Z"});
    assert_eq!(begin(&scene, &alice, period.clone()).await.0, StatusCode::FORBIDDEN);
    for bad in [
        json!({"from": "2026-01-01"}),
        json!({"from": "yesterday", "to": "2026-01-01"}),
        json!({"from": "2026-01-02", "to": "2026-01-02"}),
    ] {
        assert!(begin(&scene, &bob, bad).await.0.is_client_error());
    }
    let (status, made) = begin(&scene, &bob, period).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let id = made["id"].as_str().unwrap();
    assert_eq!(scene.get(&bob, "bundles").await.1, json!({"bundles": [id], "next": null}));
    let (_, files) = scene.get(&bob, &format!("bundles/{id}")).await;
    assert!(files["files"].as_array().unwrap().contains(&json!("report.html")), "{files}");
    let url = format!("{}/api/v1/bundles/{id}", scene.console);
    let get = async |path: &str, bearer: &str| {
        scene.client.get(format!("{url}/{path}")).bearer_auth(bearer).send().await.unwrap()
    };
    let page = get("report.html", &bob).await;
    assert_eq!(page.headers()["content-disposition"], "attachment", "a page of a bundle is not one of the console");
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    assert!(page.text().await.unwrap().contains("<html"));
    let table = get("tables/sessions.parquet", &bob).await.bytes().await.unwrap();
    assert!(table.starts_with(b"PAR1"));
    for path in ["nothing", "..%2f..%2fkeys", "tables/../manifest.dsse.json.x", "%2e%2e/x/report.html"] {
        assert_eq!(get(path, &bob).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(get("report.html", &alice).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(scene.get(&alice, "bundles").await.0, StatusCode::FORBIDDEN);
    assert_eq!(scene.get(&bob, "bundles/no-such-one").await.0, StatusCode::NOT_FOUND);
}
