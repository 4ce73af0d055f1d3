//! What is stored after what must be stored after it: it is never lost or doubled, and the verifier names it.

use schemas::layout::parse;
use schemas::rule::Rule;
use schemas::signature::P256Key;
use schemas::verify::Finding;

use super::Scene;
use super::completeness::{life, of_log};

/// What the verifier says of statements in the log and of those that are not.
async fn of_entries(scene: &Scene) -> Vec<Finding> {
    let findings = of_log(scene).await.0.findings.into_iter();
    let rules = [Rule::LogStatement, Rule::LogOrder, Rule::LogPending, Rule::LogEntry];
    findings.filter(|finding| rules.contains(&finding.rule)).collect()
}

/// How often the statement is an entry.
async fn entries_of(scene: &Scene, key: &str) -> usize {
    let size = scene.seal().await.unwrap().newest.map_or(0, |newest| newest.size);
    let place = |entry: Vec<u8>| schemas::log::Entry::from_slice(&entry).unwrap().place().unwrap().object.key();
    scene.entries(size).into_iter().filter(|entry| place(entry.clone()) == key).count()
}

#[tokio::test]
async fn whatever_comes_last_is_an_entry_once_or_named() {
    let (mut appended, mut named) = (0, 0);
    for retires in [false, true] {
        let scene = Scene::new().await;
        let objects = life(&scene, &P256Key::generate().unwrap(), 3, retires);
        for late in &objects {
            scene.store.reset(&Default::default());
            objects.iter().filter(|object| *object != late).for_each(|object| scene.store.insert(object));
            scene.seal().await.unwrap();
            scene.store.insert(late);
            for _ in 0..3 {
                scene.seal().await.unwrap();
            }
            let findings = of_entries(&scene).await;
            assert!(scene.store.objects().contains_key(&late.0), "{} is lost", late.0);
            match entries_of(&scene, &late.0).await {
                0 => {
                    let is_named = |finding: &Finding| (&finding.object, finding.rule) == (&late.0, Rule::LogStatement);
                    assert!(findings.iter().any(is_named), "{} is not named: {findings:#?}", late.0);
                    named += 1;
                }
                count => {
                    assert_eq!(count, 1, "{}", late.0);
                    appended += 1;
                }
            }
            // A heartbeat that came before what it counts is named beside it.
            let is_beside =
                |finding: &Finding| finding.rule == Rule::LogOrder && finding.object.contains("/heartbeats/");
            let others = findings.iter().filter(|finding| finding.object != late.0 && !is_beside(finding));
            assert_eq!(others.collect::<Vec<_>>(), Vec::<&Finding>::new(), "{}", late.0);
        }
    }
    assert!(appended >= 5 && named >= 15, "{appended} appended, {named} named");
}

#[tokio::test]
async fn what_a_life_stores_after_its_end_is_named() {
    let scene = Scene::new().await;
    let key = P256Key::generate().unwrap();
    life(&scene, &key, 2, true).iter().for_each(|object| scene.store.insert(object));
    let size = scene.seal().await.unwrap().newest.unwrap().size;
    let late: Vec<_> = life(&scene, &key, 4, false).into_iter().skip(2 + 1 + 2 * 5).collect();
    assert!(late.len() == 10 && late.iter().all(|(key, _)| !scene.store.objects().contains_key(key)));
    for object in &late {
        scene.store.insert(object);
        assert_eq!(scene.seal().await.unwrap().newest.unwrap().size, size, "{} is in the log", object.0);
    }
    let findings = of_entries(&scene).await;
    for (key, _) in &late {
        assert!(parse(key).is_some() && scene.store.objects().contains_key(key), "{key} is lost");
        let is_named = |finding: &Finding| (&finding.object, finding.rule) == (key, Rule::LogStatement);
        assert!(findings.iter().any(is_named), "{key} is not named: {findings:#?}");
    }
}
