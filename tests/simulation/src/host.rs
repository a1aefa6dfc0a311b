//! The simulated surroundings of one process: virtual clocks and seeded randomness.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use isledb_core::host::Host;
use isledb_core::maybe::BoxFuture;

use crate::executor::{Handle, ProcessId};
use crate::rng::Rng;

/// Where virtual time starts: 2026-04-15T10:12:00Z, in Unix nanoseconds.
pub const START_UNIX_NS: u64 = 1_776_247_920_000_000_000;

/// The host of one process. Its wall clock may be wrong and may jump, its monotonic clock stands still while the
/// simulated machine sleeps.
pub struct SimHost {
    handle: Handle,
    process: ProcessId,
    random: Mutex<Rng>,
}

impl SimHost {
    /// The host of `process` in the run of `seed`.
    pub fn new(handle: &Handle, seed: u64, process: ProcessId) -> SimHost {
        let random = Mutex::new(Rng::new(seed, &format!("host {}", process.0)));
        SimHost { handle: handle.clone(), process, random }
    }
}

impl Host for SimHost {
    fn now_unix_ns(&self) -> u64 {
        (START_UNIX_NS + self.handle.now_ns()).saturating_add_signed(self.handle.wall_offset_ns(self.process))
    }

    fn monotonic_ns(&self) -> u64 {
        self.handle.monotonic_ns(self.process)
    }

    fn fill_random(&self, buf: &mut [u8]) {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill(buf);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Box::pin(self.handle.sleep(ns))
    }
}
