//! `COPY … TO STDOUT` and `COPY … FROM STDIN`.
//!
//! Rows go out through a query always, so that a protected relation is masked at its scan as in any `SELECT`. Rows come
//! in where an `INSERT` could put them. Files and programs of the server's are never read or written.

use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, DefElem, List, Node, RangeVar, SelectStmt};

use super::expression::name;
use super::outcome::{Copies, Effects};
use super::own::is_own;
use super::rewriter::Rewriter;
use super::scan;
use super::scope::Role;
use super::telling::Assigned;
use super::withheld::{Mode, is_write};
use crate::catalog::{Kind, Readable, Relation, literal, quoted};
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(super) fn copy(&mut self, copy: &mut CopyStmt) -> Result<Effects, Refusal> {
        if copy.is_program || !copy.filename.is_empty() {
            return Err(Refusal::forbidden("COPY from or to files and programs of the server is never relayed")
                .hint("COPY … TO STDOUT and FROM STDIN reach files of yours; psql's \\copy does that."));
        }
        self.options(copy)?;
        let copies = if copy.is_from { Copies::In } else { Copies::Out };
        match copies {
            Copies::In => self.copy_in(copy)?,
            _ => self.copy_out(copy)?,
        }
        Ok(Effects { copies, ..Effects::default() })
    }

    fn copy_out(&mut self, copy: &mut CopyStmt) -> Result<(), Refusal> {
        if let Some(mut range) = copy.relation.take() {
            copy.query = Some(Box::new(self.query_of(&mut range, &std::mem::take(&mut copy.attlist))?));
        }
        let Some(query) = copy.query.as_deref_mut().filter(|query| is_rows(query)) else {
            return Err(Refusal::unsupported("COPY of anything but rows is not supported by the relay"));
        };
        self.rows(query)?;
        self.not_held("COPY of what a statement returns")
    }

    /// COPY data cannot wait.
    fn not_held(&self, what: &str) -> Result<(), Refusal> {
        match self.found.resolved.iter().any(|resolved| resolved.held) {
            false => Ok(()),
            true => Err(Refusal::unsupported(format!("{what} needs approval, for which COPY data cannot wait"))
                .hint("The statement alone, without COPY, can be held for approval.")),
        }
    }

    /// What `COPY relation TO` reads: the rows of the table itself, without its children's, and without generated
    /// columns unless they are named, which PostgreSQL refuses.
    fn query_of(&mut self, range: &mut RangeVar, columns: &[Node]) -> Result<Node, Refusal> {
        let Some(relation) = self.resolve(range)? else {
            return Err(Refusal::unsupported("COPY of a system relation is not supported by the relay")
                .hint("Write COPY (SELECT … FROM …) TO STDOUT."));
        };
        if relation.kind != Kind::Table {
            let message = format!("cannot copy from {} {}", relation.kind.noun(), relation.qualified());
            return Err(Refusal { sqlstate: "42809", ..Refusal::unsupported(message) }
                .hint("Write COPY (SELECT … FROM …) TO STDOUT."));
        }
        let named: Vec<String> = columns.iter().filter_map(name).collect();
        // Of the session's own the columns are not always known.
        let unknown = is_own(relation) && relation.columns.is_empty();
        if let Some(missing) = named.iter().find(|column| !unknown && !can_be_copied(relation, column)) {
            let message = format!("{} has no column {} to copy", relation.qualified(), Readable(missing));
            let reason = "COPY names a column that the relation does not have, or a generated one";
            return Err(Refusal { sqlstate: "42703", ..Refusal::unsupported(message) }.reason(reason));
        }
        let all = || relation.columns.iter().filter(|column| column.generated_from.is_none());
        let columns: Vec<String> = match named.is_empty() {
            true if unknown => vec!["*".to_owned()],
            true => all().map(|column| quoted(&column.name)).collect(),
            false => named.iter().map(|column| quoted(column)).collect(),
        };
        let from = format!("{}.{}", quoted(&relation.schema), quoted(&relation.name));
        let select = scan::select_of(&format!("SELECT {} FROM ONLY {from}", columns.join(", ")))?;
        Ok(scan::node(NodeEnum::SelectStmt(Box::new(select))))
    }

    fn copy_in(&mut self, copy: &mut CopyStmt) -> Result<(), Refusal> {
        self.mode = Mode::Writes;
        self.scopes.push();
        let target = self.target(copy.relation.as_mut())?;
        let columns = copy.attlist.iter().filter_map(name).collect();
        let given = if copy.attlist.is_empty() { Assigned::All } else { Assigned::These(columns) };
        self.may(target, "insert", "copying into", &given)?;
        // The condition is on rows as the client sends them.
        self.enter(target, copy.relation.as_ref(), Role::Own);
        self.maybe(&mut copy.where_clause)?;
        let level = self.scopes.pop();
        // As in any statement: after a change of names no row goes where nobody decided that it may.
        scan::and_where(&mut copy.where_clause, scan::guards(target, level.guards));
        self.not_held(&format!("COPY into {}", target.qualified()))
    }

    /// Every option in the one form that is written upstream: a string, `*`, or names in parentheses.
    fn options(&mut self, copy: &mut CopyStmt) -> Result<(), Refusal> {
        for option in &mut copy.options {
            let Some(NodeEnum::DefElem(element)) = option.node.as_mut() else { return Err(odd_option()) };
            let known = BOTH_WAYS.contains(&element.defname.as_str())
                || (copy.is_from && IN_ALONE.contains(&element.defname.as_str()))
                || (!copy.is_from && OUT_ALONE.contains(&element.defname.as_str()));
            if !known {
                let message = format!("COPY option {} is not supported by the relay", Readable(&element.defname));
                return Err(Refusal::unsupported(message).reason("a COPY option that the relay does not know"));
            }
            self.option(element)?;
        }
        Ok(())
    }

    fn option(&mut self, element: &mut DefElem) -> Result<(), Refusal> {
        let by_column = OF_COLUMNS.contains(&element.defname.as_str());
        let value = match element.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
            Some(NodeEnum::AStar(_)) if by_column => return Ok(()),
            Some(NodeEnum::List(List { items })) if by_column && items.iter().all(|item| name(item).is_some()) => {
                return Ok(());
            }
            _ if by_column => return Err(odd_option()),
            None if FLAGS.contains(&element.defname.as_str()) => "true".to_owned(),
            Some(NodeEnum::String(text)) => text.sval.clone(),
            Some(NodeEnum::Boolean(value)) => value.boolval.to_string(),
            Some(NodeEnum::Integer(value)) => value.ival.to_string(),
            _ => return Err(odd_option()),
        };
        let lower = value.to_ascii_lowercase();
        // Conversion to another encoding could be done by a function of somebody's.
        if element.defname == "encoding" && !["utf8", "utf-8", "unicode"].contains(&lower.as_str()) {
            return Err(Refusal::unsupported("COPY through the relay is in UTF-8: this ENCODING is not supported")
                .hint("Convert the file, for instance with iconv."));
        }
        if WORDS.contains(&value.as_str()) {
            self.found.constants.insert(literal(&value));
        }
        element.arg = Some(Box::new(scan::text(&value)));
        Ok(())
    }
}

