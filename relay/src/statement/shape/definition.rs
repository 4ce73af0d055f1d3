//! Statements that change definitions, beyond making and dropping tables.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AccessPriv, AlterEnumStmt, AlterSeqStmt, AlterTableCmd, AlterTableStmt, CommentStmt, ConstraintsSetStmt,
    CreateEnumStmt, CreateSchemaStmt, CreateSeqStmt, CreateTableAsStmt, GrantStmt, IntoClause, PartitionBoundSpec,
    PartitionElem, PartitionSpec, RangeVar, RefreshMatViewStmt, ReindexStmt, RenameStmt, RoleSpec, TableLikeClause,
    VacuumRelation, VacuumStmt, ViewStmt,
};

use super::{Visit, each, one, range_var};
use crate::statement::refusal::Refusal;

/// Visits the children of such a statement; `false` when the node is none.
pub(super) fn children(kind: &mut NodeEnum, visit: Visit<'_>) -> Result<bool, Refusal> {
    match kind {
        NodeEnum::CreateTableAsStmt(statement) => {
            let CreateTableAsStmt { query, into, objtype: _, is_select_into: _, if_not_exists: _ } = statement.as_mut();
            one(query, visit)?;
            self::into(into.as_deref_mut(), visit)?;
        }
        NodeEnum::AlterTableStmt(AlterTableStmt { relation, cmds, objtype: _, missing_ok: _ }) => {
            named(relation, visit)?;
            each(cmds, visit)?;
        }
        NodeEnum::AlterTableCmd(command) => {
            let AlterTableCmd { subtype: _, name: _, num, newowner, def, behavior: _, missing_ok: _, recurse: _ } =
                command.as_mut();
            if newowner.is_some() || *num != 0 {
                return Err(Refusal::unsupported("this form of ALTER TABLE is not supported by the relay"));
            }
            one(def, visit)?;
        }
        NodeEnum::RenameStmt(statement) => {
            let RenameStmt {
                rename_type: _,
                relation_type: _,
                relation,
                object,
                subname: _,
                newname: _,
                behavior: _,
                missing_ok: _,
            } = statement.as_mut();
            named(relation, visit)?;
            one(object, visit)?;
        }
        NodeEnum::TableLikeClause(TableLikeClause { relation, options: _, relation_oid: _ }) => named(relation, visit)?,
        NodeEnum::CreateSeqStmt(CreateSeqStmt {
            sequence,
            options,
            owner_id: _,
            for_identity: _,
            if_not_exists: _,
        })
        | NodeEnum::AlterSeqStmt(AlterSeqStmt { sequence, options, for_identity: _, missing_ok: _ }) => {
            named(sequence, visit)?;
            each(options, visit)?;
        }
        NodeEnum::CreateEnumStmt(CreateEnumStmt { type_name, vals }) => {
            each(type_name, visit)?;
            each(vals, visit)?;
        }
        NodeEnum::AlterEnumStmt(AlterEnumStmt {
            type_name,
            old_val: _,
            new_val: _,
            new_val_neighbor: _,
            new_val_is_after: _,
            skip_if_new_val_exists: _,
        }) => each(type_name, visit)?,
        NodeEnum::CommentStmt(statement) => {
            let CommentStmt { objtype: _, object, comment: _ } = statement.as_mut();
            one(object, visit)?;
        }
        NodeEnum::ViewStmt(statement) => {
            let ViewStmt { view, aliases, query, replace: _, options, with_check_option: _ } = statement.as_mut();
            named(view, visit)?;
            each(aliases, visit)?;
            one(query, visit)?;
            each(options, visit)?;
        }
        NodeEnum::VacuumStmt(VacuumStmt { options, rels, is_vacuumcmd: _ }) => {
            each(options, visit)?;
            each(rels, visit)?;
        }
        NodeEnum::VacuumRelation(VacuumRelation { relation, oid: _, va_cols }) => {
            named(relation, visit)?;
            each(va_cols, visit)?;
        }
        NodeEnum::ReindexStmt(ReindexStmt { kind: _, relation, name: _, params }) => {
            named(relation, visit)?;
            each(params, visit)?;
        }
        NodeEnum::ConstraintsSetStmt(ConstraintsSetStmt { constraints, deferred: _ }) => each(constraints, visit)?,
        _ => return others(kind, visit),
    }
    Ok(true)
}

fn others(kind: &mut NodeEnum, visit: Visit<'_>) -> Result<bool, Refusal> {
    match kind {
        NodeEnum::RefreshMatViewStmt(RefreshMatViewStmt { concurrent: _, skip_data: _, relation }) => {
            named(relation, visit)?;
        }
        NodeEnum::CreateSchemaStmt(CreateSchemaStmt { schemaname: _, authrole, schema_elts, if_not_exists: _ }) => {
            authrole.as_mut().map_or(Ok(()), role)?;
            each(schema_elts, visit)?;
        }
        NodeEnum::GrantStmt(statement) => {
            let GrantStmt {
                is_grant: _,
                targtype: _,
                objtype: _,
                objects,
                privileges,
                grantees,
                grant_option: _,
                grantor,
                behavior: _,
            } = statement;
            each(objects, visit)?;
            each(privileges, visit)?;
            each(grantees, visit)?;
            grantor.as_mut().map_or(Ok(()), role)?;
        }
        NodeEnum::AccessPriv(AccessPriv { priv_name: _, cols }) => each(cols, visit)?,
        NodeEnum::RoleSpec(spec) => role(spec)?,
        NodeEnum::PartitionElem(element) => {
            let PartitionElem { name: _, expr, collation, opclass, location } = element.as_mut();
            *location = 0;
            one(expr, visit)?;
            each(collation, visit)?;
            each(opclass, visit)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn role(spec: &mut RoleSpec) -> Result<(), Refusal> {
    let RoleSpec { roletype: _, rolename: _, location } = spec;
    *location = 0;
    Ok(())
}

/// What a table is a part of, and what it is cut by.
pub(super) fn parts(
    bound: &mut Option<PartitionBoundSpec>,
    spec: &mut Option<PartitionSpec>,
    visit: Visit<'_>,
) -> Result<(), Refusal> {
    if let Some(bound) = bound {
        let PartitionBoundSpec {
            strategy: _,
            is_default: _,
            modulus: _,
            remainder: _,
            listdatums,
            lowerdatums,
            upperdatums,
            location,
        } = bound;
        *location = 0;
        for datums in [listdatums, lowerdatums, upperdatums] {
            each(datums, visit)?;
        }
    }
    if let Some(PartitionSpec { strategy: _, part_params, location }) = spec {
        *location = 0;
        each(part_params, visit)?;
    }
    Ok(())
}

/// What a query is written into.
pub(super) fn into(clause: Option<&mut IntoClause>, visit: Visit<'_>) -> Result<(), Refusal> {
    let Some(clause) = clause else { return Ok(()) };
    let IntoClause { rel, col_names, access_method, options, on_commit: _, table_space_name, view_query, skip_data: _ } =
        clause;
    if !access_method.is_empty() || !options.is_empty() || !table_space_name.is_empty() || view_query.is_some() {
        return Err(Refusal::unsupported(
            "CREATE TABLE AS with storage options or a tablespace is not supported by the relay",
        ));
    }
    named(rel, visit)?;
    each(col_names, visit)
}

fn named(relation: &mut Option<RangeVar>, visit: Visit<'_>) -> Result<(), Refusal> {
    relation.as_mut().map_or(Ok(()), |relation| range_var(relation, visit))
}
