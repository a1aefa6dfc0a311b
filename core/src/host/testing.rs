//! A clock that only tests turn.

use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use super::Host;
use crate::maybe::BoxFuture;

/// Time stands still except in `sleep`, which moves it as soon as everything else had many turns to go on without it;
/// "random" bytes come from a fixed seed. Clones are one clock.
#[derive(Clone)]
pub(crate) struct VirtualClock(Arc<Mutex<Inner>>);

struct Inner {
    now_ns: u64,
    random: u64,
}

impl VirtualClock {
    pub(crate) fn at_unix_ms(ms: u64) -> VirtualClock {
        VirtualClock(Arc::new(Mutex::new(Inner { now_ns: ms * 1_000_000, random: 0x9e37_79b9_7f4a_7c15 })))
    }

    pub(crate) fn advance_ms(&self, ms: u64) {
        self.0.lock().unwrap().now_ns += ms * 1_000_000;
    }
}

impl Host for VirtualClock {
    fn now_unix_ns(&self) -> u64 {
        self.0.lock().unwrap().now_ns
    }

    fn monotonic_ns(&self) -> u64 {
        self.0.lock().unwrap().now_ns
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
        let clock = self.clone();
        let mut turns = 100;
        Box::pin(std::future::poll_fn(move |cx| {
            if turns > 0 {
                turns -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            clock.0.lock().unwrap().now_ns += duration.as_nanos() as u64;
            Poll::Ready(())
        }))
    }
}
