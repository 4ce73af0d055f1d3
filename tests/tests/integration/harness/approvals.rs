//! The console's part, and an attacker's: finding requests, signing decisions, putting them where the relay looks.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use schemas::approval::{ApprovalDecision, ApprovalRequest, Approver, DecisionVerdict};
use schemas::dsse::Envelope;
use schemas::signature::P256Key;
use serde_json::{Value, json};

use super::Relay;

/// A request that waits.
pub(crate) struct Pending {
    /// What an approver is shown.
    pub(crate) details: ApprovalRequest,
    /// Where the decision belongs.
    decision: PathBuf,
    data: PathBuf,
    issuer: String,
    kid: String,
}

/// A decision to be signed; everything of it can be changed first.
pub(crate) struct Decision {
    /// Claims of the ID token.
    pub(crate) claims: Value,
    /// The decision; its token is made last.
    pub(crate) statement: ApprovalDecision,
}

impl Pending {
    /// Waits for a request about `what` (in its text) that has no decision. Tests share a relay.
    pub(crate) fn about(relay: &Relay, what: &str) -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = Self::undecided(relay).into_iter().find(|one| one.details.text.contains(what)) {
                return found;
            }
            assert!(Instant::now() < deadline, "nothing is held:\n{}", relay.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// All requests there ever were.
    pub(crate) fn all(relay: &Relay) -> Vec<Self> {
        Self::those(relay, |_| true)
    }

    /// Those that nobody has decided on.
    pub(crate) fn undecided(relay: &Relay) -> Vec<Self> {
        Self::those(relay, |decision| !decision.exists())
    }

    fn those(relay: &Relay, wanted: impl Fn(&Path) -> bool) -> Vec<Self> {
        let data = relay.evidence().parent().unwrap().to_owned();
        let (mut found, mut folders) = (Vec::new(), vec![relay.evidence().join("objects/approvals")]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(stem) = path.to_str().unwrap().strip_suffix(".request.json") {
                    let decision = PathBuf::from(format!("{stem}.decision.json"));
                    if !wanted(&decision) {
                        continue;
                    }
                    let envelope = Envelope::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                    let details = envelope.read_unverified().unwrap();
                    let token = relay.token("bob");
                    let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
                    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(&token).unwrap().claims;
                    let issuer = claims["iss"].as_str().unwrap().to_owned();
                    found.push(Self { details, decision, data: data.clone(), issuer, kid });
                }
            }
        }
        found
    }

    /// A good decision of this person: in one of these groups, just logged in for this request.
    pub(crate) fn decision(&self, person: &str, groups: &[&str], verdict: DecisionVerdict) -> Decision {
        let now = now();
        let claims = json!({
            "iss": self.issuer, "aud": "affidavit-console", "sub": person, "name": person, "groups": groups,
            "iat": now, "auth_time": now, "exp": now + 300, "nonce": self.details.commitment.to_string(),
        });
        let approver = Approver { issuer: self.issuer.clone(), subject: person.to_owned(), name: person.to_owned() };
        let statement = ApprovalDecision {
            request: self.details.request.clone(),
            commitment: self.details.commitment,
            verdict,
            approver,
            rationale: "checked against the bank's statement".to_owned(),
            decided_us: now * 1_000_000,
            id_token: String::new(),
        };
        Decision { claims, statement }
    }

    /// Bob approves, as he should.
    pub(crate) fn approve(&self) {
        self.store(&self.signed(self.decision("bob", &["approvers"], DecisionVerdict::Approved)));
    }

    /// Bob denies.
    pub(crate) fn deny(&self) {
        self.store(&self.signed(self.decision("bob", &["approvers"], DecisionVerdict::Denied)));
    }

    /// Signed by the issuer and by the approvals key.
    pub(crate) fn signed(&self, decision: Decision) -> Vec<u8> {
        self.signed_by(decision, &self.approvals_key())
    }

    /// Signed by the issuer and by another key.
    pub(crate) fn signed_by(&self, decision: Decision, key: &P256Key) -> Vec<u8> {
        let Decision { claims, mut statement } = decision;
        if statement.id_token.is_empty() {
            let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::RS256) };
            let issuer_key = std::fs::read(self.data.join("issuer.key")).unwrap();
            let issuer_key = EncodingKey::from_rsa_pem(&issuer_key).unwrap();
            statement.id_token = jsonwebtoken::encode(&header, &claims, &issuer_key).unwrap();
        }
        Envelope::of(&statement, key).unwrap().to_vec().unwrap()
    }

    /// Any bytes where the decision belongs, whole at once.
    pub(crate) fn store(&self, bytes: &[u8]) {
        let incoming = self.decision.with_extension("incoming");
        std::fs::write(&incoming, bytes).unwrap();
        std::fs::rename(incoming, &self.decision).unwrap();
    }

    fn approvals_key(&self) -> P256Key {
        P256Key::from_pkcs8_pem(&std::fs::read_to_string(self.data.join("keys/approvals.pem")).unwrap()).unwrap()
    }
}

/// What a client says that was started beforehand.
pub(crate) fn said_by(child: Child) -> super::Said {
    let output = child.wait_with_output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    super::Said { success: output.status.success(), text }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
