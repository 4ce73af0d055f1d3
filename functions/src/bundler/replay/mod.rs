//! `replay/<session>.html`: one session, in the order it happened, on a page that needs nothing else.

mod events;
mod exact;
mod page;

use std::collections::{BTreeMap, BTreeSet};

use schemas::chunk::OpenedChunk;
use schemas::event::{EventBody, SessionOpen};
use schemas::identifiers::SessionId;
use schemas::layout::{self, ObjectKind, Scope};
use schemas::session_key::DataKey;
use schemas::verify::{self, Observer, Options, SessionReport};
use schemas::wrapped_key::WrappedKey;
use seams::Keys;

use super::{BundlerError, Env};
use exact::Exact;
use page::{Item, Page};

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayPage {
    /// Its session.
    pub session: SessionId,
    /// Whether the session's evidence holds.
    pub sound: bool,
    /// The whole page. With the data key it may show protected health information.
    pub html: String,
}

/// The replay page of one session, verified as it is read. With `results`, whoever holds the data key, it also shows
/// what the client sent and received: such a page is never part of a bundle, for bundles are kept under retention and
/// go to people who need no patient's data.
///
/// # Errors
/// [`BundlerError::NoSession`], [`BundlerError::Store`], [`BundlerError::Keys`], [`BundlerError::Page`].
pub async fn replay(env: &Env, session: &SessionId, results: Option<&dyn Keys>) -> Result<ReplayPage, BundlerError> {
    let (scope, evidence) = read(env, session).await?;
    let key = match results {
        Some(keys) => Results::Shown(data_key(env, &scope, session, keys).await?),
        None => Results::Withheld,
    };
    let mut drawing = Drawing { wanted: Some(session), results: Some(key), ..Drawing::default() };
    verify::observe(&evidence, &env.root, &Options::default(), &mut drawing)
        .map_err(|error| BundlerError::folder(std::path::Path::new(""), error))?;
    drawing.finish()?.pop().ok_or_else(|| BundlerError::NoSession(session.to_string()))
}

/// The statements of the session's relay, and its chunks.
async fn read(env: &Env, session: &SessionId) -> Result<(Scope, BTreeMap<String, Vec<u8>>), BundlerError> {
    let mut found = None;
    let mut evidence = BTreeMap::new();
    for key in env.store.list(&layout::environment_prefix(&env.tenant, &env.environment)).await? {
        let Some(object) = layout::parse(&key) else { continue };
        let of_session = object.kind.session() == Some(session);
        if of_session {
            found = Some(object.scope);
        }
        let certificate = matches!(object.kind, ObjectKind::Certificate(_));
        let of_incarnation = *object.kind.incarnation() == session.incarnation && object.kind.chunk_of().is_none();
        if of_session || certificate || of_incarnation {
            let bytes = env.store.get(&key).await?.ok_or_else(|| BundlerError::gone(&key))?;
            evidence.insert(key, bytes);
        }
    }
    found.map(|scope| (scope, evidence)).ok_or_else(|| BundlerError::NoSession(session.to_string()))
}

/// The session's data key; nothing when its wrapped key was shredded.
async fn data_key(
    env: &Env,
    scope: &Scope,
    session: &SessionId,
    keys: &dyn Keys,
) -> Result<Option<DataKey>, BundlerError> {
    let Some(stored) = env.store.get(&scope.wrapped_key(session)).await? else { return Ok(None) };
    let session_key = keys.unwrap(&WrappedKey::from_slice(&stored)?, session).await?;
    Ok(Some(session_key.data_key()?))
}

/// Whether a page shows recorded results.
enum Results {
    /// It does not.
    Withheld,
    /// It does, where the session's key is still there.
    Shown(Option<DataKey>),
}

