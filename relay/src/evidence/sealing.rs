//! Segments become chunks on disk, in order, while the session lives and after it died.

use std::time::Duration;

use schemas::digest::Sha256Digest;
use schemas::event::CloseReason;
use schemas::session_key::SessionKey;
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::EvidenceError;
use super::core::{Case, blocking};
use super::settlement::{End, Sealed};
use crate::recorder::Reel;
use crate::seal::{self, Sealing, Survived};
use crate::ship::Pause;
use crate::spool::{Contents, Ending, Kind, SessionFacts, SpoolError};

/// One segment to be sealed.
#[derive(Clone)]
struct Job {
    sequence: u64,
    key: SessionKey,
    prev: Sha256Digest,
    last: bool,
    /// The segment may end in a torn write.
    torn: bool,
    /// For the last segment of a dead incarnation's session: bytes of earlier segments that were no whole record.
    discarded_before: Option<u64>,
}

/// What later segments and the session's end need to know of a sealed one.
struct Done {
    digest: Sha256Digest,
    last_event: u64,
    reason: Option<CloseReason>,
    discarded_bytes: u64,
}

impl Case {
    /// Seals a live session's segments as they get complete or old, until it has ended.
    pub(super) async fn seal_live(
        &self,
        facts: &SessionFacts,
        key: SessionKey,
        reel: &Reel,
        sealed: watch::Sender<Sealed>,
    ) -> Result<(), EvidenceError> {
        let age = Duration::from_secs(self.core.evidence.segment_seconds);
        let (mut next, mut prev) = (1, facts.open.statement_digest());
        let mut standing = self.core.standing();
        loop {
            let progress = {
                let mut tape = reel.tape();
                if let Err(error) = tape.rotate_if_older(age) {
                    tracing::error!(session = %self.session, %error, "cannot start a segment: the session must end");
                }
                tape.progress()
            };
            let last = progress.ending.is_some() && next == progress.sequence;
            if next < progress.sequence || last {
                self.flush_successor(reel, last).await?;
                let torn = progress.ending == Some(Ending::Broken);
                let job = Job { sequence: next, key: key.clone(), prev, last, torn, discarded_before: None };
                let done = self.seal_segment(job).await?;
                if last {
                    reel.paid().await;
                }
                done.tell(next, last, &sealed);
                if last {
                    return Ok(());
                }
                (prev, next) = (done.digest, next.saturating_add(1));
                continue;
            }
            let old = async {
                match progress.content_since.map(|since| since + age) {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = reel.changed.notified() => {}
                () = old => {}
                // It can never be sealed, so the session must end: now, not when the segment is complete.
                Ok(lost) = standing.wait_for(|standing| standing.check().is_err()) => lost.check()?,
            }
        }
    }

    /// Seals what a dead incarnation left of a session. `chunks` and `segments` are the sequences on disk, in order;
    /// `torn_bytes` are those of segments without a whole header.
    pub(super) async fn seal_dead(
        &self,
        left: Left,
        key: Option<SessionKey>,
        sealed: watch::Sender<Sealed>,
    ) -> Result<(), EvidenceError> {
        let mut prev = self.chain_before(&left).await?;
        let mut discarded = left.torn_bytes;
        let last_of_all = left.pieces.last().map(|(sequence, _)| *sequence);
        for (sequence, kind) in left.pieces {
            let last = Some(sequence) == last_of_all;
            let done = match (kind, &key) {
                (Kind::Chunk, _) => self.read_chunk(sequence).await?,
                (Kind::Spool, Some(key)) => {
                    let discarded_before = last.then_some(discarded);
                    let job = Job { sequence, key: key.clone(), prev, last, torn: true, discarded_before };
                    self.seal_segment(job).await?
                }
                (Kind::Spool, None) => return Err(EvidenceError::Interrupted),
            };
            prev = done.digest;
            discarded = discarded.saturating_add(done.discarded_bytes);
            done.tell(sequence, last, &sealed);
        }
        Ok(())
    }

    /// What a chunk on disk says.
    async fn read_chunk(&self, sequence: u64) -> Result<Done, EvidenceError> {
        let (case, entry) = (self.clone(), self.entry(sequence, Kind::Chunk));
        self.core
            .heavy(move || {
                let earlier = case.judge(sequence, &case.folder.read(entry)?)?;
                Ok(Done {
                    digest: earlier.digest,
                    last_event: earlier.manifest.last_event,
                    reason: earlier.reason,
                    discarded_bytes: 0,
                })
            })
            .await
    }

    /// Statement digest that the first piece's chunk must name as its predecessor's.
    async fn chain_before(&self, left: &Left) -> Result<Sha256Digest, EvidenceError> {
        let first = left.pieces.first().map_or(1, |(sequence, _)| *sequence);
        let Some(before) = first.checked_sub(1).filter(|before| *before > 0) else {
            return Ok(left.open.unwrap_or_else(nothing));
        };
        // Only a segment needs it; a chunk has it already.
        if left.pieces.first().is_some_and(|(_, kind)| *kind == Kind::Chunk) {
            return Ok(nothing());
        }
        match self.core.shipper.read(&self.core.scope.chunk(&self.session, before)).await {
            Some(bytes) => Ok(self.judge(before, &bytes)?.digest),
            None => {
                let missing = before;
                tracing::error!(session = %self.session, missing, "a chunk was taken from the store; verification will name it");
                Ok(nothing())
            }
        }
    }

    /// Reads a chunk of this session that was sealed earlier.
    pub(super) fn judge(&self, sequence: u64, bytes: &[u8]) -> Result<seal::Earlier, EvidenceError> {
        let path = self.folder.file(self.entry(sequence, Kind::Chunk));
        let damaged = |problem| EvidenceError::from(SpoolError::Damaged { path: path.clone(), problem });
        let earlier = seal::read(bytes).map_err(|violation| {
            tracing::error!(session = %self.session, sequence, %violation, "a sealed chunk cannot be read");
            damaged("it is no chunk")
        })?;
        if (&earlier.manifest.session, earlier.manifest.sequence) == (&self.session, sequence) {
            Ok(earlier)
        } else {
            Err(damaged("it is another chunk"))
        }
    }

    /// The open segment's first record must be on the disk before its predecessor goes: else a machine that dies could
    /// lose the only file that shows that the session is open.
    async fn flush_successor(&self, reel: &Reel, last: bool) -> Result<(), EvidenceError> {
        if last {
            return Ok(());
        }
        let successor = reel.tape().current()?;
        blocking(move || Ok(successor.flush()?)).await
    }

    /// Seals one segment and replaces it by its chunk; tries again while the disk refuses.
    async fn seal_segment(&self, job: Job) -> Result<Done, EvidenceError> {
        let mut pause = Pause::default();
        loop {
            let (case, attempt) = (self.clone(), job.clone());
            match self.core.heavy(move || case.seal_now(&attempt)).await {
                Err(EvidenceError::Spool(error @ SpoolError::Disk { .. })) => {
                    tracing::error!(session = %self.session, sequence = job.sequence, %error, "cannot seal, will try again");
                    pause.wait(self.core.entropy.as_ref()).await;
                }
                other => return other,
            }
        }
    }

    fn seal_now(&self, job: &Job) -> Result<Done, EvidenceError> {
        self.core.may_sign()?;
        let entry = self.entry(job.sequence, Kind::Spool);
        let damaged = |problem| SpoolError::Damaged { path: self.folder.file(entry), problem };
        let bytes = self.folder.read(entry)?;
        let contents = Contents::read(bytes, &job.key.spool_key()?)?.ok_or_else(|| damaged("its header is torn"))?;
        let header = &contents.header;
        if (&header.facts.session, header.sequence) != (&self.session, job.sequence) {
            return Err(damaged("it is another segment").into());
        }
        if !job.torn && contents.discarded_bytes > 0 {
            self.core.shipper.fence().raise("a segment on the relay's own disk was changed");
            return Err(damaged("records that were written are not there").into());
        }
        let survived = job.discarded_before.map(|before| Survived {
            by: self.core.id.clone(),
            discarded_bytes: before.saturating_add(contents.discarded_bytes),
        });
        let sealing = Sealing {
            contents: &contents,
            session_key: &job.key,
            prev: job.prev,
            last: job.last,
            survived,
            now_us: self.core.clock.now_us(),
        };
        let sealed = seal::seal(&sealing, &self.core.key, self.core.entropy.as_ref())?;
        self.folder.seal(entry, &sealed.chunk.bytes)?;
        Ok(Done {
            digest: sealed.chunk.digest,
            last_event: sealed.chunk.manifest.last_event,
            reason: sealed.reason,
            discarded_bytes: contents.discarded_bytes,
        })
    }
}

/// What a dead incarnation left of a session.
pub(super) struct Left {
    /// Sequences in order, each as its chunk or else as its segment.
    pub(super) pieces: Vec<(u64, Kind)>,
    /// Bytes of segments without a whole header.
    pub(super) torn_bytes: u64,
    /// Statement digest of the session-open leaf, where a segment told it.
    pub(super) open: Option<Sha256Digest>,
}

impl Done {
    fn tell(&self, sequence: u64, last: bool, sealed: &watch::Sender<Sealed>) {
        let end = last.then(|| End {
            chunks: sequence,
            events: self.last_event,
            last_manifest: self.digest,
            reason: self.reason.unwrap_or(CloseReason::Aborted),
        });
        sealed.send_modify(|state| {
            state.through = sequence;
            state.end = end;
        });
    }
}

/// Names no statement: for a chain that somebody broke, and where the chain is not looked at.
fn nothing() -> Sha256Digest {
    Sha256Digest::from_bytes([0; 32])
}
