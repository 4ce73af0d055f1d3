//! From the claims of a verified token to a principal.
//!
//! **Kind.** With `act` (RFC 8693 section 4.1) the token is delegated: the principal is the *agent* that `act` names,
//! and it acts for the token's `sub`; nested `act`s are earlier agents, between the two. Without `act` it is a
//! *service* when the token was issued to a client for itself, which issuers say in one of these ways: `sub` equals
//! `client_id` or `azp` (RFC 9068 section 2.2, Cognito), `gty` is `client-credentials` (Auth0), `idtyp` is `app`
//! (Entra ID), or `sub` is a Kubernetes service account. Otherwise it is a *user*.
//!
//! **Groups.** Those of the token belong to its `sub`; an agent has only those inside its own `act` object, so that
//! delegation never lends rights that no policy gave to the agent.

use serde_json::Value;

use crate::error::TokenError;
use crate::members::Members;
use crate::principal::{Kind, Principal};

/// The principal of a token whose signature, issuer, audience and times have been checked.
pub(crate) fn principal(
    claims: &Members,
    issuer: &str,
    groups_claim: &str,
    expires_at: u64,
) -> Result<Principal, TokenError> {
    let subject = Principal {
        kind: if is_service(claims) { Kind::Service } else { Kind::User },
        ..party(claims, issuer, groups_claim, expires_at)?
    };
    let mut actors = Vec::new();
    let mut next = claims.get("act").cloned();
    while let Some(act) = next {
        if actors.len() == ACT_DEPTH_MAX {
            return Err(TokenError::Claim { claim: "act", expected: "a chain of at most 4 actors" });
        }
        let Value::Object(act) = act else {
            return Err(TokenError::Claim { claim: "act", expected: "an object" });
        };
        let act = Members::from(act);
        next = act.get("act").cloned();
        actors.push(agent(&act, issuer, groups_claim, expires_at)?);
    }
    // Outermost is the current actor, so the chain is built from the innermost outwards.
    Ok(actors
        .into_iter()
        .rev()
        .fold(subject, |acts_for, agent| Principal { acts_for: Some(Box::new(acts_for)), ..agent }))
}

fn agent(act: &Members, issuer: &str, groups_claim: &str, expires_at: u64) -> Result<Principal, TokenError> {
    // An issuer speaks for its own subjects alone: it must not be able to name another issuer's.
    if act.get("iss").is_some_and(|iss| iss.as_str() != Some(issuer)) {
        return Err(TokenError::Claim { claim: "act.iss", expected: "the token's own issuer" });
    }
    Ok(Principal { kind: Kind::Agent, ..party(act, issuer, groups_claim, expires_at)? })
}

fn party(claims: &Members, issuer: &str, groups_claim: &str, expires_at: u64) -> Result<Principal, TokenError> {
    let subject = match claims.get("sub") {
        Some(Value::String(sub)) if (1..=SUBJECT_MAX).contains(&sub.chars().count()) && !has_control(sub) => sub,
        _ => return Err(TokenError::Claim { claim: "sub", expected: "1 to 255 characters, none a control character" }),
    };
    Ok(Principal {
        kind: Kind::User,
        issuer: issuer.to_owned(),
        subject: subject.clone(),
        name: display_name(claims, subject),
        groups: groups(claims.get(groups_claim))?,
        expires_at,
        acts_for: None,
    })
}

fn is_service(claims: &Members) -> bool {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let subject = text("sub");
    subject == text("client_id")
        || subject == text("azp")
        || text("gty") == Some("client-credentials")
        || text("idtyp") == Some("app")
        || subject.is_some_and(|sub| sub.starts_with("system:serviceaccount:"))
}

fn display_name(claims: &Members, subject: &str) -> String {
    let claimed = ["name", "preferred_username", "email"]
        .iter()
        .filter_map(|name| claims.get(name).and_then(Value::as_str))
        .find(|name| !name.trim().is_empty());
    claimed.unwrap_or(subject).chars().filter(|c| !c.is_control()).take(NAME_MAX).collect()
}

fn groups(claim: Option<&Value>) -> Result<Vec<String>, TokenError> {
    let values = match claim {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(values)) => values.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    let mut groups = values
        .iter()
        .map(|value| match value {
            Value::String(group) if !group.is_empty() && !has_control(group) => Ok(group.clone()),
            _ => Err(TokenError::Claim { claim: "groups", expected: "a string or an array of strings" }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// OpenID Connect Core 1.0 section 2: `sub` has at most 255 characters.
const SUBJECT_MAX: usize = 255;
/// A name is written into every session's first event.
const NAME_MAX: usize = 128;
/// Agents that call agents; the record names each, and a longer chain tells nobody who is responsible.
const ACT_DEPTH_MAX: usize = 4;
