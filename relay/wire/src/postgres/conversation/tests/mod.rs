use super::*;
use crate::postgres::backend::TransactionStatus;

mod model;

const IDLE: Incoming = Incoming::ReadyForQuery(TransactionStatus::Idle);
const ERROR: Incoming = Incoming::Error { ends_session: false };

/// Sends requests with tickets from 1.
fn sent(kinds: &[OpKind]) -> Conversation {
    let mut conversation = Conversation::new();
    send(&mut conversation, 1, kinds);
    conversation
}

fn send(conversation: &mut Conversation, first: u64, kinds: &[OpKind]) {
    for (ticket, kind) in (first..).zip(kinds) {
        conversation.on_frontend(FrontendOp { kind: *kind, ticket }).unwrap();
    }
}

fn tickets(conversation: &mut Conversation, messages: &[Incoming]) -> Vec<Option<u64>> {
    messages.iter().map(|message| conversation.on_backend(*message).unwrap().ticket).collect()
}

#[test]
fn a_pipeline_is_answered_in_order() {
    use OpKind::{Bind, DescribeStatement, Execute, Parse, Sync};
    let mut conversation = sent(&[Parse, DescribeStatement, Bind, Execute, Bind, Execute, Sync]);
    let messages = [
        Incoming::ParseComplete,
        Incoming::ParameterDescription,
        Incoming::RowDescription,
        Incoming::BindComplete,
        Incoming::DataRow,
        Incoming::Notice,
        Incoming::ParameterStatus,
        Incoming::CommandComplete,
        Incoming::BindComplete,
        Incoming::PortalSuspended,
        IDLE,
    ];
    let expected = [1, 2, 2, 3, 4, 4, 0, 4, 5, 6, 7].map(|ticket| (ticket > 0).then_some(ticket));
    assert_eq!(tickets(&mut conversation, &messages), expected);
    assert!(conversation.is_idle());
}

#[test]
fn the_backend_awaits_more_where_sync_or_copy_data_are_to_come() {
    use OpKind::{Bind, CopyData, CopyDone, Execute, Query, Sync};
    assert!(!sent(&[]).awaits_frontend() && !sent(&[Query]).awaits_frontend());
    assert!(sent(&[Bind, Execute]).awaits_frontend() && !sent(&[Bind, Execute, Sync]).awaits_frontend());
    assert!(sent(&[Query, CopyData]).awaits_frontend());
    for begun in [&[Query][..], &[Execute, Sync]] {
        let mut conversation = sent(begun);
        conversation.on_backend(Incoming::CopyInResponse).unwrap();
        assert!(conversation.awaits_frontend());
    }
    let mut copied = sent(&[Execute, CopyData, CopyDone, Sync]);
    copied.on_backend(Incoming::CopyInResponse).unwrap();
    assert!(!copied.awaits_frontend());
}

#[test]
fn after_an_error_everything_up_to_sync_is_skipped_even_what_is_sent_later() {
    use OpKind::{Bind, Execute, Parse, Query, Sync};
    let mut conversation = sent(&[Parse, Bind, Execute]);
    assert_eq!(conversation.on_backend(Incoming::ParseComplete).unwrap().ticket, Some(1));
    let error = conversation.on_backend(ERROR).unwrap();
    assert_eq!((error.ticket, error.ends, error.skipped), (Some(2), true, vec![3]));
    assert_eq!(conversation.on_frontend(FrontendOp { kind: Query, ticket: 4 }), Ok(Sent::Skipped));
    send(&mut conversation, 5, &[Sync, Query]);
    assert_eq!(tickets(&mut conversation, &[IDLE, Incoming::CommandComplete, IDLE]), [Some(5), Some(6), Some(6)]);
}

#[test]
fn each_statement_of_one_query_is_told_apart() {
    let mut conversation = sent(&[OpKind::Query]);
    let messages = [
        Incoming::RowDescription,
        Incoming::DataRow,
        Incoming::CommandComplete,
        Incoming::CommandComplete,
        Incoming::Notice,
        ERROR,
        IDLE,
    ];
    let replies: Vec<_> = messages.iter().map(|message| conversation.on_backend(*message).unwrap()).collect();
    let statements: Vec<_> = replies.iter().map(|reply| (reply.statement, reply.ends_statement, reply.ends)).collect();
    let expected = [
        (0, false, false),
        (0, false, false),
        (0, true, false),
        (1, true, false),
        (2, false, false),
        (2, true, false),
        (2, false, true),
    ];
    assert_eq!(statements, expected);
    assert_eq!(replies[6].transaction, Some(TransactionStatus::Idle));
}

#[test]
fn an_error_at_commit_belongs_to_the_sync() {
    use OpKind::{Execute, Sync};
    let mut conversation = sent(&[Execute, Sync]);
    assert_eq!(tickets(&mut conversation, &[Incoming::CommandComplete, ERROR, IDLE]), [Some(1), Some(2), Some(2)]);
}

