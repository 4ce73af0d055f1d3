//! The console, behind an HTTP API of API Gateway. What that says of a token is not believed: the console verifies it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws::{DynamoIndex, Environment, LambdaFunction, PlacedStore, mac};
use functions::bundler::Period;
use functions::console::{Access, Begun, BundleMaker, BundleMakerError, CookieKey, Env, Links, Provider, Settings};
use seams::{KeyName, StoreError};

use crate::clock;
use crate::deployment::{Patience, StartError, deployment};

/// Reads the environment, opens the buckets, asks for the key that seals cookies.
///
/// # Errors
/// [`StartError`].
pub async fn start(environment: &Environment) -> Result<Env, StartError> {
    const GROUPS: &str = "names of groups, with commas";
    let deployment = deployment(environment, Patience::Short)?;
    let keys = deployment.keys(environment, &[KeyName::Certificates, KeyName::Approvals])?;
    let table = environment.text("AFFIDAVIT_TABLE")?;
    let bundler = environment.text("AFFIDAVIT_BUNDLER")?;
    let access = Access {
        approvers: environment.list("AFFIDAVIT_APPROVERS", GROUPS)?,
        reviewers: environment.list("AFFIDAVIT_REVIEWERS", GROUPS)?,
    };
    let (url, issuer) = (environment.text("AFFIDAVIT_CONSOLE_URL")?, environment.text("AFFIDAVIT_ISSUER")?);
    let (client, groups) = (environment.text("AFFIDAVIT_CLIENT_ID")?, environment.text("AFFIDAVIT_GROUPS_CLAIM")?);
    let provider = Provider::new(&issuer, &client, &groups)?;
    let cookies = mac(&deployment.connection, &environment.text(COOKIES)?, COOKIES_MESSAGE).await?;
    let cookies = CookieKey::from_bytes(&cookies).map_err(|_| StartError::Cryptography(COOKIES))?;
    let store = Arc::new(deployment.store(clock::now_s).await?);
    Ok(Env {
        store: store.clone(),
        index: Arc::new(DynamoIndex::new(&deployment.connection, table)),
        root: keys.public_key(KeyName::Certificates).await?,
        keys,
        tenant: deployment.tenant.clone(),
        environment: deployment.environment.clone(),
        bundles: Arc::new(Bundler(LambdaFunction::new(&deployment.connection, bundler))),
        links: Some(Arc::new(Downloads(store))),
        provider: Arc::new(provider),
        settings: Settings::new(&url, access, cookies)?,
        now_us: Arc::new(clock::now_us),
    })
}

/// The bundler as another function, which has the right to the bundles key.
struct Bundler(LambdaFunction);

#[async_trait]
impl BundleMaker for Bundler {
    async fn begin(&self, period: Period) -> Result<Begun, BundleMakerError> {
        let failed = |error: &dyn std::fmt::Display| BundleMakerError::Failed(error.to_string());
        let event = serde_json::to_vec(&period).map_err(|error| failed(&error))?;
        self.0.begin(event).await.map_err(|error| failed(&error))?;
        Ok(Begun::UnderWay)
    }
}

/// Files of bundles, from their bucket.
struct Downloads(Arc<PlacedStore>);

#[async_trait]
impl Links for Downloads {
    async fn link(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.0.link(key, LINK_VALID).await
    }
}

/// Long enough to follow it; what is begun goes on.
const LINK_VALID: Duration = Duration::from_secs(60);
const COOKIES: &str = "AFFIDAVIT_KEY_COOKIES";
/// What the key that seals cookies is the MAC of. Another message, another key.
const COOKIES_MESSAGE: &[u8] = b"affidavit/cookies/v1";
