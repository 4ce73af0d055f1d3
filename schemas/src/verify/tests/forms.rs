//! `forms.json` says what our types say: of every statement and event, an example that is made from its form is read, and of
//! each of its members whatever else could stand there is read or refused by both.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::stranger::{self, encoded};
use crate::approval::{ApprovalDecidedLeaf, ApprovalRequestedLeaf};
use crate::bundle::layout::BundleFile;
use crate::bundle::{BundleManifest, FORMS};
use crate::heartbeat::Heartbeat;
use crate::key_certificate::KeyCertificate;
use crate::leaf::{Certificate, RelayRetired, RelayStart, SessionCloseLeaf, SessionOpenLeaf, SessionVoid};
use crate::manifest::ChunkManifest;
use crate::revocation::{Abandoned, Revocation};
use crate::shredding::SessionShredded;
use crate::{bundle, canonical, chunk, manifest};

#[test]
fn forms_and_types_take_and_refuse_the_same() {
    let forms: Value = serde_json::from_str(FORMS).unwrap();
    let mut texts = Vec::new();
    for form in roots(&forms) {
        let example = example(&forms, &form, &forms["$defs"][&form], 0);
        assert!(reads(&form, &written(&example)), "{form}: {example}");
        texts.push((form.clone(), written(&example)));
        for other in others(&example) {
            texts.push((form.clone(), written(&other)));
        }
    }
    assert!(texts.len() > 5_000, "{}", texts.len());
    let fits = stranger::ask("forms.py", texts.iter().map(|(form, text)| json!([form, encoded(text)])));
    assert_eq!(fits.len(), texts.len());
    let differences: Vec<_> = texts
        .iter()
        .zip(fits)
        .filter(|((form, text), fits)| reads(form, text) != fits.as_bool().unwrap())
        .map(|((form, text), fits)| format!("{form}: {fits} by forms.json: {}", String::from_utf8_lossy(text)))
        .collect();
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), texts.len(), differences.join("\n"));
}

