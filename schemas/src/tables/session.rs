//! The rows of one session.

use super::{
    ApprovalRow, ChunkRow, DenialRow, ExecutionRow, GrantRow, MaskingRow, ObjectRow, Row, SessionRow, StatementRow,
    Table, Value,
};

/// All rows of one session, each table in its own order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionRows {
    /// The session itself; one row.
    pub sessions: Vec<SessionRow>,
    /// By statement.
    pub statements: Vec<StatementRow>,
    /// By execution.
    pub executions: Vec<ExecutionRow>,
    /// By statement, as recorded.
    pub objects_touched: Vec<ObjectRow>,
    /// By statement, as recorded; masked columns before revealed ones.
    pub masking: Vec<MaskingRow>,
    /// By request.
    pub approvals: Vec<ApprovalRow>,
    /// In the order they were decided.
    pub denials: Vec<DenialRow>,
    /// By object.
    pub grants: Vec<GrantRow>,
    /// By sequence.
    pub chunks: Vec<ChunkRow>,
}

impl SessionRows {
    /// Values of the rows of one table.
    #[must_use]
    pub fn of(&self, table: Table) -> Vec<Vec<Value>> {
        fn values<R: Row>(rows: &[R]) -> Vec<Vec<Value>> {
            rows.iter().map(Row::values).collect()
        }
        match table {
            Table::Sessions => values(&self.sessions),
            Table::Statements => values(&self.statements),
            Table::Executions => values(&self.executions),
            Table::ObjectsTouched => values(&self.objects_touched),
            Table::Masking => values(&self.masking),
            Table::Approvals => values(&self.approvals),
            Table::Denials => values(&self.denials),
            Table::Grants => values(&self.grants),
            Table::Chunks => values(&self.chunks),
        }
    }
}
