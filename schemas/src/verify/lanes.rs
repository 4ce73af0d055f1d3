//! Work on the machine's other cores, whose results come in the order in which the work was given. What is under way is
//! bounded in number and in bytes: memory holds a few pieces, however many there are.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Takes work and gives results, oldest first.
pub(super) struct Lanes<T, R> {
    lanes: Vec<(Sender<T>, Receiver<R>)>,
    next: usize,
    under_way: VecDeque<(Place<T>, usize)>,
    bytes: usize,
}

/// Where a piece of work is.
enum Place<T> {
    Lane(usize),
    /// There is no lane to do it.
    Here(T),
}

/// Runs `then` with lanes that do `work`: one a core, or none where the machine gives no thread.
pub(super) fn with<T: Send, R: Send, O>(work: &(dyn Fn(T) -> R + Sync), then: impl FnOnce(Lanes<T, R>) -> O) -> O {
    let cores = cores().min(LANES_MAX);
    thread::scope(|scope| {
        let start = |_| {
            let ((give, given), (done, results)) = (channel::<T>(), channel());
            let lane = move || given.into_iter().map(work).try_for_each(|result| done.send(result)).unwrap_or_default();
            thread::Builder::new().spawn_scoped(scope, lane).ok().map(|_| (give, results))
        };
        then(Lanes { lanes: (0..cores).map_while(start).collect(), ..Lanes::default() })
    })
}

impl<T, R> Lanes<T, R> {
    /// Whether work over so many bytes should be given now, and not after a result was taken.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let is_free = self.under_way.len() < self.lanes.len().max(1).saturating_mul(EACH);
        self.under_way.is_empty() || (is_free && self.bytes.saturating_add(bytes) <= BYTES_MAX)
    }

    /// Gives work over so many bytes.
    pub(super) fn give(&mut self, piece: T, bytes: usize) {
        let lane = self.next;
        self.next = lane.saturating_add(1).checked_rem(self.lanes.len()).unwrap_or(0);
        let place = match self.lanes.get(lane) {
            Some((give, _)) => give.send(piece).map_or_else(|unsent| Place::Here(unsent.0), |()| Place::Lane(lane)),
            None => Place::Here(piece),
        };
        self.under_way.push_back((place, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Waits for the oldest result, or does that work now where no lane did; nothing when no work is under way.
    pub(super) fn take(&mut self, work: impl FnOnce(T) -> R) -> Option<R> {
        let (place, bytes) = self.under_way.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        match place {
            Place::Here(piece) => Some(work(piece)),
            Place::Lane(lane) => self.lanes.get(lane)?.1.recv().ok(),
        }
    }
}

/// Without lanes.
impl<T, R> Default for Lanes<T, R> {
    fn default() -> Self {
        Self { lanes: Vec::new(), next: 0, under_way: VecDeque::new(), bytes: 0 }
    }
}

fn cores() -> usize {
    #[cfg(test)]
    if let Some(cores) = tests::CORES.get() {
        return cores;
    }
    thread::available_parallelism().map_or(1, usize::from)
}

/// More would only be more memory: one reader feeds them.
const LANES_MAX: usize = 4;
/// Pieces under way in each lane: one that is worked on, and what comes next.
const EACH: usize = 4;
/// Bytes of pieces under way.
const BYTES_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    thread_local! {
        /// Cores that this thread is made to believe in.
        pub(super) static CORES: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// Runs `then` as on a machine of so many cores; with none, one thread does everything.
    pub(in crate::verify) fn on<R>(cores: usize, then: impl FnOnce() -> R) -> R {
        CORES.set(Some(cores));
        let result = then();
        CORES.set(None);
        result
    }

    #[test]
    fn results_come_in_the_order_of_the_work() {
        let work = |n: u64| {
            std::thread::sleep(Duration::from_millis(n * 7 % 5));
            n
        };
        let taken = with(&work, |mut lanes| {
            let (mut taken, mut given) = (Vec::new(), 0);
            while taken.len() < 50 {
                while given < 50 && lanes.has_room(1) {
                    lanes.give(given, 1);
                    given += 1;
                }
                taken.extend(lanes.take(work));
            }
            assert!(lanes.take(work).is_none());
            taken
        });
        assert_eq!(taken, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_under_way_is_bounded_and_something_always_fits() {
        with(&|n: usize| n, |mut lanes| {
            assert!(lanes.has_room(usize::MAX));
            lanes.give(1, BYTES_MAX);
            assert!(!lanes.has_room(1));
            assert_eq!(lanes.take(|n| n), Some(1));
            let mut given = 0;
            while lanes.has_room(0) {
                lanes.give(given, 0);
                given += 1;
            }
            assert!((EACH..=EACH * LANES_MAX).contains(&given), "{given}");
        });
    }

    #[test]
    fn without_lanes_work_is_done_when_its_result_is_taken() {
        let mut none = Lanes::<u8, u8>::default();
        none.give(1, 1);
        none.give(2, 1);
        assert_eq!([none.take(|n| n + 1), none.take(|n| n + 1), none.take(|n| n)], [Some(2), Some(3), None]);
    }
}
