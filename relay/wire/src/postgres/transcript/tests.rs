use super::*;
use crate::postgres::backend;
use crate::postgres::frontend::{self, Bind, Target};
use crate::postgres::tests::strategies::parts;
use crate::postgres::{ErrorFields, Format, SqlState};
use bytes::{BufMut, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

/// A recording in the making, and what a replay of it prints.
#[derive(Default)]
struct Recording {
    pieces: Vec<(Side, BytesMut)>,
}

impl Recording {
    fn frontend(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let mut bytes = BytesMut::new();
        write(&mut bytes);
        self.pieces.push((Side::Frontend, bytes));
    }

    fn backend(&mut self, messages: &[BackendMessage<'_>]) {
        let mut bytes = BytesMut::new();
        messages.iter().for_each(|message| message.encode(&mut bytes).unwrap());
        self.pieces.push((Side::Backend, bytes));
    }

    fn rows(&mut self, rows: &[&[Option<&[u8]>]]) {
        let mut bytes = BytesMut::new();
        rows.iter().for_each(|row| backend::data_row(row, &mut bytes).unwrap());
        self.pieces.push((Side::Backend, bytes));
    }

    fn replay(&self) -> String {
        let mut transcript = Transcript::new();
        let mut entries: Vec<Entry> =
            self.pieces.iter().flat_map(|(side, bytes)| transcript.feed(*side, bytes)).collect();
        entries.extend(transcript.finish());
        entries.iter().map(|entry| format!("{entry}\n")).collect()
    }
}

fn complete(tag: &str) -> BackendMessage<'_> {
    BackendMessage::CommandComplete { tag }
}

fn field(name: &str, type_oid: u32, format: Format) -> backend::FieldDescription<'_> {
    backend::FieldDescription { name, table_oid: 0, column: 0, type_oid, type_size: -1, type_modifier: -1, format }
}

const READY: BackendMessage<'static> = BackendMessage::ReadyForQuery(TransactionStatus::Idle);

