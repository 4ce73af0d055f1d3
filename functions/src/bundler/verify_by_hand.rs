//! `VERIFY.md`: how to verify a bundle, with our program and without it.

use askama::Template;

use super::{BundlerError, Env, Plan, names};

#[derive(Template)]
#[template(path = "bundle/VERIFY.md", escape = "none")]
struct Guide<'a> {
    tenant: String,
    environment: String,
    period: String,
    id: &'a str,
    root: String,
}

/// The text. Nothing in it is free text: names, times, digests.
pub(super) fn guide(env: &Env, plan: &Plan) -> Result<String, BundlerError> {
    let guide = Guide {
        tenant: env.tenant.to_string(),
        environment: env.environment.to_string(),
        period: names::period(plan.period),
        id: plan.id.as_str(),
        root: env.root.key_id().to_string(),
    };
    Ok(guide.render()?)
}
