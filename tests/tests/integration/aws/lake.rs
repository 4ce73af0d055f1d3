//! S3 → SQS → indexer → the lake, and Athena over it: what is asked there has the answer that a bundle gives.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use functions::bundler;
use schemas::dsse::{Envelope, Statement, pae};
use schemas::layout::{LOG_PREFIX, lake_file};
use schemas::leaf::Certificate;
use schemas::period::Period;
use schemas::tables::{ColumnType, Table};
use seams::{KeyName, Keys, Retention};
use serde_json::{Value, json};

use super::whole::golden;
use crate::harness::{Emulator, Lambdas, have_python, python, repository};
use crate::{emulator, skip_without};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_of_the_lake_has_the_answer_that_a_bundle_gives() {
    let emulator = emulator!();
    skip_without!(have_python("duckdb"), "DuckDB");
    let lambdas = Lambdas::new(emulator).await;
    lambdas.deploy("indexer", lambdas.variables(&[KeyName::Certificates, KeyName::Approvals], &[])).await;
    lambdas.map_stored().await;
    put(&lambdas).await;

    let folder = tempfile::tempdir().unwrap();
    bundle(&lambdas, folder.path()).await;
    let bundled = Tables(folder.path().join("bundle/tables"));
    let expected = bundled.files();
    let files = drawn(&lambdas, expected.len()).await;
    assert_eq!(files.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());

    let athena = Athena::new(emulator, &lambdas.lake).await;
    let columns =
        |table: Table| table.columns().iter().map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>();
    let all = |table: Table| format!("SELECT {} FROM {table} WHERE day = '2026-09-21'", columns(table).join(", "));
    let queries = saved_queries().into_iter().map(|query| about_golden(&query)).chain(Table::ALL.map(all));
    let queries: Vec<String> = queries.collect();
    let answers = bundled.ask(&queries);
    let mut nothing = Vec::new();
    for (query, expected) in queries.iter().zip(answers) {
        assert_eq!(athena.ask(query).await, expected, "{query}");
        nothing.extend(Some(query.as_str()).filter(|_| expected.is_empty()));
    }
    // The golden evidence has neither.
    let absent = ["treatment = 'revealed'", "FROM detections"];
    assert!(nothing.iter().all(|query| absent.iter().any(|absent| query.contains(absent))), "{nothing:?}");

    // Somebody emptied it: all of it is drawn again, out of the evidence.
    for key in files.keys() {
        emulator.s3().delete_object().bucket(&lambdas.lake).key(key).send().await.unwrap();
    }
    let drawn_again = lambdas.invoke(&lambdas.arn("indexer"), &json!({ "redraw": {} })).await.unwrap();
    assert_eq!(drawn_again, json!({ "drawn": 4, "undrawn": 0, "after": null }));
    assert_eq!(drawn(&lambdas, files.len()).await, files);
}

/// Terraform's table looks for a day's files where the indexer puts them.
#[test]
fn partitions_are_projected_to_where_files_are() {
    let read = |file: &str| std::fs::read_to_string(repository().join("infra/modules").join(file)).unwrap();
    let lake = read("pipeline/lake.tf");
    let value = |text: &str, name: &str| -> String {
        let line = text.lines().find(|line| line.trim_start().trim_start_matches('"').starts_with(name));
        line.unwrap_or_else(|| panic!("no {name}")).split_once(" = ").unwrap().1.trim().trim_matches('"').to_owned()
    };
    let evidence = read("evidence/main.tf");
    let places = evidence.lines().find(|line| line.contains("bucket = \"lake\"")).unwrap();
    let prefix = places.split_once("prefix = \"").unwrap().1.split('"').next().unwrap();
    let root = value(&lake, "lake ").replace("${local.format}", &value(&lake, "format "));
    let root = root.replace("${var.evidence.places.tables.prefix}", prefix);
    let session = "c2a35b2d82043f03310e1d0c0bca33a1-0000000003".parse().unwrap();
    for table in Table::ALL {
        let location = value(&lake, "storage.location.template").replace("${local.lake}", &root);
        let location = location.replace("${each.key}", table.name()).replace("$${day}", "2026-09-21");
        let file = location.replace("s3://${var.evidence.buckets.lake}/", "") + &format!("{session}.parquet");
        assert_eq!(lake_file(table, &session, 1_790_000_030_000_000).unwrap(), file);
    }
    assert_eq!(value(&lake, "projection.day.format"), "yyyy-MM-dd");
    assert_eq!(value(&lake, "projection.day.range"), "2026-01-01,NOW");
}

