//! The third net: what detectors see in results, literals and parameters. The event is on record before what it was seen in
//! is released; where the connection says `end`, that is neither released nor recorded. Of errors and notices it withholds the
//! text.

use std::sync::{Arc, OnceLock};

use schemas::event::{CloseReason, Detected, DetectedAction, DetectedPlace, EventBody};
use smallvec::SmallVec;
use wire::postgres::backend::FieldDescription;
use wire::postgres::conversation::{Incoming, Reply};
use wire::postgres::frontend::Bind;
use wire::postgres::{Backend, BackendMessage, ErrorFields, MessageRef, SqlState};

use crate::config::WhenDetected;
use crate::detectors::{Columns, Kinds, each_copied, each_text};
use crate::statement;

use super::operation::{Execution, Operation};
use super::replies::broken;
use super::{Ending, Session, WHOLE_MAX};

/// What the target says of a result's columns, once it does; shared by a prepared statement and its portals.
pub(super) type Described = Option<Arc<OnceLock<Columns>>>;

impl Session {
    /// Rows up to this length are taken whole: what is looked into must be there.
    pub(super) fn whole_max(&self) -> u32 {
        if self.guarded.detectors.is_some() { LOOKED_INTO_MAX } else { WHOLE_MAX }
    }

    /// A place for what the target will say of the columns of a prepared statement; none where nobody looks.
    pub(super) fn undescribed(&self) -> Described {
        self.guarded.detectors.is_some().then(Arc::default)
    }

