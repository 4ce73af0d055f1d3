//! The people, services and agents that the small issuer knows.

use std::path::Path;

use serde::Deserialize;

use crate::error::Error;

/// Everybody in `users.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// The `aud` of every token.
    pub audience: String,
    user: Vec<User>,
}

/// One of them.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Login name, and `sub` of the tokens.
    pub name: String,
    /// Person, service or agent.
    pub kind: UserKind,
    /// For people to read.
    pub full_name: String,
    /// Groups that tokens claim.
    #[serde(default)]
    pub groups: Vec<String>,
    /// For an agent: the name of the person it acts for.
    pub acts_for: Option<String>,
    /// For a service or an agent: what it shows at the token endpoint.
    secret: Option<String>,
}

/// Person, service or agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserKind {
    /// A person.
    User,
    /// A service or a CI job.
    Service,
    /// A software agent that acts for a person.
    Agent,
}

impl Users {
    /// Reads and checks `users.toml`.
    ///
    /// # Errors
    /// [`Error`], naming the file, the user and what was expected.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::read(path, source))?;
        let users: Self = toml::from_str(&text).map_err(|error| Error::content(path, error.message()))?;
        users.check().map_err(|problem| Error::content(path, problem))?;
        Ok(users)
    }

    /// The user of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&User> {
        self.user.iter().find(|user| user.name == name)
    }

    /// All names, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.user.iter().map(|user| user.name.as_str())
    }

    /// The people, in the file's order.
    pub fn people(&self) -> impl Iterator<Item = &User> {
        self.user.iter().filter(|user| user.kind == UserKind::User)
    }

    fn check(&self) -> Result<(), String> {
        for (index, user) in self.user.iter().enumerate() {
            let name = &user.name;
            if self.user.iter().take(index).any(|earlier| &earlier.name == name) {
                return Err(format!("user[{index}].name: {name} stands twice"));
            }
            let whom = user.acts_for.as_deref().and_then(|name| self.get(name)).map(|whom| whom.kind);
            let in_order = match user.kind {
                UserKind::Agent => whom == Some(UserKind::User),
                UserKind::User | UserKind::Service => user.acts_for.is_none(),
            };
            if !in_order {
                return Err(format!(
                    "user[{index}].acts_for: expected the name of a person for an agent, else nothing"
                ));
            }
            if user.secret.is_some() && user.kind == UserKind::User {
                return Err(format!("user[{index}].secret: expected for a service or an agent alone"));
            }
        }
        Ok(())
    }
}

impl User {
    /// Whether this is the secret of this service or agent; takes equally long wherever they differ.
    #[must_use]
    pub fn has_secret(&self, shown: &str) -> bool {
        self.secret.as_ref().is_some_and(|secret| {
            aws_lc_rs::constant_time::verify_slices_are_equal(secret.as_bytes(), shown.as_bytes()).is_ok()
        })
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({}, {:?})", self.name, self.kind)
    }
}
