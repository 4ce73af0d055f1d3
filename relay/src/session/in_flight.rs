//! The messages that were sent and are not answered to the end, by ticket.
//!
//! Tickets grow, and a target answers in order: the one that is looked for is nearly always the first.

use std::collections::VecDeque;

use super::operation::Operation;

/// What is in flight, oldest first.
#[derive(Debug, Default)]
pub(super) struct InFlight(VecDeque<(u64, Operation)>);

impl InFlight {
    /// Notes a message that was sent. Its ticket is higher than any before it.
    pub(super) fn insert(&mut self, ticket: u64, operation: Operation) {
        debug_assert!(self.0.back().is_none_or(|(last, _)| *last < ticket), "tickets grow");
        self.0.push_back((ticket, operation));
    }

    /// The message with this ticket.
    pub(super) fn get(&self, ticket: u64) -> Option<&Operation> {
        self.0.get(self.place(ticket)?).map(|(_, operation)| operation)
    }

    /// As [`InFlight::get`], to be changed.
    pub(super) fn get_mut(&mut self, ticket: u64) -> Option<&mut Operation> {
        let place = self.place(ticket)?;
        self.0.get_mut(place).map(|(_, operation)| operation)
    }

    /// Takes out the message with this ticket, which has its last answer.
    pub(super) fn remove(&mut self, ticket: u64) -> Option<Operation> {
        let place = self.place(ticket)?;
        let (_, operation) = self.0.remove(place)?;
        // An idle session holds on to nothing.
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = VecDeque::new();
        }
        Some(operation)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Operation> {
        self.0.iter().map(|(_, operation)| operation)
    }

    /// Those up to this ticket, oldest first.
    pub(super) fn up_to(&self, ticket: u64) -> impl Iterator<Item = &Operation> {
        self.0.iter().take_while(move |(sent, _)| *sent <= ticket).map(|(_, operation)| operation)
    }

    /// As [`InFlight::iter`], to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Operation> {
        self.0.iter_mut().map(|(_, operation)| operation)
    }

    fn place(&self, ticket: u64) -> Option<usize> {
        if self.0.front().is_some_and(|(first, _)| *first == ticket) {
            return Some(0);
        }
        self.0.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()
    }
}

/// Places that are kept when nothing is in flight: as many as an ordinary client's pipeline needs.
const KEPT: usize = 8;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn name(operation: &Operation) -> &str {
        match operation {
            Operation::ClosePortal(name) => name,
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        /// Whatever is sent, looked up and answered, in whatever order: as an ordered map would have it.
        #[test]
        fn it_is_an_ordered_map(steps in prop::collection::vec((any::<bool>(), 0..20_u64), 0..60)) {
            let (mut in_flight, mut model, mut next) = (InFlight::default(), BTreeMap::new(), 0);
            for (send, number) in steps {
                if send {
                    next += number + 1;
                    in_flight.insert(next, Operation::ClosePortal(next.to_string()));
                    model.insert(next, next.to_string());
                } else {
                    let ticket = next.saturating_sub(number);
                    let found = in_flight.get(ticket).map(name).map(str::to_owned);
                    prop_assert_eq!(&found, &in_flight.get_mut(ticket).map(|found| name(found).to_owned()));
                    prop_assert_eq!(found.as_ref(), model.get(&ticket));
                    let removed = in_flight.remove(ticket);
                    prop_assert_eq!(removed.as_ref().map(name).map(str::to_owned), model.remove(&ticket));
                }
                prop_assert_eq!(in_flight.len(), model.len());
                prop_assert!(in_flight.iter().map(name).eq(model.values()));
            }
        }
    }
}
