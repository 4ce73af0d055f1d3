//! Expressions: every name in them is looked up, every name that computes is on a list.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AExpr, AExprKind, ColumnRef, FuncCall, Node, SubLink, SubLinkType, TypeCast, TypeName, a_const::Val,
};

use super::own::Thing;
use super::rewriter::Rewriter;
use super::scope::{Item, Qualified};
use super::setting_calls::{self, Call};
use super::{functions, operators, scan, types, withheld};
use crate::catalog::{QualifiedName, Readable, literal};
use crate::statement::{Refusal, shape};

impl Rewriter<'_> {
    /// A collation may have any name: it orders texts, and runs nobody's code.
    pub(super) fn expression(&mut self, node: &mut Node) -> Result<(), Refusal> {
        match node.node.as_mut() {
            Some(NodeEnum::SelectStmt(select)) => return self.select(select),
            Some(NodeEnum::SubLink(link)) => return self.sublink(link),
            Some(NodeEnum::ColumnRef(_)) if self.returning.is_some() => return self.returned(node),
            Some(NodeEnum::ColumnRef(_)) if self.storing.is_some() => return self.stored(node),
            Some(NodeEnum::ColumnRef(reference)) => {
                self.column(reference)?;
                return self.withhold(reference);
            }
            Some(NodeEnum::MergeSupportFunc(_)) => return self.merge_action(),
            Some(NodeEnum::AExpr(operation)) => self.operation(operation)?,
            Some(NodeEnum::FuncCall(call)) => self.function(call)?,
            Some(NodeEnum::TypeCast(cast)) => {
                cast.type_name.as_mut().map_or(Ok(()), |to| self.cast_to(to))?;
                self.boolean_word(cast);
            }
            Some(NodeEnum::ColumnDef(definition)) => self.maybe_type(definition.type_name.as_mut())?,
            Some(NodeEnum::CaseExpr(case)) if case.arg.is_some() => self.operator("=")?,
            Some(NodeEnum::AIndirection(indirection)) => {
                for field in indirection.indirection.iter().filter_map(name) {
                    self.field(&field)?;
                }
            }
            Some(NodeEnum::CurrentOfExpr(_)) => {
                return Err(Refusal::unsupported("WHERE CURRENT OF is not supported here"));
            }
            Some(kind) if belongs_elsewhere(kind) => {
                return Err(Refusal::unsupported(
                    "a relation or statement in this place is not supported by the relay",
                ));
            }
            Some(kind) => self.document(kind)?,
            None => {}
        }
        shape::children(node, &mut |child| self.expression(child))
    }

    fn sublink(&mut self, link: &mut SubLink) -> Result<(), Refusal> {
        self.maybe(&mut link.testexpr)?;
        if link.testexpr.is_some() {
            match link.oper_name.is_empty() {
                true => self.operator("=")?,
                false => self.named_operator(&link.oper_name)?,
            }
        }
        // What exists does not depend on the columns of it.
        let exists = link.sub_link_type == i32::from(SubLinkType::ExistsSublink);
        match link.subselect.as_mut().and_then(|query| query.node.as_mut()) {
            Some(NodeEnum::SelectStmt(select)) if exists && withheld::is_star(select) => {
                let star = std::mem::take(&mut select.target_list);
                let result = self.select(select);
                select.target_list = star;
                result
            }
            _ => self.subquery(&mut link.subselect),
        }
    }

    fn operation(&mut self, operation: &AExpr) -> Result<(), Refusal> {
        let implied: &[&str] = match AExprKind::try_from(operation.kind) {
            Ok(
                AExprKind::AexprOp
                | AExprKind::AexprOpAny
                | AExprKind::AexprOpAll
                | AExprKind::AexprLike
                | AExprKind::AexprIlike
                | AExprKind::AexprIn
                | AExprKind::AexprDistinct
                | AExprKind::AexprNotDistinct
                | AExprKind::AexprNullif,
            ) => return self.named_operator(&operation.name),
            Ok(AExprKind::AexprSimilar) => &["~", "!~"],
            Ok(AExprKind::AexprBetween | AExprKind::AexprBetweenSym) => &[">=", "<="],
            Ok(AExprKind::AexprNotBetween | AExprKind::AexprNotBetweenSym) => &["<", ">"],
            _ => return Err(Refusal::unsupported("this kind of operation is not supported by the relay")),
        };
        implied.iter().try_for_each(|operator| self.operator(operator))
    }

    fn named_operator(&self, name_parts: &[Node]) -> Result<(), Refusal> {
        let parts: Vec<String> = name_parts.iter().filter_map(name).collect();
        match parts.as_slice() {
            [operator] => self.operator(operator),
            [schema, operator] if schema == "pg_catalog" => self.operator_in(&[], operator),
            _ => Err(Refusal::forbidden("operators outside of pg_catalog are not supported by the relay")),
        }
    }

    /// An operator that the statement names or implies, looked up along the search path.
    pub(super) fn operator(&self, operator: &str) -> Result<(), Refusal> {
        self.operator_in(self.operator_path, operator)
    }

    fn operator_in(&self, path: &[String], operator: &str) -> Result<(), Refusal> {
        if !operators::allowed(operator) {
            return Err(Refusal::forbidden(format!("operator {operator} is not on the relay's list of operators")));
        }
        if self.catalog.user_operator_visible(path, operator) {
            return Err(Refusal::forbidden(format!(
                "operator {operator} is also defined outside of pg_catalog: which one would run is the server's choice"
            ))
            .hint("Choose a search path without that schema, or write OPERATOR(pg_catalog.…)."));
        }
        Ok(())
    }

    fn function(&mut self, call: &mut FuncCall) -> Result<(), Refusal> {
        let parts: Vec<String> = call.funcname.iter().filter_map(name).collect();
        let (path, function) = match parts.as_slice() {
            [function] => (self.path, function),
            [schema, function] if schema == "pg_catalog" => (&[][..], function),
            // What pgjdbc asks for the columns of keys.
            [schema, function] if schema == "information_schema" && function == "_pg_expandarray" => return Ok(()),
            [schema, function] => {
                return self.ask_call(schema, function).unwrap_or_else(|| Err(self.refused_function(function)));
            }
            [.., function] => return Err(self.refused_function(function)),
            [] => return Err(Refusal::unsupported("a call without a name")),
        };
        if !functions::allowed(function)
            && !self.populates(function, &call.args)
            && !self.text_query(function, &mut call.args)?
            && !self.sequence_call(function, &mut call.args)?
            && !self.reaching_call(function, &call.args)?
        {
            match setting_calls::call(function, &mut call.args, &self.access.settings)? {
                Call::Other => {
                    let schema = self.schema_of_function(path, function)?;
                    call.funcname = vec![scan::text(&schema), scan::text(function)];
                    return Ok(());
                }
                Call::Admitted => {}
                Call::Checked(constants) => self.found.constants.extend(constants),
            }
        }
        if self.catalog.user_function_visible(path, function) {
            return Err(Refusal::forbidden(format!(
                "function {function} is also defined outside of pg_catalog: which one would run is the server's choice"
            ))
            .hint(format!("Write pg_catalog.{function}, or choose a search path without that schema.")));
        }
        if self.catalog.extension_function_visible(path, function) {
            self.found.shadowed = Some(function.clone());
        }
        call.funcname = vec![scan::text("pg_catalog"), scan::text(function)];
        Ok(())
    }

    /// The one schema along the path whose function an unqualified name can mean, if it may be called. Which of several
    /// would run is the server's choice.
    fn schema_of_function(&mut self, path: &[String], function: &str) -> Result<String, Refusal> {
        let schemas: Vec<String> = self.catalog.schemas_with_function(path, function).map(str::to_owned).collect();
        match schemas.as_slice() {
            [schema] if !self.catalog.built_in_function(function) => {
                self.ask_call(schema, function).unwrap_or_else(|| Err(self.refused_function(function)))?;
                Ok(schema.clone())
            }
            [] => Err(self.refused_function(function)),
            _ => Err(self.refused_function(function).hint("Write the function's schema in front of its name.")),
        }
    }

    fn refused_function(&self, function: &str) -> Refusal {
        let refusal = Refusal::forbidden(format!(
            "function {} is not on the relay's list: a function outside of it could read or tell protected values",
            Readable(function)
        ));
        if self.catalog.knows(function) {
            refusal
        } else {
            refusal.reason("a function that is not on the relay's list of functions")
        }
    }

    pub(super) fn maybe_type(&mut self, type_name: Option<&mut TypeName>) -> Result<(), Refusal> {
        type_name.map_or(Ok(()), |type_name| self.type_name(type_name))
    }

    /// `'t'::bool` would be written as `true`, whose column has another name: the word in full is left alone.
    fn boolean_word(&mut self, cast: &mut TypeCast) {
        let to = cast.type_name.as_ref().and_then(|to| to.names.last()).and_then(name);
        let Some(NodeEnum::AConst(constant)) = cast.arg.as_mut().and_then(|arg| arg.node.as_mut()) else { return };
        if let (Some("bool"), Some(Val::Sval(text))) = (to.as_deref(), constant.val.as_mut()) {
            let word = match text.sval.as_str() {
                "t" => "true",
                "f" => "false",
                _ => return,
            };
            word.clone_into(&mut text.sval);
            self.found.constants.insert(literal(word));
        }
    }

    /// Types of `pg_catalog` on the list, and enums; their names are qualified, so that nothing can shadow them.
    pub(super) fn type_name(&self, type_name: &mut TypeName) -> Result<(), Refusal> {
        let parts: Vec<String> = type_name.names.iter().filter_map(name).collect();
        let (schema, local) = match parts.as_slice() {
            [local] if types::allowed(local) => ("pg_catalog", local.as_str()),
            [schema, local] if schema == "pg_catalog" && types::allowed(local) => ("pg_catalog", local.as_str()),
            [local] | [_, local] => {
                let schema = if parts.len() == 1 { "" } else { parts.first().map_or("", String::as_str) };
                let schema = self.enum_schema(schema, local).ok_or_else(|| self.refused_type(local))?;
                type_name.names = vec![scan::text(&schema), scan::text(local)];
                return Ok(());
            }
            [.., local] => return Err(self.refused_type(local)),
            [] => return Err(Refusal::unsupported("a type without a name")),
        };
        type_name.names = vec![scan::text(schema), scan::text(local)];
        Ok(())
    }

    /// The schema of an enum: the one that is named, or the first of the search path that has one of this name.
    pub(super) fn enum_schema(&self, schema: &str, local: &str) -> Option<String> {
        let is_enum = |schema: &str| self.catalog.type_named(schema, local).is_some_and(|t| t.kind == 'e');
        let known = if schema.is_empty() {
            self.catalog.searched(self.path).find(|searched| is_enum(searched))
        } else {
            Some(schema).filter(|schema| is_enum(schema))
        };
        let own = || self.own.thing(Thing::Enum, self.catalog.searched(self.path), schema, local);
        known.map(str::to_owned).or_else(own)
    }

    fn refused_type(&self, local: &str) -> Refusal {
        let refusal = Refusal::forbidden(format!("type {} is not on the relay's list of types", Readable(local)))
            .hint("Types of pg_catalog that hold plain values and enums of the database may be named.");
        if self.catalog.knows(local) { refusal } else { refusal.reason("a type that is not on the relay's list") }
    }

    /// `relation.column`: also the spelling of a call `column(relation)`, so a name that a user's function has must be
    /// a column for certain. `schema.relation.column`: the schema is dropped where the relation is replaced.
    pub(super) fn column(&mut self, reference: &mut ColumnRef) -> Result<(), Refusal> {
        let parts: Vec<Option<String>> = reference.fields.iter().map(name).collect();
        match parts.as_slice() {
            [_] => Ok(()),
            [Some(_), None] => Ok(()),
            [Some(item), Some(column)] => self.qualified_column(item, column),
            [Some(schema), Some(relation), column] => {
                let qualified = QualifiedName { schema, name: relation };
                match self.scopes.qualified(schema, relation) {
                    Qualified::Item => {}
                    Qualified::Hidden => {
                        return Err(Refusal::unsupported(
                            "a column qualified by schema and relation is ambiguous here",
                        )
                        .hint("Give the relations different aliases and qualify the column by alias."));
                    }
                    Qualified::Missing => {
                        return Err(
                            Refusal::unknown_relation(qualified).hint("Qualify the column by the item's alias.")
                        );
                    }
                }
                if let Some(column) = column {
                    self.qualified_column(relation, column)?;
                }
                reference.fields.remove(0);
                Ok(())
            }
            _ => Err(Refusal::unsupported("column references with a database in front are not supported by the relay")),
        }
    }

    fn qualified_column(&self, item: &str, column: &str) -> Result<(), Refusal> {
        let certain =
            |item: &Item<'_>| !item.renamed && item.relation.is_some_and(|relation| relation.column(column).is_some());
        if self.scopes.all_items(item, certain) { Ok(()) } else { self.field(column) }
    }

    /// A field whose name a function has may be a call of it: `value.pg_read_file` is `pg_read_file(value)`.
    fn field(&self, field: &str) -> Result<(), Refusal> {
        let listed = !self.catalog.unary_function(field) || functions::allowed_as_field(field);
        if listed && !self.catalog.user_function_visible(self.path, field) {
            return Ok(());
        }
        Err(Refusal::forbidden(format!(
            "{} could be a call of the function of that name: such functions are not on the relay's list",
            Readable(field)
        ))
        .hint("Give the column another name where the subquery or function that returns it is written."))
    }
}