#[test]
fn forms_name_the_files_that_every_bundle_has() {
    let forms: Value = serde_json::from_str(FORMS).unwrap();
    let named: BTreeSet<_> = forms["files"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let required: BTreeSet<_> = BundleFile::required().map(|file| file.path()).collect();
    assert_eq!(named, required.iter().map(String::as_str).collect());
}

/// Forms of statements and events. That of envelopes does not tell that two of its texts are Base64.
fn roots(forms: &Value) -> Vec<String> {
    let (defs, keys) = (forms["$defs"].as_object().unwrap(), forms["keys"].as_object().unwrap());
    let stands = |name: &str| keys.contains_key(name) || name.starts_with("event-") || name == "in-toto";
    defs.keys().filter(|name| stands(name)).cloned().collect()
}

/// Whether our type reads it.
fn reads(form: &str, text: &[u8]) -> bool {
    match form {
        "in-toto" => canonical::from_slice::<BundleManifest>("", text)
            .is_ok_and(|manifest| manifest.predicate.format == bundle::FORMAT_VERSION),
        "certificate" => canonical::from_slice::<Certificate>("", text).is_ok(),
        "relay-start" => canonical::from_slice::<RelayStart>("", text).is_ok(),
        "relay-retired" => canonical::from_slice::<RelayRetired>("", text).is_ok(),
        "heartbeat" => canonical::from_slice::<Heartbeat>("", text).is_ok(),
        "abandoned" => canonical::from_slice::<Abandoned>("", text).is_ok(),
        "revocation" => canonical::from_slice::<Revocation>("", text).is_ok(),
        "session-open" => canonical::from_slice::<SessionOpenLeaf>("", text).is_ok(),
        "session-close" => canonical::from_slice::<SessionCloseLeaf>("", text).is_ok(),
        "session-void" => canonical::from_slice::<SessionVoid>("", text).is_ok(),
        "session-shredded" => canonical::from_slice::<SessionShredded>("", text).is_ok(),
        "approval-requested" => canonical::from_slice::<ApprovalRequestedLeaf>("", text).is_ok(),
        "approval-decided" => canonical::from_slice::<ApprovalDecidedLeaf>("", text).is_ok(),
        "key-certificate" => canonical::from_slice::<KeyCertificate>("", text).is_ok(),
        "chunk" => {
            canonical::from_slice::<ChunkManifest>("", text).is_ok_and(|chunk| chunk.format == manifest::FORMAT_VERSION)
        }
        event if event.starts_with("event-") => chunk::read_event(text).is_ok(),
        other => panic!("{other} has no type"),
    }
}

/// A value of a form, with every member that is optional, but not without end.
fn example(forms: &Value, name: &str, form: &Value, depth: usize) -> Value {
    if let Some(other) = form["$ref"].as_str() {
        let name = other.trim_start_matches("#/$defs/");
        return example(forms, name, &forms["$defs"][name], depth);
    }
    if let Some(values) = form["enum"].as_array() {
        return values[0].clone();
    }
    match form["type"].as_str().unwrap() {
        "integer" => form["minimum"].as_u64().unwrap().max(1).into(),
        "boolean" => true.into(),
        "string" => texts(name).into(),
        "array" => json!([example(forms, name, &form["items"], depth)]),
        _ => {
            let deep = |member: &str| depth > 2 && member == "acts_for";
            let members = form["properties"].as_object().into_iter().flatten().filter(|(member, _)| !deep(member));
            members
                .map(|(member, form)| (member.clone(), example(forms, member, form, depth + 1)))
                .collect::<Map<_, _>>()
                .into()
        }
    }
}

fn texts(form: &str) -> String {
    let session = format!("{}-0000000001", "0a".repeat(16));
    match form {
        "name" => "clinic-1".to_owned(),
        "digest" => "0a".repeat(32),
        "incarnation" => "0a".repeat(16),
        "request" => format!("{session}-000001"),
        "session" => session,
        "key" => KEY.to_owned(),
        "ed25519-key" => format!("{}=", "A".repeat(43)),
        _ => "text".to_owned(),
    }
}

/// The value with one thing changed, for every place in it.
fn others(value: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = ["text", "name", "digest", "incarnation", "session", "request", "key", "ed25519-key"]
        .iter()
        .map(|form| texts(form).into())
        .collect();
    all.extend([
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!(""),
        json!("-a"),
        json!("\u{e9}"),
        json!("approved"),
    ]);
    all.extend([0_u64, 1, 2, (1 << 53) - 1, 1 << 53].map(Value::from));
    all.extend([json!(-1), json!(0.5), json!("0A".repeat(32)), json!(format!("{}\n", "0a".repeat(32)))]);
    all.extend([
        json!(texts("session").replace("-0000000001", "-0000000000")),
        json!(texts("key").replacen("QgAE", "QgAF", 1)),
    ]);
    all.retain(|other| other != value);
    match value {
        Value::Array(items) => {
            all.push(items.iter().chain(items).cloned().collect());
            for (at, item) in items.iter().enumerate() {
                all.extend(others(item).into_iter().map(|other| {
                    let mut items = items.clone();
                    items[at] = other;
                    items.into()
                }));
            }
        }
        Value::Object(members) => {
            let with = |name: &str, other: Option<Value>| {
                let mut members = members.clone();
                match other {
                    Some(other) => drop(members.insert(name.to_owned(), other)),
                    None => drop(members.remove(name)),
                }
                Value::from(members)
            };
            all.push(with("unknown", Some(json!(1))));
            for (name, member) in members {
                all.push(with(name, None));
                all.extend(others(member).into_iter().map(|other| with(name, Some(other))));
            }
        }
        _ => {}
    }
    all
}

/// Canonical but for numbers, which are written as they are.
fn written(value: &Value) -> Vec<u8> {
    canonical::to_vec(value).unwrap_or_else(|_| serde_json::to_vec(value).unwrap())
}

/// Of the certificates root of the vectors.
const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEx73vjFH1EcnX6HPbbPY59paWlaB2A9tIDSamRiM16JeW5R1z5AZT9PBYwnqO6hqzcdsfbkvZgpWCPxaqmIVu8Q==";
