//! A thread for each core, and every session stays on the thread that it was given.
//!
//! A session does little for each message and waits in between. A runtime whose threads take work from each other wakes
//! another thread for most messages, which costs more than what it takes over; here nobody is woken but by its peers, and
//! one look at the sockets finds all that have something. What is not a session (sealing, storing, heartbeats) runs on
//! the runtime that the relay was started on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use crate::serve::WORKER_STACK;

/// The threads. When this is dropped they end, and what still runs on them with them.
pub(crate) struct Cores {
    cores: Vec<Core>,
    /// Never sent anything: the threads wait for its end.
    _alive: watch::Sender<()>,
}

struct Core {
    runtime: Handle,
    sessions: Arc<AtomicUsize>,
}

/// A session's place on a core, given back when dropped.
pub(crate) struct Place {
    runtime: Handle,
    sessions: Arc<AtomicUsize>,
}

impl Cores {
    /// As many threads as the machine has cores for this process.
    ///
    /// # Errors
    /// The operating system's: no threads, no `epoll`.
    pub(crate) fn start() -> io::Result<Self> {
        let (alive, ended) = watch::channel(());
        let count = thread::available_parallelism().map_or(1, usize::from);
        let cores = (0..count).map(|_| Core::start(ended.clone())).collect::<io::Result<_>>()?;
        Ok(Self { cores, _alive: alive })
    }

    /// A place where there are fewest sessions.
    pub(crate) fn place(&self) -> Option<Place> {
        let core = self.cores.iter().min_by_key(|core| core.sessions.load(Ordering::Relaxed))?;
        core.sessions.fetch_add(1, Ordering::Relaxed);
        Some(Place { runtime: core.runtime.clone(), sessions: Arc::clone(&core.sessions) })
    }
}

impl Core {
    fn start(mut ended: watch::Receiver<()>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        // Statements are parsed on it.
        thread::Builder::new().name("session-core".to_owned()).stack_size(WORKER_STACK).spawn(move || {
            // An error: the sender is gone.
            let _ = runtime.block_on(ended.changed());
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, sessions: Arc::default() })
    }
}

impl Place {
    /// The runtime of the place.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_session_goes_where_there_are_fewest() {
        let cores = Cores::start().unwrap();
        let count = cores.cores.len();
        let loads = || cores.cores.iter().map(|core| core.sessions.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let mut places: Vec<Place> = (0..count * 2).map(|_| cores.place().unwrap()).collect();
        assert_eq!(loads(), vec![2; count]);
        let given_back = places.remove(0);
        let core = given_back.runtime().id();
        drop(given_back);
        assert_eq!(cores.place().unwrap().runtime().id(), core);
    }

    #[test]
    fn what_runs_there_has_the_stack_that_parsing_needs_and_ends_with_the_threads() {
        let cores = Cores::start().unwrap();
        let place = cores.place().unwrap();
        let (sender, receiver) = mpsc::channel();
        place.runtime().spawn(async move {
            let nested = format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500));
            sender.send(crate::statement::parse(&nested).is_ok()).unwrap();
            // Held until the thread ends.
            let _sender = sender;
            std::future::pending::<()>().await;
        });
        let parsed = receiver.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(parsed);
        drop(cores);
        assert_eq!(receiver.recv_timeout(Duration::from_secs(30)), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
