use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_types::SdkConfig;

/// Where AWS is and who asks. Credentials come from whoever runs the program; none is looked for here.
#[derive(Clone)]
pub struct Connection {
    /// Region, e.g. `eu-central-1`.
    pub region: String,
    /// Another endpoint than AWS's own, as a URL: an emulator, a VPC endpoint.
    pub endpoint: Option<String>,
    /// Signs requests.
    pub credentials: SharedCredentialsProvider,
    /// How long calls may take.
    pub deadlines: Deadlines,
}

/// How long a call may take, and how often it is tried. Only what may succeed later is tried again: no connection, no
/// answer in time, 5xx, throttling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Until a connection stands.
    pub connect: Duration,
    /// For one attempt, until its answer begins. The largest object of 100 MiB must be sent in it.
    pub attempt: Duration,
    /// For all attempts together, and for the reading of an object.
    pub operation: Duration,
    /// Attempts in all, at least 1. Between them the SDK waits, longer each time, at random.
    pub attempts: u32,
    /// Longest wait between two attempts.
    pub longest_wait: Duration,
}

impl Connection {
    pub(crate) fn to_sdk(&self) -> SdkConfig {
        let retries = RetryConfig::standard()
            .with_max_attempts(self.deadlines.attempts)
            .with_max_backoff(self.deadlines.longest_wait)
            .with_initial_backoff(self.deadlines.longest_wait.min(FIRST_WAIT));
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.deadlines.connect)
            .operation_attempt_timeout(self.deadlines.attempt)
            .operation_timeout(self.deadlines.operation)
            .build();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.credentials.clone())
            .retry_config(retries)
            .timeout_config(timeouts);
        config.set_endpoint_url(self.endpoint.clone());
        config.build()
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            attempt: Duration::from_secs(30),
            operation: Duration::from_secs(120),
            attempts: 5,
            longest_wait: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Connection");
        debug.field("region", &self.region).field("endpoint", &self.endpoint).field("deadlines", &self.deadlines);
        debug.finish_non_exhaustive()
    }
}

const FIRST_WAIT: Duration = Duration::from_millis(500);
