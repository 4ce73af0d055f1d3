//! Sequences: `nextval` and its like, and a sequence read as a relation.
//!
//! A sequence tells the newest number of the columns that take theirs from it, so it is touched where none of them is
//! masked, and by whom policy lets do the like with their relations. Of one that belongs to no column nobody knows what its
//! numbers become: it is left alone in a schema with protected relations, and elsewhere is for who may change definitions.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RangeVar, a_const::Val};
use schemas::event::Touched;

use super::access::Treatment;
use super::rewriter::{Resolved, Resource, Rewriter};
use super::{expression, scan};
use crate::catalog::{self, Sequence, literal};
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    /// Whether a call is one of these functions; its first argument becomes the sequence's qualified name.
    pub(super) fn sequence_call(&mut self, function: &str, args: &mut [Node]) -> Result<bool, Refusal> {
        let (action, what) = match function {
            "nextval" => ("insert", "taking numbers for"),
            "setval" => ("update", "setting the numbers of"),
            "currval" => ("select", "reading the numbers of"),
            // Of whichever the session, or code that its statements set off, drew from.
            "lastval" => return self.every_sequence().map(|()| true),
            "pg_get_sequence_data" | "pg_sequence_last_value" => return self.every_sequence().map(|()| true),
            _ => return Ok(false),
        };
        let first = args.first_mut().ok_or_else(unnamed)?;
        let sequence = self.named(first)?;
        self.ask_sequence(sequence, action, what)?;
        *first = scan::regclass(sequence.qualified());
        Ok(true)
    }

    /// A sequence in a FROM; `false` where the name means none.
    pub(super) fn sequence_read(&mut self, range: &mut RangeVar) -> Result<bool, Refusal> {
        let Some(sequence) = self.catalog.sequence(self.path, &range.schemaname, &range.relname) else {
            return Ok(false);
        };
        self.ask_sequence(sequence, "select", "reading the numbers of")?;
        sequence.schema.clone_into(&mut range.schemaname);
        self.note(range.alias.as_ref(), &range.relname);
        if !self.scopes.is_guarded(sequence.oid) {
            self.scopes.add_guard(sequence.oid, scan::guard_of(sequence.qualified(), sequence.oid));
        }
        Ok(true)
    }

    /// Whether all of them may be looked at at once.
    pub(super) fn every_sequence(&self) -> Result<(), Refusal> {
        self.catalog.sequences().iter().try_for_each(|sequence| self.counts_nothing_protected(sequence))
    }

    pub(super) fn counts_nothing_protected(&self, sequence: &Sequence) -> Result<(), Refusal> {
        let name = sequence.qualified();
        let told = |(oid, number): &(u32, i16)| {
            let masked = |access: &super::access::RelationAccess| {
                let mut columns = access.columns.iter();
                columns.any(|c| c.number == *number && matches!(c.treatment, Treatment::Masked(_)))
            };
            self.access.relations.get(oid).is_none_or(masked)
        };
        if sequence.columns.iter().any(told) {
            return Err(Refusal::forbidden(format!("sequence {name} tells the newest value of a protected column")));
        }
        let protected = |relation: &catalog::Relation| {
            let access = self.access.relations.get(&relation.oid);
            relation.schema == sequence.schema && access.is_none_or(|access| access.protected)
        };
        if sequence.columns.is_empty() && self.catalog.relations().any(protected) {
            return Err(Refusal::forbidden(format!("sequence {name} may number a protected column of its schema"))
                .hint("Say which column it is for: ALTER SEQUENCE … OWNED BY ….".to_owned()));
        }
        Ok(())
    }

    pub(super) fn ask_sequence(
        &mut self,
        sequence: &'a Sequence,
        action: &'static str,
        what: &str,
    ) -> Result<(), Refusal> {
        self.counts_nothing_protected(sequence)?;
        for (oid, _) in &sequence.columns {
            let relation = self.catalog.relation(*oid).ok_or_else(unnamed)?;
            self.ask(relation, action, what)?;
        }
        let object = sequence.qualified().to_string();
        if sequence.columns.is_empty() {
            let grant = self.access.schemas.get(&sequence.schema).cloned().unwrap_or_default();
            self.require(&grant, "ddl", "using a sequence of schema", &sequence.schema)?;
            self.found.resolved.insert(Resolved {
                object: object.clone(),
                verb: "ddl",
                resource: Resource::Schema(sequence.schema.clone()),
                held: grant.held,
                from_masks: Vec::new(),
            });
        }
        self.found.constants.extend([literal(&object), literal(&sequence.oid.to_string())]);
        let touched =
            Touched { object: object.clone(), action: action.to_owned(), masked: Vec::new(), revealed: Vec::new() };
        self.found.touched.entry((object, action)).or_insert(touched);
        Ok(())
    }

    /// The sequence that an argument names: by a constant, or as that of a column.
    fn named(&self, argument: &Node) -> Result<&'a Sequence, Refusal> {
        if let Some(text) = constant(argument) {
            let (schema, name) = parts(&text).ok_or_else(unnamed)?;
            let found = self.catalog.sequence(self.path, &schema, &name);
            return found.ok_or_else(|| Refusal::unknown_relation("of a sequence"));
        }
        let Some(NodeEnum::FuncCall(call)) = &argument.node else { return Err(unnamed()) };
        let function: Vec<String> = call.funcname.iter().filter_map(expression::name).collect();
        let owned = matches!(
            function.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
            ["pg_get_serial_sequence"] | ["pg_catalog", "pg_get_serial_sequence"]
        );
        let [relation, column] = call.args.as_slice() else { return Err(unnamed()) };
        let (Some(relation), Some(column), true) = (constant(relation), constant(column), owned) else {
            return Err(unnamed());
        };
        let (schema, name) = parts(&relation).ok_or_else(unnamed)?;
        let Ok(catalog::Resolved::Relation(relation)) = catalog::resolve(self.catalog, self.path, &schema, &name)
        else {
            return Err(Refusal::unknown_relation("of a sequence's column"));
        };
        let number = relation.column(&column).map(|column| column.number).ok_or_else(unnamed)?;
        let owned = |sequence: &&Sequence| sequence.columns.contains(&(relation.oid, number));
        self.catalog.sequences().iter().find(owned).ok_or_else(unnamed)
    }
}

