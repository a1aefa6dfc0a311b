//! A clock that moves only when nothing else can happen, and the executor that moves it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::host::Host;
use crate::maybe::BoxFuture;

/// Clones are one clock. A sleep ends when [`TestHost::run`] finds that nothing else goes on.
#[derive(Clone)]
pub(super) struct TestHost(Arc<Mutex<Inner>>);

struct Inner {
    now_ns: u64,
    random: u64,
    sleepers: BTreeMap<(u64, u64), Option<Waker>>,
    next_sleeper: u64,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl TestHost {
    pub(super) fn new(seed: u64) -> TestHost {
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let now_ns = 1_790_000_000_000_000_000;
        TestHost(Arc::new(Mutex::new(Inner { now_ns, random, sleepers: BTreeMap::new(), next_sleeper: 0 })))
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_unix_ns() / 1_000_000
    }

    pub(super) fn advance(&self, by: Duration) {
        self.0.lock().unwrap().now_ns += by.as_nanos() as u64;
    }

    /// Runs a future to its end.
    pub(super) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.run_for(future, u64::MAX).expect("it ended")
    }

    /// Polls a future at most `polls` times, and drops it then.
    pub(super) fn run_for<T>(&self, future: impl Future<Output = T>, polls: u64) -> Option<T> {
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        for _ in 0..polls {
            while !woken.0.swap(false, Ordering::SeqCst) {
                assert!(self.wake_next(), "nothing will ever wake it");
            }
            if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
                return Some(done);
            }
        }
        None
    }

    /// Moves the clock to the next sleeper. False: there is none.
    fn wake_next(&self) -> bool {
        let mut inner = self.0.lock().unwrap();
        let Some(((at, _), waker)) = inner.sleepers.pop_first() else { return false };
        inner.now_ns = inner.now_ns.max(at);
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

struct Sleep {
    host: TestHost,
    at: (u64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.host.0.lock().unwrap();
        if inner.now_ns >= self.at.0 {
            inner.sleepers.remove(&self.at);
            return Poll::Ready(());
        }
        inner.sleepers.insert(self.at, Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.host.0.lock().unwrap().sleepers.remove(&self.at);
    }
}

impl Host for TestHost {
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
            *byte = (*state >> 24) as u8;
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut inner = self.0.lock().unwrap();
        inner.next_sleeper += 1;
        let at = (inner.now_ns + duration.as_nanos() as u64, inner.next_sleeper);
        Box::pin(Sleep { host: self.clone(), at })
    }
}