/// Draws the pages of sessions while the verifier reads them; holds one session at a time and the pages done.
#[derive(Default)]
pub(super) struct Drawing<'a> {
    /// The one session to draw; all, if none is named.
    wanted: Option<&'a SessionId>,
    results: Option<Results>,
    /// Sessions whose key was destroyed.
    pub(super) shredded: BTreeSet<SessionId>,
    session: Recording,
    pages: Vec<ReplayPage>,
    failed: Option<BundlerError>,
}

/// What was read of the session at hand.
#[derive(Default)]
struct Recording {
    begun: bool,
    open: Option<(u64, SessionOpen)>,
    items: Vec<Item>,
    left_out: u64,
    exact: Option<Exact>,
    shown: bool,
    shredded: bool,
}

impl Drawing<'_> {
    /// The pages, in the order of the sessions.
    pub(super) fn finish(self) -> Result<Vec<ReplayPage>, BundlerError> {
        self.failed.map_or(Ok(self.pages), Err)
    }

    fn is_wanted(&self, session: &SessionId) -> bool {
        self.wanted.is_none_or(|wanted| wanted == session)
    }

    fn begin(&mut self) {
        if !self.session.begun {
            self.session.begun = true;
            if let Some(Results::Shown(key)) = self.results.take() {
                self.session.shown = key.is_some();
                self.session.shredded = key.is_none();
                self.session.exact = key.map(Exact::new);
            }
        }
    }
}

impl Observer for Drawing<'_> {
    fn chunk(&mut self, _: &Scope, chunk: &OpenedChunk) {
        if self.is_wanted(&chunk.manifest().session) {
            self.begin();
            self.failed = self.failed.take().or(self.session.chunk(chunk).err());
        }
    }

    fn session(&mut self, report: &SessionReport) {
        if self.is_wanted(&report.session) {
            self.begin();
            self.session.shredded |= self.shredded.contains(&report.session);
            match std::mem::take(&mut self.session).finish(report) {
                Ok(page) => self.pages.push(page),
                Err(error) => self.failed = self.failed.take().or(Some(error)),
            }
        }
    }
}

impl Recording {
    fn chunk(&mut self, chunk: &OpenedChunk) -> Result<(), BundlerError> {
        if let Some(exact) = &mut self.exact {
            exact.read(chunk)?;
        }
        // The verifier has read them all; one that it could not read is a finding there.
        for event in chunk.events().map_while(Result::ok) {
            self.told_before(event.time_us);
            match event.body {
                EventBody::SessionOpen(open) => self.open = Some((event.time_us, *open)),
                body => {
                    let opened_us = self.open.as_ref().map_or(event.time_us, |(time_us, _)| *time_us);
                    self.push(events::item(&body, event.time_us, opened_us));
                }
            }
        }
        Ok(())
    }

    fn told_before(&mut self, time_us: u64) {
        let told = self.exact.as_mut().map(|exact| exact.before(time_us)).unwrap_or_default();
        told.into_iter().for_each(|text| self.push(Item::Exact(text)));
    }

    fn push(&mut self, item: Item) {
        if self.items.len() < ITEMS_MAX {
            self.items.push(item)
        } else {
            self.left_out = self.left_out.saturating_add(1)
        }
    }

    fn finish(mut self, report: &SessionReport) -> Result<ReplayPage, BundlerError> {
        let told = self.exact.take().map(Exact::finish).unwrap_or_default();
        told.into_iter().for_each(|text| self.push(Item::Exact(text)));
        let page = Page {
            session: report.session.to_string(),
            sound: report.sound,
            with_results: self.shown,
            shredded: self.shredded,
            who: page::who(self.open.as_ref()),
            facts: page::facts(report, self.open.as_ref()),
            items: &self.items,
            left_out: self.left_out,
        };
        Ok(ReplayPage { session: report.session.clone(), sound: report.sound, html: askama::Template::render(&page)? })
    }
}

/// Statements, executions, outcomes and pieces of a transcript on a page: more, and browsers grow slow.
const ITEMS_MAX: usize = 10_000;
