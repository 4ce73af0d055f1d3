//! What is said twice, in `relay.toml` and in the environment, must be the same: evidence goes where the environment says,
//! under names that the configuration says.

use aws::Deployment;
use relay::config::Config;
use schemas::identifiers::Name;

/// What is not the same, or not as AWS has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {found}, expected {expected}")]
pub(super) struct Disagreement {
    field: &'static str,
    found: String,
    expected: String,
}

/// `relay` is whose the configuration is, where its place says that.
pub(super) fn check(config: &Config, deployment: &Deployment, relay: Option<&Name>) -> Result<(), Disagreement> {
    same("tenant", &config.tenant, &deployment.tenant, "AFFIDAVIT_TENANT")?;
    same("environment", &config.environment, &deployment.environment, "AFFIDAVIT_ENVIRONMENT")?;
    same("relay", &config.relay, relay.unwrap_or(&config.relay), "AFFIDAVIT_CONFIG")?;
    let (kept, keep) = (config.evidence.retain_days, deployment.retention.in_days());
    same("evidence.retain_days", &kept, &keep, "AFFIDAVIT_RETAIN_DAYS")?;
    if config.drain_seconds > DRAIN_SECONDS_MAX {
        return Err(Disagreement {
            field: "drain_seconds",
            found: config.drain_seconds.to_string(),
            expected: format!("at most {DRAIN_SECONDS_MAX}: ECS kills after 120, and evidence must be stored before"),
        });
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Display>(
    field: &'static str,
    found: &T,
    expected: &T,
    variable: &str,
) -> Result<(), Disagreement> {
    if found == expected {
        return Ok(());
    }
    Err(Disagreement { field, found: found.to_string(), expected: format!("{expected}, as {variable} says") })
}

/// Sessions have ended ten seconds after it; twenty are left for evidence.
const DRAIN_SECONDS_MAX: u64 = 90;

#[cfg(test)]
mod tests {
    use aws::{Deadlines, Environment, credentials_of};

    use super::*;

    fn config(change: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.toml");
        let (from, to) = change.split_once(" to ").unwrap();
        assert!(CONFIG.contains(from), "{change}");
        std::fs::write(&path, CONFIG.replacen(from, to, 1)).unwrap();
        Config::read(&path).unwrap()
    }

    fn deployment() -> Deployment {
        let environment = Environment::new(|name| {
            let value = match name {
                "AFFIDAVIT_TENANT" => "clinic",
                "AFFIDAVIT_ENVIRONMENT" => "test",
                "AFFIDAVIT_RETAIN_DAYS" => "7",
                "AFFIDAVIT_LOCK_MODE" => "governance",
                _ => "any",
            };
            Some(value.to_owned())
        });
        Deployment::read(&environment, credentials_of(&environment).unwrap(), Deadlines::default()).unwrap()
    }

    #[test]
    fn what_is_said_twice_is_the_same_or_both_are_told() {
        let relay: Name = "one".parse().unwrap();
        let said =
            |change: &str| check(&config(change), &deployment(), Some(&relay)).map_err(|error| error.to_string());
        said("clinic to clinic").unwrap();
        said("drain_seconds = 60 to drain_seconds = 90").unwrap();
        for (change, told) in [
            ("\"clinic\" to \"other\"", "tenant is other, expected clinic, as AFFIDAVIT_TENANT says"),
            ("\"test\" to \"other\"", "environment is other, expected test, as AFFIDAVIT_ENVIRONMENT says"),
            ("\"one\" to \"other\"", "relay is other, expected one, as AFFIDAVIT_CONFIG says"),
            ("days = 7 to days = 6", "evidence.retain_days is 6, expected 7, as AFFIDAVIT_RETAIN_DAYS says"),
        ] {
            assert_eq!(said(change).unwrap_err(), told);
        }
        let error = said("drain_seconds = 60 to drain_seconds = 91").unwrap_err();
        assert!(error.contains("drain_seconds is 91, expected at most 90"), "{error}");
        check(&config("\"one\" to \"other\""), &deployment(), None).unwrap();
    }

    const CONFIG: &str = r#"
tenant = "clinic"
environment = "test"
relay = "one"
policies = "policies"
drain_seconds = 60
listener = [{ bind = "127.0.0.1:0" }]
issuer = [{ issuer = "https://issuer.example", audience = "a" }]
evidence = { spool = "/spool", retain_days = 7 }

[[connection]]
name = "clinic"
host = "db.example"
database = "clinic"
user = "relay"
password = { environment = "PASSWORD" }
classification = "clinic.toml"
"#;
}
