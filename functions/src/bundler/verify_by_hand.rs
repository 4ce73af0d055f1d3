//! `VERIFY.md`: how to verify a bundle, with our program and without it.

use askama::Template;
use schemas::instant::rfc3339;

use super::{BundlerError, Env, Plan};

#[derive(Template)]
#[template(path = "bundle/VERIFY.md", escape = "none")]
struct Guide<'a> {
    tenant: String,
    environment: String,
    from: String,
    to: String,
    id: &'a str,
    root: String,
}

/// The text. Nothing in it is free text: names, times, digests.
pub(super) fn guide(env: &Env, plan: &Plan) -> Result<String, BundlerError> {
    let guide = Guide {
        tenant: env.tenant.to_string(),
        environment: env.environment.to_string(),
        from: rfc3339(plan.period.from_us),
        to: rfc3339(plan.period.to_us),
        id: plan.id.as_str(),
        root: env.root.key_id().to_string(),
    };
    Ok(guide.render()?)
}
