//! The items of FROM: where a protected relation is replaced by its masked scan.

use std::sync::Arc;

use pg_query::NodeEnum;
use pg_query::protobuf::{Alias, ColumnRef, JoinExpr, Node, RangeFunction, RangeSubselect, RangeVar, SelectStmt};

use super::access::{RelationAccess, Scan, Treatment};
use super::own::{TEMPORARY, is_own, is_temporary};
use super::rewriter::Rewriter;
use super::scope::{Item, Role};
use super::splice::Spliced;
use super::{scan, setting_calls, unnest, withheld};
use crate::catalog::{Kind, QualifiedName, Readable, Relation, Resolved, Unresolved, literal, resolve};
use crate::statement::Refusal;

impl<'a> Rewriter<'a> {
    pub(super) fn item_of_from(&mut self, item: &mut Node) -> Result<(), Refusal> {
        match item.node.as_mut() {
            Some(NodeEnum::RangeVar(relation)) => {
                if let Some(replacement) = self.relation(relation)? {
                    item.node = Some(replacement);
                }
                Ok(())
            }
            Some(NodeEnum::RangeSubselect(sub)) => {
                let names = sub.alias.as_ref().map_or(&[][..], |alias| &alias.colnames);
                let columns = withheld::written_columns(names, sub.subquery.as_deref());
                self.subquery(&mut sub.subquery)?;
                self.scopes.add_written(columns);
                self.note(sub.alias.as_ref(), "");
                Ok(())
            }
            Some(NodeEnum::JoinExpr(join)) => self.join(join),
            Some(NodeEnum::RangeFunction(function)) if setting_calls::shows_all(function) => {
                // What `pg_settings` is a view of.
                let mut range = RangeVar {
                    schemaname: "pg_catalog".to_owned(),
                    relname: "pg_settings".to_owned(),
                    alias: function.alias.clone(),
                    ..RangeVar::default()
                };
                let name = || Alias { aliasname: setting_calls::ALL.to_owned(), colnames: Vec::new() };
                range.alias.get_or_insert_with(name);
                item.node = self.system_relation(&range)?;
                Ok(())
            }
            Some(NodeEnum::RangeFunction(function)) => self.range_function(function),
            Some(NodeEnum::RangeTableSample(sample)) => {
                if let Some(replacement) = self.sample(sample)? {
                    item.node = Some(replacement);
                }
                Ok(())
            }
            Some(NodeEnum::JsonTable(_) | NodeEnum::RangeTableFunc(_)) => self.table_of_document(item),
            _ => Err(Refusal::unsupported("this item of FROM is not supported by the relay yet")),
        }
    }

    fn join(&mut self, join: &mut JoinExpr) -> Result<(), Refusal> {
        for side in [&mut join.larg, &mut join.rarg].into_iter().flatten() {
            self.item_of_from(side)?;
        }
        self.joined_by_name(join.is_natural, &join.using_clause)?;
        if join.is_natural || !join.using_clause.is_empty() {
            self.operator("=")?;
        }
        self.maybe(&mut join.quals)?;
        for alias in [&join.join_using_alias, &join.alias] {
            self.note(alias.as_ref(), "");
        }
        Ok(())
    }

    /// `ROWS FROM` and plain functions: each entry is a call and its column definitions.
    fn range_function(&mut self, function: &mut RangeFunction) -> Result<(), Refusal> {
        unnest::spread(function);
        self.expressions(&mut function.functions)?;
        self.expressions(&mut function.coldeflist)?;
        let name = match function.functions.first().and_then(|node| node.node.as_ref()) {
            Some(NodeEnum::List(list)) => list.items.first().and_then(called).unwrap_or_default(),
            _ => String::new(),
        };
        let names = function.alias.as_ref().map_or(&[][..], |alias| &alias.colnames);
        self.scopes.add_written(withheld::written_columns(names, None));
        // What returns one column has it by the item's name.
        if let (Some(alias), true) = (&function.alias, OF_ONE_COLUMN.contains(&name.as_str()) && names.is_empty()) {
            self.scopes.add_written(vec![alias.aliasname.clone()]);
        }
        self.note(function.alias.as_ref(), &name);
        Ok(())
    }

    pub(super) fn subquery(&mut self, query: &mut Option<Box<Node>>) -> Result<(), Refusal> {
        match query.as_mut().and_then(|query| query.node.as_mut()) {
            Some(NodeEnum::SelectStmt(select)) => self.select(select),
            _ => Err(Refusal::unsupported("a subquery that is not a SELECT is not supported by the relay")),
        }
    }

