//! Statements that are neither queries nor writes of rows.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    ClosePortalStmt, ColumnDef, Constraint, CopyStmt, CreateStmt, DeallocateStmt, DeclareCursorStmt, DefElem,
    DiscardStmt, DropStmt, ExecuteStmt, ExplainStmt, FetchStmt, IndexStmt, ListenStmt, LockStmt, NotifyStmt,
    PrepareStmt, TransactionStmt, TruncateStmt, UnlistenStmt, VariableSetStmt, VariableShowStmt,
};

use super::{Visit, definition, each, expression, one, range_var, type_name};
use crate::statement::refusal::Refusal;

/// Visits the children of a utility statement; `false` when the node is none that is admitted.
pub(super) fn children(kind: &mut NodeEnum, visit: Visit<'_>) -> Result<bool, Refusal> {
    match kind {
        NodeEnum::TransactionStmt(statement) => {
            let TransactionStmt { kind: _, options, savepoint_name: _, gid: _, chain: _, location } = statement;
            *location = 0;
            each(options, visit)?;
        }
        NodeEnum::DefElem(element) => {
            let DefElem { defnamespace: _, defname: _, arg, defaction: _, location, arg_location } = element.as_mut();
            (*location, *arg_location) = (0, 0);
            one(arg, visit)?;
        }
        NodeEnum::VariableSetStmt(statement) => {
            let VariableSetStmt { kind: _, name: _, args, jumble_args: _, is_local: _, location } = statement;
            *location = 0;
            each(args, visit)?;
        }
        NodeEnum::VariableShowStmt(VariableShowStmt { name: _ })
        | NodeEnum::DiscardStmt(DiscardStmt { target: _ })
        | NodeEnum::ClosePortalStmt(ClosePortalStmt { portalname: _ })
        | NodeEnum::ListenStmt(ListenStmt { conditionname: _ })
        | NodeEnum::UnlistenStmt(UnlistenStmt { conditionname: _ }) => {}
        NodeEnum::NotifyStmt(NotifyStmt { conditionname: _, payload: _, payload_location }) => *payload_location = 0,
        NodeEnum::DeallocateStmt(DeallocateStmt { name: _, isall: _, location }) => *location = 0,
        NodeEnum::DeclareCursorStmt(statement) => {
            let DeclareCursorStmt { portalname: _, options: _, query } = statement.as_mut();
            one(query, visit)?;
        }
        NodeEnum::PrepareStmt(statement) => {
            let PrepareStmt { name: _, argtypes, query } = statement.as_mut();
            each(argtypes, visit)?;
            one(query, visit)?;
        }
        NodeEnum::ExecuteStmt(ExecuteStmt { name: _, params }) => each(params, visit)?,
        NodeEnum::LockStmt(LockStmt { relations, mode: _, nowait: _ }) => each(relations, visit)?,
        // Of a parameter of PREPARE; everywhere else it is a field of what it belongs to.
        NodeEnum::TypeName(name) => {
            let mut named = Some(std::mem::take(name));
            type_name(&mut named, visit)?;
            *name = named.unwrap_or_default();
        }
        NodeEnum::FetchStmt(FetchStmt { direction: _, how_many: _, portalname: _, ismove: _ }) => {}
        NodeEnum::CopyStmt(statement) => copy(statement, visit)?,
        NodeEnum::ExplainStmt(statement) => {
            let ExplainStmt { query, options } = statement.as_mut();
            one(query, visit)?;
            each(options, visit)?;
        }
        NodeEnum::DropStmt(DropStmt { objects, remove_type: _, behavior: _, missing_ok: _, concurrent: _ }) => {
            each(objects, visit)?;
        }
        NodeEnum::TruncateStmt(TruncateStmt { relations, restart_seqs: _, behavior: _ }) => each(relations, visit)?,
        NodeEnum::CreateStmt(statement) => create(statement, visit)?,
        NodeEnum::ColumnDef(definition) => column(definition, visit)?,
        NodeEnum::Constraint(definition) => constraint(definition, visit)?,
        NodeEnum::IndexStmt(statement) => index(statement, visit)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn copy(statement: &mut CopyStmt, visit: Visit<'_>) -> Result<(), Refusal> {
    let CopyStmt { relation, query, attlist, is_from: _, is_program: _, filename: _, options, where_clause } =
        statement;
    relation.as_mut().map_or(Ok(()), |relation| range_var(relation, visit))?;
    one(query, visit)?;
    each(attlist, visit)?;
    each(options, visit)?;
    one(where_clause, visit)
}

fn create(statement: &mut CreateStmt, visit: Visit<'_>) -> Result<(), Refusal> {
    let CreateStmt {
        relation,
        table_elts,
        inh_relations,
        partbound,
        partspec,
        of_typename,
        constraints,
        nnconstraints,
        options,
        oncommit: _,
        tablespacename,
        access_method,
        if_not_exists: _,
    } = statement;
    let special =
        of_typename.is_some() || !options.is_empty() || !tablespacename.is_empty() || !access_method.is_empty();
    if special {
        return Err(Refusal::unsupported(
            "CREATE TABLE with a row type, storage options or a tablespace is not supported yet",
        ));
    }
    relation.as_mut().map_or(Ok(()), |relation| range_var(relation, visit))?;
    each(inh_relations, visit)?;
    definition::parts(partbound, partspec, visit)?;
    each(table_elts, visit)?;
    each(constraints, visit)?;
    each(nnconstraints, visit)
}

fn column(definition: &mut ColumnDef, visit: Visit<'_>) -> Result<(), Refusal> {
    let ColumnDef {
        colname: _,
        type_name: name,
        compression,
        inhcount: _,
        is_local: _,
        is_not_null: _,
        is_from_type: _,
        storage: _,
        storage_name,
        raw_default,
        cooked_default,
        identity: _,
        identity_sequence,
        generated: _,
        coll_clause,
        coll_oid: _,
        constraints,
        fdwoptions,
        location,
    } = definition;
    *location = 0;
    let special = !compression.is_empty()
        || !storage_name.is_empty()
        || cooked_default.is_some()
        || identity_sequence.is_some()
        || !fdwoptions.is_empty();
    if special {
        return Err(Refusal::unsupported("storage and options of columns are not supported by the relay yet"));
    }
    type_name(name, visit)?;
    coll_clause.as_deref_mut().map_or(Ok(()), |clause| expression::collate(clause, visit))?;
    // What ALTER … TYPE makes of the values.
    one(raw_default, visit)?;
    each(constraints, visit)
}

fn constraint(definition: &mut Constraint, visit: Visit<'_>) -> Result<(), Refusal> {
    let Constraint {
        contype: _,
        conname: _,
        deferrable: _,
        initdeferred: _,
        is_enforced: _,
        skip_validation: _,
        initially_valid: _,
        is_no_inherit: _,
        raw_expr,
        cooked_expr: _,
        generated_when: _,
        generated_kind: _,
        nulls_not_distinct: _,
        keys,
        without_overlaps,
        including,
        exclusions,
        options,
        indexname: _,
        indexspace,
        reset_default_tblspc: _,
        access_method: _,
        where_clause,
        pktable,
        fk_attrs,
        pk_attrs,
        fk_with_period,
        pk_with_period,
        fk_matchtype: _,
        fk_upd_action: _,
        fk_del_action: _,
        fk_del_set_cols,
        old_conpfeqop: _,
        old_pktable_oid: _,
        location,
    } = definition;
    *location = 0;
    let special = *without_overlaps
        || *fk_with_period
        || *pk_with_period
        || !exclusions.is_empty()
        || !indexspace.is_empty()
        || where_clause.is_some();
    if special {
        return Err(Refusal::unsupported("EXCLUDE, WITHOUT OVERLAPS, PERIOD and tablespaces are not supported yet"));
    }
    pktable.as_mut().map_or(Ok(()), |relation| range_var(relation, visit))?;
    one(raw_expr, visit)?;
    for nodes in [keys, fk_attrs, pk_attrs, fk_del_set_cols, including, options] {
        each(nodes, visit)?;
    }
    Ok(())
}

fn index(statement: &mut IndexStmt, visit: Visit<'_>) -> Result<(), Refusal> {
    let IndexStmt {
        idxname: _,
        relation,
        access_method: _,
        table_space,
        index_params,
        index_including_params,
        options,
        where_clause,
        exclude_op_names,
        idxcomment: _,
        index_oid: _,
        old_number: _,
        old_create_subid: _,
        old_first_relfilelocator_subid: _,
        unique: _,
        nulls_not_distinct: _,
        primary: _,
        isconstraint: _,
        iswithoutoverlaps: _,
        deferrable: _,
        initdeferred: _,
        transformed: _,
        concurrent: _,
        if_not_exists: _,
        reset_default_tblspc: _,
    } = statement;
    if !table_space.is_empty() || !exclude_op_names.is_empty() {
        return Err(Refusal::unsupported("tablespaces of indexes are not supported by the relay"));
    }
    each(options, visit)?;
    relation.as_mut().map_or(Ok(()), |relation| range_var(relation, visit))?;
    each(index_params, visit)?;
    each(index_including_params, visit)?;
    one(where_clause, visit)
}
