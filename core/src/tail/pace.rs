//! When to look at CURRENT again. Pure.

use super::options::TailOptions;
use crate::host::Moment;

/// The next look that was drawn, so that a call that is dropped and repeated does not draw again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// The look before.
    pub(super) last: Moment,
    /// How long after it, in milliseconds.
    pub(super) after_ms: u64,
}

impl Due {
    /// The look behind the one at `last`, which had found nothing new for `quiet_ms`.
    ///
    /// Waits of p, 1.5 p, 1.5^2 p... add up to twice what the last of them is above p: so the time without a change says how
    /// many there were. `random` spreads it over a quarter to both sides.
    pub(super) fn draw(options: &TailOptions, last: Moment, quiet_ms: u64, random: u64) -> Due {
        let wait_ms = options.poll_ms.saturating_add(quiet_ms / 2).min(options.idle_poll_ms);
        let spread_ms = random % (wait_ms / 2 + 1);
        Due { last, after_ms: wait_ms - wait_ms / 4 + spread_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::VirtualClock;

    fn due(quiet_ms: u64, random: u64) -> u64 {
        let last = Moment::now(&VirtualClock::at_unix_ms(5));
        Due::draw(&TailOptions::default(), last, quiet_ms, random).after_ms
    }

    #[test]
    fn it_is_the_poll_interval_while_changes_come_and_slows_down_to_the_idle_one() {
        // The middle of the spread.
        let mut waits = Vec::new();
        let mut quiet_ms = 0;
        for _ in 0..8 {
            let wait_ms = 500_u64.saturating_add(quiet_ms / 2).min(5_000);
            let middle = due(quiet_ms, wait_ms / 4);
            waits.push(middle);
            quiet_ms += middle;
        }
        assert_eq!(waits, [500, 750, 1_125, 1_687, 2_531, 3_796, 5_000, 5_000]);
        assert_eq!(due(u64::MAX, 1_250), 5_000);
    }

    #[test]
    fn it_is_spread_over_a_quarter_to_both_sides() {
        let drawn: Vec<u64> = (0..=250).map(|random| due(0, random)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&375), Some(&625)));
        assert_eq!(due(0, u64::MAX), 375 + u64::MAX % 251);
    }
}
