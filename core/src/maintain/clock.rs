//! The store's clock, as far as it can be known: what maintenance calls "now".

use crate::host::{Host, Moment};

/// A lower bound of the store's present time, from the Last-Modified of an object that was just written.
///
/// Ages of things in a bucket are differences of the store's own times, so that a maintenance process with a wrong clock takes
/// nothing too early. The time that passes in this process is added by that of its clocks which says less: one may jump ahead.
#[derive(Debug, Clone, Copy)]
pub struct StoreClock {
    at_ms: u64,
    since: Moment,
}

impl StoreClock {
    /// From the Last-Modified (Unix milliseconds) of an object written a moment ago, taken when the store's answer has come.
    /// `None` where the store does not say: then this process's clock has to do.
    pub fn new(last_modified_ms: Option<u64>, host: &dyn Host) -> StoreClock {
        let since = Moment::now(host);
        StoreClock { at_ms: last_modified_ms.unwrap_or_else(|| since.unix_ms()), since }
    }

    /// Now, in milliseconds since the Unix epoch.
    pub fn now_ms(&self, host: &dyn Host) -> u64 {
        self.at_ms.saturating_add(self.since.elapsed_at_least_ms(host))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::maybe::BoxFuture;

    /// A host whose two clocks go as they are told, in milliseconds.
    struct TwoClocks {
        wall_ms: AtomicU64,
        monotonic_ms: AtomicU64,
    }

    impl Host for TwoClocks {
        fn now_unix_ns(&self) -> u64 {
            self.wall_ms.load(Ordering::Relaxed) * 1_000_000
        }
        fn monotonic_ns(&self) -> u64 {
            self.monotonic_ms.load(Ordering::Relaxed) * 1_000_000
        }
        fn fill_random(&self, buf: &mut [u8]) {
            buf.fill(7);
        }
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    /// The larger of the two would let a merge drop values whose time has not come.
    #[test]
    fn neither_clock_makes_it_run_ahead() {
        let host = TwoClocks { wall_ms: AtomicU64::new(1_000_000), monotonic_ms: AtomicU64::new(50) };
        let clock = StoreClock::new(Some(2_000_000), &host);
        let now_ms = |wall_ms: u64, monotonic_ms: u64| {
            host.wall_ms.store(wall_ms, Ordering::Relaxed);
            host.monotonic_ms.store(monotonic_ms, Ordering::Relaxed);
            clock.now_ms(&host)
        };
        assert_eq!(now_ms(1_000_300, 350), 2_000_300);
        assert_eq!(now_ms(90_000_000, 400), 2_000_350, "the wall clock was set ahead by a day");
        assert_eq!(now_ms(1_000_300, 9_000), 2_000_300, "the monotonic clock is fast");
        assert_eq!(now_ms(10, 9_000), 2_000_000, "the wall clock was set back");
    }
}
