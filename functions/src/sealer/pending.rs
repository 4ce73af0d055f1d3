//! What waits to be appended: walks the evidence relay by relay, life by life, in the order of its keys. It passes over
//! what is known to be over, and does not even list a life that has ended: there are more of them each day.

use std::vec;

use schemas::identifiers::{Incarnation, SessionId};
use schemas::layout::{Object, ObjectKind, Scope, parse};
use schemas::log::{Precedence, Rank};
use seams::{EvidenceStore, StoreError};

use super::progress::Progress;

/// A walk over the evidence of an environment. Holds a page of keys, and those of one session.
pub(super) struct Pending<'a> {
    store: &'a dyn EvidenceStore,
    relays: Folders,
    lives: Folders,
    /// Prefix of the life that is being walked; nothing when all of it was listed.
    life: Option<String>,
    page: vec::IntoIter<String>,
    /// Nothing up to this key is looked at any more.
    after: String,
    /// The end of the incarnation being walked: what is in it comes first.
    retired: Option<Object>,
    /// Its heartbeats: each comes after the sessions that it counts, which are listed after it.
    heartbeats: Vec<Object>,
    /// Read and not yet given.
    next: Option<Object>,
}

impl<'a> Pending<'a> {
    pub(super) fn new(store: &'a dyn EvidenceStore, prefix: String) -> Self {
        Self {
            store,
            relays: Folders::below(prefix),
            lives: Folders::default(),
            life: None,
            page: Vec::new().into_iter(),
            after: String::new(),
            retired: None,
            heartbeats: Vec::new(),
            next: None,
        }
    }

    /// The next objects that wait and belong together, in the order in which they must be appended; some may not be
    /// stored. Nothing when all are given.
    pub(super) async fn next(&mut self, progress: &Progress) -> Result<Vec<Object>, StoreError> {
        loop {
            let Some(object) = self.object(progress).await? else { return self.ended(progress).await };
            let walked = self.retired.as_ref().or(self.heartbeats.first());
            if walked.is_some_and(|walked| life(walked) != life(&object)) {
                self.next = Some(object);
                return self.ended(progress).await;
            }
            match &object.kind {
                // Stands before the sessions, and comes after them. Being listed first, it also says that all of them
                // are stored before they are listed.
                ObjectKind::RelayRetired(_) => self.retired = Some(object),
                // Stand before the sessions too. More of them than this wait for another run.
                ObjectKind::Heartbeat(..) if self.heartbeats.len() < HEARTBEATS_MAX => self.heartbeats.push(object),
                ObjectKind::Heartbeat(..) => {}
                ObjectKind::Abandoned(_) => return Ok(vec![object]),
                ObjectKind::Certificate(_) | ObjectKind::RelayStart(_) => return Ok(with_beginning(object)),
                kind => {
                    if let Some(session) = kind.session().cloned() {
                        return self.session(object, &session, progress).await;
                    }
                }
            }
        }
    }

    /// What comes after all sessions of the incarnation that was walked; nothing when nothing waits.
    async fn ended(&mut self, progress: &Progress) -> Result<Vec<Object>, StoreError> {
        let mut heartbeats = std::mem::take(&mut self.heartbeats);
        if let Some(retired) = self.retired.take() {
            // Listed after the heartbeats, of which more may be stored since; they were stored before it.
            let prefix = retired.scope.heartbeats(retired.kind.incarnation());
            let waits = |object: &Object| !progress.contains(object);
            heartbeats = self.store.list(&prefix).await?.iter().filter_map(|key| parse(key)).filter(waits).collect();
            heartbeats.push(retired);
        } else if let Some(last) = heartbeats.last().filter(|_| !run_on(&heartbeats, progress)) {
            // A listing takes time: one that was stored before another that is listed may not be listed itself. It is
            // there now; where it is not, somebody took it away.
            let prefix = last.scope.heartbeats(last.kind.incarnation());
            let waits = |object: &Object| object.kind <= last.kind && !progress.contains(object);
            heartbeats = self.store.list(&prefix).await?.iter().filter_map(|key| parse(key)).filter(waits).collect();
        }
        let mut given = heartbeats.first().cloned().map(with_beginning).unwrap_or_default();
        given.extend(heartbeats.into_iter().skip(1));
        Ok(given)
    }

    /// The rest of a session of which one object waits.
    async fn session(
        &mut self,
        first: Object,
        session: &SessionId,
        progress: &Progress,
    ) -> Result<Vec<Object>, StoreError> {
        let mut objects = vec![first.clone()];
        loop {
            match self.object(progress).await? {
                Some(object) if life(&object) == life(&first) && object.kind.session() == Some(session) => {
                    objects.push(object);
                }
                other => {
                    self.next = other;
                    break;
                }
            }
        }
        self.fill(&mut objects, &first.scope.session_prefix(session), progress).await?;
        objects.sort_by(|a, b| (Rank::of(&a.kind), a.key()).cmp(&(Rank::of(&b.kind), b.key())));
        let open = Object { scope: first.scope.clone(), kind: ObjectKind::SessionOpen(session.clone()) };
        let mut given = with_beginning(open);
        given.extend(objects.into_iter().filter(|object| !matches!(object.kind, ObjectKind::SessionOpen(_))));
        Ok(given)
    }

