//! What came back, as far as it must be the same: names and types of columns, rows, errors by their class.

use std::collections::BTreeSet;

use crate::harness::corpus::{Client, Login};
use crate::harness::raw::{Message, query};

/// A session that is opened again where it ends.
pub(super) struct Session<'a> {
    login: &'a Login,
    settings: &'a [String],
    client: Client,
}

/// Everything that one statement was answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    parts: Vec<Part>,
    /// SQLSTATE and text of the first error.
    error: Option<(String, String)>,
    ended: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// Name, type, type modifier, format of each column.
    Columns(Vec<(String, u32, i32, i16)>),
    /// Bodies of `DataRow` or `CopyData`.
    Rows(Vec<Vec<u8>>),
    /// Another message that tells something.
    Told(char, Vec<u8>),
}

/// What became of a statement.
pub(super) enum Verdict {
    /// Both say the same, with so many rows.
    Same(usize),
    /// Both fail, with errors of one class.
    FailsAlike(String),
    /// The relay refuses, and says why.
    Refused(String),
    /// One of them took too long.
    Unfinished,
    Different(String),
}

impl<'a> Session<'a> {
    pub(super) fn open(login: &'a Login, settings: &'a [String]) -> Result<Self, String> {
        logged_in(login, settings).map(|client| Self { login, settings, client })
    }

    /// Sends each step and reads its answer; the rest is left out after an error.
    pub(super) fn ask(&mut self, steps: &[Vec<u8>], ordered: bool) -> Answer {
        let mut answer = Answer { parts: Vec::new(), error: None, ended: false };
        for step in steps {
            let said = self.client.exchange(step);
            let idle = said.last().is_some_and(|message| message.tag == 'Z' && message.body == b"I");
            answer.hear(said);
            if self.client.over {
                answer.ended = true;
                self.client = logged_in(self.login, self.settings).unwrap();
            }
            if answer.error.is_some() {
                if !idle && !answer.ended {
                    self.client.exchange(&query("ROLLBACK"));
                }
                break;
            }
        }
        if answer.error.is_some() && steps.len() > 1 && !answer.ended {
            self.client.exchange(&query("DEALLOCATE ALL"));
        }
        if !ordered {
            answer.sort();
        }
        answer
    }
}

fn logged_in(login: &Login, settings: &[String]) -> Result<Client, String> {
    let mut said = Vec::new();
    let startup = [("options".to_owned(), "-csearch_path=app".to_owned())].into();
    let client = Client::log_in(login, &startup, &mut said);
    let mut client = client.ok_or_else(|| format!("no session: {:?}", said.first().map(Message::fields)))?;
    for setting in settings {
        let said = client.exchange(&query(setting));
        assert!(said.iter().all(|message| message.tag != 'E'), "{setting}: {:?}", said.first().map(Message::fields));
    }
    Ok(client)
}

impl Answer {
    fn hear(&mut self, said: Vec<Message>) {
        for message in said {
            match message.tag {
                'T' => self.parts.push(Part::Columns(columns(&message.body))),
                'D' => self.row(message.body),
                // The first row of a binary copy comes with what is in front of all.
                'd' if message.body.starts_with(COPY_SIGNATURE) => {
                    let (header, row) = message.body.split_at(COPY_HEADER);
                    self.row(header.to_vec());
                    self.row(row.to_vec());
                }
                'd' => self.row(message.body),
                'E' if self.error.is_none() => {
                    let fields = message.fields();
                    let field = |name| fields.get(&name).cloned().unwrap_or_default();
                    self.error = Some((field('C'), field('M')));
                }
                // Notices, parameters' statuses, what says that something is done.
                'E' | 'N' | 'S' | '1' | '2' | '3' | 's' => {}
                tag => self.parts.push(Part::Told(tag, message.body)),
            }
        }
    }

    fn row(&mut self, row: Vec<u8>) {
        match self.parts.last_mut() {
            Some(Part::Rows(rows)) => rows.push(row),
            _ => self.parts.push(Part::Rows(vec![row])),
        }
    }

    fn sort(&mut self) {
        for part in &mut self.parts {
            if let Part::Rows(rows) = part {
                rows.sort();
            }
        }
    }

    fn rows(&self) -> usize {
        let rows = |part: &Part| if let Part::Rows(rows) = part { rows.len() } else { 0 };
        self.parts.iter().map(rows).sum()
    }
}