    /// The target describes a result.
    pub(super) fn described(&mut self, fields: &[FieldDescription<'_>], answer: &Reply) {
        if self.guarded.detectors.is_none() {
            return;
        }
        let access = &self.access;
        let columns = || Columns::new(fields, |relation, number| access.passes_detectors(relation, number));
        match answer.ticket.and_then(|ticket| self.operations.get_mut(ticket)) {
            Some(Operation::Describe { columns: Some(place), .. }) => {
                let _ = place.set(columns());
            }
            Some(operation) => {
                if let Some(execution) = operation.execution() {
                    execution.columns = Some(Arc::new(OnceLock::from(columns())));
                }
            }
            None => {}
        }
    }

    /// Looks into a row or a piece of COPY data before anything is done with it.
    pub(super) fn detect(
        &mut self,
        kind: Incoming,
        message: MessageRef<'_, Backend>,
        answer: &Reply,
        events: &mut Vec<EventBody>,
    ) -> Result<(), Ending> {
        let Some(detectors) = &self.guarded.detectors else { return Ok(()) };
        let execution = answer.ticket.and_then(|ticket| self.operations.get_mut(ticket)?.execution());
        let execution = execution.as_deref();
        let mut seen = Seen::new();
        let mut see = |place: Option<usize>, text: &[u8]| {
            let kinds = detectors.within(text);
            match seen.iter_mut().find(|(known, _)| *known == place) {
                Some((_, known)) => *known = known.and(kinds),
                None if kinds != Kinds::default() => seen.push((place, kinds)),
                None => {}
            }
        };
        if kind == Incoming::CopyData {
            let (binary, first) = execution.map_or((false, false), |one| (one.copies_binary, one.rows == 0));
            each_copied(message.body(), binary, first, &mut see);
        } else if let BackendMessage::DataRow(row) = BackendMessage::decode(message).map_err(|error| broken(&error))? {
            let columns = columns_of(execution);
            for (place, value) in row.columns().enumerate() {
                let passes = columns.and_then(|columns| columns.get(place)).is_some_and(|column| !column.looked_into);
                if let (Some(value), false) = (value, passes) {
                    each_text(value, &mut |text| see(Some(place), text));
                }
            }
        }
        let action = detectors.action();
        self.tell(&seen, kind, answer, action, events)
    }

    /// Looks at the beginning of what is too long to be looked into.
    pub(super) fn detect_long(
        &mut self,
        kind: Incoming,
        answer: &Reply,
        events: &mut Vec<EventBody>,
    ) -> Result<(), Ending> {
        let Some(detectors) = &self.guarded.detectors else { return Ok(()) };
        let execution = answer.ticket.and_then(|ticket| self.operations.get_mut(ticket)?.execution());
        if kind == Incoming::DataRow && columns_of(execution.as_deref()).is_some_and(Columns::all_pass) {
            return Ok(());
        }
        let action = detectors.action();
        if let Some(execution) = execution.filter(|one| one.execution != 0) {
            add(events, told(execution, kind, None, None, UNEXAMINED, action));
        }
        match action {
            WhenDetected::Report => Ok(()),
            WhenDetected::End => Err(Ending::told(
                CloseReason::IdentifierDetected,
                SqlState::INSUFFICIENT_PRIVILEGE,
                &format!(
                    "a row of more than {LOOKED_INTO_MAX} bytes is too long for this connection's detectors: it is not \
                     returned, and the session ends"
                ),
            )),
        }
    }

    fn tell(
        &mut self,
        seen: &Seen,
        kind: Incoming,
        answer: &Reply,
        action: WhenDetected,
        events: &mut Vec<EventBody>,
    ) -> Result<(), Ending> {
        let Some((first, kinds)) = seen.first() else { return Ok(()) };
        let execution = answer.ticket.and_then(|ticket| self.operations.get_mut(ticket)?.execution());
        let columns = columns_of(execution.as_deref());
        let column = |place: &Option<usize>| columns.and_then(|columns| columns.get((*place)?));
        // One without a number is not on record, and so cannot be named.
        if let Some(execution) = execution.as_deref().filter(|one| one.execution != 0) {
            for (place, kinds) in seen {
                let of = column(place).and_then(|column| self.access.column_name(column.relation, column.number));
                for name in kinds.names() {
                    add(events, told(execution, kind, *place, of.clone(), name, action));
                }
            }
        }
        if action == WhenDetected::Report {
            return Ok(());
        }
        let kinds: Vec<_> = kinds.names().collect();
        tracing::warn!(session = %self.recorder.session(), ?kinds, "a detector ends the session");
        let place = match (first, column(first)) {
            (Some(place), Some(column)) if !column.name.is_empty() => {
                format!("column \"{}\" (number {} of the result)", column.name, place.saturating_add(1))
            }
            (Some(place), _) => format!("column number {} of the result", place.saturating_add(1)),
            (None, _) => "COPY data".to_owned(),
        };
        let text = format!(
            "a value of {place} has the form of: {}. This connection's detectors do not let it pass; its row is not \
             returned, and the session ends",
            kinds.join(", ")
        );
        Err(Ending::told(CloseReason::IdentifierDetected, SqlState::INSUFFICIENT_PRIVILEGE, &text))
    }

    /// Whether a diagnostic quotes what no result may hold: a failed cast does, a row that breaks a constraint. It then comes
    /// without its text, and the session goes on, for what it quotes may as well be the client's own.
    pub(super) fn detected_in(&self, fields: &ErrorFields) -> bool {
        let ends = self.guarded.detectors.as_ref().filter(|detectors| detectors.action() == WhenDetected::End);
        ends.is_some_and(|detectors| fields.texts().any(|text| detectors.within(text.as_bytes()) != Kinds::default()))
    }

    /// What stands in the literals of a text, by the numbers of its statements and how many literals each has.
    pub(super) fn detect_literals(&self, text: &str, statements: &[(u64, usize)], events: &mut Vec<EventBody>) {
        let Some(detectors) = &self.guarded.detectors else { return };
        // Mostly nothing is there, and then nothing is taken apart.
        if detectors.within(text.as_bytes()) == Kinds::default() {
            return;
        }
        let mut literals = statement::constants(text).unwrap_or_default().into_iter();
        for (number, count) in statements {
            for (place, literal) in literals.by_ref().take(*count).enumerate() {
                let kinds = detectors.within(literal.as_bytes());
                events.extend(sent(*number, DetectedPlace::Literal, place, kinds));
            }
        }
    }

    /// What stands in bound parameters.
    pub(super) fn detect_parameters(&self, bind: &Bind<'_>, statement: u64, events: &mut Vec<EventBody>) {
        let Some(detectors) = &self.guarded.detectors else { return };
        for (place, value) in bind.parameters.iter().enumerate() {
            let mut kinds = Kinds::default();
            each_text(value.unwrap_or_default(), &mut |text| kinds = kinds.and(detectors.within(text)));
            events.extend(sent(statement, DetectedPlace::Parameter, place, kinds));
        }
    }
}

/// Places in a row, from 0, and what was seen there.
type Seen = SmallVec<[(Option<usize>, Kinds); 4]>;

fn columns_of(execution: Option<&Execution>) -> Option<&Columns> {
    execution?.columns.as_ref()?.get()
}

fn told(
    execution: &Execution,
    kind: Incoming,
    place: Option<usize>,
    column: Option<String>,
    seen: &str,
    action: WhenDetected,
) -> Detected {
    Detected {
        statement: execution.statement,
        execution: Some(execution.execution),
        place: if kind == Incoming::CopyData { DetectedPlace::Copy } else { DetectedPlace::Result },
        position: place.map_or(0, number),
        column,
        kind: seen.to_owned(),
        values: 1,
        action: match action {
            WhenDetected::End => DetectedAction::Ended,
            WhenDetected::Report => DetectedAction::Reported,
        },
    }
}

/// Of what the client sent: it is reported and goes on.
fn sent(statement: u64, place: DetectedPlace, index: usize, kinds: Kinds) -> impl Iterator<Item = EventBody> {
    kinds.names().map(move |kind| {
        EventBody::Detected(Detected {
            statement,
            execution: None,
            place,
            position: number(index),
            column: None,
            kind: kind.to_owned(),
            values: 1,
            action: DetectedAction::Reported,
        })
    })
}

fn number(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1)
}

/// Values of a column that come together are told together.
fn add(events: &mut Vec<EventBody>, detected: Detected) {
    let last = events.iter_mut().rev().map_while(|event| match event {
        EventBody::Detected(known) => Some(known),
        _ => None,
    });
    let is_alike = |known: &&mut Detected| {
        let Detected { statement, execution, place, position, kind, .. } = &**known;
        (statement, execution, place) == (&detected.statement, &detected.execution, &detected.place)
            && (position, kind) == (&detected.position, &detected.kind)
    };
    match last.take(ALIKE_MAX).find(is_alike) {
        Some(known) => known.values = known.values.saturating_add(1),
        None => events.push(EventBody::Detected(detected)),
    }
}

/// The longest row that is looked into: as long as a statement may be. It waits in memory until it is whole.
const LOOKED_INTO_MAX: u32 = 16 * 1024 * 1024;
/// As evidence says of a row that is longer.
const UNEXAMINED: &str = "unexamined";
/// How far back an event of the same column is looked for.
const ALIKE_MAX: usize = 64;
