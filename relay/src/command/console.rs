//! The console's JSON API, as a client.

use reqwest::{Client, RequestBuilder, StatusCode, Url};
use schemas::approval::{ApprovalRequest, Approver, DecisionVerdict};
use schemas::identifiers::RequestId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::error::CommandError;
use super::oidc::{acceptable, body, client};

/// A console.
pub(super) struct ConsoleApi {
    base: Url,
    http: Client,
}

/// Where to log in, as the console says.
#[derive(Deserialize)]
pub(super) struct LoginAt {
    pub(super) issuer: String,
    pub(super) client_id: String,
}

/// One request in a list.
#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) id: RequestId,
    pub(super) connection: Option<String>,
    pub(super) requester: Requester,
    pub(super) requested_us: Option<u64>,
    pub(super) expires_us: Option<u64>,
    pub(super) url: String,
}

/// Who asks.
#[derive(Deserialize)]
pub(super) struct Requester {
    pub(super) subject: Option<String>,
}

/// One request with its details.
#[derive(Deserialize)]
pub(super) struct Shown {
    pub(super) state: String,
    pub(super) request: ApprovalRequest,
    pub(super) decision: Option<Decided>,
}

/// What somebody decided.
#[derive(Deserialize)]
pub(super) struct Decided {
    pub(super) verdict: DecisionVerdict,
    pub(super) approver: Approver,
    pub(super) rationale: String,
}

#[derive(Deserialize)]
struct Page {
    approvals: Vec<Listed>,
    next: Option<RequestId>,
}

#[derive(Deserialize)]
struct Refusal {
    error: Problem,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    message: String,
}

impl ConsoleApi {
    pub(super) fn new(url: &str) -> Result<Self, CommandError> {
        let base = acceptable("--console", url)?;
        let http = client(&base)?;
        Ok(Self { base, http })
    }

    pub(super) async fn login(&self) -> Result<LoginAt, CommandError> {
        self.ask(self.http.get(self.url(&["login"])?)).await
    }

    /// All that wait.
    pub(super) async fn pending(&self, bearer: &str) -> Result<Vec<Listed>, CommandError> {
        let mut all = Vec::new();
        let mut after: Option<RequestId> = None;
        for _ in 0..PAGES_MAX {
            let mut url = self.url(&["approvals"])?;
            url.query_pairs_mut().append_pair("state", "pending");
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", &after.to_string());
            }
            let page: Page = self.ask(self.http.get(url).bearer_auth(bearer)).await?;
            all.extend(page.approvals);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(all)
    }

    pub(super) async fn show(&self, bearer: &str, id: &RequestId) -> Result<Shown, CommandError> {
        let url = self.url(&["approvals", &id.to_string()])?;
        self.ask(self.http.get(url).bearer_auth(bearer)).await
    }

    pub(super) async fn decide(
        &self,
        bearer: &str,
        id: &RequestId,
        verdict: DecisionVerdict,
        rationale: &str,
        id_token: &str,
    ) -> Result<(), CommandError> {
        let url = self.url(&["approvals", &id.to_string(), "decision"])?;
        let decision = json!({ "verdict": verdict, "rationale": rationale, "id_token": id_token });
        let _: serde_json::Value = self.ask(self.http.post(url).bearer_auth(bearer).json(&decision)).await?;
        Ok(())
    }

    fn url(&self, path: &[&str]) -> Result<Url, CommandError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| CommandError::exchange("--console", "expected a URL with a host"))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(path);
        Ok(url)
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CommandError> {
        let what = "the console";
        let mut answer = request.send().await.map_err(CommandError::http(what))?;
        let status = answer.status();
        let body = body(what, &mut answer).await?;
        if status == StatusCode::OK {
            return serde_json::from_slice(&body)
                .map_err(|_| CommandError::exchange(what, "an answer of another form"));
        }
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(Refusal { error }) => Err(CommandError::Refused { code: error.code, message: error.message }),
            Err(_) => Err(CommandError::exchange(what, format_args!("status {status}"))),
        }
    }
}

/// A console gives 50 requests a page; whoever has thousands waiting looks at the first ones first.
const PAGES_MAX: usize = 100;
