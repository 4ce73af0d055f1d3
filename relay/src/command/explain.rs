//! `relay explain`: what would become of a statement, without running it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use identity::{Kind, Principal};
use schemas::event::{Path, Touched};
use schemas::visible;

use super::error::CommandError;
use super::scan::configured;
use super::statement::{Touch, show_target, show_text, show_touched};
use crate::access::Access;
use crate::config::{Classification, ColumnStyle, Connection};
use crate::policy::{Footing, Outcome, PolicySet, Refusal, Resolved, Ruling, decide};
use crate::serve;

/// Whose statement, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct Explain {
    /// The statement.
    pub sql: String,
    /// The relay's TOML file.
    #[arg(long)]
    pub config: PathBuf,
    /// The connection's name in the configuration.
    #[arg(long)]
    pub connection: String,
    /// A group of who asks, as its token claims it; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// The subject of who asks; without it, one that no policy names.
    #[arg(long, default_value = "nobody-in-particular")]
    pub subject: String,
    /// The issuer of its token; without it, the configuration's first.
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// It is a service or a CI job, and no person.
    #[arg(long)]
    pub service: bool,
    /// It is an agent that acts for a person in this group, and needs that person's permission too; may be given several times.
    #[arg(long = "acts-for-group", value_name = "GROUP", conflicts_with = "service")]
    pub acts_for_groups: Vec<String>,
    /// Schemas that names without one are looked for in; without it, the connection's.
    #[arg(long = "search-path", value_name = "SCHEMA")]
    pub search_path: Vec<String>,
}

/// Decides on the statement as the relay would now, and says what it found. The target is asked for its catalog alone.
///
/// # Errors
/// [`CommandError`], when there is nothing to decide on; a statement that is refused is none.
pub async fn explain(explain: &Explain, out: &mut (dyn Write + Send)) -> Result<(), CommandError> {
    let (connection, config) = configured(&explain.config, &explain.connection)?;
    let problem = |what| move |error: &dyn std::fmt::Display| CommandError::exchange(what, error);
    let policies = PolicySet::read(&config.policies).map_err(|error| problem("policies")(&error))?;
    let guarded =
        serve::guard(&connection, &Arc::new(policies), None).map_err(|error| problem("configuration")(&error))?;
    let issuer = explain.issuer.clone().or_else(|| config.issuer.first().map(|issuer| issuer.issuer.clone()));
    let principal = explain.principal(&issuer.unwrap_or_default());
    let access = guarded.access(&principal).await.map_err(|error| problem("the target")(&error))?;
    let search_path =
        if explain.search_path.is_empty() { connection.search_path.clone() } else { explain.search_path.clone() };
    let ruling = ruling(Arc::clone(&access), search_path, explain.sql.clone())?;
    let classification =
        Classification::read(&connection.classification).map_err(|error| problem("configuration")(&error))?;
    show(&Shown { connection: &connection, classification: &classification, access: &access, ruling: &ruling }, out)?;
    Ok(())
}

impl Explain {
    fn principal(&self, issuer: &str) -> Principal {
        let person = |subject: &str, groups: &[String], kind| {
            let mut groups = groups.to_vec();
            groups.sort();
            groups.dedup();
            let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
            Principal { kind, issuer, name: subject.clone(), subject, groups, expires_at: u64::MAX, acts_for: None }
        };
        if self.acts_for_groups.is_empty() {
            return person(&self.subject, &self.groups, if self.service { Kind::Service } else { Kind::User });
        }
        let human = person("somebody-it-acts-for", &self.acts_for_groups, Kind::User);
        Principal { acts_for: Some(Box::new(human)), ..person(&self.subject, &self.groups, Kind::Agent) }
    }
}

