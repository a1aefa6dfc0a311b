//! Pauses between tries.

use std::time::Duration;

use super::Host;

/// Pauses with full jitter: each is drawn evenly from zero to a bound that doubles with every pause, so that clients which
/// failed together do not come back together.
#[derive(Debug, Clone)]
pub struct Backoff {
    bound_ms: u64,
    max_ms: u64,
}

impl Backoff {
    /// The first pause is at most `first_ms` long, every later one at most `max_ms`.
    pub fn new(first_ms: u64, max_ms: u64) -> Backoff {
        Backoff { bound_ms: first_ms.min(max_ms), max_ms }
    }

    /// The length of the next pause.
    pub fn next(&mut self, host: &dyn Host) -> Duration {
        let bound_us = self.bound_ms.saturating_mul(1_000);
        self.bound_ms = self.bound_ms.saturating_mul(2).min(self.max_ms);
        let mut random = [0; 8];
        host.fill_random(&mut random);
        Duration::from_micros(u64::from_le_bytes(random) % bound_us.saturating_add(1))
    }

    /// Pauses.
    pub async fn pause(&mut self, host: &dyn Host) {
        let pause = self.next(host);
        host.sleep(pause).await;
    }
}
