//! The runtime beside the sessions: sealing, storing, heartbeats, and in `local` the functions.
//!
//! Its threads give way to the sessions', which somebody waits for. What they leave undone meanwhile is in the spool and
//! counts against its limit, near which the sessions wait for them.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// A runtime whose threads have a low priority. The thread that asks for it keeps its own.
///
/// # Errors
/// The operating system's: no threads, no `epoll`.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().on_thread_start(give_way).build()
}

/// Of the calling thread alone: on Linux a priority is a thread's. Where it is refused, the thread has the usual one.
fn give_way() {
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// What `nice` gives when nothing is said: a tenth of the weight of a session's thread.
const NICE: i32 = 10;

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn what_runs_in_the_background_gives_way_and_nothing_else_does() {
        let before = getpriority_process(None).unwrap();
        let runtime = runtime().unwrap();
        let of = |handle: &tokio::runtime::Handle| {
            let task = handle.spawn(async { getpriority_process(None).unwrap() });
            let blocking = handle.spawn_blocking(|| getpriority_process(None).unwrap());
            runtime.block_on(async { (task.await.unwrap(), blocking.await.unwrap()) })
        };
        assert_eq!(of(runtime.handle()), (NICE, NICE));
        let cores = crate::cores::Cores::start().unwrap();
        assert_eq!(of(cores.place().runtime()), (before, before));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
