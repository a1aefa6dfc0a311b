//! Time, sleep and randomness.

use std::time::Duration;

use crate::maybe::{BoxFuture, MaybeSend, MaybeSync};

/// What the engine needs from its surroundings besides objects.
///
/// The engine never spawns, never blocks and never reads a clock of its own, so one implementation of this trait decides
/// how time passes: the wall clock in a process, a virtual one in the simulation.
pub trait Host: MaybeSend + MaybeSync + 'static {
    /// Wall clock: nanoseconds since the Unix epoch. May jump. Used for times written into objects and for TTLs.
    fn now_unix_ns(&self) -> u64;

    /// A clock that never goes back, in nanoseconds from an arbitrary start. May stand still while the machine sleeps,
    /// so ages are taken as the larger of this and the wall clock's difference.
    fn monotonic_ns(&self) -> u64;

    /// Fills `buf` with bytes that nobody can guess (ids, jitter, owner names).
    fn fill_random(&self, buf: &mut [u8]);

    /// Resolves after `duration`; of zero length it only lets others run. Dropping the future cancels it.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}