    /// Resolves a relation of a FROM. `Some` is what must stand in its place.
    pub(super) fn relation(&mut self, range: &mut RangeVar) -> Result<Option<NodeEnum>, Refusal> {
        if range.catalogname.is_empty() && range.schemaname.is_empty() && self.scopes.is_cte(&range.relname) {
            let names = range.alias.as_ref().map_or(&[][..], |alias| &alias.colnames);
            let columns = match names {
                [] => self.scopes.cte_columns(&range.relname),
                names => withheld::written_columns(names, None),
            };
            self.scopes.add_written(columns);
            self.note(range.alias.as_ref(), &range.relname);
            return Ok(None);
        }
        if range.catalogname.is_empty() && range.relpersistence != "t" && self.sequence_read(range)? {
            return Ok(None);
        }
        let Some(relation) = self.resolve(range)? else {
            return self.system_relation(range);
        };
        let access = self.ask(relation, "select", "reading")?;
        let renamed = range.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty());
        self.scopes.add_item(Item {
            name: range.alias.as_ref().map_or(&range.relname, |alias| &alias.aliasname).clone(),
            relation: Some(relation),
            system: None,
            aliased: range.alias.is_some(),
            renamed,
            role: Role::Read,
        });
        if let Some(scan) = self.scan(relation, access, renamed)? {
            self.tells_no_key(relation, access)?;
            if let Some(scan) = self.scan_with_part(range, relation, access)? {
                return Ok(Some(scan));
            }
            return Ok(Some(self.scan_of(range, &relation.name, &scan)));
        }
        if is_own(relation) && relation.kind == Kind::View {
            self.own_view(relation)?;
            return Ok(None);
        }
        if let Some(select) = self.replacement(relation, access)? {
            return Ok(Some(in_place_of(range, &relation.name, select)));
        }
        self.guarded(relation, access)?;
        Ok(None)
    }

    /// What is read unmasked carries a guard, once a level: it is the relation that was decided on, or where its OID is not
    /// known yet, none of those that are protected.
    fn guarded(&mut self, relation: &'a Relation, access: &RelationAccess) -> Result<(), Refusal> {
        if self.unguarded || is_temporary(relation) {
            return Ok(());
        }
        if is_own(relation) {
            let protected = self.access.relations.iter().filter(|(_, access)| access.protected);
            let oids: Vec<String> = protected.map(|(oid, _)| oid.to_string()).collect();
            let oids = format!("{{{}}}", oids.join(","));
            self.found.constants.insert(literal(&oids));
            self.scopes.add_guard(relation.oid, scan::guard_against(relation, &oids));
        } else if self.catalog.relation(relation.oid).is_some_and(|known| known.qualified() != relation.qualified()) {
            self.scopes.add_guard(relation.oid, scan::guard(relation));
        } else if !self.scopes.is_guarded(relation.oid) {
            let guard = self.guard(relation, access)?;
            self.scopes.add_guard(relation.oid, guard);
        }
        Ok(())
    }

    /// A readable relation of the system stands as it is, but for those of which a part is to be seen.
    fn system_relation(&mut self, range: &RangeVar) -> Result<Option<NodeEnum>, Refusal> {
        let in_catalog = range.schemaname == "pg_catalog";
        self.scopes.add_item(Item {
            name: range.alias.as_ref().map_or(&range.relname, |alias| &alias.aliasname).clone(),
            relation: None,
            system: Some(if in_catalog { "pg_catalog" } else { "information_schema" }),
            aliased: range.alias.is_some(),
            renamed: true,
            role: Role::Read,
        });
        if in_catalog && range.relname == "pg_sequences" {
            self.every_sequence()?;
        }
        let narrowed = if in_catalog { self.narrowed(&range.relname)? } else { None };
        let Some((select, constants)) = narrowed else { return Ok(None) };
        self.found.constants.extend(constants);
        self.found.narrowed = true;
        Ok(Some(in_place_of(range, &range.relname, select)))
    }

    /// The guard of a relation that is read: in the tree a name stands for it ([`super::splice`]).
    fn guard(&mut self, relation: &Relation, access: &RelationAccess) -> Result<Node, Refusal> {
        #[cfg(test)]
        if self.whole_trees {
            return Ok(scan::guard(relation));
        }
        let guard = match access.guard.get() {
            Some(guard) => guard,
            None => {
                let made = Spliced::condition(scan::guard(relation), &|name| self.catalog.knows(name))?;
                access.guard.get_or_init(|| Arc::new(made))
            }
        };
        let name = self.splice(guard);
        Ok(scan::node(NodeEnum::ColumnRef(ColumnRef { fields: vec![scan::text(&name)], location: 0 })))
    }

    /// The masked scan: in the tree a name stands for it, in the text it is written there ([`super::splice`]).
    fn scan_of(&mut self, range: &RangeVar, name: &str, scan: &Scan) -> NodeEnum {
        let spliced = if range.inh { &scan.with_children } else { &scan.alone };
        #[cfg(test)]
        if self.whole_trees {
            return in_place_of(range, name, spliced.select());
        }
        let relname = self.splice(spliced);
        let alias = range.alias.clone().unwrap_or_else(|| Alias { aliasname: name.to_owned(), colnames: Vec::new() });
        NodeEnum::RangeVar(RangeVar {
            relname,
            inh: true,
            relpersistence: "p".to_owned(),
            alias: Some(alias),
            ..RangeVar::default()
        })
    }

    fn replacement(
        &mut self,
        relation: &'a Relation,
        access: &'a RelationAccess,
    ) -> Result<Option<SelectStmt>, Refusal> {
        match relation.kind {
            Kind::View => self.view(relation),
            Kind::MaterializedView if !access.protected => self.materialized_view(relation).map(|()| None),
            _ => Ok(None),
        }
    }

    /// In which partition a row is tells what it is partitioned by: a part is not read by its own name where that is masked.
    pub(super) fn tells_no_key(&self, relation: &Relation, access: &RelationAccess) -> Result<(), Refusal> {
        let masked = |name: &str| {
            let mut columns = access.columns.iter();
            columns.any(|column| column.name == name && matches!(column.treatment, Treatment::Masked(_)))
        };
        let ancestors = self.catalog.ancestors(relation.oid);
        let tells = ancestors.iter().filter_map(|oid| self.catalog.relation(*oid)).find(|whole| {
            whole.partition_key.iter().any(|number| {
                let column = whole.columns.iter().find(|column| column.number == *number);
                column.is_none_or(|column| masked(&column.name))
            })
        });
        match tells {
            None => Ok(()),
            Some(whole) => Err(Refusal::forbidden(format!(
                "{} is a part of {}, cut by a protected column: which rows are in it would tell that column",
                relation.qualified(),
                whole.qualified()
            ))
            .hint(format!("Read {}.", whole.qualified()))),
        }
    }

    /// Resolves a name and writes the schema into it. `None` is a readable relation of the system.
    pub(super) fn resolve(&mut self, range: &mut RangeVar) -> Result<Option<&'a Relation>, Refusal> {
        if !range.catalogname.is_empty() {
            return Err(Refusal::unsupported("names with a database in front are not supported by the relay"));
        }
        if let Some(own) = self.own.find(self.catalog, self.path, &range.schemaname, &range.relname) {
            // What the snapshot says is protected stays what the snapshot says.
            let known = self.catalog.relation_named(&own.schema, &own.name);
            if !known.is_some_and(|known| self.access.relations.get(&known.oid).is_none_or(|access| access.protected)) {
                own.schema.clone_into(&mut range.schemaname);
                return Ok(Some(own));
            }
        }
        if range.schemaname == TEMPORARY {
            let name = QualifiedName { schema: TEMPORARY, name: &range.relname };
            return Err(Refusal::unknown_relation(name).hint("Temporary tables are those that this session has made."));
        }
        match resolve(self.catalog, self.path, &range.schemaname, &range.relname) {
            Ok(Resolved::Relation(relation)) => {
                relation.schema.clone_into(&mut range.schemaname);
                Ok(Some(relation))
            }
            Ok(Resolved::System(schema)) => {
                schema.clone_into(&mut range.schemaname);
                Ok(None)
            }
            Err(why) => Err(unresolved(&why, range)),
        }
    }

    /// Notes an item that reads no relation of the snapshot directly.
    pub(super) fn note(&mut self, alias: Option<&Alias>, otherwise: &str) {
        let name = alias.map_or(otherwise, |alias| &alias.aliasname);
        if !name.is_empty() {
            self.scopes.add_item(Item {
                name: name.to_owned(),
                relation: None,
                system: None,
                aliased: true,
                renamed: true,
                role: Role::Read,
            });
        }
    }
}

