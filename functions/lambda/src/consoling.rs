//! The console, behind an HTTP API of API Gateway. What that says of a token is not believed: the console verifies it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws::{Connection, Deployment, DynamoIndex, Environment, LambdaFunction, PlacedStore, mac};
use axum::Router;
use functions::bundler::Period;
use functions::console::{
    self, Access, Begun, BundleMaker, BundleMakerError, CookieKey, Env, Links, Provider, Settings,
};
use seams::{KeyName, Keys, StoreError};

use crate::clock;
use crate::deployment::{Patience, StartError, deployment, public_key, store};
use crate::opened::Opened;

/// Reads the environment. The buckets are opened, and the key that seals cookies is asked for, with the first request.
///
/// # Errors
/// [`StartError`].
pub fn start(environment: &Environment) -> Result<Opened<Router>, StartError> {
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
    let said = Said {
        keys,
        index: Arc::new(DynamoIndex::new(&deployment.connection, table)),
        bundler: LambdaFunction::new(&deployment.connection, bundler),
        provider: Arc::new(Provider::new(&issuer, &client, &groups)?),
        access,
        url,
        cookies: environment.text(COOKIES)?,
        deployment,
    };
    Ok(Opened::by(said, async |said| Ok(console::router(said.open().await?))))
}

/// What the environment says.
#[derive(Clone)]
struct Said {
    deployment: Deployment,
    keys: Arc<dyn Keys>,
    index: Arc<DynamoIndex>,
    bundler: LambdaFunction,
    provider: Arc<Provider>,
    access: Access,
    url: String,
    /// ARN of the key that seals cookies.
    cookies: String,
}

impl Said {
    async fn open(self) -> Result<Env, StartError> {
        let Self { deployment, keys, .. } = self;
        let (store, root, cookies) = tokio::try_join!(
            store(&deployment),
            public_key(&keys, KeyName::Certificates),
            cookie_key(&deployment.connection, &self.cookies)
        )?;
        let store = Arc::new(store);
        Ok(Env {
            store: store.clone(),
            index: self.index,
            root,
            keys,
            tenant: deployment.tenant,
            environment: deployment.environment,
            bundles: Arc::new(Bundler(self.bundler)),
            links: Some(Arc::new(Downloads(store))),
            provider: self.provider,
            settings: Settings::new(&self.url, self.access, cookies)?,
            now_us: Arc::new(clock::now_us),
        })
    }
}

async fn cookie_key(connection: &Connection, key: &str) -> Result<CookieKey, StartError> {
    let bytes = mac(connection, key, COOKIES_MESSAGE).await?;
    CookieKey::from_bytes(&bytes).map_err(|_| StartError::Cryptography(COOKIES))
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
