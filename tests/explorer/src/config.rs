//! What a configuration is: who takes part, and what may go wrong how often.

use crate::actor::Script;
use crate::bucket::Bug;
use crate::watch::Protocol;

/// As often as wanted.
pub const UNBOUNDED: u8 = u8::MAX;

/// One minute in milliseconds.
pub(crate) const MINUTE_MS: u64 = 60_000;

/// Somebody who works on the database.
pub(crate) struct Actor {
    pub(crate) name: &'static str,
    pub(crate) script: Script,
    pub(crate) may_crash: bool,
    /// Alone on a healthy store it comes to its end, from every state.
    pub(crate) finishes: bool,
}

/// A history to explore, with its bounds.
#[derive(Clone)]
pub struct Config {
    /// Its name on the command line.
    pub name: &'static str,
    /// Who takes part, in words.
    pub about: &'static str,
    pub(crate) actors: fn() -> Vec<Actor>,
    /// Run alone, one after the other, before everything begins; the clock jumps between them while jumps are `past`.
    pub(crate) prelude: fn() -> Vec<Actor>,
    /// Objects that lie there before, a day old.
    pub(crate) litter: fn() -> Vec<(String, bytes::Bytes)>,
    /// Time passes in jumps of so many milliseconds, each at any moment. The first `past` jumps lie between prelude and begin.
    pub(crate) ticks_ms: &'static [u64],
    pub(crate) past: u8,
    /// How often an actor dies; another life of it begins.
    pub crashes: u8,
    /// How often a request is not answered: [`UNBOUNDED`] for as often as wanted.
    pub faults: u8,
    /// Writes that may be on their way at once, to be applied at any later time.
    pub delayed: u8,
    /// Reads fail as well.
    pub(crate) reads_fail: bool,
    /// A conditional write is applied and answered as refused, as by a retry within a client.
    pub(crate) own_success: bool,
    /// Requests that an actor makes at once are served in any order; else in the order in which they were made.
    pub(crate) any_order: bool,
    /// How often an actor is interrupted within an operation by another one; `None`: as often as wanted.
    pub switches: Option<u8>,
    /// Delayed writes land however much time passed.
    pub(crate) no_request_life: bool,
    pub(crate) bug: Bug,
    pub(crate) protocol: Protocol,
    /// What is to be found in it; `None`: nothing.
    pub finds: Option<&'static str>,
    /// Explored in every test run.
    pub quick: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            name: "",
            about: "",
            actors: Vec::new,
            prelude: Vec::new,
            litter: Vec::new,
            ticks_ms: &[],
            past: 0,
            crashes: 0,
            faults: 0,
            delayed: 0,
            reads_fail: true,
            own_success: true,
            any_order: true,
            switches: None,
            no_request_life: false,
            bug: Bug::None,
            protocol: Protocol::Ours,
            finds: None,
            quick: false,
        }
    }
}

impl Config {
    /// How often time may pass.
    pub fn jumps(&self) -> usize {
        self.ticks_ms.len() - usize::from(self.past)
    }
}