/// The statement as text. `query` writes a query back.
///
/// libpg_query's own writer takes options for what they should be, and a client chooses what they are.
pub(super) fn text(copy: &CopyStmt, query: impl Fn(&Node) -> Option<String>) -> Option<String> {
    let mut text = match (&copy.relation, &copy.query) {
        (Some(range), None) => {
            let columns: Vec<String> = copy.attlist.iter().filter_map(name).map(|column| quoted(&column)).collect();
            let columns = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
            format!("COPY {}.{}{columns} FROM STDIN", Readable(&range.schemaname), Readable(&range.relname))
        }
        (None, Some(read)) => format!("COPY ({}) TO STDOUT", query(read)?),
        _ => return None,
    };
    let options: Option<Vec<String>> = copy.options.iter().map(option).collect();
    let options = options?;
    if !options.is_empty() {
        text.push_str(&format!(" WITH ({})", options.join(", ")));
    }
    if copy.where_clause.is_some() {
        let condition = SelectStmt { where_clause: copy.where_clause.clone(), ..scan::select_of("SELECT").ok()? };
        let written = query(&scan::node(NodeEnum::SelectStmt(Box::new(condition))))?;
        text.push_str(&format!(" {}", written.strip_prefix("SELECT ")?));
    }
    Some(text)
}

fn option(node: &Node) -> Option<String> {
    let Some(NodeEnum::DefElem(element)) = &node.node else { return None };
    let value = match element.arg.as_ref()?.node.as_ref()? {
        NodeEnum::String(text) => literal(&text.sval),
        NodeEnum::AStar(_) => "*".to_owned(),
        NodeEnum::List(List { items }) => {
            let columns: Vec<String> = items.iter().filter_map(name).map(|column| quoted(&column)).collect();
            format!("({})", columns.join(", "))
        }
        _ => return None,
    };
    Some(format!("{} {value}", element.defname))
}

fn is_rows(query: &Node) -> bool {
    matches!(query.node, Some(NodeEnum::SelectStmt(_))) || is_write(query)
}

fn can_be_copied(relation: &Relation, column: &str) -> bool {
    relation.column(column).is_some_and(|column| column.generated_from.is_none())
}

fn odd_option() -> Refusal {
    Refusal::syntax("a COPY option has a value of another form than it takes")
}

const BOTH_WAYS: [&str; 7] = ["format", "delimiter", "null", "header", "quote", "escape", "encoding"];
const IN_ALONE: [&str; 7] =
    ["freeze", "force_not_null", "force_null", "on_error", "log_verbosity", "default", "reject_limit"];
const OUT_ALONE: [&str; 1] = ["force_quote"];
/// What takes `*` or names of columns.
const OF_COLUMNS: [&str; 3] = ["force_quote", "force_not_null", "force_null"];
/// What may stand without a value.
const FLAGS: [&str; 2] = ["header", "freeze"];
/// Values that evidence may repeat: words of the grammar's.
const WORDS: [&str; 16] = [
    "text", "csv", "binary", "true", "false", "on", "off", "match", "stop", "ignore", "default", "verbose", "silent",
    "utf8", "1", "0",
];
