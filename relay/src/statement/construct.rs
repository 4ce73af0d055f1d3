//! What a person calls a kind of node that is not admitted.

use pg_query::NodeEnum;

/// The construct's SQL name, or a phrase that at least does not mislead. Never a part of the statement's text.
pub(super) fn construct(kind: &NodeEnum) -> &'static str {
    match kind {
        NodeEnum::DoStmt(_) => "DO",
        NodeEnum::CallStmt(_) => "CALL",
        NodeEnum::LoadStmt(_) => "LOAD",
        NodeEnum::VacuumStmt(_) => "VACUUM or ANALYZE",
        NodeEnum::ClusterStmt(_) => "CLUSTER",
        NodeEnum::ReindexStmt(_) => "REINDEX",
        NodeEnum::CheckPointStmt(_) => "CHECKPOINT",
        NodeEnum::CommentStmt(_) => "COMMENT",
        NodeEnum::SecLabelStmt(_) => "SECURITY LABEL",
        NodeEnum::RefreshMatViewStmt(_) => "REFRESH MATERIALIZED VIEW",
        NodeEnum::BitString(_) => "a bit-string constant here",
        _ => ddl(kind).unwrap_or("this kind of statement or expression"),
    }
}

fn ddl(kind: &NodeEnum) -> Option<&'static str> {
    Some(match kind {
        NodeEnum::CreateTableAsStmt(_) | NodeEnum::IntoClause(_) => "CREATE TABLE AS",
        NodeEnum::ViewStmt(_) => "CREATE VIEW",
        NodeEnum::CreateFunctionStmt(_) => "CREATE FUNCTION",
        NodeEnum::RuleStmt(_) => "CREATE RULE",
        NodeEnum::CreateTrigStmt(_) | NodeEnum::CreateEventTrigStmt(_) => "CREATE TRIGGER",
        NodeEnum::CreatePolicyStmt(_) | NodeEnum::AlterPolicyStmt(_) => "a row-security policy",
        NodeEnum::CreateSchemaStmt(_) => "CREATE SCHEMA",
        NodeEnum::CreateExtensionStmt(_) => "CREATE EXTENSION",
        NodeEnum::CreateForeignTableStmt(_) | NodeEnum::CreateForeignServerStmt(_) => "a foreign table or server",
        NodeEnum::CreatePublicationStmt(_) | NodeEnum::CreateSubscriptionStmt(_) => "logical replication",
        NodeEnum::CreateSeqStmt(_) | NodeEnum::AlterSeqStmt(_) => "a sequence definition",
        NodeEnum::CreateEnumStmt(_) | NodeEnum::CompositeTypeStmt(_) | NodeEnum::CreateDomainStmt(_) => "CREATE TYPE",
        NodeEnum::DefineStmt(_) | NodeEnum::CreateCastStmt(_) => "a definition of an operator, aggregate, type or cast",
        NodeEnum::CreateStatsStmt(_) => "CREATE STATISTICS",
        NodeEnum::TableLikeClause(_) => "CREATE TABLE (LIKE …)",
        NodeEnum::AlterTableStmt(_) | NodeEnum::PartitionCmd(_) | NodeEnum::ReplicaIdentityStmt(_) => {
            "this form of ALTER TABLE"
        }
        NodeEnum::RenameStmt(_) => "ALTER … RENAME",
        NodeEnum::AlterObjectSchemaStmt(_) => "ALTER … SET SCHEMA",
        NodeEnum::AlterOwnerStmt(_) => "ALTER … OWNER",
        NodeEnum::AlterSystemStmt(_) => "ALTER SYSTEM",
        NodeEnum::GrantStmt(_) | NodeEnum::GrantRoleStmt(_) | NodeEnum::AlterDefaultPrivilegesStmt(_) => {
            "GRANT or REVOKE"
        }
        NodeEnum::CreateRoleStmt(_) | NodeEnum::AlterRoleStmt(_) | NodeEnum::AlterRoleSetStmt(_) => "a change of roles",
        NodeEnum::DropRoleStmt(_) | NodeEnum::ReassignOwnedStmt(_) | NodeEnum::DropOwnedStmt(_) => "a change of roles",
        NodeEnum::CreatedbStmt(_)
        | NodeEnum::DropdbStmt(_)
        | NodeEnum::AlterDatabaseStmt(_)
        | NodeEnum::AlterDatabaseSetStmt(_) => "a change of databases",
        _ => return None,
    })
}
