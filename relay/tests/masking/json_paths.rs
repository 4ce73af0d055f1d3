//! Masks of parts of JSON documents: what is shown is what the paths say, of any document whatever.

use serde_json::{Value, json};

use super::clinic::{Clinic, skip};

/// A table of documents, classified with these paths.
async fn documents(documents: &[Option<Value>], column: &str) -> Option<Clinic> {
    let texts: Vec<_> = documents.iter().map(|document| document.as_ref().map(Value::to_string)).collect();
    texts_of("jsonb", &texts, column).await
}

/// As [`documents`], of columns of this type, written like this.
async fn texts_of(type_name: &str, texts: &[Option<String>], column: &str) -> Option<Clinic> {
    let mut clinic = Clinic::alone().await?;
    clinic
        .superuser
        .batch_execute(&format!(
            "CREATE SCHEMA charts; GRANT USAGE ON SCHEMA charts TO affidavit_relay;
             CREATE TABLE charts.charts (id int PRIMARY KEY, body {type_name});
             GRANT SELECT ON charts.charts TO affidavit_relay",
        ))
        .await
        .unwrap();
    for (id, text) in (1..).zip(texts) {
        let insert = format!("INSERT INTO charts.charts VALUES ($1, CAST($2 AS text)::{type_name})");
        let id: i32 = id;
        clinic.superuser.execute(&insert, &[&id, text]).await.unwrap();
    }
    let table = format!("[[table]]\nname = \"charts.charts\"\ncolumns.id = \"clear\"\n[table.columns.body]\n{column}");
    clinic.classify(&table).await.unwrap();
    Some(clinic)
}

async fn shown(clinic: &Clinic) -> Vec<Value> {
    let rows = clinic.text_rows(&clinic.upstream("SELECT body FROM charts.charts ORDER BY id")).await;
    let one = |row: Vec<Option<String>>| serde_json::from_str(row[0].as_deref().unwrap()).unwrap();
    rows.into_iter().map(one).collect()
}

const PATHS: &str = r#"
    json = { ssn = "last4", dx = "clear", born = "year", zip = "zip3", "contact.phone" = "redact",
             "contact.kind" = "clear", "visits[].on" = "year", "visits[].ward" = "clear", "tags[]" = "redact",
             '"odd.key [1]"' = "clear", secret = "null", gone = "constant" }
"#;