/// What the relay answered beside what the masked copy did. A relation's row type is `record` through the relay.
pub(super) fn judge(relayed: &mut Answer, direct: &mut Answer, row_types: &BTreeSet<u32>) -> Verdict {
    let timeout = |answer: &Answer| answer.error.as_ref().is_some_and(|(state, _)| state == "57014");
    if timeout(relayed) || timeout(direct) {
        return Verdict::Unfinished;
    }
    if relayed.ended || direct.ended {
        return Verdict::Different(format!("a session ended: {:?} and {:?}", relayed.error, direct.error));
    }
    match (&relayed.error, &direct.error) {
        (Some((state, text)), other)
            if REFUSALS.contains(&state.as_str()) && other.as_ref().is_none_or(|(other, _)| other != state) =>
        {
            Verdict::Refused(text.clone())
        }
        (Some((one, _)), Some((other, text))) if one[..2] == other[..2] => {
            Verdict::FailsAlike(format!("{other} {text}"))
        }
        (None, None) => {
            align(relayed, direct);
            forget_rows_types(relayed, row_types);
            forget_rows_types(direct, row_types);
            if relayed == direct {
                Verdict::Same(direct.rows())
            } else {
                Verdict::Different(difference(relayed, direct))
            }
        }
        (one, other) => Verdict::Different(format!("relay {one:?}, copy {other:?}")),
    }
}

/// A portal's type modifiers are its plan's, which knows more of an expression where a mask is a constant: one that only one
/// of them knows is none that differs.
fn align(relayed: &mut Answer, direct: &mut Answer) {
    for pair in relayed.parts.iter_mut().zip(&mut direct.parts) {
        let (Part::Columns(one), Part::Columns(other)) = pair else { continue };
        for (one, other) in one.iter_mut().zip(other) {
            if one.2 == -1 || other.2 == -1 {
                (one.2, other.2) = (-1, -1);
            }
        }
    }
}

fn forget_rows_types(answer: &mut Answer, row_types: &BTreeSet<u32>) {
    for part in &mut answer.parts {
        if let Part::Columns(columns) = part {
            columns.iter_mut().filter(|column| row_types.contains(&column.1)).for_each(|column| column.1 = RECORD);
        }
    }
}

fn difference(relayed: &Answer, direct: &Answer) -> String {
    if relayed.parts.len() != direct.parts.len() {
        return format!("{} parts and {}", relayed.parts.len(), direct.parts.len());
    }
    let unlike = relayed.parts.iter().zip(&direct.parts).find(|(one, other)| one != other);
    match unlike {
        Some((Part::Rows(one), Part::Rows(other))) => {
            let only = |rows: &[Vec<u8>], others: &[Vec<u8>]| {
                let missing = rows.iter().filter(|row| !others.contains(row)).take(ROWS_SHOWN);
                missing.map(|row| shown(row)).collect::<Vec<_>>().join("\n      ")
            };
            format!(
                "{} rows and {}\n    only through the relay:\n      {}\n    only in the copy:\n      {}",
                one.len(),
                other.len(),
                only(one, other),
                only(other, one)
            )
        }
        Some((one, other)) => format!("{one:?} and {other:?}"),
        None => "nothing that is known".to_owned(),
    }
}

fn shown(row: &[u8]) -> String {
    let text: String = row.iter().flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
    text.replace("\\x00\\x00", "").chars().take(400).collect()
}

/// Of a `RowDescription`.
fn columns(body: &[u8]) -> Vec<(String, u32, i32, i16)> {
    let mut rest = &body[2..];
    let mut columns = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == 0).unwrap();
        let name = String::from_utf8(rest[..end].to_vec()).unwrap();
        let fixed = &rest[end + 1..end + 19];
        let type_oid = u32::from_be_bytes(fixed[6..10].try_into().unwrap());
        let modifier = i32::from_be_bytes(fixed[12..16].try_into().unwrap());
        let format = i16::from_be_bytes(fixed[16..18].try_into().unwrap());
        columns.push((name, type_oid, modifier, format));
        rest = &rest[end + 19..];
    }
    columns
}

const COPY_SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// With flags and the length of what may follow.
const COPY_HEADER: usize = 19;
/// States of the relay's own.
const REFUSALS: [&str; 3] = ["0A000", "42501", "54000"];
const RECORD: u32 = 2249;
const ROWS_SHOWN: usize = 3;
