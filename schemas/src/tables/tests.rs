//! Rows of the golden evidence, and their encodings.

use std::{io, iter};

use super::*;
use crate::chunk::{self, ChunkBuilder, ChunkHead, Seal};
use crate::digest::Sha256Digest;
use crate::entropy::SystemEntropy;
use crate::event::Event;
use crate::identifiers::SessionId;
use crate::sample;
use crate::session_key::SessionKey;
use crate::signature::Signer;
use crate::verify::testing::{TestKeys, build, scope};
use crate::verify::{self, Observer, Options, SessionReport};

/// Keeps all rows.
#[derive(Default)]
struct Kept(Vec<SessionRows>);

impl RowSink for Kept {
    fn session(&mut self, rows: &SessionRows) -> io::Result<()> {
        self.0.push(rows.clone());
        Ok(())
    }
}

fn rows() -> Vec<SessionRows> {
    let keys = TestKeys::read();
    let mut kept = Kept::default();
    let mut derivation = Derivation::new(&mut kept);
    let report = verify::observe(&build(&keys), keys.root(), &Options::default(), &mut derivation).unwrap();
    derivation.finish().unwrap();
    assert!(report.holds());
    kept.0
}

fn all(table: Table) -> Vec<Vec<Value>> {
    rows().iter().flat_map(|session| session.of(table)).collect()
}

#[test]
fn a_session_tells_who_did_what_and_what_came_of_it() {
    let rows = rows();
    let [refused, _approved, served, died] = rows.as_slice() else { panic!("{} sessions", rows.len()) };
    let session = &served.sessions[0];
    assert_eq!((session.state.as_str(), session.subject.as_deref()), ("complete", Some("agent-7")));
    assert_eq!(session.acts_for, ["u-1"]);
    assert_eq!((session.statements, session.executions, session.chunks, session.rows_returned), (1, 1, 2, 1));
    let statement = &served.statements[0];
    assert_eq!(
        (statement.outcome.as_deref(), statement.objects.join("")),
        (Some("completed"), "select clinic.patients".into())
    );
    assert!(statement.started < statement.ended);
    assert_eq!((served.masking[0].column.as_str(), served.masking[0].style.as_deref()), ("ssn", Some("last4")));
    assert_eq!((died.sessions[0].state.as_str(), died.sessions[0].outcome_unknown), ("aborted", 1));
    assert!(died.executions.iter().any(|row| row.outcome.as_deref() == Some("unknown")));
    let denial = &refused.denials[0];
    assert_eq!((denial.refused_by.as_str(), denial.sqlstate.as_deref()), ("policy", Some("42501")));
    assert_eq!(denial.error_class.as_deref(), Some("syntax-error-or-access-violation"));
    assert_eq!(refused.sessions[0].denied, 1);
}

#[test]
fn a_long_sessions_rows_come_in_pieces_and_none_is_lost() {
    let keys = TestKeys::read();
    let (signer, key) = (&keys.first, SessionKey::generate(&SystemEntropy).unwrap());
    let session = SessionId { incarnation: signer.public_key().incarnation(), counter: 1 };
    let head = ChunkHead {
        scope: scope(),
        log_origin: "log.test".to_owned(),
        session: session.clone(),
        connection: "clinic".parse().unwrap(),
        sequence: 1,
        prev: Sha256Digest::of(b""),
        first_event: 1,
    };
    let mut builder = ChunkBuilder::new(head, &key, &SystemEntropy).unwrap();
    let statements = (super::session::PIECE * 2 + 100) as u64;
    let bodies = iter::once(sample::session_open()).chain((1..=statements).map(sample::statement));
    for (number, body) in (1..).zip(bodies) {
        builder.push_event(&Event { number, time_us: number, body }).unwrap();
    }
    let chunk = builder.finish(&Seal { time_us: statements, last: true }, signer).unwrap();
    let mut kept = Kept::default();
    let mut derivation = Derivation::new(&mut kept);
    derivation.chunk(&scope(), &chunk::open(chunk.bytes).unwrap());
    let report = verify::observe(&build(&keys), keys.root(), &Options::default(), &mut ()).unwrap();
    derivation.session(&SessionReport { session, ..report.sessions.into_iter().next().unwrap() });
    derivation.finish().unwrap();
    let pieces = kept.0;
    assert_eq!(pieces.iter().map(|piece| piece.sessions.len()).collect::<Vec<_>>(), [0, 0, 1]);
    let objects = pieces.iter().flat_map(|piece| &piece.objects_touched).map(|row| row.statement);
    assert_eq!(objects.collect::<Vec<_>>(), (1..=statements).collect::<Vec<_>>());
    let last = pieces.last().unwrap();
    assert_eq!((last.statements.len() as u64, last.sessions[0].statements), (statements, statements));
    assert_eq!(pieces.iter().map(|piece| piece.chunks.len()).sum::<usize>(), 1);
}

#[test]
fn every_row_has_a_value_of_its_type_for_each_column() {
    for table in Table::ALL {
        assert_eq!(Table::named(table.name()), Some(table));
        for row in all(table) {
            assert_eq!(row.len(), table.columns().len());
            for (column, value) in table.columns().iter().zip(&row) {
                let fits = match value {
                    Value::Null => column.optional,
                    Value::Text(_) => column.kind == ColumnType::Text,
                    Value::Integer(_) => column.kind == ColumnType::Integer,
                    Value::Boolean(_) => column.kind == ColumnType::Boolean,
                    Value::Time(_) => column.kind == ColumnType::Time,
                    Value::Texts(_) => column.kind == ColumnType::Texts,
                };
                assert!(fits, "{table}.{}: {value:?}", column.name);
            }
        }
    }
}

