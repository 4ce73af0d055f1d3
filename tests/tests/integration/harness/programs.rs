//! The programs and libraries under test, built by cargo before they are used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// Where cargo put what the workspace builds.
pub(crate) struct Programs {
    executables: BTreeMap<String, PathBuf>,
    libraries: BTreeMap<String, PathBuf>,
}

impl Programs {
    /// Builds what is stale, once a process; after `cargo test --workspace` that is nothing or a link.
    pub(crate) fn built() -> &'static Self {
        static BUILT: OnceLock<Programs> = OnceLock::new();
        BUILT.get_or_init(Self::build)
    }

    /// An executable by its name.
    pub(crate) fn executable(&self, name: &str) -> &Path {
        self.executables.get(name).unwrap_or_else(|| panic!("cargo built no program {name}"))
    }

    /// A workspace library (`.rlib`) by its name.
    pub(crate) fn library(&self, name: &str) -> &Path {
        self.libraries.get(name).unwrap_or_else(|| panic!("cargo built no library {name}"))
    }

    fn build() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--workspace", "--lib", "--bins", "--quiet", "--message-format=json-render-diagnostics"])
            .current_dir(super::repository())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut programs = Self { executables: BTreeMap::new(), libraries: BTreeMap::new() };
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let message: Value = serde_json::from_str(line).unwrap();
            programs.add(&message);
        }
        programs
    }

    fn add(&mut self, message: &Value) {
        if message["reason"] != "compiler-artifact" {
            return;
        }
        let name = message["target"]["name"].as_str().unwrap().to_owned();
        if let Some(path) = message["executable"].as_str() {
            self.executables.insert(name, path.into());
        } else if message["package_id"].as_str().unwrap().starts_with("path+") {
            let files = message["filenames"].as_array().unwrap().iter().filter_map(Value::as_str);
            if let Some(path) = files.into_iter().find(|path| path.ends_with(".rlib")) {
                self.libraries.insert(name, path.into());
            }
        }
    }
}
