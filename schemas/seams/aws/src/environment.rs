//! Environment variables, read once.

use std::fmt;
use std::str::FromStr;

/// Where variables are read.
pub struct Environment(Box<Read>);

/// Tells the value of a variable.
type Read = dyn Fn(&str) -> Option<String> + Send + Sync;

/// A variable that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {name}: {problem}; infra/README.md, Contract, says what it is for")]
pub struct EnvironmentError {
    name: &'static str,
    problem: String,
}

impl Environment {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// Variables that `read` tells.
    pub fn new(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Box::new(read))
    }

    /// A variable that must be there.
    ///
    /// # Errors
    /// When it is missing or empty.
    pub fn text(&self, name: &'static str) -> Result<String, EnvironmentError> {
        self.optional(name).ok_or_else(|| EnvironmentError::new(name, "is missing or empty"))
    }

    /// A variable that may be missing, which is the same as empty.
    #[must_use]
    pub fn optional(&self, name: &'static str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// A variable that must be there and be a `T`; `expected` says what that is.
    ///
    /// # Errors
    /// When it is missing or something else. What it is instead is not told.
    pub fn parsed<T: FromStr>(&self, name: &'static str, expected: &str) -> Result<T, EnvironmentError> {
        self.text(name)?.parse().map_err(|_| EnvironmentError::new(name, format_args!("expected {expected}")))
    }

    /// A list, with commas; one that is missing is empty.
    ///
    /// # Errors
    /// When one of it is no `T`.
    pub fn list<T: FromStr>(&self, name: &'static str, expected: &str) -> Result<Vec<T>, EnvironmentError> {
        let text = self.optional(name).unwrap_or_default();
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let parse = |item: &str| {
            item.parse().map_err(|_| EnvironmentError::new(name, format_args!("expected a list of {expected}")))
        };
        items.map(parse).collect()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

impl EnvironmentError {
    /// What is wrong with a variable. Its value is not to be told.
    #[must_use]
    pub fn new(name: &'static str, problem: impl fmt::Display) -> Self {
        Self { name, problem: problem.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &'static [(&str, &str)]) -> Environment {
        Environment::new(move |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_and_its_value_is_not_told() {
        let environment = environment(&[("EMPTY", ""), ("DAYS", "secret-7"), ("RELAYS", "one, two,"), ("BAD", "1,x")]);
        for error in [environment.text("EMPTY").unwrap_err(), environment.text("NOT_THERE").unwrap_err()] {
            assert!(error.to_string().contains("is missing or empty"), "{error}");
        }
        let error = environment.parsed::<u32>("DAYS", "a number of days").unwrap_err().to_string();
        assert!(error.starts_with("environment variable DAYS: expected a number of days"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(environment.list::<String>("RELAYS", "names").unwrap(), ["one", "two"]);
        assert!(environment.list::<u32>("NOT_THERE", "numbers").unwrap().is_empty());
        assert!(environment.list::<u32>("BAD", "numbers").is_err());
    }
}
