//! A host for tests that must not wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use isledb_core::host::Host;
use isledb_core::maybe::BoxFuture;

/// Time stands still but in a sleep, which takes no time: retries, deadlines and expiries come at once. "Random" bytes are
/// drawn from a counter, so runs are alike; two hosts draw different ones.
#[derive(Debug, Clone)]
pub struct InstantHost(Arc<State>);

#[derive(Debug)]
struct State {
    now_ns: AtomicU64,
    random: AtomicU64,
}

impl InstantHost {
    /// At a moment in Unix milliseconds. `number` tells hosts apart.
    pub fn new(unix_ms: u64, number: u64) -> InstantHost {
        let state = State {
            now_ns: AtomicU64::new(unix_ms * 1_000_000),
            random: AtomicU64::new(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        };
        InstantHost(Arc::new(state))
    }
}

impl Host for InstantHost {
    fn now_unix_ns(&self) -> u64 {
        self.0.now_ns.load(Ordering::Relaxed)
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_unix_ns()
    }

    fn fill_random(&self, buf: &mut [u8]) {
        for piece in buf.chunks_mut(8) {
            let mut word = self.0.random.fetch_add(0xD1B5_4A32_D192_ED03, Ordering::Relaxed);
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            piece.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..piece.len()]);
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let state = self.0.clone();
        Box::pin(async move {
            // Yields once: who sleeps lets others go on.
            let mut slept = false;
            futures::future::poll_fn(|context| {
                if std::mem::replace(&mut slept, true) {
                    return std::task::Poll::Ready(());
                }
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
            state.now_ns.fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
        })
    }
}