#[test]
fn the_sync_that_libpq_sends_behind_a_copy_is_dropped_by_the_server() {
    use OpKind::{CopyData, CopyDone, Execute, Query, Sync};
    let mut conversation = sent(&[Execute, Sync]);
    conversation.on_backend(Incoming::CopyInResponse).unwrap();
    assert_eq!(conversation.copying_in(), Some(1));
    let during = conversation.on_frontend(FrontendOp { kind: Query, ticket: 9 });
    assert_eq!(during, Err(ConversationError::DuringCopyIn(Query)));
    send(&mut conversation, 3, &[CopyData, CopyDone, Sync]);
    let done = conversation.on_backend(Incoming::CommandComplete).unwrap();
    assert_eq!((done.ticket, done.ends, done.skipped), (Some(1), true, vec![2]));
    assert_eq!(tickets(&mut conversation, &[IDLE]), [Some(5)]);
}

#[test]
fn a_copy_that_fails_before_it_reads_leaves_that_sync_to_be_answered() {
    use OpKind::{CopyDone, Execute, Query, Sync};
    let mut conversation = sent(&[Execute, Sync]);
    assert_eq!(tickets(&mut conversation, &[Incoming::CopyInResponse, ERROR, IDLE]), [Some(1), Some(1), Some(2)]);
    send(&mut conversation, 3, &[CopyDone, Sync, Query]);
    assert_eq!(tickets(&mut conversation, &[IDLE, Incoming::CommandComplete, IDLE]), [Some(4), Some(5), Some(5)]);

    // The same, but the second Sync was already under way: two ReadyForQuery for what looks like one.
    let mut conversation = sent(&[Execute, Sync]);
    conversation.on_backend(Incoming::CopyInResponse).unwrap();
    send(&mut conversation, 3, &[CopyDone, Sync]);
    assert_eq!(tickets(&mut conversation, &[ERROR, IDLE, IDLE]), [Some(1), Some(4), Some(2)]);
    assert!(conversation.on_backend(IDLE).is_err());
}

#[test]
fn copy_data_sent_ahead_belongs_to_the_copy_it_finds() {
    use OpKind::{CopyData, CopyDone, Query};
    let mut conversation = sent(&[Query, CopyData, CopyData, CopyDone, CopyData, CopyDone, Query]);
    let messages = [
        Incoming::CopyInResponse,
        Incoming::CommandComplete,
        Incoming::CopyInResponse,
        Incoming::CommandComplete,
        IDLE,
        Incoming::EmptyQueryResponse,
        IDLE,
    ];
    assert_eq!(tickets(&mut conversation, &messages), [1, 1, 1, 1, 1, 7, 7].map(Some));
}

#[test]
fn a_fatal_error_ends_all_and_may_come_unasked() {
    let mut conversation = sent(&[OpKind::Parse, OpKind::CopyData, OpKind::Sync]);
    let fatal = conversation.on_backend(Incoming::Error { ends_session: true }).unwrap();
    assert_eq!((fatal.ticket, fatal.ends, fatal.skipped), (Some(1), true, vec![3]));
    let fatal = Conversation::new().on_backend(Incoming::Error { ends_session: true }).unwrap();
    assert_eq!((fatal.ticket, fatal.ends), (None, false));
}

#[test]
fn what_nobody_asked_for_is_refused() {
    let refused = |kinds: &[OpKind], messages: &[Incoming]| {
        let mut conversation = sent(kinds);
        let (last, before) = messages.split_last().unwrap();
        tickets(&mut conversation, before);
        assert!(conversation.on_backend(*last).is_err(), "{last:?} after {before:?}");
    };
    refused(&[], &[ERROR]);
    refused(&[], &[IDLE]);
    refused(&[], &[Incoming::DataRow]);
    refused(&[OpKind::Query], &[IDLE]);
    refused(&[OpKind::Query], &[Incoming::DataRow]);
    refused(&[OpKind::Query], &[Incoming::PortalSuspended]);
    refused(&[OpKind::Query], &[ERROR, Incoming::CommandComplete]);
    refused(&[OpKind::Query], &[Incoming::CopyInResponse, Incoming::CommandComplete]);
    refused(&[OpKind::Parse], &[Incoming::BindComplete]);
    refused(&[OpKind::DescribeStatement], &[Incoming::RowDescription]);
    refused(&[OpKind::Sync], &[Incoming::Other(b'W')]);
}

#[test]
fn a_full_conversation_asks_to_wait_and_goes_on() {
    let mut conversation = Conversation::new();
    for ticket in 0..65_536 {
        conversation.on_frontend(FrontendOp { kind: OpKind::Parse, ticket }).unwrap();
    }
    let one_more = FrontendOp { kind: OpKind::Parse, ticket: 65_536 };
    assert_eq!(conversation.on_frontend(one_more), Err(ConversationError::TooManyPending));
    conversation.on_backend(Incoming::ParseComplete).unwrap();
    assert_eq!(conversation.on_frontend(one_more), Ok(Sent::Awaited));
}
