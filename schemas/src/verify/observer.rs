use super::report::SessionReport;
use crate::chunk::OpenedChunk;
use crate::layout::Scope;

/// Is shown what holds, one chunk at a time, so that evidence is read once and never held as a whole.
pub trait Observer {
    /// A chunk that holds. The chunks of a session come in their order, before the session.
    fn chunk(&mut self, scope: &Scope, chunk: &OpenedChunk);

    /// A session that was served, within the period asked for, after its chunks; whether it is sound is in the report.
    fn session(&mut self, report: &SessionReport);
}

/// Nobody looks.
impl Observer for () {
    fn chunk(&mut self, _: &Scope, _: &OpenedChunk) {}

    fn session(&mut self, _: &SessionReport) {}
}
