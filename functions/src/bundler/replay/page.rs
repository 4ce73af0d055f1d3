//! The page and its head.

use askama::Template;
use schemas::event::{Actor, ActorKind, SessionOpen};
use schemas::instant::rfc3339;
use schemas::verify::{SessionReport, SessionState};

use crate::bundler::readable::readable;

#[derive(Template)]
#[template(path = "bundle/replay.html")]
pub(super) struct Page<'a> {
    pub(super) session: String,
    pub(super) sound: bool,
    pub(super) with_results: bool,
    pub(super) shredded: bool,
    pub(super) who: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) items: &'a [Item],
    pub(super) left_out: u64,
}

/// One thing on the page, in the order it happened. All texts are readable already.
pub(super) enum Item {
    Statement(StatementView),
    Event {
        time: String,
        text: String,
        tone: &'static str,
    },
    /// A piece of the transcript.
    Exact(String),
}

pub(super) struct StatementView {
    pub(super) number: u64,
    pub(super) time: String,
    pub(super) class: String,
    pub(super) decision: &'static str,
    pub(super) tone: &'static str,
    pub(super) policies: String,
    pub(super) sqlstate: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) text: String,
    pub(super) literals: String,
    pub(super) touched: Vec<TouchedView>,
    pub(super) upstream: Option<String>,
}

pub(super) struct TouchedView {
    pub(super) object: String,
    pub(super) action: String,
    pub(super) masked: String,
    pub(super) revealed: String,
}

/// Whose session it is, for the heading.
pub(super) fn who(open: Option<&(u64, SessionOpen)>) -> String {
    open.map_or_else(|| "an identity that is not on record".to_owned(), |(_, open)| named(&open.actor))
}

/// Who, from where, to what, under which policy, and how it ended.
pub(super) fn facts(report: &SessionReport, open: Option<&(u64, SessionOpen)>) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some((opened_us, open)) = open {
        facts.push(("Identity", identity(&open.actor)));
        let chain = std::iter::successors(open.actor.acts_for.as_deref(), |actor| actor.acts_for.as_deref());
        facts.extend(chain.map(|actor| ("Acts for", identity(actor))));
        let application = if open.client_application.is_empty() { "no name given" } else { &open.client_application };
        facts.push(("Client", format!("{} ({application}), {}", open.client_address, tls(&open.client_tls))));
        facts.push(("Connection", format!("{} to {} as {}", open.connection, open.target, open.target_role)));
        facts.push(("Database", format!("server {}, {}", open.target_version, tls(&open.target_tls))));
        facts.push(("Policy set", open.policy_sha256.clone()));
        facts.push(("Opened", rfc3339(*opened_us)));
    }
    let end = match (report.state, report.closed_us) {
        (SessionState::Open, _) => "still open when this page was made".to_owned(),
        (_, Some(closed_us)) => format!("{}, {}", rfc3339(closed_us), reason(report)),
        (_, None) => reason(report),
    };
    facts.push(("Closed", end));
    facts.push(("Relay", format!("{} of {} {}", report.scope.relay, report.scope.tenant, report.scope.environment)));
    facts.into_iter().map(|(label, value)| (label, readable(&value))).collect()
}

fn named(actor: &Actor) -> String {
    readable(&if actor.name.is_empty() { actor.subject.clone() } else { actor.name.clone() })
}

fn identity(actor: &Actor) -> String {
    let kind = match actor.kind {
        ActorKind::User => "person",
        ActorKind::Service => "service",
        ActorKind::Agent => "agent",
    };
    let groups = if actor.groups.is_empty() { "no groups".to_owned() } else { actor.groups.join(", ") };
    format!("{} ({}), {kind}, {groups}; known by {}", actor.name, actor.subject, actor.issuer)
}

fn tls(told: &str) -> String {
    if told == "none" { "not encrypted".to_owned() } else { told.to_owned() }
}

fn reason(report: &SessionReport) -> String {
    let reason = report.reason.and_then(|reason| serde_json::to_value(reason).ok());
    let reason = reason.as_ref().and_then(serde_json::Value::as_str).unwrap_or("no reason on record");
    let recovered = if report.recovered { "; a part was sealed by another life of the relay" } else { "" };
    format!("{}{recovered}", reason.replace('-', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_text_is_never_markup() {
        let hostile = readable("</pre><script>alert('x')</script>\u{202e}<img src=\"x\" onerror=\"y\">");
        let statement = StatementView {
            number: 1,
            time: String::new(),
            class: hostile.clone(),
            decision: "permitted",
            tone: "good",
            policies: hostile.clone(),
            sqlstate: Some(hostile.clone()),
            reason: Some(hostile.clone()),
            text: hostile.clone(),
            literals: hostile.clone(),
            touched: vec![TouchedView {
                object: hostile.clone(),
                action: hostile.clone(),
                masked: hostile.clone(),
                revealed: hostile.clone(),
            }],
            upstream: Some(hostile.clone()),
        };
        let items = [
            Item::Statement(statement),
            Item::Event { time: String::new(), text: hostile.clone(), tone: "" },
            Item::Event { time: String::new(), text: hostile.clone(), tone: "look" },
            Item::Exact(hostile.clone()),
        ];
        let page = Page {
            session: String::new(),
            sound: true,
            with_results: true,
            shredded: false,
            who: hostile.clone(),
            facts: vec![("Client", hostile)],
            items: &items,
            left_out: 3,
        };
        let html = page.render().unwrap();
        for markup in ["<script", "<img", "\u{202e}"] {
            assert!(!html.contains(markup), "{markup}");
        }
        assert!(html.contains("&#60;script&#62;") && html.contains("\\u{202e}"), "{html}");
    }
}
