//! Sequences, and defaults that take numbers from them.

use pg_query::NodeEnum;
use pg_query::protobuf::{AlterSeqStmt, CreateSeqStmt, FuncCall, Node, a_const::Val};

use super::place::Place;
use super::{changed, changed_own, list_of, names_in, odd, range_of, written};
use crate::catalog::{QualifiedName, literal};
use crate::rewrite::expression::name;
use crate::rewrite::outcome::Effects;
use crate::rewrite::own::{OwnChange, Thing};
use crate::rewrite::rewriter::Rewriter;
use crate::rewrite::scan;
use crate::statement::Refusal;

impl Rewriter<'_> {
    pub(in crate::rewrite) fn create_sequence(&mut self, statement: &mut CreateSeqStmt) -> Result<Effects, Refusal> {
        let range = statement.sequence.as_mut().ok_or_else(|| odd("CREATE SEQUENCE"))?;
        if self.place(range, "CREATE SEQUENCE")? == Place::Temporary {
            return Err(Refusal::unsupported("temporary sequences are not supported by the relay")
                .hint("A temporary table's column can be an identity."));
        }
        let own = OwnChange::Thing(Thing::Sequence, range.schemaname.clone(), range.relname.clone());
        self.sequence_options(&mut statement.options)?;
        // What `IF NOT EXISTS` leaves as it is may be somebody else's.
        Ok(changed_own(if statement.if_not_exists { Vec::new() } else { vec![own] }))
    }

    pub(in crate::rewrite) fn alter_sequence(&mut self, statement: &mut AlterSeqStmt) -> Result<Effects, Refusal> {
        let range = statement.sequence.as_mut().ok_or_else(|| odd("ALTER SEQUENCE"))?;
        self.changeable_dependent(range, true, statement.missing_ok, "ALTER SEQUENCE")?;
        if let Some(sequence) = self.catalog.sequence(self.path, &range.schemaname, &range.relname) {
            self.counts_nothing_protected(sequence)?;
        }
        self.sequence_options(&mut statement.options)?;
        Ok(changed())
    }

    /// Each with a value of the one form that it takes: libpg_query's writer takes that for granted.
    pub(super) fn sequence_options(&mut self, options: &mut [Node]) -> Result<(), Refusal> {
        for option in options {
            let Some(NodeEnum::DefElem(element)) = option.node.as_mut() else { return Err(odd("a sequence")) };
            let arg = element.arg.as_mut().map(|arg| &mut arg.node);
            match (element.defname.as_str(), arg) {
                ("maxvalue" | "minvalue" | "restart", None) => {}
                (
                    "increment" | "maxvalue" | "minvalue" | "start" | "restart" | "cache",
                    Some(Some(NodeEnum::Integer(_) | NodeEnum::Float(_))),
                )
                | ("cycle", Some(Some(NodeEnum::Boolean(_)))) => {}
                ("as", Some(Some(NodeEnum::TypeName(type_name)))) => self.type_name(type_name)?,
                ("owned_by", Some(_)) => {
                    if let Some(arg) = element.arg.as_deref_mut() {
                        self.owned_by(arg)?;
                    }
                }
                _ => return Err(odd("a sequence")),
            }
        }
        Ok(())
    }

    fn owned_by(&mut self, arg: &mut Node) -> Result<(), Refusal> {
        let parts = names_in(arg).ok_or_else(|| odd("OWNED BY"))?;
        match parts.as_slice() {
            [none] if none == "none" => Ok(()),
            [relation @ .., column] if !relation.is_empty() => {
                let mut range = range_of(relation)?;
                self.changeable(&mut range, "OWNED BY a column of")?;
                *arg = list_of(&range, std::slice::from_ref(column));
                Ok(())
            }
            _ => Err(odd("OWNED BY")),
        }
    }

    /// The default of a column: what a listed function computes, or a sequence's next number.
    pub(super) fn default(&mut self, expression: &mut Option<Box<Node>>) -> Result<(), Refusal> {
        if let Some(NodeEnum::FuncCall(call)) = expression.as_mut().and_then(|node| node.node.as_mut()) {
            let parts: Vec<String> = call.funcname.iter().filter_map(name).collect();
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            if matches!(parts.as_slice(), ["nextval"] | ["pg_catalog", "nextval"]) {
                return self.next_number(call);
            }
        }
        self.computed(expression)
    }

    /// `nextval` of a sequence by name, in the one form that is written upstream: no other name can be meant.
    fn next_number(&mut self, call: &mut FuncCall) -> Result<(), Refusal> {
        let odd = || Refusal::unsupported("nextval in a default is supported of one sequence, by its plain name alone");
        let [argument] = call.args.as_mut_slice() else { return Err(odd()) };
        let plain = FuncCall {
            funcname: call.funcname.clone(),
            args: vec![argument.clone()],
            funcformat: call.funcformat,
            ..FuncCall::default()
        };
        let text = constant(argument).ok_or_else(odd)?;
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        let is_plain = |part: &String| {
            part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if *call != plain || !parts.iter().all(is_plain) || self.catalog.user_function_visible(self.path, "nextval") {
            return Err(odd());
        }
        let mut range = range_of(&parts)?;
        let own = self.own.thing(Thing::Sequence, self.catalog.searched(self.path), &range.schemaname, &range.relname);
        if let Some(schema) = own {
            range.schemaname = schema;
        } else {
            let known = self.dependent(&range, true).ok_or_else(|| Refusal::unknown_relation(written(&range)))?;
            known.schema.clone_into(&mut range.schemaname);
            if known.of.is_some_and(|oid| self.is_protected(oid)) {
                return Err(Refusal::forbidden(format!(
                    "the sequence {} numbers the rows of a protected relation",
                    QualifiedName { schema: &known.schema, name: &known.name }
                )));
            }
            if let Some(sequence) = self.catalog.sequence(&[], &range.schemaname, &range.relname) {
                self.ask_sequence(sequence, "insert", "taking numbers for")?;
            }
        }
        let name = QualifiedName { schema: &range.schemaname, name: &range.relname }.to_string();
        self.found.constants.insert(literal(&name));
        call.funcname = vec![scan::text("pg_catalog"), scan::text("nextval")];
        call.args = vec![scan::cast(scan::string(&name), "regclass")];
        Ok(())
    }
}

/// A string constant, also with `::regclass`.
fn constant(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(Val::Sval(text)) => Some(&text.sval),
            _ => None,
        },
        Some(NodeEnum::TypeCast(cast)) => {
            let names: Vec<String> = cast.type_name.as_ref()?.names.iter().filter_map(name).collect();
            let regclass = names.last().is_some_and(|last| last == "regclass");
            let arg = cast.arg.as_deref().filter(|arg| matches!(arg.node, Some(NodeEnum::AConst(_))))?;
            regclass.then(|| constant(arg))?
        }
        _ => None,
    }
}
