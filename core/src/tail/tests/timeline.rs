//! A clock that goes from one due time to the next, for several who wait at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::host::Host;
use crate::maybe::BoxFuture;

/// Time stands still until [`Timeline::run`] has nothing else to do. Clones are one clock.
#[derive(Clone)]
pub(super) struct Timeline(Arc<Mutex<Inner>>);

struct Inner {
    now_ns: u64,
    random: u64,
    next_id: u64,
    due_ns: BTreeMap<u64, u64>,
}

impl Timeline {
    pub(super) fn new() -> Timeline {
        let (now_ns, random) = (1_790_000_000_000_000_000, 0x9e37_79b9_7f4a_7c15);
        Timeline(Arc::new(Mutex::new(Inner { now_ns, random, next_id: 0, due_ns: BTreeMap::new() })))
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_unix_ns() / 1_000_000
    }

    /// Polls `futures` in turn for so long, or until one of them ends: which, and with what.
    pub(super) fn run<T>(&self, futures: &mut [BoxFuture<'_, T>], at_most: Duration) -> Option<(usize, T)> {
        let end_ns = self.now_unix_ns() + at_most.as_nanos() as u64;
        let mut context = Context::from_waker(Waker::noop());
        loop {
            // So many turns that nobody is left who has something to do.
            for _ in 0..20 {
                for (i, future) in futures.iter_mut().enumerate() {
                    if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
                        return Some((i, done));
                    }
                }
            }
            let mut inner = self.0.lock().unwrap();
            let next_ns = *inner.due_ns.values().min().expect("somebody waits for a time");
            if next_ns > end_ns {
                inner.now_ns = end_ns;
                return None;
            }
            inner.now_ns = inner.now_ns.max(next_ns);
        }
    }
}

impl Host for Timeline {
    fn now_unix_ns(&self) -> u64 {
        self.0.lock().unwrap().now_ns
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_unix_ns()
    }

    fn fill_random(&self, buf: &mut [u8]) {
        let state = &mut self.0.lock().unwrap().random;
        for byte in buf {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            *byte = *state as u8;
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut inner = self.0.lock().unwrap();
        let (id, due_ns) = (inner.next_id, inner.now_ns + duration.as_nanos() as u64);
        inner.next_id += 1;
        inner.due_ns.insert(id, due_ns);
        let sleep = Sleep { timeline: self.clone(), id };
        Box::pin(async move {
            std::future::poll_fn(|_| {
                let now_ns = sleep.timeline.now_unix_ns();
                if now_ns >= due_ns { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            drop(sleep);
        })
    }
}

struct Sleep {
    timeline: Timeline,
    id: u64,
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.timeline.0.lock().unwrap().due_ns.remove(&self.id);
    }
}