/// What is the same of every document.
fn with(more: &Value) -> Value {
    let mut all = json!({
        "ssn": null, "born": null, "zip": null, "contact": {"phone": "***"}, "visits": [], "tags": [],
        "secret": null, "gone": "masked"
    });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

#[tokio::test]
async fn every_document_is_shown_as_the_paths_say_whatever_is_in_it() {
    let cases = [
        (None, with(&json!({}))),
        (Some(json!(null)), with(&json!({}))),
        (Some(json!(7)), with(&json!({}))),
        (Some(json!("ssn")), with(&json!({}))),
        // Of an array of strings, `?` finds an element as if it were a key.
        (Some(json!(["dx", "ssn", "contact", "odd.key [1]"])), with(&json!({}))),
        (Some(json!([{"dx": "raw"}])), with(&json!({}))),
        (Some(json!({})), with(&json!({}))),
        (
            Some(json!({
                "ssn": "912-34-5678", "dx": {"code": ["G47", null]}, "born": "1984-11-23", "zip": "73391", "SSN": "raw",
                "contact": {"phone": "raw", "kind": "home", "other": "raw"}, "odd.key [1]": 1.50, "extra": {"ssn": "raw"},
                "visits": [{"on": "2024-05-17T08:41:23Z", "ward": "north", "why": "raw"}, {"on": "2024"}, "raw", null, ["raw"]],
                "tags": ["raw", 1, {"raw": "raw"}], "secret": "raw", "gone": {"raw": 1}
            })),
            with(&json!({
                "ssn": "***-**-5678", "dx": {"code": ["G47", null]}, "born": "1984-01-01", "zip": "733",
                "contact": {"phone": "***", "kind": "home"}, "odd.key [1]": 1.50,
                "visits": [{"on": "2024-01-01", "ward": "north"}, {"on": "2024-01-01"}, {"on": null}, {"on": null}, {"on": null}],
                "tags": ["***", "***", "***"]
            })),
        ),
        (
            Some(
                json!({"ssn": 912_345_678, "dx": null, "born": 1984, "zip": 2171, "contact": ["raw"], "visits": {"on": "raw"}, "tags": "raw"}),
            ),
            with(&json!({"ssn": "***-**-5678", "dx": null, "zip": "000"})),
        ),
        (
            Some(
                json!({"ssn": {"raw": 1}, "born": "infinity", "zip": "03601", "contact": null, "visits": [[{"on": "raw"}]], "tags": []}),
            ),
            with(&json!({"ssn": "***", "zip": "000", "visits": [{"on": null}]})),
        ),
        (
            Some(json!({"ssn": "1234567", "born": "1923-01-01", "zip": "raw", "contact": {"kind": {"of": "home"}}})),
            with(&json!({"ssn": "***", "zip": "000", "contact": {"phone": "***", "kind": {"of": "home"}}})),
        ),
        (
            Some(json!({"ssn": ["raw"], "born": "19841123", "zip": {"raw": 1}, "dx": "raw is clear here"})),
            with(&json!({"ssn": "***", "zip": "000", "dx": "raw is clear here"})),
        ),
        (Some(json!({"ssn": true, "born": true, "zip": false})), with(&json!({"ssn": "***", "zip": "000"}))),
    ];
    let (stored, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let Some(clinic) = documents(&stored, PATHS).await else { return skip() };
    for ((shown, expected), stored) in shown(&clinic).await.into_iter().zip(expected).zip(stored) {
        assert_eq!(shown, expected, "of {stored:?}");
    }
    // Neither whether there is a document, nor whether it has a masked key, can be asked for.
    let answers = clinic
        .text_rows(&clinic.upstream(
            "SELECT DISTINCT body IS NULL, body ? 'secret', body ? 'extra', jsonb_typeof(body) FROM charts.charts",
        ))
        .await;
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn what_is_otherwise_clear_is_shown_beside_the_masks_and_of_objects_alone() {
    let paths = "json = { ssn = \"redact\", \"contact.phone\" = \"redact\", \"visits[].on\" = \"null\" }\notherwise = \"clear\"";
    let masks = json!({"ssn": "***", "contact": {"phone": "***"}, "visits": []});
    let cases = [
        (None, masks.clone()),
        (Some(json!("raw")), masks.clone()),
        (Some(json!([{"ssn": "raw"}])), masks.clone()),
        (
            Some(json!({"ssn": "raw", "dx": "shown", "contact": [{"phone": "raw"}], "visits": {"on": "raw"}})),
            json!({"ssn": "***", "dx": "shown", "contact": {"phone": "***"}, "visits": []}),
        ),
        (
            Some(
                json!({"contact": {"phone": ["raw"], "kind": "shown"}, "visits": [{"on": "raw", "ward": "shown"}, ["raw"], "raw"]}),
            ),
            json!({"ssn": "***", "contact": {"phone": "***", "kind": "shown"},
                   "visits": [{"on": null, "ward": "shown"}, {"on": null}, {"on": null}]}),
        ),
    ];
    let (stored, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let Some(clinic) = documents(&stored, paths).await else { return skip() };
    assert_eq!(shown(&clinic).await, expected);
}

#[tokio::test]
async fn hundreds_of_paths_and_deep_ones_stay_one_expression() {
    let deep = (0..16).map(|step| format!("k{step}")).collect::<Vec<_>>().join(".");
    let mut paths = format!("json.\"{deep}\" = \"last4\"\n");
    for number in 0..250 {
        let style = if number % 2 == 0 { "clear" } else { "redact" };
        paths.push_str(&format!("json.\"p{number}\" = \"{style}\"\n"));
    }
    let stored = [Some(json!({"p0": "shown", "p1": "raw", "k0": {"k1": "raw"}})), None];
    let Some(clinic) = documents(&stored, &paths).await else { return skip() };
    let shown = shown(&clinic).await;
    assert_eq!((&shown[0]["p0"], &shown[0]["p1"], &shown[1]["p249"]), (&json!("shown"), &json!("***"), &json!("***")));
    assert!(!shown[0].to_string().contains("raw"));
    assert!(deep.split('.').try_fold(&shown[1], |at, key| at.get(key)).is_some_and(Value::is_null));
}

#[tokio::test]
async fn paths_are_for_documents_alone() {
    let Some(mut clinic) = Clinic::alone().await else { return skip() };
    clinic.superuser.batch_execute("CREATE TABLE odd.texts (id int, bodies json[], note text)").await.unwrap();
    for (column, named) in [("bodies", "json[]"), ("note", "text")] {
        let table = format!("[[table]]\nname = \"odd.texts\"\ncolumns.{column} = {{ json = {{ ssn = \"redact\" }} }}");
        let problem = clinic.classify(&table).await.unwrap_err();
        assert!(problem.contains(&format!("odd.texts.{column}: style `json` does not fit type {named}")), "{problem}");
    }
}

#[tokio::test]
async fn a_text_of_type_json_that_jsonb_cannot_hold_looks_like_no_document_and_fails_nothing() {
    let deep = |depth: usize| format!("{{\"dx\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    let unreadable = [
        r#"{"dx": "raw\u0000"}"#.to_owned(),
        r#"{"dx\u0000": "raw", "dx": "raw"}"#.to_owned(),
        r#"{"dx": "raw\ud83d"}"#.to_owned(),
        r#"{"dx": "raw\uDE00"}"#.to_owned(),
        r#"{"dx": "raw\ud83d\u0041"}"#.to_owned(),
        r#"{"dx": 1e1000000}"#.to_owned(),
        r#"{"dx": [-1.5E-99999]}"#.to_owned(),
        format!("{{\"dx\": {}}}", "9".repeat(140_000)),
        format!("{{\"dx\": 0.{}}}", "1".repeat(20_000)),
        deep(3000),
        format!("{{\"dx\": \"{}\"}}", "raw ".repeat(300_000)),
    ];
    let readable = [
        (
            r#"{"dx": "shown", "ssn": "912-34-5678", "ssn": "raw-912-34-1234"}"#,
            json!({"dx": "shown", "ssn": "***-**-1234"}),
        ),
        (r#"{"dx": "a\u00e9", "extra": "3e12345 and ff3e1234"}"#, json!({"dx": "a\u{e9}"})),
        ("[1]", json!({})),
        ("  null ", json!({})),
        (r#"{"dx": 1.50, "visits": [{"on": "2024-05-17", "on": 7}]}"#, json!({"dx": 1.50, "visits": [{"on": null}]})),
    ];
    let texts: Vec<Option<String>> = (unreadable.iter().cloned().map(Some))
        .chain(readable.iter().map(|(text, _)| Some((*text).to_owned())))
        .chain([None, Some(deep(100))])
        .collect();
    let Some(clinic) = texts_of("json", &texts, PATHS).await else { return skip() };
    let shown = shown(&clinic).await;
    for (shown, text) in shown.iter().zip(&unreadable) {
        assert_eq!(*shown, with(&json!({})), "of {:.60}", text);
    }
    for (shown, (text, expected)) in shown.iter().skip(unreadable.len()).zip(&readable) {
        assert_eq!(*shown, with(expected), "of {text}");
    }
    assert!(shown.last().unwrap()["dx"].is_array());
    // It is of the column's own type, and each of these texts fails, or would, without the mask.
    let types = clinic.text_rows(&clinic.upstream("SELECT DISTINCT pg_typeof(body)::text FROM charts.charts")).await;
    assert_eq!(types, [[Some("json".to_owned())]]);
    for (id, text) in (1..).zip(&unreadable[..9]) {
        let id: i32 = id;
        let cast = clinic.superuser.query("SELECT body::text::jsonb FROM charts.charts WHERE id = $1", &[&id]).await;
        assert!(cast.is_err(), "{text:.60}");
    }
}

#[tokio::test]
async fn documents_by_chance_in_json_are_shown_as_in_jsonb() {
    let mut chance = Chance(4712);
    let stored: Vec<Value> = (0..300).map(|_| chance.document(4)).collect();
    let texts: Vec<_> = stored.iter().map(|document| Some(document.to_string())).collect();
    let Some(clinic) = texts_of("json", &texts, PATHS).await else { return skip() };
    for (shown, stored) in shown(&clinic).await.into_iter().zip(stored) {
        assert_eq!(shown, promised(&stored), "of {stored}");
    }
}

/// What [`PATHS`] promise, walked in another way than the mask is made.
fn promised(document: &Value) -> Value {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let last4 = |value: &Value| match (value, text(value)) {
        (_, Some(text)) if text.chars().count() >= 8 => {
            let all: Vec<char> = text.chars().collect();
            json!(format!("***-**-{}", all[all.len() - 4..].iter().collect::<String>()))
        }
        (Value::Null, _) => Value::Null,
        _ => json!("***"),
    };
    let year = |value: &Value| match value.as_str().map(str::as_bytes) {
        Some(text)
            if text.len() >= 4
                && text[..4].iter().all(u8::is_ascii_digit)
                && matches!(text.get(4), None | Some(b'-')) =>
        {
            let year = std::str::from_utf8(&text[..4]).unwrap();
            // Those of the generator are far from the age of 89, either way.
            if year > "1960" { json!(format!("{year}-01-01")) } else { Value::Null }
        }
        _ => Value::Null,
    };
    let zip3 = |value: &Value| match value {
        Value::Null => Value::Null,
        Value::String(text) if text.len() >= 5 && text.as_bytes()[..5].iter().all(u8::is_ascii_digit) => {
            json!(text[..3].to_owned())
        }
        _ => json!("000"),
    };
    let mut shown = with(&json!({}));
    let all = shown.as_object_mut().unwrap();
    all.insert("ssn".to_owned(), last4(&document["ssn"]));
    all.insert("born".to_owned(), year(&document["born"]));
    all.insert("zip".to_owned(), zip3(&document["zip"]));
    for key in ["dx", "odd.key [1]"] {
        all.extend(document.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    if let Some(kind) = document["contact"].get("kind") {
        all["contact"]["kind"] = kind.clone();
    }
    if let Some(visits) = document["visits"].as_array() {
        let visit = |visit: &Value| match visit.get("ward") {
            Some(ward) => json!({"on": year(&visit["on"]), "ward": ward}),
            None => json!({"on": year(&visit["on"])}),
        };
        all["visits"] = visits.iter().map(visit).collect();
    }
    if let Some(tags) = document["tags"].as_array() {
        all["tags"] = tags.iter().map(|_| json!("***")).collect();
    }
    shown
}

/// Documents by chance, mostly of keys that the paths name, in places where they expect them and where they do not.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % bound).unwrap()
    }

    fn document(&mut self, depth: u64) -> Value {
        const KEYS: [&str; 14] = [
            "ssn",
            "dx",
            "born",
            "zip",
            "contact",
            "phone",
            "kind",
            "visits",
            "on",
            "ward",
            "tags",
            "secret",
            "gone",
            "odd.key [1]",
        ];
        const LEAVES: [&str; 10] = [
            "912-34-5678",
            "1984-11-23",
            "1903-01-02",
            "2024",
            "02139",
            "73391-1234",
            "kurz",
            "",
            "\u{1F9EC}\u{1F9EC}\u{1F9EC}\u{1F9EC} \u{1F9EC}\u{1F9EC}\u{1F9EC}\u{1F9EC}",
            "\\\"'\n",
        ];
        match self.below(if depth == 0 { 4 } else { 10 }) {
            0 => [json!(null), json!(true), json!(7), json!(912_345_678), json!(-0.5)][self.below(5)].clone(),
            1..=3 => json!(LEAVES[self.below(10)]),
            4 | 5 => (0..self.below(4)).map(|_| self.document(depth - 1)).collect(),
            _ => {
                let members = (0..self.below(9)).map(|_| (KEYS[self.below(14)].to_owned(), self.document(depth - 1)));
                Value::Object(members.collect())
            }
        }
    }
}

#[tokio::test]
async fn documents_by_chance_are_shown_as_promised() {
    let mut chance = Chance(4711);
    let stored: Vec<Option<Value>> = (0..600).map(|_| Some(chance.document(4))).collect();
    assert!(stored.iter().flatten().filter(|document| document.is_object()).count() > 200);
    let Some(clinic) = documents(&stored, PATHS).await else { return skip() };
    for (shown, stored) in shown(&clinic).await.into_iter().zip(stored.into_iter().flatten()) {
        assert_eq!(shown, promised(&stored), "of {stored}");
    }
}
