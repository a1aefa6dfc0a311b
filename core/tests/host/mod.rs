//! A host of one thread whose time the test turns.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use isledb_core::host::Host;
use isledb_core::maybe::BoxFuture;

/// What is longer than this is a time limit, which is never reached; what is shorter is a pause, which passes at once.
const SHORTEST_LIMIT: Duration = Duration::from_secs(5);

/// A clock that only pauses and the test move, and random bytes that are a count. Clones are one host.
#[derive(Clone)]
pub(crate) struct TestHost(Arc<State>);

struct State {
    now_ns: AtomicU64,
    drawn: AtomicU64,
}

impl TestHost {
    /// Two hosts of one process draw different bytes, so that owners have names of their own.
    pub(crate) fn new() -> TestHost {
        static HOSTS: AtomicU64 = AtomicU64::new(0);
        let drawn = AtomicU64::new(HOSTS.fetch_add(1, Ordering::Relaxed) << 32 | 1);
        TestHost(Arc::new(State { now_ns: AtomicU64::new(1_790_000_000_000_000_000), drawn }))
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_unix_ns() / 1_000_000
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.now_ns.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Host for TestHost {
    fn now_unix_ns(&self) -> u64 {
        self.0.now_ns.load(Ordering::Relaxed)
    }
    fn monotonic_ns(&self) -> u64 {
        self.now_unix_ns()
    }
    fn fill_random(&self, buf: &mut [u8]) {
        let n = self.0.drawn.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        buf.iter_mut().zip(n.iter().cycle()).for_each(|(to, from)| *to = *from);
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let host = self.clone();
        if duration >= SHORTEST_LIMIT {
            return Box::pin(futures::future::pending());
        }
        Box::pin(async move { host.advance(duration) })
    }
}
