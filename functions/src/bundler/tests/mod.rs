//! Bundles of the golden evidence tree: two lives of a relay, one that died and was recovered, a voided counter, an
//! approval.

mod faults;
mod guide;
mod late;
mod scene;

use std::collections::BTreeMap;

use schemas::bundle::layout::BundleFile;
use schemas::dsse::Envelope;
use schemas::log::{Checkpoint, Edge, Entry, LogOrigin, Tile, decode_bundle};
use schemas::rule::Rule;
use schemas::safeguards::Answers;
use schemas::verify::{Options, verify_bundle};
use seams::KeyName;

use super::{Period, bundle, merge, part, plan, replay};
use scene::{APPROVED, RECORDED, RECOVERED, Scene};

/// All of the tree.
const ALWAYS: Period = Period { from_us: 0, to_us: 1_800_000_000_000_000 };
/// Seconds 70 to 100 of the tree: the sessions of the second life alone.
const LATE: Period = Period { from_us: 1_790_000_070_000_000, to_us: 1_790_000_100_000_000 };

#[tokio::test]
async fn a_bundle_of_everything_holds_and_says_what_the_evidence_says() {
    let scene = Scene::new().await;
    let (bundled, files) = scene.bundle(ALWAYS).await;
    let report = verify_bundle(&files, &scene.env.root, &Options::default()).unwrap();
    assert!(report.holds(), "{:?}", report.errors().collect::<Vec<_>>());
    assert!(bundled.merged.evidence.holds());
    assert_eq!(bundled.merged.counts, report.checked.rows);
    assert_eq!((bundled.merged.counts["sessions"], bundled.merged.counts["approvals"]), (4, 1));
    assert_eq!(report.checked.safeguards, 7);

    let page = String::from_utf8(files["report.html"].clone()).unwrap();
    for told in ["4</b><span>sessions", "45 CFR 164.312(b)", "It held when this bundle was made", "Not covered"] {
        assert!(page.contains(told), "{told}");
    }
    for file in BundleFile::required() {
        assert!(files.contains_key(&file.path()), "{}", file.path());
    }
    assert!(!files.keys().any(|file| file.starts_with("keys/")), "wrapped keys are in no bundle");
    assert_eq!(files.keys().filter(|file| file.starts_with("replay/")).count(), 4);
}

#[tokio::test]
async fn a_period_has_its_sessions_and_the_statements_of_the_others() {
    let scene = Scene::new().await;
    let (bundled, files) = scene.bundle(LATE).await;
    let report = verify_bundle(&files, &scene.env.root, &Options::default()).unwrap();
    assert!(report.holds(), "{:?}", report.errors().collect::<Vec<_>>());
    assert_eq!(bundled.merged.counts["sessions"], 2);
    let chunks: Vec<&String> = files.keys().filter(|file| file.ends_with(".zst")).collect();
    assert_eq!(chunks.len(), 2, "{chunks:?}");
    assert!(chunks.iter().all(|chunk| chunk.contains(&APPROVED.to_string()[..32])), "{chunks:?}");
}

#[tokio::test]
async fn whoever_sealed_for_a_dead_relay_vouches_from_outside_the_period() {
    let scene = Scene::new().await;
    let (bundled, files) = scene.bundle(Period { from_us: 0, to_us: 1_790_000_035_000_000 }).await;
    let report = verify_bundle(&files, &scene.env.root, &Options::default()).unwrap();
    assert!(report.holds(), "{:?}", report.errors().collect::<Vec<_>>());
    assert_eq!(bundled.merged.counts["sessions"], 2);
    assert!(files.contains_key(&format!("replay/{}.html", *RECOVERED)));
    let second_life = format!("/{}/certificate.json", APPROVED.incarnation);
    assert!(files.keys().any(|file| file.ends_with(&second_life)));
}

#[tokio::test]
async fn a_period_without_sessions_is_an_empty_bundle_that_says_so() {
    let scene = Scene::new().await;
    let (_, files) = scene.bundle(Period { from_us: 1, to_us: 2 }).await;
    let page = String::from_utf8(files["report.html"].clone()).unwrap();
    assert!(page.contains("No session in this period"));
    assert!(matches!(bundle(&scene.env, Period { from_us: 2, to_us: 2 }).await, Err(super::BundlerError::Period)));
}

#[tokio::test]
async fn evidence_that_does_not_hold_is_bundled_and_shown_as_such() {
    let scene = Scene::new().await;
    let chunk = scene.chunk_of(&APPROVED).await;
    scene.flip(&chunk).await;
    let (bundled, files) = scene.bundle(ALWAYS).await;
    assert!(!bundled.merged.evidence.holds());
    let page = String::from_utf8(files["report.html"].clone()).unwrap();
    assert!(page.contains("<b>It does not hold.</b>") && page.contains(&chunk));
    let page = String::from_utf8(files[&format!("replay/{}.html", *APPROVED)].clone()).unwrap();
    assert!(page.contains("The evidence of this session does not hold"));
    let report = verify_bundle(&files, &scene.env.root, &Options::default()).unwrap();
    assert!(!report.holds() && report.checked.signature);
    assert!(report.errors().all(|finding| finding.rule != Rule::Safeguards), "what is told is told of what holds");
}

