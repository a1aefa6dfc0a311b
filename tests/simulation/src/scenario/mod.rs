//! Whole histories: processes on one simulated bucket, watched by the oracle.

mod collector;
pub mod engine;
pub mod publishers;
mod publishing;
mod world;

pub use world::{Actor, Setup, World};

use std::fmt;

use crate::executor::{Executor, MINUTE, Stop};
use crate::oracle::{Check, Violation};
use crate::store::Bug;

/// A kind of history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Publishers of the manifest alone: [`publishers`].
    Publishers,
    /// The whole engine: [`engine`].
    Engine,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 2] = [Scenario::Publishers, Scenario::Engine];

    /// What it is called on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Publishers => "publishers",
            Scenario::Engine => "engine",
        }
    }

    /// The scenario of that name.
    pub fn named(name: &str) -> Option<Scenario> {
        Scenario::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    /// Runs the history of `seed`.
    pub fn run(self, seed: u64, options: &Options) -> Report {
        match self {
            Scenario::Publishers => publishers::run(seed, options),
            Scenario::Engine => engine::run(seed, options),
        }
    }
}

/// How a history is run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The trace is kept to be read.
    pub keep_trace: bool,
    /// The store breaks its contract in this way.
    pub bug: Option<Bug>,
    /// What of the history is left out, to see what a violation needs: names of actors, of fault rates and of incidents, as
    /// [`Report::parts`] has them.
    pub without: Vec<String>,
    /// Caches that keep anything keep everything: what they hold is measured in pointers too, so what they forget depends on
    /// the width of the machine, and with it which requests are sent.
    pub portable: bool,
    /// The engine has this bug.
    #[cfg(feature = "mutations")]
    pub mutation: Option<isledb_core::mutation::Mutation>,
}

impl Options {
    /// True where this part of a history happens.
    pub fn has(&self, part: &str) -> bool {
        self.without.iter().all(|without| without != part)
    }
}

/// What came of one history.
#[derive(Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// What must never happen, and did.
    pub violation: Option<Violation>,
    /// Hash over the whole history.
    pub trace_hash: u64,
    /// The last lines of the trace, where it was kept.
    pub trace: Vec<String>,
    /// Polls.
    pub steps: u64,
    /// Virtual time that passed.
    pub virtual_ns: u64,
    /// Flushes that were committed.
    pub flushes: usize,
    /// Tables that retention removed.
    pub removals: usize,
    /// What can be left out of it.
    pub parts: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        let minutes = self.virtual_ns as f64 / MINUTE as f64;
        let Report { seed, steps, flushes, trace_hash, .. } = self;
        writeln!(
            f,
            "seed {seed}: {flushes} flushes, {steps} polls, {minutes:.1} min, trace {trace_hash:016x}"
        )?;
        match &self.violation {
            Some(violation) => write!(f, "seed {seed}: VIOLATION {violation}"),
            None => write!(f, "seed {seed}: nothing happened that must not"),
        }
    }
}

/// A history takes no longer than this in virtual time once the store is healthy, pauses included.
const LONGEST_NS: u64 = 7 * 24 * 60 * MINUTE;
const MOST_STEPS: u64 = 400_000;

/// Runs one history: `start` spawns its processes.
pub fn run(seed: u64, options: &Options, start: impl FnOnce(&World)) -> Report {
    #[cfg(feature = "mutations")]
    isledb_core::mutation::activate(options.mutation);
    let (mut executor, world) = World::new(seed, options);
    start(&world);
    finish(&mut executor, &world)
}

fn finish(executor: &mut Executor, world: &World) -> Report {
    let stop = executor.run(world.bucket.healthy_from_ns() + LONGEST_NS, MOST_STEPS);
    match stop {
        Stop::Finished | Stop::Halted => {}
        Stop::Deadlock(tasks) => world.oracle.fail(Check::DoesNotFinish, format!("deadlock of {tasks:?}")),
        Stop::TimeLimit(tasks) => {
            world.oracle.fail(Check::DoesNotFinish, format!("still running: {tasks:?}"))
        }
        Stop::StepLimit(tasks) => world.oracle.fail(Check::DoesNotFinish, format!("livelock of {tasks:?}")),
    }
    let trace = world.handle.trace();
    Report {
        seed: world.seed,
        violation: world.oracle.violation(),
        trace_hash: trace.hash(),
        trace: trace.tail(usize::MAX),
        steps: executor.steps(),
        virtual_ns: world.handle.now_ns(),
        flushes: world.oracle.look(|history| history.flushes().len()),
        removals: world.oracle.look(|history| history.removals().len()),
        parts: world.parts(),
    }
}
