//! What a session listens to beside its peers, kept from one wait to the next: to make and drop timers and listeners
//! for each message would cost more than the message. Nor are they asked each time: they ring a bell.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::cancel::Cancellation;
use crate::stop::Stop;

/// Why a session stops waiting for its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// The client asked to cancel what runs.
    Cancelled,
    /// The relay stops: finish what runs.
    Stopping,
    /// The relay stops now.
    Due,
    /// The time that was waited for has come.
    Alarm,
}

/// Listens to all of them.
pub(super) struct Interrupts<'s> {
    cancellation: &'s Cancellation,
    cancelled: Listener<'s>,
    stopping: Listener<'s>,
    due: Listener<'s>,
    alarm: Pin<Box<Sleep>>,
    told_stopping: bool,
    bell: Arc<Bell>,
    /// Rings the bell.
    ringer: Waker,
}

/// Whether any of them has something to say, and who waits for that.
struct Bell {
    rung: AtomicBool,
    waiting: Mutex<Waker>,
}

type Listener<'s> = Pin<Box<dyn Future<Output = ()> + Send + 's>>;

impl<'s> Interrupts<'s> {
    pub(super) fn new(stop: &'s Stop, cancellation: &'s Cancellation, deadline: Instant) -> Self {
        // Rung: each has to be asked once before it rings.
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), waiting: Mutex::new(Waker::noop().clone()) });
        Self {
            ringer: Waker::from(Arc::clone(&bell)),
            bell,
            cancellation,
            cancelled: Box::pin(cancellation.asked()),
            stopping: Box::pin(stop.requested()),
            due: Box::pin(stop.due()),
            alarm: Box::pin(sleep_until(deadline)),
            told_stopping: false,
        }
    }

    /// The next of them. `Stopping` is told once, and `Due` ends the session. Cancel-safe.
    pub(super) async fn next(&mut self, deadline: Instant) -> Interrupt {
        poll_fn(|cx| self.poll(cx, deadline)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<Interrupt> {
        // First who is to be woken, then whether it rang: a ring in between is heard either way.
        self.bell.wake_when_rung(cx.waker());
        if !self.bell.rung.swap(false, Ordering::AcqRel) && self.alarm.deadline() <= deadline {
            return Poll::Pending;
        }
        let ringer = self.ringer.clone();
        let polled = self.ask(&mut Context::from_waker(&ringer), deadline);
        if polled.is_ready() {
            // The others have not been asked.
            self.bell.rung.store(true, Ordering::Release);
        }
        polled
    }

    fn ask(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<Interrupt> {
        if self.due.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Interrupt::Due);
        }
        if !self.told_stopping && self.stopping.as_mut().poll(cx).is_ready() {
            self.told_stopping = true;
            return Poll::Ready(Interrupt::Stopping);
        }
        if self.cancelled.as_mut().poll(cx).is_ready() {
            self.cancelled = Box::pin(self.cancellation.asked());
            return Poll::Ready(Interrupt::Cancelled);
        }
        // Deadlines mostly move on: the alarm stays where it is, goes off too early now and then, and is set anew.
        if self.alarm.deadline() > deadline {
            self.alarm.as_mut().reset(deadline);
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(Interrupt::Alarm);
            }
            self.alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl Bell {
    fn wake_when_rung(&self, waker: &Waker) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone_from(waker);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        waiting.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cancel::Cancellations;

    #[tokio::test]
    async fn a_deadline_may_move_either_way_and_does_not_come_before_its_time() {
        let registry = Cancellations::default();
        let (cancellation, (_sender, stop)) = (registry.register(4).unwrap(), crate::stop::channel());
        let after = |milliseconds| Instant::now() + Duration::from_millis(milliseconds);
        let mut interrupts = Interrupts::new(&stop, &cancellation, after(5));
        let later = after(40);
        assert_eq!(interrupts.next(later).await, Interrupt::Alarm);
        assert!(Instant::now() >= later);
        assert!(tokio::time::timeout(Duration::from_millis(5), interrupts.next(after(3_600_000))).await.is_err());
        assert_eq!(interrupts.next(after(5)).await, Interrupt::Alarm);
    }

    #[tokio::test]
    async fn each_wish_to_cancel_is_told_and_stopping_once() {
        let registry = Cancellations::default();
        let (cancellation, (sender, stop)) = (registry.register(4).unwrap(), crate::stop::channel());
        let far = Instant::now() + Duration::from_secs(3600);
        let mut interrupts = Interrupts::new(&stop, &cancellation, far);
        let (id, secret) = cancellation.key();
        for _ in 0..2 {
            registry.request(id, secret);
            assert_eq!(interrupts.next(far).await, Interrupt::Cancelled);
        }
        let stopping = async {
            sender.stop_within(Duration::from_millis(5), std::future::pending::<()>()).await;
            std::future::pending::<()>().await;
        };
        let told = async { (interrupts.next(far).await, interrupts.next(far).await) };
        tokio::select! {
            () = stopping => unreachable!(),
            told = told => assert_eq!(told, (Interrupt::Stopping, Interrupt::Due)),
        }
    }
}
