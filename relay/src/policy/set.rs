//! The policy set in force: Cedar files, validated strictly against the schema that the relay ships.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use cedar_policy::{
    ActionConstraint, Effect, EntityUid, Policy, PolicyId, PolicySet as CedarPolicies, Schema, ValidationMode,
    Validator,
};
use miette::Diagnostic;

use crate::catalog::digest_hex;

/// Validated policies and the digest that names them.
#[derive(Debug, Clone)]
pub struct PolicySet {
    pub(super) policies: CedarPolicies,
    pub(super) schema: Schema,
    sha256: String,
}

/// Policies that cannot be used. Every message says where.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file or the folder cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No policy at all: everything would be denied, which is surely not meant.
    #[error("{0} holds no *.cedar file with a policy")]
    Empty(PathBuf),
    /// Not Cedar.
    #[error("{location}: {problem}")]
    Syntax {
        /// `file:line:column`.
        location: String,
        /// What is wrong.
        problem: String,
    },
    /// Cedar that the schema does not allow: an unknown action, attribute or type.
    #[error("{location}: {problem}")]
    Invalid {
        /// `file:line:column`.
        location: String,
        /// What is wrong.
        problem: String,
    },
    /// The relay's own schema cannot be read: a bug of the relay.
    #[error("the relay's Cedar schema: {0}")]
    Schema(String),
}

impl PolicySet {
    /// Reads every `*.cedar` file of a folder, in order of their names.
    ///
    /// # Errors
    /// [`PolicyError`], with file, line and column.
    pub fn read(folder: &Path) -> Result<Self, PolicyError> {
        let failed = |path: &Path, source| PolicyError::Read { path: path.to_owned(), source };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|source| failed(folder, source))? {
            let path = entry.map_err(|source| failed(folder, source))?.path();
            if path.extension().is_some_and(|extension| extension == "cedar") {
                paths.push(path);
            }
        }
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(|source| failed(&path, source))?;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            files.push((name, text));
        }
        if files.is_empty() {
            return Err(PolicyError::Empty(folder.to_owned()));
        }
        Self::from_texts(&files)
    }

    /// As [`Self::read`], from names and texts.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn from_texts(files: &[(String, String)]) -> Result<Self, PolicyError> {
        let (schema, _) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|error| PolicyError::Schema(error.to_string()))?;
        let mut policies = CedarPolicies::new();
        let mut digest = format!("schema {}\n", digest_hex(SCHEMA));
        for (name, text) in files {
            digest.push_str(&format!("policies {} {name:?}\n", digest_hex(text)));
            add_file(&mut policies, name, text)?;
        }
        validate(&schema, &policies, files)?;
        Ok(Self { policies, schema, sha256: digest_hex(&digest) })
    }

    /// SHA-256 (hex) over the schema and all files. The classification of a connection is added by the profile's digest.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether any policy permits this action on anything: where none does there is nothing to ask.
    pub(super) fn may_permit(&self, action: &EntityUid) -> bool {
        let names = |policy: &Policy| match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(only) => only == *action,
            ActionConstraint::In(any) => any.contains(action),
        };
        self.policies.policies().any(|policy| policy.effect() == Effect::Permit && names(policy))
    }
}

fn add_file(policies: &mut CedarPolicies, name: &str, text: &str) -> Result<(), PolicyError> {
    let syntax = |problem: String, offset| PolicyError::Syntax { location: location(name, text, offset), problem };
    let parsed = CedarPolicies::from_str(text).map_err(|errors| syntax(errors.to_string(), offset(&errors)))?;
    if parsed.num_of_templates() > 0 {
        return Err(syntax("policy templates are not supported".to_owned(), None));
    }
    let mut named: Vec<&Policy> = parsed.policies().collect();
    named.sort_by_key(|policy| position(policy.id()));
    for (index, policy) in named.into_iter().enumerate() {
        let id = match policy.annotation("id") {
            Some(id) => id.to_owned(),
            None => format!("{name}#{}", index.saturating_add(1)),
        };
        policies
            .add(policy.new_id(PolicyId::new(&id)))
            .map_err(|error| syntax(format!("policy `{id}`: {error}"), None))?;
    }
    Ok(())
}

fn validate(schema: &Schema, policies: &CedarPolicies, files: &[(String, String)]) -> Result<(), PolicyError> {
    let result = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    let Some(error) = result.validation_errors().next() else { return Ok(()) };
    let id = error.policy_id().to_string();
    let in_file = |(name, text): &&(String, String)| {
        id.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('#'))
            || text.contains(&format!("@id({id:?})"))
    };
    let location = match files.iter().find(in_file) {
        Some((name, text)) => location(name, text, offset(error)),
        None => id,
    };
    Err(PolicyError::Invalid { location, problem: error.to_string() })
}

/// Cedar numbers the policies of a text `policy0`, `policy1`, ….
fn position(id: &PolicyId) -> usize {
    let text: &str = id.as_ref();
    text.strip_prefix("policy").and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}

fn offset(diagnostic: &dyn Diagnostic) -> Option<usize> {
    diagnostic.labels()?.next().map(|label| label.offset())
}

fn location(name: &str, text: &str, offset: Option<usize>) -> String {
    let Some(before) = offset.and_then(|offset| text.get(..offset)) else { return name.to_owned() };
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()).saturating_add(1);
    format!("{name}:{line}:{column}")
}

/// What policies may speak of.
pub(super) const SCHEMA: &str = include_str!("affidavit.cedarschema");

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PolicySet, PolicyError> {
        PolicySet::from_texts(&[("rules.cedar".to_owned(), text.to_owned())])
    }

    #[test]
    fn a_policy_about_what_the_schema_knows_is_accepted() {
        read("permit(principal in Group::\"analysts\", action == Action::\"select\", resource in Connection::\"clinic\");")
            .unwrap();
    }

    #[test]
    fn a_misspelt_action_is_refused_with_its_place() {
        let error = read("permit(principal, action == Action::\"connect\", resource);\n\npermit(principal,\n  action == Action::\"selct\", resource);").unwrap_err();
        assert!(
            matches!(&error, PolicyError::Invalid { location, .. } if location.starts_with("rules.cedar:")),
            "{error}"
        );
        assert!(error.to_string().contains("selct"), "{error}");
    }

    #[test]
    fn what_is_not_cedar_is_refused_with_its_place() {
        let error = read("permit(principal, action, resource);\n  permit nonsense;").unwrap_err();
        assert!(error.to_string().starts_with("rules.cedar:2:"), "{error}");
    }

    #[test]
    fn the_digest_follows_every_byte() {
        let one = read("permit(principal, action, resource);").unwrap();
        let other = read("permit(principal, action, resource); ").unwrap();
        assert_ne!(one.sha256(), other.sha256());
    }
}