/// The masked scan under the name that the relation had in the statement.
pub(super) fn in_place_of(range: &RangeVar, name: &str, select: SelectStmt) -> NodeEnum {
    let alias = range.alias.clone().unwrap_or_else(|| Alias { aliasname: name.to_owned(), colnames: Vec::new() });
    let subquery = scan::node(NodeEnum::SelectStmt(Box::new(select)));
    NodeEnum::RangeSubselect(Box::new(RangeSubselect {
        lateral: false,
        subquery: Some(Box::new(subquery)),
        alias: Some(alias),
    }))
}

fn unresolved(why: &Unresolved, range: &RangeVar) -> Refusal {
    let name = if range.schemaname.is_empty() {
        Readable(&range.relname).to_string()
    } else {
        QualifiedName { schema: &range.schemaname, name: &range.relname }.to_string()
    };
    match why {
        Unresolved::Unknown => Refusal::unknown_relation(name),
        Unresolved::SystemRefused => Refusal::forbidden(format!(
            "system relation {name} may not be read: it can hold values, statements or secrets of others"
        ))
        .reason("a system relation that can hold values, statements or secrets may not be read"),
        Unresolved::SchemaRefused => {
            Refusal::forbidden(format!("relations of schema {} may not be read", Readable(&range.schemaname)))
                .reason("relations of a temporary or TOAST schema may not be read")
        }
    }
}

/// Functions that return rows of one value.
const OF_ONE_COLUMN: [&str; 6] = [
    "generate_series",
    "generate_subscripts",
    "json_array_elements_text",
    "jsonb_array_elements_text",
    "regexp_split_to_table",
    "string_to_table",
];

fn called(node: &Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::FuncCall(call)) => call.funcname.last().and_then(super::expression::name),
        _ => None,
    }
}