/// The text of a `String` node.
pub(super) fn name(node: &Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::String(text)) => Some(text.sval.clone()),
        _ => None,
    }
}

/// Kinds that [`shape`] admits and that have their own place, where they are resolved; met anywhere else they would
/// pass unresolved.
fn belongs_elsewhere(kind: &NodeEnum) -> bool {
    matches!(
        kind,
        NodeEnum::RangeVar(_)
            | NodeEnum::RangeSubselect(_)
            | NodeEnum::RangeFunction(_)
            | NodeEnum::RangeTableSample(_)
            | NodeEnum::RangeTableFunc(_)
            | NodeEnum::JsonTable(_)
            | NodeEnum::JoinExpr(_)
            | NodeEnum::CommonTableExpr(_)
            | NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_)
            | NodeEnum::MergeWhenClause(_)
            | NodeEnum::LockingClause(_)
            | NodeEnum::Constraint(_)
            | NodeEnum::DefElem(_)
            | NodeEnum::IndexElem(_)
            | NodeEnum::TransactionStmt(_)
            | NodeEnum::VariableSetStmt(_)
            | NodeEnum::VariableShowStmt(_)
            | NodeEnum::ExplainStmt(_)
            | NodeEnum::CopyStmt(_)
            | NodeEnum::DeclareCursorStmt(_)
            | NodeEnum::PrepareStmt(_)
            | NodeEnum::ExecuteStmt(_)
            | NodeEnum::LockStmt(_)
            | NodeEnum::TypeName(_)
            | NodeEnum::FetchStmt(_)
            | NodeEnum::DropStmt(_)
            | NodeEnum::TruncateStmt(_)
            | NodeEnum::CreateStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::DiscardStmt(_)
            | NodeEnum::DeallocateStmt(_)
            | NodeEnum::ClosePortalStmt(_)
            | NodeEnum::UnlistenStmt(_)
            | NodeEnum::CreateTableAsStmt(_)
            | NodeEnum::TableLikeClause(_)
            | NodeEnum::AlterTableStmt(_)
            | NodeEnum::AlterTableCmd(_)
            | NodeEnum::RenameStmt(_)
            | NodeEnum::CreateSeqStmt(_)
            | NodeEnum::AlterSeqStmt(_)
            | NodeEnum::CreateEnumStmt(_)
            | NodeEnum::AlterEnumStmt(_)
            | NodeEnum::CommentStmt(_)
            | NodeEnum::ViewStmt(_)
            | NodeEnum::VacuumStmt(_)
            | NodeEnum::VacuumRelation(_)
            | NodeEnum::ReindexStmt(_)
            | NodeEnum::ConstraintsSetStmt(_)
            | NodeEnum::RefreshMatViewStmt(_)
            | NodeEnum::GrantStmt(_)
            | NodeEnum::AccessPriv(_)
            | NodeEnum::RoleSpec(_)
            | NodeEnum::CreateSchemaStmt(_)
            | NodeEnum::PartitionElem(_)
    )
}