/// The golden evidence, whose certificates this deployment's root signed anew: statements name a certificate by what it
/// says, whoever signed it. Of what is stored later comes first.
async fn put(lambdas: &Lambdas<'_>) {
    let (store, keys) = (lambdas.store().await, lambdas.key_service());
    let root = keys.public_key(KeyName::Certificates).await.unwrap();
    for (key, mut bytes) in golden(|key| key.starts_with("evidence/")).into_iter().rev() {
        if key.ends_with("/certificate.json") {
            let payload = Envelope::from_slice(&bytes).unwrap().payload().to_vec();
            let signature = keys.sign(KeyName::Certificates, &pae(Certificate::TYPE, &payload)).await.unwrap();
            bytes = Envelope::assemble(Certificate::TYPE, payload, &root, signature).to_vec().unwrap();
        }
        assert!(!key.starts_with(LOG_PREFIX));
        store.put(&key, &bytes, Retention::days(1)).await.unwrap();
    }
}

async fn bundle(lambdas: &Lambdas<'_>, folder: &Path) {
    let keys: Arc<dyn Keys> = Arc::new(lambdas.key_service());
    let env = bundler::Env {
        store: lambdas.store().await,
        root: keys.public_key(KeyName::Certificates).await.unwrap(),
        keys,
        tenant: "clinic".parse().unwrap(),
        environment: "test".parse().unwrap(),
        work: folder.join("work"),
        retention: Retention::days(1),
        now_us: Arc::new(|| 1_790_000_200_000_000),
    };
    let bundled = bundler::bundle(&env, Period { from_us: 0, to_us: 1_800_000_000_000_000 }).await.unwrap();
    assert!(bundled.merged.evidence.holds(), "{:#?}", bundled.merged.evidence.findings);
    bundler::fetch(&env, &bundled.id, &folder.join("bundle")).await.unwrap();
}

