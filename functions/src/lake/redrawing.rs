//! Drawing everything again, out of the evidence alone.

use schemas::identifiers::{Name, SessionId};
use schemas::layout::{self, Scope};
use tokio::time::{Instant, timeout_at};

use super::drawing::Drawing;
use super::{Drawn, Env, LakeError, Undrawn, Why};

/// How far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrawn {
    /// What was drawn, and what not.
    pub drawn: Drawn,
    /// Where to go on; nothing when all is done.
    pub after: Option<String>,
}

/// A session as it is listed.
struct Listed {
    scope: Scope,
    session: SessionId,
    keys: Vec<String>,
}

/// Draws every session of an environment that was opened, closed or not, in the order of keys, from the first after the
/// key `after`; ends in time, and tells where to go on.
///
/// # Errors
/// [`LakeError`]; the same call again does it again.
pub async fn redraw(
    env: &Env,
    (tenant, environment): (&Name, &Name),
    after: &str,
    until: Instant,
) -> Result<Redrawn, LakeError> {
    let prefix = layout::environment_prefix(tenant, environment);
    let mut run = Run { env, until, drawn: Drawn::default(), done: after.to_owned(), tried: false };
    let (mut last, mut listed) = (after.to_owned(), None);
    loop {
        let page = env.store.list_after(&prefix, &last, PAGE).await?;
        let Some(newest) = page.last() else { break };
        last.clone_from(newest);
        for key in page {
            let object = layout::parse(&key);
            let of = object.and_then(|object| Some((object.scope, object.kind.session()?.clone())));
            // A session's keys follow each other.
            let is_next = |listed: &Listed| of.as_ref() != Some(&(listed.scope.clone(), listed.session.clone()));
            if let Some(before) = listed.take_if(|listed| is_next(listed))
                && !run.draw(before).await?
            {
                return Ok(run.stop());
            }
            match (&mut listed, of) {
                (Some(listed), _) => listed.keys.push(key),
                (None, Some((scope, session))) => listed = Some(Listed { scope, session, keys: vec![key] }),
                (None, None) => run.done = key,
            }
        }
        // A relay that was idle for a year has a thousand pages, and nothing to draw.
        if Instant::now() >= until {
            return Ok(run.stop());
        }
    }
    if let Some(listed) = listed
        && !run.draw(listed).await?
    {
        return Ok(run.stop());
    }
    Ok(Redrawn { drawn: run.drawn, after: None })
}

struct Run<'a> {
    env: &'a Env,
    until: Instant,
    drawn: Drawn,
    /// The last key that nothing more is to be done for.
    done: String,
    /// A session was tried in this run: the next one may have had too little time.
    tried: bool,
}

impl Run<'_> {
    /// Whether there was time for it.
    async fn draw(&mut self, listed: Listed) -> Result<bool, LakeError> {
        let Listed { scope, session, keys } = listed;
        let last = keys.last().cloned().unwrap_or_default();
        if Instant::now() >= self.until {
            return Ok(false);
        }
        if keys.contains(&scope.session_open(&session)) {
            let drawing = Drawing::new(self.env, &scope, &session, keys).draw();
            match timeout_at(self.until, drawing).await {
                Ok(drawn) => self.drawn.add(&session, drawn?),
                Err(_) if self.tried => return Ok(false),
                // It had all the time there is.
                Err(_) => self.drawn.undrawn.push(Undrawn { session, why: Why::TooLong }),
            }
            self.tried = true;
        }
        self.done = last;
        Ok(true)
    }

    fn stop(self) -> Redrawn {
        Redrawn { drawn: self.drawn, after: Some(self.done) }
    }
}

/// Keys at a time.
const PAGE: usize = 1000;
