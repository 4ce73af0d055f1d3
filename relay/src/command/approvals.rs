//! `relay approvals`, `relay approve`, `relay deny`.

use std::io::Write;
use std::time::Duration;

use schemas::approval::DecisionVerdict;
use schemas::event::{Actor, ActorKind};
use schemas::identifiers::RequestId;
use schemas::instant::rfc3339;
use schemas::visible;

use super::Console;
use super::console::{ConsoleApi, Listed, Shown};
use super::error::CommandError;
use super::oidc::{Oidc, Purpose};
use super::statement::{Touch, show_target, show_text, show_touched};

/// A decision on one request.
#[derive(Debug, Clone, clap::Args)]
pub struct Decision {
    /// The request's id, or its whole link.
    pub request: String,
    /// Why; it is kept with the evidence.
    #[arg(long)]
    pub rationale: String,
    /// Where, and who logs in.
    #[command(flatten)]
    pub console: Console,
}

/// Lists the requests that wait, or shows one of them.
///
/// # Errors
/// [`CommandError`].
pub async fn approvals(
    console: &Console,
    request: Option<&str>,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), CommandError> {
    let request = request.map(request_id).transpose()?;
    let (api, oidc) = begin(console).await?;
    let bearer = oidc.id_token(&Purpose::Look, err).await?;
    match request {
        Some(id) => show(&look(&api, &bearer, &id).await?, out)?,
        None => list(&api.pending(&bearer).await?, out)?,
    }
    Ok(())
}

/// Shows the request, has the person log in for this one decision, and sends it. Waits a while for the relay to say
/// what became of it.
///
/// # Errors
/// [`CommandError`].
pub async fn decide(
    decision: &Decision,
    verdict: DecisionVerdict,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), CommandError> {
    let id = request_id(&decision.request)?;
    let (api, oidc) = begin(&decision.console).await?;
    let bearer = oidc.id_token(&Purpose::Look, err).await?;
    let shown = look(&api, &bearer, &id).await?;
    show(&shown, out)?;
    out.flush()?;
    if shown.request.request != id {
        return Err(CommandError::exchange("the console", "it showed another request"));
    }
    let nonce = shown.request.commitment.to_string();
    let id_token = oidc.id_token(&Purpose::Decide { nonce: &nonce }, err).await?;
    api.decide(&bearer, &id, verdict, &decision.rationale, &id_token).await?;
    let wanted = match verdict {
        DecisionVerdict::Approved => "approved",
        DecisionVerdict::Denied => "denied",
    };
    match ended(&api, &bearer, &id).await? {
        Some(state) if state == wanted => writeln!(out, "{wanted}; the relay verified it")?,
        Some(state) => return Err(CommandError::NotHonoured(state)),
        None => writeln!(out, "{wanted}; the relay has not answered yet")?,
    }
    Ok(())
}

async fn begin(console: &Console) -> Result<(ConsoleApi, Oidc), CommandError> {
    let api = ConsoleApi::new(&console.console)?;
    let at = api.login().await?;
    let issuer = console.issuer.as_ref().unwrap_or(&at.issuer);
    let oidc = Oidc::discover(issuer, at.client_id, console.login.clone()).await?;
    Ok((api, oidc))
}

/// The request; one that was made only just may not be indexed yet.
async fn look(api: &ConsoleApi, bearer: &str, id: &RequestId) -> Result<Shown, CommandError> {
    for _ in 0..FIRST_LOOKS {
        match api.show(bearer, id).await {
            Err(CommandError::Refused { code, .. }) if code == "not-found" => tokio::time::sleep(BETWEEN_LOOKS).await,
            answered => return answered,
        }
    }
    api.show(bearer, id).await
}

/// How the request ended, if the relay says so soon.
async fn ended(api: &ConsoleApi, bearer: &str, id: &RequestId) -> Result<Option<String>, CommandError> {
    for _ in 0..LOOKS {
        let state = api.show(bearer, id).await?.state;
        if state != "decided" && state != "pending" {
            return Ok(Some(state));
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Ok(None)
}

/// From an id or a link to the console.
fn request_id(text: &str) -> Result<RequestId, CommandError> {
    let id = text.trim_end_matches('/').rsplit('/').next().unwrap_or(text);
    id.parse().map_err(|error: schemas::identifiers::InvalidIdentifier| CommandError::Argument {
        argument: "REQUEST",
        problem: error.to_string(),
    })
}

fn list(rows: &[Listed], out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "Nothing waits for a decision.");
    }
    let time = |time: Option<u64>| time.map_or("?".to_owned(), rfc3339);
    for row in rows {
        writeln!(
            out,
            "{id} {who} on {connection}, asked {asked}, ends {ends}\n  {url}",
            id = row.id,
            who = visible::line(row.requester.subject.as_deref().unwrap_or("?")),
            connection = visible::line(row.connection.as_deref().unwrap_or("?")),
            asked = time(row.requested_us),
            ends = time(row.expires_us),
            url = visible::line(&row.url),
        )?;
    }
    Ok(())
}

fn show(shown: &Shown, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let request = &shown.request;
    writeln!(out, "Request {} ({})", request.request, visible::line(&shown.state))?;
    for (place, actor) in std::iter::successors(Some(&request.actor), |actor| actor.acts_for.as_deref()).enumerate() {
        writeln!(out, "{} {}", if place == 0 { "Asked by:  " } else { "Acting for:" }, who(actor))?;
    }
    show_target(&request.target, &request.target_role, out)?;
    writeln!(out, "Reason:     {}", visible::line(request.reason.as_deref().unwrap_or("none given")))?;
    writeln!(out, "Ends:       {}", rfc3339(request.expires_us))?;
    let touches = request.objects.iter().map(|object| Touch {
        verb: &object.verb,
        object: &object.object,
        held: object.held,
        from_masks: &object.from_masks,
    });
    show_touched(touches, out)?;
    show_text(&request.text, out)?;
    for (number, parameter) in (1..).zip(&request.parameters) {
        // Quoted, for a text may say NULL as well.
        let value = parameter.value.as_deref().map(|value| format!("'{}'", visible::line(value)));
        writeln!(out, "${number} = {} (type {})", value.as_deref().unwrap_or("NULL"), parameter.type_oid)?;
    }
    for (name, value) in &request.settings {
        writeln!(out, "Read with:  {} = {}", visible::line(name), visible::line(value))?;
    }
    writeln!(out)?;
    if let Some(decision) = &shown.decision {
        let verdict = match decision.verdict {
            DecisionVerdict::Approved => "Approved",
            DecisionVerdict::Denied => "Denied",
        };
        let (by, why) = (visible::line(&decision.approver.subject), visible::line(&decision.rationale));
        writeln!(out, "{verdict} by {by}: {why}")?;
    }
    Ok(())
}

fn who(actor: &Actor) -> String {
    let kind = match actor.kind {
        ActorKind::User => "person",
        ActorKind::Service => "service",
        ActorKind::Agent => "agent",
    };
    format!(
        "{} ({kind} {} of {})",
        visible::line(&actor.name),
        visible::line(&actor.subject),
        visible::line(&actor.issuer)
    )
}

/// Together half a minute: the relay looks every two seconds at the latest.
const LOOKS: u32 = 60;
/// Together two seconds: storage notifications are slower at times.
const FIRST_LOOKS: u32 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
