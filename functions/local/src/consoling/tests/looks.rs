//! Serves until it is told to stop, so that a person or a headless browser can look at the pages:
//! `cargo test -p local the_pages_for_a_person -- --ignored --nocapture`.

use std::io::Write;

use super::scene::Scene;

#[tokio::test]
#[ignore = "serves for ten minutes, to be looked at"]
async fn the_pages_for_a_person() {
    let scene = Scene::new().await;
    let request = scene.ask(scene.request(1)).await;
    writeln!(std::io::stdout(), "{}/approvals/{}", scene.console, request.request).unwrap();
    tokio::time::sleep(std::time::Duration::from_mins(10)).await;
}
