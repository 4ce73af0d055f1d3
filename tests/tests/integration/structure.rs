//! The directions between packages: which crates must be absent below which (`cargo deny` sees direct users alone).

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

#[test]
fn codecs_formats_and_the_auditor_do_no_asynchronous_io() {
    let graph = Graph::read();
    for package in ["wire", "schemas", "identity", "auditor"] {
        let below = graph.below(package);
        assert!(below.len() > 3, "{package} depends on something, or this test sees nothing: {below:?}");
        for absent in ["tokio", "async-std", "smol", "hyper", "reqwest", "aws-config", "aws-sdk-s3"] {
            assert!(!below.contains(absent), "{package} reaches {absent}");
        }
    }
    assert!(graph.below("relay").contains("tokio"), "the relay has it, or this test sees nothing");
}

/// Their adapters know them, not the other way: what runs on one machine builds no SDK.
#[test]
fn the_sdk_of_aws_is_below_its_adapters_alone() {
    let graph = Graph::read();
    for package in ["schemas", "seams", "auditor", "wire", "identity", "relay", "functions", "local"] {
        let below = graph.below(package);
        let sdk: Vec<&&str> = below.iter().filter(|name| name.starts_with("aws-s") || **name == "aws").collect();
        assert!(sdk.is_empty(), "{package} reaches {sdk:?}");
    }
    let below = graph.below("aws");
    assert!(below.contains("aws-sdk-s3"), "the adapters have it, or this test sees nothing");
    assert!(!below.contains("aws-config"), "credentials are the program's to find");
}

#[test]
fn the_auditor_contains_nothing_that_wrote_the_evidence() {
    let graph = Graph::read();
    let below = graph.below("auditor");
    for absent in ["relay", "functions", "local", "seams", "identity", "pg_query", "cedar-policy"] {
        assert!(!below.contains(absent), "auditor reaches {absent}");
    }
}

#[test]
fn lower_packages_never_import_higher_ones() {
    let graph = Graph::read();
    for (package, absent) in [
        ("schemas", &["seams", "wire", "identity", "relay", "functions", "local", "auditor"][..]),
        ("aws", &["wire", "identity", "relay", "functions", "local", "auditor"]),
        ("seams", &["aws", "wire", "identity", "relay", "functions", "local", "auditor"]),
        ("wire", &["seams", "identity", "relay", "functions", "local", "auditor"]),
        ("identity", &["seams", "wire", "relay", "functions", "local", "auditor"]),
        ("relay", &["functions", "local", "auditor", "program"]),
        ("program", &["functions", "lambda", "local", "auditor"]),
        ("functions", &["relay", "lambda", "local", "auditor"]),
        ("lambda", &["relay", "local", "auditor"]),
        ("local", &["auditor", "tests"]),
    ] {
        let below = graph.below(package);
        for name in absent {
            assert!(!below.contains(*name), "{package} reaches {name}");
        }
    }
}

/// Features are united over the workspace, so what one package builds by itself is asked of Cargo's tree.
#[test]
fn the_relay_builds_no_parquet() {
    for (package, has) in [("relay", false), ("auditor", true)] {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--edges=normal", "--prefix=none", "--package", package, "--manifest-path"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8(output.stdout).unwrap();
        assert!(tree.contains("schemas v"), "{tree}");
        let found = tree.lines().any(|line| line.starts_with("arrow") || line.starts_with("parquet"));
        assert_eq!(found, has, "{package}");
    }
}

/// What each package depends on directly, without development dependencies.
struct Graph {
    names: BTreeMap<String, String>,
    dependencies: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version=1", "--offline", "--manifest-path"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut graph = Self { names: BTreeMap::new(), dependencies: BTreeMap::new() };
        for package in metadata["packages"].as_array().unwrap() {
            graph.names.insert(text(&package["id"]), text(&package["name"]));
        }
        for node in metadata["resolve"]["nodes"].as_array().unwrap() {
            let direct = node["deps"].as_array().unwrap().iter().filter(|dependency| {
                dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null())
            });
            graph.dependencies.insert(text(&node["id"]), direct.map(|dependency| text(&dependency["pkg"])).collect());
        }
        graph
    }

    /// Names of everything below a workspace package.
    fn below(&self, package: &str) -> BTreeSet<&str> {
        let root = self.names.iter().find(|(id, name)| *name == package && id.starts_with("path+")).unwrap().0;
        let mut found = BTreeSet::new();
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            for dependency in &self.dependencies[id] {
                if found.insert(self.names[dependency].as_str()) {
                    open.push(dependency);
                }
            }
        }
        found
    }
}
