//! "Something changed, look again", for any number of waiters.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// A counter that can be waited for. Read [`Signal::seen`] before looking at the state, then wait for a later value: a
/// change in between is not missed.
#[derive(Default)]
pub(super) struct Signal(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    changes: u64,
    waiting: Vec<Waker>,
}

impl Signal {
    /// How many changes there were so far.
    pub(super) fn seen(&self) -> u64 {
        self.lock().changes
    }

    /// Wakes everybody who waits.
    pub(super) fn notify(&self) {
        let waiting = {
            let mut inner = self.lock();
            inner.changes += 1;
            std::mem::take(&mut inner.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Resolves once there were more changes than `seen`.
    pub(super) async fn changed(&self, seen: u64) {
        poll_fn(|cx| {
            let mut inner = self.lock();
            if inner.changes > seen {
                return Poll::Ready(());
            }
            if !inner.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                inner.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn a_change_between_looking_and_waiting_is_not_missed() {
        let signal = Signal::default();
        let seen = signal.seen();
        assert!(signal.changed(seen).now_or_never().is_none());
        signal.notify();
        block_on(signal.changed(seen));
        assert!(signal.changed(signal.seen()).now_or_never().is_none());
    }

    #[test]
    fn wakes_every_waiter() {
        let signal = Signal::default();
        let seen = signal.seen();
        let waiters = futures::future::join(signal.changed(seen), signal.changed(seen));
        let notify = async { signal.notify() };
        block_on(futures::future::join(waiters, notify));
    }
}
