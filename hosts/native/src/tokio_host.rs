//! Time, sleep and randomness of a tokio process.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use isledb_core::host::Host;
use isledb_core::maybe::BoxFuture;

/// The clocks of the system, tokio's timer and the system's random bytes.
///
/// Its sleeps need a tokio runtime with time enabled, where they are awaited.
#[derive(Debug, Clone, Copy)]
pub struct TokioHost {
    start: Instant,
}

impl TokioHost {
    /// A host whose monotonic clock begins now.
    pub fn new() -> TokioHost {
        TokioHost { start: Instant::now() }
    }
}

impl Default for TokioHost {
    fn default() -> TokioHost {
        TokioHost::new()
    }
}

impl Host for TokioHost {
    fn now_unix_ns(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Enough until the year 2554.
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn fill_random(&self, buf: &mut [u8]) {
        // Ids and owner names stand on these bytes: a process without them must not go on.
        #[expect(clippy::expect_used)]
        getrandom::fill(buf).expect("the system gives random bytes");
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // The timer is registered at the first poll, so that the future may be made outside the runtime. A timer of no
        // length would still wait for the next tick, a millisecond.
        Box::pin(async move {
            match duration {
                Duration::ZERO => tokio::task::yield_now().await,
                duration => tokio::time::sleep(duration).await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn time_passes() {
        let host = TokioHost::new();
        let (wall, monotonic) = (host.now_unix_ns(), host.monotonic_ns());
        host.sleep(Duration::from_millis(20)).await;
        assert!(host.monotonic_ns() - monotonic >= 20_000_000);
        assert!(wall > 1_700_000_000_000_000_000 && host.now_unix_ns() > wall);
    }

    #[test]
    fn random_bytes_differ() {
        let (mut one, mut other) = ([0; 16], [0; 16]);
        TokioHost::new().fill_random(&mut one);
        TokioHost::new().fill_random(&mut other);
        assert_ne!(one, other);
    }
}
