//! The commands of `VERIFY.md`, run as they stand there.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::ALWAYS;
use super::scene::Scene;
use crate::bundler::{bundle, fetch};

/// Runs all shell blocks of the guide in one shell, in the bundle's folder.
fn follow(bundle: &Path, root: &Path) -> (Output, String) {
    let guide = fs::read_to_string(bundle.join("VERIFY.md")).unwrap();
    let blocks = guide.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let script: String = blocks.collect();
    let mut shell = Command::new("sh");
    shell.arg("-euc").arg(&script).current_dir(bundle).env("ROOT", root);
    let output = shell.output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, told)
}

#[tokio::test]
async fn the_guide_verifies_a_bundle_by_hand_and_notices_a_changed_one() {
    let scene = Scene::new().await;
    let out = scene.fresh("out");
    fetch(&scene.env, &bundle(&scene.env, ALWAYS).await.unwrap().id, &out).await.unwrap();
    let root = scene.path().join("root.pub.pem");
    fs::write(&root, scene.env.root.to_pem()).unwrap();

    let (output, told) = follow(&out, &root);
    assert!(output.status.success(), "{told}");
    assert!(told.ends_with("same\n"), "statements in chunks are those of the table: {told}");
    let verified: usize = told.lines().filter(|line| line.ends_with("Verified OK")).count();
    assert!(verified >= 10 && !told.contains("Verification failure"), "{told}");

    fs::write(out.join("csv/sessions.csv"), b"\"nothing\"\r\n").unwrap();
    let (output, told) = follow(&out, &root);
    assert!(!output.status.success() && told.contains("csv/sessions.csv: FAILED"), "{told}");
}
