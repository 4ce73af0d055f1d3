//! Rows of one session.

use std::mem;

use super::{
    ApprovalRow, ChunkRow, DenialRow, DetectionRow, ExecutionRow, GrantRow, MaskingRow, ObjectRow, Row, SessionRow,
    StatementRow, Table, Value,
};

/// Rows of one session, each table in its own order: all of them, or a piece.
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
    /// As they were detected.
    pub detections: Vec<DetectionRow>,
    /// By object.
    pub grants: Vec<GrantRow>,
    /// By sequence.
    pub chunks: Vec<ChunkRow>,
}

impl SessionRows {
    /// Values of the rows of one table, made one row at a time.
    #[must_use]
    pub fn of(&self, table: Table) -> Box<dyn Iterator<Item = Vec<Value>> + '_> {
        fn values<R: Row>(rows: &[R]) -> Box<dyn Iterator<Item = Vec<Value>> + '_> {
            Box::new(rows.iter().map(Row::values))
        }
        match table {
            Table::Sessions => values(&self.sessions),
            Table::Statements => values(&self.statements),
            Table::Executions => values(&self.executions),
            Table::ObjectsTouched => values(&self.objects_touched),
            Table::Masking => values(&self.masking),
            Table::Approvals => values(&self.approvals),
            Table::Denials => values(&self.denials),
            Table::Detections => values(&self.detections),
            Table::Grants => values(&self.grants),
            Table::Chunks => values(&self.chunks),
        }
    }

    /// Takes the rows that no later event changes, once there are so many that they should wait no longer.
    pub(super) fn take_settled(&mut self) -> Option<Self> {
        let Self { objects_touched, masking, detections, grants, chunks, .. } = self;
        let waiting = [objects_touched.len(), masking.len(), detections.len(), grants.len(), chunks.len()];
        (waiting.into_iter().max() >= Some(PIECE)).then(|| Self {
            objects_touched: mem::take(objects_touched),
            masking: mem::take(masking),
            detections: mem::take(detections),
            grants: mem::take(grants),
            chunks: mem::take(chunks),
            ..Self::default()
        })
    }
}

/// Rows of a table that wait for more: some megabytes.
pub(super) const PIECE: usize = 4096;
