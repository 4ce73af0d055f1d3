//! Who, from where, to what, under which policy.

use std::io::{self, Write};

use schemas::event::{Actor, SessionOpen};

use crate::names::name;
use crate::safe_text::OneLine;
use schemas::instant::rfc3339;

pub(super) fn print(open: &SessionOpen, time_us: u64, out: &mut dyn Write) -> io::Result<()> {
    print_actor("who", &open.actor, out)?;
    let mut actor = &open.actor;
    while let Some(whom) = &actor.acts_for {
        print_actor("acts for", whom, out)?;
        actor = whom;
    }
    let application = if open.client_application.is_empty() { "no name" } else { &open.client_application };
    let from = format!("{}, {application}, {}", open.client_address, open.client_tls);
    let target = format!("{} at {} as {}", open.connection, open.target, open.target_role);
    let target = format!("{target}, server {}, {}", open.target_version, open.target_tls);
    let durability = name(&open.durability);
    for (label, text) in [
        ("from", from.as_str()),
        ("to", &target),
        ("policy", &open.policy_sha256),
        ("opened", &rfc3339(time_us)),
        ("expires", &rfc3339(open.expires_at.saturating_mul(1_000_000))),
        ("durable", &durability),
    ] {
        writeln!(out, "{label:<9} {}", OneLine(text))?;
    }
    Ok(())
}

fn print_actor(label: &str, actor: &Actor, out: &mut dyn Write) -> io::Result<()> {
    let groups = if actor.groups.is_empty() { "no groups".to_owned() } else { actor.groups.join(", ") };
    let text = format!("{} ({}, {}), {groups}, by {}", actor.subject, name(&actor.kind), actor.name, actor.issuer);
    writeln!(out, "{label:<9} {}", OneLine(&text))
}
