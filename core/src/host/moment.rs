//! Ages within one process.

use std::cmp::Ordering;

use super::Host;

/// A point in time of this process. Its age is the larger of what the two clocks say: a monotonic clock may stand still
/// while the machine sleeps, and a wall clock may be set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    wall_ns: u64,
    monotonic_ns: u64,
}

impl Moment {
    /// Now.
    pub fn now(host: &dyn Host) -> Moment {
        Moment { wall_ns: host.now_unix_ns(), monotonic_ns: host.monotonic_ns() }
    }

    /// How long ago it was, in milliseconds.
    pub fn elapsed_ms(&self, host: &dyn Host) -> u64 {
        let wall = host.now_unix_ns().saturating_sub(self.wall_ns);
        let monotonic = host.monotonic_ns().saturating_sub(self.monotonic_ns);
        wall.max(monotonic) / 1_000_000
    }

    /// How long ago it was at least, in milliseconds: the smaller of what the two clocks say. For what must not be done too
    /// early, where [`Moment::elapsed_ms`] is for what must not be done too late.
    pub fn elapsed_at_least_ms(&self, host: &dyn Host) -> u64 {
        let wall = host.now_unix_ns().saturating_sub(self.wall_ns);
        let monotonic = host.monotonic_ns().saturating_sub(self.monotonic_ns);
        wall.min(monotonic) / 1_000_000
    }

    /// Which of two moments of this process came first: by the monotonic clock alone, which never goes back. Ages do not say
    /// so: where the wall clock was set back and the machine slept, an earlier moment may have the smaller one. `Equal` where
    /// that clock stood still in between.
    pub fn order(&self, other: &Moment) -> Ordering {
        self.monotonic_ns.cmp(&other.monotonic_ns)
    }

    /// The wall clock at that time, Unix milliseconds.
    pub fn unix_ms(&self) -> u64 {
        self.wall_ns / 1_000_000
    }
}