/// A text constant, also one that is cast to `regclass` or `text`.
fn constant(node: &Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::AConst(constant)) => match constant.val.as_ref()? {
            Val::Sval(text) => Some(text.sval.clone()),
            _ => None,
        },
        Some(NodeEnum::TypeCast(cast)) => {
            let to = cast.type_name.as_ref()?;
            let named = to.names.last().and_then(expression::name)?;
            let plain = to.array_bounds.is_empty() && ["regclass", "text"].contains(&named.as_str());
            constant(cast.arg.as_deref()?).filter(|_| plain)
        }
        _ => None,
    }
}

/// `schema.name` or `name` as `regclass` reads it: in small letters unless quoted.
fn parts(text: &str) -> Option<(String, String)> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"').filter(|end| *end > 0)?;
                (quoted.get(..end)?.to_owned(), quoted.get(end.checked_add(1)?..)?)
            }
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                let part = rest.get(..end)?;
                let plain = part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                let begins = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                (part.to_ascii_lowercase(), (plain && begins).then(|| rest.get(end..)).flatten()?)
            }
        };
        parts.push(part);
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => break,
            None => return None,
        }
    }
    let name = parts.pop()?;
    let schema = parts.pop().unwrap_or_default();
    parts.is_empty().then_some((schema, name))
}

fn unnamed() -> Refusal {
    Refusal::unsupported("functions of sequences take a plain name, or pg_get_serial_sequence with plain names")
        .hint("Write the sequence's name as a constant.")
}