/// The lake's files once there are so many.
async fn drawn(lambdas: &Lambdas<'_>, count: usize) -> BTreeMap<String, Vec<u8>> {
    for _ in 0..240 {
        let files = lambdas.lake_files().await;
        if files.len() >= count {
            return files;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("expected {count} files: {:?}", lambdas.lake_files().await.keys());
}

/// Parquet tables of a bundle.
struct Tables(std::path::PathBuf);

impl Tables {
    /// The lake's files that have the same rows.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        for table in Table::ALL {
            let rows = self.ask(&[format!("SELECT DISTINCT session, epoch_us(opened_at) FROM {table}")]);
            files.extend(rows.into_iter().flatten().map(|row| {
                let [Some(session), Some(opened)] = row.as_slice() else { panic!("{row:?}") };
                lake_file(table, &session.parse().unwrap(), opened.parse().unwrap()).unwrap()
            }));
        }
        files.sort();
        files
    }

    /// Rows of each answer, in no order.
    fn ask(&self, queries: &[String]) -> Vec<Rows> {
        let asked = json!({ "folder": self.0, "tables": Table::ALL.map(Table::name), "queries": queries });
        let output = python(ASK, &asked.to_string()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut answers: Vec<Rows> = serde_json::from_slice(&output.stdout).unwrap();
        answers.iter_mut().for_each(|rows| rows.sort());
        answers
    }
}

type Rows = Vec<Vec<Option<String>>>;

/// Athena, with the tables as infra/modules/pipeline/lake.tf has them.
struct Athena {
    url: String,
    output: String,
    database: String,
}

impl Athena {
    async fn new(emulator: &Emulator, lake: &str) -> Self {
        let database = emulator.name("lake").replace('-', "_");
        let athena = Self { url: emulator.url().to_owned(), output: format!("s3://{lake}/athena/"), database };
        athena.call("AWSGlue.CreateDatabase", json!({ "DatabaseInput": { "Name": athena.database } })).await;
        for table in Table::ALL {
            let columns =
                table.columns().iter().map(|column| json!({ "Name": column.name, "Type": glue(column.kind) }));
            let location = format!("s3://{lake}/tables/1/{table}/");
            let parameters = json!({
                "classification": "parquet",
                "projection.enabled": "true",
                "projection.day.type": "date",
                "projection.day.format": "yyyy-MM-dd",
                "projection.day.range": "2026-01-01,NOW",
                "storage.location.template": format!("{location}day=${{day}}/"),
            });
            let input = json!({
                "Name": table.name(),
                "TableType": "EXTERNAL_TABLE",
                "Parameters": parameters,
                "PartitionKeys": [{ "Name": "day", "Type": "string" }],
                "StorageDescriptor": { "Location": location, "Columns": columns.collect::<Vec<_>>() },
            });
            athena.call("AWSGlue.CreateTable", json!({ "DatabaseName": athena.database, "TableInput": input })).await;
        }
        athena
    }

    /// Rows of the answer, in no order.
    async fn ask(&self, query: &str) -> Rows {
        let started = self.call(
            "AmazonAthena.StartQueryExecution",
            json!({
                // The emulator asks DuckDB, which has another name for this.
                "QueryString": format!("CREATE MACRO array_join(l, s) AS array_to_string(l, s); {query}"),
                "QueryExecutionContext": { "Database": self.database },
                "ResultConfiguration": { "OutputLocation": self.output },
            }),
        );
        let asked = json!({ "QueryExecutionId": started.await["QueryExecutionId"] });
        for _ in 0..120 {
            let told = self.call("AmazonAthena.GetQueryExecution", asked.clone()).await;
            let status = &told["QueryExecution"]["Status"];
            match status["State"].as_str().unwrap() {
                "SUCCEEDED" => return self.rows(&asked).await,
                "FAILED" => panic!("{query}: {status}"),
                _ => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
        panic!("{query}: no answer");
    }

    async fn rows(&self, asked: &Value) -> Rows {
        let answer = self.call("AmazonAthena.GetQueryResults", asked.clone()).await;
        let datum = |datum: &Value| datum["VarCharValue"].as_str().map(str::to_owned);
        let row = |row: &Value| row["Data"].as_array().unwrap().iter().map(datum).collect();
        let mut rows: Rows = answer["ResultSet"]["Rows"].as_array().unwrap().iter().map(row).collect();
        rows.sort();
        rows
    }

    async fn call(&self, target: &str, body: Value) -> Value {
        let service = if target.starts_with("AWSGlue") { "glue" } else { "athena" };
        let credential = format!("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request");
        let post = reqwest::Client::builder().no_proxy().build().unwrap().post(&self.url);
        let post = post.header("x-amz-target", target).header("content-type", "application/x-amz-json-1.1");
        let answer = post.header("authorization", credential).body(body.to_string()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{target}: {status} {text}");
        serde_json::from_str(if text.is_empty() { "{}" } else { &text }).unwrap()
    }
}

/// As `lake.tf` has them.
fn glue(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "string",
        ColumnType::Integer => "bigint",
        ColumnType::Boolean => "boolean",
        ColumnType::Time => "timestamp",
        ColumnType::Texts => "array<string>",
    }
}

/// The texts of infra/modules/pipeline's.
fn saved_queries() -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("infra/modules/pipeline/lake.tf")).unwrap();
    let texts = text.split("<<-SQL\n").skip(1).map(|rest| rest.split("\n      SQL\n").next().unwrap().to_owned());
    let texts: Vec<String> = texts.collect();
    assert_eq!(texts.len(), 7, "{texts:?}");
    texts
}

/// A saved query is an example with a month, a name, a relation in it.
fn about_golden(query: &str) -> String {
    assert!(query.contains("day BETWEEN '2026-11-01' AND '2026-11-30'"), "{query}");
    query.replace("2026-11-", "2026-09-").replace("'alice'", "'agent-7'")
}

/// Answers as the emulator writes them down. A bundle's tables have no day: that of the session.
const ASK: &str = "import duckdb, json, sys
asked = json.loads(sys.argv[1])
base = duckdb.connect()
base.execute('CREATE MACRO array_join(l, s) AS array_to_string(l, s)')
for table in asked['tables']:
    file = lambda name: f\"read_parquet('{asked['folder']}/{name}.parquet')\"
    base.execute(f'''CREATE VIEW {table} AS SELECT t.*, s.opened AS opened_at,
        strftime(make_timestamp(epoch_us(s.opened)), '%Y-%m-%d') AS day
        FROM {file(table)} t JOIN {file('sessions')} s ON t.session = s.session''')
def text(value):
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
print(json.dumps([[[text(v) for v in row] for row in base.execute(q).fetchall()] for q in asked['queries']]))";