#[test]
fn a_simple_query_reads_like_psql() {
    let mut recording = Recording::default();
    recording.backend(&[READY]);
    recording.frontend(|out| frontend::query("select id, name\nfrom patients; select 1", out).unwrap());
    let columns = vec![field("id", 23, Format::Text), field("name", 25, Format::Text)];
    recording.backend(&[BackendMessage::RowDescription(columns)]);
    recording.rows(&[&[Some(b"7"), Some(b"Ann\x1b[31m\nO'Hara")], &[Some(b"11"), None]]);
    recording
        .backend(&[complete("SELECT 2"), BackendMessage::RowDescription(vec![field("?column?", 23, Format::Text)])]);
    recording.rows(&[&[Some(b"1")]]);
    recording.backend(&[complete("SELECT 1"), READY]);
    let expected = "\
=> select id, name
-> from patients; select 1
 id |         name
----+-----------------------
  7 | Ann\\u{1b}[31m\\nO'Hara
 11 | \\N
(2 rows)
SELECT 2
 ?column?
----------
        1
(1 row)
SELECT 1
";
    assert_eq!(recording.replay(), expected);
}

#[test]
fn a_prepared_statement_is_told_with_its_text_parameters_and_binary_rows() {
    let mut recording = Recording::default();
    recording.frontend(|out| {
        frontend::parse("s1", "select born from patients where id = $1 and name = $2", &[], out).unwrap();
        frontend::describe(Target::Statement, "s1", out).unwrap();
        frontend::sync(out);
        let bind = Bind {
            statement: "s1",
            parameter_formats: vec![Format::Binary, Format::Text],
            parameters: vec![Some(&[0, 0, 0, 42]), None],
            result_formats: vec![Format::Binary],
            ..Bind::default()
        };
        frontend::bind(&bind, out).unwrap();
        frontend::execute("", 10, out).unwrap();
        frontend::sync(out);
    });
    recording.backend(&[
        BackendMessage::ParseComplete,
        BackendMessage::ParameterDescription(vec![23, 25]),
        BackendMessage::RowDescription(vec![field("born", 1082, Format::Text)]),
        READY,
        BackendMessage::BindComplete,
    ]);
    recording.rows(&[&[Some(&[0, 0, 0, 0])]]);
    recording.backend(&[BackendMessage::PortalSuspended, READY]);
    let expected = "\
prepare s1 => select born from patients where id = $1 and name = $2
execute => select born from patients where id = $1 and name = $2
   $1 int4 = 42
   $2 text = \\N
   (at most 10 rows)
\x20   born
------------
 2000-01-01
(1 rows so far)
(more rows to come)
";
    assert_eq!(recording.replay(), expected);
}

#[test]
fn a_parse_that_failed_lends_its_text_to_nobody() {
    let mut recording = Recording::default();
    recording.frontend(|out| {
        frontend::parse("s", "select 1", &[], out).unwrap();
        frontend::parse("s", "drop table patients", &[], out).unwrap();
        frontend::bind(&Bind { statement: "s", ..Bind::default() }, out).unwrap();
        frontend::sync(out);
        frontend::bind(&Bind { statement: "s", ..Bind::default() }, out).unwrap();
        frontend::execute("", 0, out).unwrap();
        frontend::sync(out);
    });
    let twice = ErrorFields::error(SqlState::DUPLICATE_PREPARED_STATEMENT, "prepared statement \"s\" already exists");
    recording.backend(&[
        BackendMessage::ParseComplete,
        BackendMessage::ErrorResponse(Box::new(twice)),
        READY,
        BackendMessage::BindComplete,
        complete("SELECT 1"),
        READY,
    ]);
    let expected = "\
prepare s => select 1
prepare s => drop table patients
ERROR 42P05: prepared statement \"s\" already exists
NOT RUN, an error came before it:
bind s => select 1
execute => select 1
SELECT 1
";
    assert_eq!(recording.replay(), expected);
}

#[test]
fn copy_is_told_both_ways() {
    let mut recording = Recording::default();
    let text = |columns| backend::CopyResponse { format: Format::Text, columns: vec![Format::Text; columns] };
    recording.frontend(|out| frontend::query("copy t from stdin; copy t to stdout", out).unwrap());
    recording.backend(&[BackendMessage::CopyInResponse(text(2))]);
    recording.frontend(|out| {
        frontend::copy_data(b"1\tAn", out).unwrap();
        frontend::copy_data(b"n\n", out).unwrap();
        frontend::copy_done(out);
    });
    recording.backend(&[
        complete("COPY 1"),
        BackendMessage::CopyOutResponse(text(2)),
        BackendMessage::CopyData(b"1\tAnn\n"),
        BackendMessage::CopyDone,
        complete("COPY 1"),
        READY,
    ]);
    let expected = "\
=> copy t from stdin; copy t to stdout
COPY data from the frontend, 6 bytes:
\x20  | 1\tAnn
COPY 1
COPY data from the backend, 6 bytes:
\x20  | 1\tAnn
COPY 1
";
    assert_eq!(recording.replay(), expected);
}

#[test]
fn a_recording_may_end_anywhere() {
    let mut recording = Recording::default();
    recording.frontend(|out| frontend::query("select 1", out).unwrap());
    recording.backend(&[BackendMessage::RowDescription(vec![field("n", 23, Format::Text)])]);
    recording.rows(&[&[Some(b"1")]]);
    recording.frontend(|out| {
        frontend::query("delete from t", out).unwrap();
        out.put_slice(b"Q\0\0");
    });
    let expected = "\
=> select 1
 n
---
 1
(1 rows so far)
NO ANSWER RECORDED:
=> select 1
NO ANSWER RECORDED:
=> delete from t
RECORDING ENDS with 3 unread bytes of the frontend
";
    assert_eq!(recording.replay(), expected);
}

#[test]
fn a_recording_that_begins_in_the_middle_is_read_from_the_next_request_on() {
    let mut recording = Recording::default();
    recording.rows(&[&[Some(b"left over")]]);
    recording.backend(&[complete("SELECT 1"), READY]);
    recording.frontend(|out| frontend::query("select 2", out).unwrap());
    recording.backend(&[complete("SELECT 0"), READY]);
    let replay = recording.replay();
    assert!(replay.starts_with("OUT OF STEP: the server sent DataRow"), "{replay}");
    assert!(replay.contains("left over"), "{replay}");
    assert!(replay.ends_with("=> select 2\nSELECT 0\n"), "{replay}");
}

#[test]
fn bytes_of_another_protocol_are_counted_and_said_to_be_unreadable() {
    let mut transcript = Transcript::new();
    let told = transcript.feed(Side::Frontend, b"GET / HTTP/1.1\r\n");
    assert!(matches!(told.as_slice(), [Entry::Unreadable { side: Side::Frontend, .. }]));
    assert_eq!(transcript.feed(Side::Frontend, b"more"), []);
    assert_eq!(transcript.finish(), [Entry::CutOff { side: Side::Frontend, bytes: 20 }]);
}

#[test]
fn what_a_server_says_cannot_pass_for_what_a_client_did() {
    let mut recording = Recording::default();
    recording.frontend(|out| frontend::query("select 1 /*\nDELETE 5 */", out).unwrap());
    let error = ErrorFields::error(SqlState::RAISE_EXCEPTION, "no\n=> drop table t").with_detail("a\nDROP TABLE");
    recording.backend(&[BackendMessage::ErrorResponse(Box::new(error)), READY]);
    let expected = "\
=> select 1 /*
-> DELETE 5 */
ERROR P0001: no
   | => drop table t
   DETAIL: a
   | DROP TABLE
";
    assert_eq!(recording.replay(), expected);
}

#[test]
fn rows_that_are_not_in_the_recording_are_missed_and_not_passed_over() {
    let mut recording = Recording::default();
    recording.frontend(|out| {
        frontend::query("select id from patients; update patients set id = 1 returning id", out).unwrap()
    });
    recording.backend(&[BackendMessage::RowDescription(vec![field("id", 23, Format::Text)])]);
    recording.rows(&[&[Some(b"7")]]);
    recording.backend(&[complete("SELECT 1200"), BackendMessage::RowDescription(vec![field("id", 23, Format::Text)])]);
    recording.rows(&[&[Some(b"1")]]);
    recording.backend(&[complete("UPDATE 3"), READY]);
    let told = recording.replay();
    assert!(told.contains("(1200 rows, 1 of them recorded)\nSELECT 1200"), "{told}");
    assert!(told.contains("(1 row)\nUPDATE 3"), "{told}");
}

#[test]
fn a_long_result_comes_in_pages() {
    let mut transcript = Transcript::new();
    let mut bytes = BytesMut::new();
    frontend::query("select", &mut bytes).unwrap();
    transcript.feed(Side::Frontend, &bytes);
    bytes.clear();
    BackendMessage::RowDescription(vec![field("n", 23, Format::Text)]).encode(&mut bytes).unwrap();
    for _ in 0..1_500 {
        backend::data_row(&[Some(b"1")], &mut bytes).unwrap();
    }
    complete("SELECT 1500").encode(&mut bytes).unwrap();
    let entries = transcript.feed(Side::Backend, &bytes);
    let tables: Vec<_> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Table(table) => Some((table.rows_before, table.rows.len(), table.complete)),
            _ => None,
        })
        .collect();
    assert_eq!(tables, [(0, 1_000, false), (1_000, 500, true)]);
    assert!(format!("{}", entries[2]).ends_with("(1500 rows)"));
}

proptest! {
    #[test]
    fn any_recording_is_told_the_same_however_it_is_cut(
        session in vec((parts(), any::<bool>()), 0..30),
        cut in 1_usize..50,
        keep in any::<prop::sample::Index>(),
    ) {
        let mut recording = Recording::default();
        for (parts, from_frontend) in &session {
            if *from_frontend {
                recording.frontend(|out| parts.frontend().encode(out).unwrap());
            } else {
                recording.pieces.push((Side::Backend, parts.backend()));
            }
        }
        recording.pieces.truncate(keep.index(session.len() + 1));
        let mut cut_up = Recording::default();
        for (side, bytes) in &recording.pieces {
            cut_up.pieces.extend(bytes.chunks(cut).map(|piece| (*side, BytesMut::from(piece))));
        }
        prop_assert_eq!(recording.replay(), cut_up.replay());
    }

    #[test]
    fn any_bytes_at_all_can_be_replayed(bytes in vec(any::<u8>(), 0..300)) {
        crate::fuzzing::transcript(&bytes);
    }
}
