use schemas::digest::Sha256Digest;
use schemas::event::CloseReason;
use schemas::identifiers::{InvalidIdentifier, SessionId};

use super::{Breach, approvals, clause, failed};
use crate::index::{ChunkRow, Index, IndexError, SessionRow};

/// The contract of [`Index`]. `index` must be empty.
///
/// # Errors
/// The first clause that is broken.
pub async fn index(index: &dyn Index) -> Result<(), Breach> {
    facts_merge_in_any_order(index).await?;
    facts_told_at_once_are_all_known(index).await?;
    conflicts_change_nothing(index).await?;
    chunks_are_added_once(index).await?;
    sessions_come_in_pages(index).await?;
    approvals::approvals(index).await
}

/// A session of which only its name is known.
///
/// # Errors
/// Never, for counters from 1.
pub fn sample_session(counter: u32) -> Result<SessionRow, InvalidIdentifier> {
    let session: SessionId = format!("{}-{counter:010}", "0123456789abcdef".repeat(2)).parse()?;
    Ok(SessionRow::new(session, "clinic".parse()?, "test".parse()?, "r1".parse()?))
}

async fn facts_merge_in_any_order(index: &dyn Index) -> Result<(), Breach> {
    let plain = sample_session(1).map_err(failed)?;
    let connection = Some("db".parse().map_err(failed)?);
    let opened = SessionRow { connection, opened_us: Some(5), ..plain.clone() };
    let closed = SessionRow {
        closed_us: Some(9),
        reason: Some(CloseReason::Idle),
        chunks: Some(2),
        events: Some(7),
        recovered: Some(false),
        ..plain.clone()
    };
    clause(index.session(&plain.session).await.map_err(failed)?.is_none(), "an unknown session is nothing")?;
    for row in [&closed, &opened, &closed, &plain, &opened] {
        index.record_session(row.clone()).await.map_err(failed)?;
    }
    let expected = SessionRow { connection: opened.connection.clone(), opened_us: Some(5), ..closed };
    let known = index.session(&plain.session).await.map_err(failed)?;
    clause(known.as_ref() == Some(&expected), "facts merge in any order, repeated or not")?;
    let second = sample_session(2).map_err(failed)?;
    index.record_session(second.clone()).await.map_err(failed)?;
    clause(index.sessions().await.map_err(failed)? == [expected, second], "sessions gives all, by id")
}

async fn facts_told_at_once_are_all_known(index: &dyn Index) -> Result<(), Breach> {
    let plain = sample_session(3).map_err(failed)?;
    let told = |row: SessionRow| index.record_session(row);
    let (a, b, c, d) = tokio::join!(
        told(SessionRow { opened_us: Some(5), ..plain.clone() }),
        told(SessionRow { closed_us: Some(9), ..plain.clone() }),
        told(SessionRow { chunks: Some(2), ..plain.clone() }),
        told(SessionRow { voided: true, ..plain.clone() }),
    );
    for result in [a, b, c, d] {
        result.map_err(failed)?;
    }
    let expected =
        SessionRow { opened_us: Some(5), closed_us: Some(9), chunks: Some(2), voided: true, ..plain.clone() };
    let known = index.session(&plain.session).await.map_err(failed)?;
    clause(known == Some(expected), "facts told at once are all known")?;
    let (a, b) = tokio::join!(
        told(SessionRow { events: Some(1), ..plain.clone() }),
        told(SessionRow { events: Some(2), ..plain.clone() }),
    );
    clause(a.is_ok() != b.is_ok(), "of two that contradict each other one is a conflict")
}

async fn conflicts_change_nothing(index: &dyn Index) -> Result<(), Breach> {
    let plain = sample_session(1).map_err(failed)?;
    let before = index.session(&plain.session).await.map_err(failed)?;
    let other = SessionRow { issuer: Some("new".to_owned()), opened_us: Some(6), ..plain.clone() };
    let refused = index.record_session(other).await;
    clause(matches!(refused, Err(IndexError::Conflict { .. })), "another value for a known fact is a conflict")?;
    let after = index.session(&plain.session).await.map_err(failed)?;
    clause(before == after, "a conflict changes nothing")
}

async fn chunks_are_added_once(index: &dyn Index) -> Result<(), Breach> {
    let session = sample_session(1).map_err(failed)?.session;
    let chunk = |sequence: u64, content: &[u8]| ChunkRow {
        session: session.clone(),
        sequence,
        key: format!("chunk-{sequence}"),
        manifest: Sha256Digest::of(content),
        length: 10,
        events: 1,
        first_time_us: 1,
        last_time_us: 2,
    };
    for sequence in [11, 2, 1, 2] {
        index.record_chunk(chunk(sequence, b"content")).await.map_err(failed)?;
    }
    let refused = index.record_chunk(chunk(2, b"other")).await;
    clause(matches!(refused, Err(IndexError::Conflict { .. })), "a second version of a chunk is a conflict")?;
    let known = index.chunks(&session).await.map_err(failed)?;
    let expected = [chunk(1, b"content"), chunk(2, b"content"), chunk(11, b"content")];
    clause(known == expected, "chunks gives each once, by sequence")?;
    let other = sample_session(2).map_err(failed)?.session;
    clause(index.chunks(&other).await.map_err(failed)?.is_empty(), "chunks gives only the session's own")
}

/// Also those of several relays.
async fn sessions_come_in_pages(index: &dyn Index) -> Result<(), Breach> {
    for (incarnation, counter) in [("ff", 10), ("00", 1), ("ff", 9), ("0f", u64::from(u32::MAX) + 1)] {
        let session: SessionId = format!("{}-{counter:010}", incarnation.repeat(16)).parse().map_err(failed)?;
        let row = SessionRow { session, ..sample_session(1).map_err(failed)? };
        index.record_session(row).await.map_err(failed)?;
    }
    let all = index.sessions().await.map_err(failed)?;
    let ids: Vec<String> = all.iter().map(|row| row.session.to_string()).collect();
    clause(ids.len() == 7 && ids.is_sorted(), "sessions gives all, by id")?;
    for limit in [1, 2, 3, 7, 8] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = index.sessions_after(after.as_ref(), limit).await.map_err(failed)?;
            clause(page.len() <= limit, "a page has no more sessions than asked for")?;
            let Some(last) = page.last() else { break };
            after = Some(last.session.clone());
            found.extend(page);
        }
        clause(found == all, "pages give each session once, by id")?;
    }
    let (first, rest) = all.split_first().ok_or_else(|| failed("no session"))?;
    let page = index.sessions_after(None, 1).await.map_err(failed)?;
    clause(page == std::slice::from_ref(first), "a page has at most so many sessions, from the first")?;
    let page = index.sessions_after(Some(&first.session), 100).await.map_err(failed)?;
    clause(page == rest, "the next page begins after the session named")?;
    let beyond = "ffffffffffffffffffffffffffffffff-9999999999".parse().map_err(failed)?;
    clause(index.sessions_after(Some(&beyond), 9).await.map_err(failed)?.is_empty(), "after the last is nothing")?;
    clause(index.sessions_after(None, 0).await.map_err(failed)?.is_empty(), "a page of none is empty")
}