/// Decided on a thread with the stack that sessions have: a statement may be nested deeply.
fn ruling(access: Arc<Access>, search_path: Vec<String>, sql: String) -> Result<Ruling, CommandError> {
    // Nothing that holds a digest is shown.
    let decided = move || {
        let (own, footing) = (Arc::default(), Footing::on(&search_path));
        decide(&access.context(&footing, &own, &|_| String::new()), Path::Simple, &sql, &[])
    };
    let thread = std::thread::Builder::new().stack_size(crate::cores::STACK).spawn(decided)?;
    thread.join().map_err(|_| CommandError::exchange("the statement", "deciding on it failed"))
}

struct Shown<'a> {
    connection: &'a Connection,
    classification: &'a Classification,
    access: &'a Access,
    ruling: &'a Ruling,
}

fn show(shown: &Shown<'_>, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let (text, held) = match &shown.ruling.outcome {
        Outcome::Refused { refusal } => return show_refused(shown, refusal, out),
        Outcome::Permitted { upstream_sql } => {
            writeln!(out, "Permitted.")?;
            (upstream_sql, [].as_slice())
        }
        Outcome::Held { upstream_sql, objects } => {
            writeln!(out, "Held: it runs once somebody else has approved it.")?;
            (upstream_sql, objects.as_slice())
        }
    };
    show_target(&shown.connection.target(), &shown.connection.user, out)?;
    show_decided(shown, held, out)?;
    show_text(text, out)
}

fn show_refused(shown: &Shown<'_>, refusal: &Refusal, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    writeln!(out, "Refused:    {} (SQLSTATE {})", visible::line(&refusal.message), refusal.sqlstate)?;
    if let Some(hint) = &refusal.hint {
        writeln!(out, "Hint:       {}", visible::line(hint))?;
    }
    show_target(&shown.connection.target(), &shown.connection.user, out)?;
    show_decided(shown, &[], out)
}

/// Columns that an action gives masks to.
fn from_masks<'a>(held: &'a [Resolved], touched: &Touched) -> &'a [String] {
    let of = |object: &&Resolved| object.object == touched.object && object.verb == touched.action;
    held.iter().find(of).map(|object| object.from_masks.as_slice()).unwrap_or_default()
}

/// What each statement of the text touches, what of that is masked, and who says so.
fn show_decided(shown: &Shown<'_>, held: &[Resolved], out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let is_held = |touched: &Touched| {
        held.iter().any(|object| object.held && object.object == touched.object && object.verb == touched.action)
    };
    for statement in shown.ruling.statements.iter().map(|statement| &statement.event) {
        let touches = statement.objects.iter().map(|touched| Touch {
            verb: &touched.action,
            object: &touched.object,
            held: is_held(touched),
            from_masks: from_masks(held, touched),
        });
        show_touched(touches, out)?;
        for touched in &statement.objects {
            for masked in &touched.masked {
                let column = format!("{}.{}", touched.object, masked.column);
                let style = shown.style(&touched.object, &masked.column, &masked.style);
                writeln!(out, "Masked:     {} by {}", visible::line(&column), visible::line(&style))?;
            }
            for revealed in &touched.revealed {
                writeln!(out, "Revealed:   {}", visible::line(&format!("{}.{revealed}", touched.object)))?;
            }
        }
        for policy in &statement.decision.policies {
            writeln!(out, "Decided by: {}", visible::line(policy))?;
        }
    }
    writeln!(out, "Policies:   {}", shown.access.policy_sha256())
}

impl Shown<'_> {
    /// The style; of documents, with what their parts look like.
    fn style(&self, table: &str, column: &str, style: &str) -> String {
        let stated = self.classification.table.iter().find(|known| known.name == table);
        match stated.and_then(|stated| stated.columns.get(column)) {
            Some(ColumnStyle::Json(paths)) if style == "json" => {
                let parts: Vec<String> = paths.json.iter().map(|(path, style)| format!("{path} = {style}")).collect();
                format!("json ({})", parts.join(", "))
            }
            _ => style.to_owned(),
        }
    }
}