#[test]
fn json_is_one_array_with_a_row_a_line() {
    let mut writer = JsonWriter::new(Table::Chunks, Vec::new());
    for row in all(Table::Chunks) {
        writer.push_values(&row).unwrap();
    }
    let text = String::from_utf8(writer.finish().unwrap()).unwrap();
    let read: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!((read.len(), text.lines().count()), (all(Table::Chunks).len(), read.len() + 2));
    assert_eq!(read[0]["first_time"], "2026-09-21T14:14:31.000001Z");
    assert_eq!(JsonWriter::new(Table::Chunks, Vec::new()).finish().unwrap(), b"[]\n");
}

#[test]
fn csv_has_a_header_and_a_record_a_row() {
    let mut text = csv_header(Table::Sessions);
    for row in all(Table::Sessions) {
        text.extend(csv_row(&row));
    }
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.matches("\r\n").count(), 1 + all(Table::Sessions).len());
    assert!(text.starts_with("\"session\",\"tenant\",") && text.contains("\"analysts\",\"u-1\""), "{text}");
}

#[cfg(feature = "parquet")]
#[test]
fn no_file_makes_the_parquet_reader_panic() {
    use super::parquet::{ParquetReader, ParquetWriter};
    let table = Table::Statements;
    let mut writer = ParquetWriter::new(table, Vec::new()).unwrap();
    all(table).into_iter().for_each(|row| writer.push_values(row).unwrap());
    let bytes = writer.finish().unwrap();
    for position in (0..bytes.len()).step_by(23) {
        for mask in [0xff, 0x55] {
            let mut changed = bytes.clone();
            changed[position] ^= mask;
            let reader = ParquetReader::open(table, Box::new(io::Cursor::new(changed)));
            let _: Option<usize> = reader.ok().map(Iterator::count);
        }
    }
}

/// A field that no reader knows: a list of two thousand million booleans, which have no bytes in the eyes of some.
#[cfg(feature = "parquet")]
#[test]
fn a_parquet_file_that_claims_more_than_it_holds_is_refused_and_not_read() {
    let version_as_a_list = [0x19, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00];
    // The crate reads an integer here, and what follows it as fields of other numbers: one of them a list like that above.
    let rows_as_a_set = [0x3a, 0x16, 0x39, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00];
    for footer in [&version_as_a_list[..], &rows_as_a_set] {
        let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
        let file = [b"PAR1", footer, &length, b"PAR1"].concat();
        let opened = parquet::ParquetReader::open(Table::Sessions, Box::new(io::Cursor::new(file)));
        assert!(matches!(opened, Err(parquet::ParquetError::Malformed(what)) if what.contains("another type")));
    }
}

/// Each column of each row group would be read over, from a footer that is long and names the same bytes every time.
#[cfg(feature = "parquet")]
#[test]
fn a_parquet_file_that_uses_the_same_bytes_twice_is_refused() {
    use ::parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};
    let table = Table::Sessions;
    let mut writer = parquet::ParquetWriter::new(table, Vec::new()).unwrap();
    all(table).into_iter().for_each(|row| writer.push_values(row).unwrap());
    let honest = writer.finish().unwrap();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(honest.clone())).unwrap();
    let groups = metadata.row_groups().iter().cycle().take(2 * metadata.num_row_groups()).cloned().collect();
    let twice = metadata.into_builder().set_row_groups(groups).build();
    let mut file = honest;
    ParquetMetaDataWriter::new(&mut file, &twice).finish().unwrap();
    let opened = parquet::ParquetReader::open(table, Box::new(io::Cursor::new(file)));
    assert!(matches!(opened, Err(parquet::ParquetError::Malformed(what)) if what.contains("overlap")));
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_gives_back_what_was_written_and_always_the_same_bytes() {
    use super::parquet::{ParquetReader, ParquetWriter};
    for table in Table::ALL {
        let rows = all(table);
        let write = || {
            let mut writer = ParquetWriter::new(table, Vec::new()).unwrap();
            for row in &rows {
                writer.push_values(row.clone()).unwrap();
            }
            writer.finish().unwrap()
        };
        let bytes = write();
        assert_eq!(bytes, write(), "{table}");
        let reader = ParquetReader::open(table, Box::new(io::Cursor::new(bytes.clone()))).unwrap();
        let read: Result<Vec<_>, _> = reader.collect();
        assert_eq!(read.unwrap(), rows, "{table}");
        let other = if table == Table::Chunks { Table::Grants } else { Table::Chunks };
        assert!(ParquetReader::open(other, Box::new(io::Cursor::new(bytes))).is_err());
    }
}

#[test]
fn the_page_of_tables_lists_every_column_as_the_program_has_it() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("TABLES.md");
    let page = std::fs::read_to_string(path).unwrap();
    for table in Table::ALL {
        let mut text = format!("## Table {table}\n\n| column | type | meaning |\n|---|---|---|\n");
        for column in table.columns() {
            let kind = format!("{:?}", column.kind).to_lowercase();
            let optional = if column.optional { ", optional" } else { "" };
            text.push_str(&format!("| `{}` | {kind}{optional} | {} |\n", column.name, column.meaning));
        }
        assert!(page.contains(&text), "TABLES.md lacks:\n{text}");
    }
}
