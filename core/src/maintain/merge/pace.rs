//! Keeps a merge below a number of bytes a second.

use std::time::Duration;

use crate::host::{Host, Moment};

/// A pause that was missed by more than this (a slow store, a machine that slept) is not caught up with.
const MAX_CREDIT_MS: u64 = 1_000;

/// Counts bytes, and pauses where there were too many.
pub(super) struct Pace {
    bytes_per_second: Option<u64>,
    since: Moment,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(bytes_per_second: Option<u64>, host: &dyn Host) -> Pace {
        Pace { bytes_per_second, since: Moment::now(host), bytes: 0 }
    }

    /// Takes note of bytes read or written, and lets others run: for as long as the rate wants it, if there is one.
    pub(super) async fn pass(&mut self, bytes: u64, host: &dyn Host) {
        let pause_ms = self.pause_ms(bytes, host);
        // A timer, not only a wake-up: in a browser only that lets anything else run.
        host.sleep(Duration::from_millis(pause_ms)).await;
    }

    fn pause_ms(&mut self, bytes: u64, host: &dyn Host) -> u64 {
        let Some(rate) = self.bytes_per_second else { return 0 };
        self.bytes = self.bytes.saturating_add(bytes);
        let due_ms = self.bytes.saturating_mul(1_000) / rate.max(1);
        let elapsed_ms = self.since.elapsed_ms(host);
        if elapsed_ms > due_ms.saturating_add(MAX_CREDIT_MS) {
            (self.since, self.bytes) = (Moment::now(host), 0);
        }
        due_ms.saturating_sub(elapsed_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::VirtualClock;

    #[test]
    fn pauses_for_what_is_above_the_rate_and_catches_up_a_second_at_most() {
        let clock = VirtualClock::at_unix_ms(1_000);
        let mut pace = Pace::new(Some(1_000), &clock);
        assert_eq!(pace.pause_ms(500, &clock), 500);
        clock.advance_ms(500);
        assert_eq!(pace.pause_ms(500, &clock), 500);
        clock.advance_ms(1_000);
        assert_eq!(pace.pause_ms(0, &clock), 0);
        clock.advance_ms(60_000);
        assert_eq!(pace.pause_ms(1, &clock), 0);
        assert_eq!(pace.pause_ms(3_000, &clock), 3_000, "the minute is forgotten");
        assert_eq!(Pace::new(None, &clock).pause_ms(u64::MAX, &clock), 0);
    }
}