#[tokio::test]
async fn steps_that_are_run_again_or_in_another_order_make_the_same_files() {
    let scene = Scene::new().await;
    let plan = plan(&scene.env, ALWAYS).await.unwrap();
    let through_json = serde_json::from_slice(&serde_json::to_vec(&plan).unwrap()).unwrap();
    assert_eq!(plan, through_json);
    let mut made = Vec::new();
    for order in [vec![0, 1], vec![1, 0, 1]] {
        let folder = scene.work_folder();
        for index in order {
            part(&scene.env, &plan, &plan.parts[index], &folder).await.unwrap();
        }
        merge(&scene.env, &plan, &folder).await.unwrap();
        let mut files = BTreeMap::new();
        for file in folder.files().unwrap().into_iter().filter(|file| file != "manifest.dsse.json") {
            files.insert(file.clone(), std::fs::read(folder.root().join(&file)).unwrap());
        }
        made.push(files);
    }
    assert!(made[0] == made[1], "only the signature differs, which is random");
}

#[tokio::test]
async fn the_log_is_part_of_the_bundle_and_has_all_its_statements() {
    let scene = Scene::new().await;
    assert!(scene.seal().await > 0);
    let (_, files) = scene.bundle(LATE).await;
    let report = verify_bundle(&files, &scene.env.root, &Options::default()).unwrap();
    assert!(report.holds(), "{:?}", report.errors().collect::<Vec<_>>());

    let origin = LogOrigin::of(&scene.env.tenant, &scene.env.environment);
    let key = scene.env.keys.public_key(KeyName::Checkpoints).await.unwrap();
    let checkpoint = Checkpoint::open(&files[&origin.checkpoint(1)], &origin, &key).unwrap();
    let width = u16::try_from(checkpoint.size).unwrap();
    let tile = Tile { width, ..Tile::entries(0) };
    let entries = decode_bundle(&files[&origin.tile(&tile)], width).unwrap();
    let mut tree = Edge::default();
    for entry in &entries {
        tree.push(entry.clone()).unwrap();
    }
    assert_eq!(tree.root(), checkpoint.root);
    let statements = files.keys().filter(|file| file.starts_with("evidence/") && file.ends_with(".json"));
    for file in statements {
        let entry = Entry::of(&Envelope::from_slice(&files[file]).unwrap()).to_vec();
        assert!(entries.contains(&entry), "{file}");
    }
}

#[tokio::test]
async fn answers_are_counted_from_the_rows() {
    let scene = Scene::new().await;
    let (_, files) = scene.bundle(ALWAYS).await;
    let answers: Answers = serde_json::from_slice(&files["safeguards.json"]).unwrap();
    let count = |citation: &str, label: &str| {
        let answer = answers.answers.iter().find(|answer| answer.citation.ends_with(citation)).unwrap();
        let counts = answer.counts.iter().map(|count| (&count.label, count.count));
        let exceptions = answer.exceptions.iter().map(|exception| (&exception.label, exception.count));
        counts.chain(exceptions).find(|(found, _)| found.starts_with(label)).unwrap().1
    };
    assert_eq!(count("164.312(b)", "Sessions recorded"), 4);
    assert_eq!(count("164.312(b)", "Sessions whose relay died"), 1);
    assert_eq!(count("164.308(a)(4)(ii)(B)", "Requests for approval"), 1);
    assert_eq!(count("164.308(a)(4)(ii)(B)", "Held statements that ran without an approval"), 0);
}

#[tokio::test]
async fn results_are_on_a_page_only_for_who_holds_the_key() {
    let scene = Scene::new().await;
    let without = replay(&scene.env, &RECORDED, None).await.unwrap();
    assert!(without.sound && without.html.contains("are not on this page"));
    assert!(!without.html.contains("class=\"exact\""));
    let with = replay(&scene.env, &RECORDED, Some(&*scene.env.keys)).await.unwrap();
    assert!(with.sound && with.html.contains("With recorded results"));
    assert!(with.html.contains("class=\"exact\""), "the transcript is on it");
    let shredded = scene.env.store.list("keys/").await.unwrap();
    for key in shredded {
        scene.env.store.delete(&key).await.unwrap();
    }
    let gone = replay(&scene.env, &RECORDED, Some(&*scene.env.keys)).await.unwrap();
    assert!(gone.html.contains("key is gone") && !gone.html.contains("class=\"exact\""));
    let unknown = "0123456789abcdef0123456789abcdef-0000000042".parse().unwrap();
    assert!(matches!(replay(&scene.env, &unknown, None).await, Err(super::BundlerError::NoSession(_))));
}

#[tokio::test]
async fn pages_load_nothing_and_run_nothing() {
    let scene = Scene::new().await;
    let (_, files) = scene.bundle(ALWAYS).await;
    for (name, page) in files.iter().filter(|(name, _)| name.ends_with(".html")) {
        let page = String::from_utf8(page.clone()).unwrap();
        assert!(page.contains("default-src 'none'"), "{name}");
        for absent in ["<script", "javascript:", "src=", "@import", "url(", " onload", "<link"] {
            assert!(!page.contains(absent), "{name} has {absent}");
        }
    }
}