    /// A listing takes time: an object can be listed although one that was stored before it, and sorts before it, was
    /// not there yet when its place was listed. It is there now.
    async fn fill(&self, objects: &mut Vec<Object>, prefix: &str, progress: &Progress) -> Result<(), StoreError> {
        let mut seen = Precedence::default();
        objects.iter().for_each(|object| seen.insert(object));
        for key in self.store.list(prefix).await? {
            let before = parse(&key).filter(|object| seen.is_followed(object) && !progress.contains(object));
            objects.extend(before.filter(|object| !objects.contains(object)));
        }
        Ok(())
    }

    /// The next object that waits.
    async fn object(&mut self, progress: &Progress) -> Result<Option<Object>, StoreError> {
        if let Some(object) = self.next.take() {
            return Ok(Some(object));
        }
        loop {
            let Some(key) = self.page.next() else {
                if !self.turn(progress).await? {
                    return Ok(None);
                }
                continue;
            };
            if key <= self.after {
                continue;
            }
            self.after.clone_from(&key);
            // What has no place in the layout has none in the log; the verifier names it.
            let Some(object) = parse(&key) else { continue };
            if let Some(last) = progress.last_of_over(&object) {
                self.after = last;
            } else if !progress.contains(&object) {
                return Ok(Some(object));
            }
        }
    }
}

impl Pending<'_> {
    /// Turns to the next page of keys, of this life or the next one that has not ended; whether there is one.
    async fn turn(&mut self, progress: &Progress) -> Result<bool, StoreError> {
        loop {
            if let Some(life) = &self.life {
                let page = self.store.list_after(life, &self.after, PAGE).await?;
                if page.len() < PAGE {
                    self.life = None;
                }
                self.page = page.into_iter();
                return Ok(true);
            }
            if let Some(life) = self.lives.next(self.store).await? {
                self.life = Some(life).filter(|life| !has_ended(life, progress));
            } else if let Some(relay) = self.relays.next(self.store).await? {
                self.lives = Folders::below(relay);
            } else {
                return Ok(false);
            }
        }
    }
}

/// Folders below a prefix, a page at a time.
#[derive(Default)]
struct Folders {
    /// Nothing when all were listed.
    prefix: Option<String>,
    after: String,
    page: vec::IntoIter<String>,
}

impl Folders {
    fn below(prefix: String) -> Self {
        Self { prefix: Some(prefix), ..Self::default() }
    }

    async fn next(&mut self, store: &dyn EvidenceStore) -> Result<Option<String>, StoreError> {
        if let Some(folder) = self.page.next() {
            return Ok(Some(folder));
        }
        let Some(prefix) = &self.prefix else { return Ok(None) };
        let page = store.folders_after(prefix, &self.after, PAGE).await?;
        match page.last() {
            Some(last) if page.len() >= PAGE => self.after.clone_from(last),
            _ => self.prefix = None,
        }
        self.page = page.into_iter();
        Ok(self.page.next())
    }
}

/// Whether this is the prefix of a life after whose end nothing comes, or of none.
fn has_ended(life: &str, progress: &Progress) -> bool {
    parse(&format!("{life}certificate.json")).is_none_or(|certificate| progress.last_of_over(&certificate).is_some())
}

/// Whether each of these heartbeats of a life follows one that is in the log or among them.
fn run_on(heartbeats: &[Object], progress: &Progress) -> bool {
    let mut last = None;
    heartbeats.iter().all(|object| {
        let ObjectKind::Heartbeat(incarnation, sequence) = &object.kind else { return true };
        let before = sequence.saturating_sub(1);
        let kind = ObjectKind::Heartbeat(incarnation.clone(), before);
        let follows = match last {
            Some(last) => last == before,
            None => before == 0 || progress.contains(&Object { scope: object.scope.clone(), kind }),
        };
        last = Some(*sequence);
        follows
    })
}

/// With what is stored before anything else of its incarnation, which may have been listed too early.
fn with_beginning(object: Object) -> Vec<Object> {
    let incarnation = object.kind.incarnation();
    let kinds = [ObjectKind::Certificate(incarnation.clone()), ObjectKind::RelayStart(incarnation.clone())];
    let before = kinds.into_iter().filter(|kind| Rank::of(kind) < Rank::of(&object.kind));
    let mut objects: Vec<_> = before.map(|kind| Object { scope: object.scope.clone(), kind }).collect();
    objects.push(object);
    objects
}

fn life(object: &Object) -> (&Scope, &Incarnation) {
    (&object.scope, object.kind.incarnation())
}

/// A week of them, at one a minute.
const HEARTBEATS_MAX: usize = 10_000;
/// One request to S3 gives no more.
const PAGE: usize = 1000;
