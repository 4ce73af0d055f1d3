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

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use crate::figures::Figures;

/// The threads. When this is dropped they end, and what still runs on them with them.
pub(crate) struct Cores {
    first: Core,
    others: Vec<Core>,
    /// Never sent anything: the threads wait for its end.
    _alive: watch::Sender<()>,
}

struct Core {
    runtime: Handle,
    sessions: Arc<AtomicUsize>,
    figures: Arc<Figures>,
}

/// A session's place on a core, given back when dropped.
pub(crate) struct Place {
    runtime: Handle,
    sessions: Arc<AtomicUsize>,
    figures: Arc<Figures>,
}

impl Cores {
    /// As many threads as the machine has cores for this process.
    ///
    /// # Errors
    /// The operating system's: no threads, no `epoll`.
    pub(crate) fn start() -> io::Result<Self> {
        let (alive, ended) = watch::channel(());
        let count = thread::available_parallelism().map_or(1, usize::from);
        let others = (1..count).map(|_| Core::start(ended.clone())).collect::<io::Result<_>>()?;
        Ok(Self { first: Core::start(ended)?, others, _alive: alive })
    }

    /// A place where there are fewest sessions.
    pub(crate) fn place(&self) -> Place {
        let fewer = |one, other| if Core::load(other) < Core::load(one) { other } else { one };
        let core = self.others.iter().fold(&self.first, fewer);
        core.sessions.fetch_add(1, Ordering::Relaxed);
        let (sessions, figures) = (Arc::clone(&core.sessions), Arc::clone(&core.figures));
        Place { runtime: core.runtime.clone(), sessions, figures }
    }

    /// What each core counts.
    pub(crate) fn figures(&self) -> Vec<Arc<Figures>> {
        std::iter::once(&self.first).chain(&self.others).map(|core| Arc::clone(&core.figures)).collect()
    }
}

impl Core {
    fn start(mut ended: watch::Receiver<()>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        // Statements are parsed on it.
        thread::Builder::new().name("session-core".to_owned()).stack_size(STACK).spawn(move || {
            // An error: the sender is gone.
            let _ = runtime.block_on(ended.changed());
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, sessions: Arc::default(), figures: Arc::default() })
    }

    fn load(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }
}

impl Place {
    /// The runtime of the place.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// What the place's core counts.
    pub(crate) fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// Takes a stream over from another runtime: what comes from its peer is told here.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn adopt(&self, stream: TcpStream) -> io::Result<TcpStream> {
        let stream = stream.into_std()?;
        let _entered = self.runtime.enter();
        TcpStream::from_std(stream)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the structural limit of [`crate::statement`] is proved for. Virtual: pages never touched cost nothing.
pub(crate) const STACK: usize = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_session_goes_where_there_are_fewest() {
        let cores = Cores::start().unwrap();
        let all = || std::iter::once(&cores.first).chain(&cores.others);
        let count = all().count();
        let loads = || all().map(Core::load).collect::<Vec<_>>();
        let mut places: Vec<Place> = (0..count * 2).map(|_| cores.place()).collect();
        assert_eq!(loads(), vec![2; count]);
        let given_back = places.remove(0);
        let core = given_back.runtime().id();
        drop(given_back);
        assert_eq!(cores.place().runtime().id(), core);
    }

    #[test]
    fn what_runs_there_has_the_stack_that_parsing_needs_and_ends_with_the_threads() {
        let cores = Cores::start().unwrap();
        let place = cores.place();
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
