//! Many seeds over threads, and what to do with one that fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::scenario::{Options, Report, Scenario};

/// What many seeds came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Seeds that were run.
    pub seeds: u64,
    /// Flushes that were committed.
    pub flushes: u64,
    /// Tables that retention removed.
    pub removals: u64,
    /// The lowest seed that was found to fail. The others end then.
    pub failed: Option<u64>,
}

/// Runs the seeds on so many threads; each history is single-threaded, and the same whatever the number of threads.
pub fn sweep(scenario: Scenario, seeds: std::ops::Range<u64>, threads: usize, options: &Options) -> Sweep {
    let (next, failed) = (AtomicU64::new(seeds.start), AtomicU64::new(u64::MAX));
    let (run, flushes, removals) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || failed.load(Ordering::Relaxed) < seed {
                        return;
                    }
                    run.fetch_add(1, Ordering::Relaxed);
                    match unless_it_panics(|| scenario.run(seed, options)) {
                        Some(report) if report.violation.is_none() => {
                            flushes.fetch_add(report.flushes as u64, Ordering::Relaxed);
                            removals.fetch_add(report.removals as u64, Ordering::Relaxed);
                        }
                        Some(_) | None => {
                            failed.fetch_min(seed, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let failed = Some(failed.into_inner()).filter(|seed| *seed != u64::MAX);
    Sweep { seeds: run.into_inner(), flushes: flushes.into_inner(), removals: removals.into_inner(), failed }
}

/// What a history comes to. `None`: the engine panicked, which is a failure of the seed; its world goes with it.
fn unless_it_panics(history: impl FnOnce() -> Report) -> Option<Report> {
    catch_unwind(AssertUnwindSafe(history)).ok()
}

/// Leaves out of a failing history whatever it does not need to fail in the same way: actors, faults, incidents. `None`
/// where the seed does not fail, and where it fails by a panic of the engine, whose place says more than fewer actors would.
///
/// Cost: one history for each of its parts, some thirty.
pub fn shrink(scenario: Scenario, seed: u64, options: &Options) -> Option<(Options, Report)> {
    let mut smallest = unless_it_panics(|| scenario.run(seed, options))?;
    let check = smallest.violation.as_ref()?.check;
    let mut options = options.clone();
    for part in smallest.parts.clone() {
        let mut fewer = options.clone();
        fewer.without.push(part);
        let report = unless_it_panics(|| scenario.run(seed, &fewer));
        let is_same = |report: &Report| report.violation.as_ref().is_some_and(|found| found.check == check);
        if let Some(report) = report.filter(is_same) {
            (options, smallest) = (fewer, report);
        }
    }
    Some((options, smallest))
}

/// How a deliberate bug shows in one history: the rule that was broken, or that the engine panicked. `None`: not at all.
#[cfg(feature = "mutations")]
pub fn caught(scenario: Scenario, seed: u64, mutation: isledb_core::mutation::Mutation) -> Option<String> {
    let options = Options { mutation: Some(mutation), ..Options::default() };
    match unless_it_panics(|| scenario.run(seed, &options)) {
        Some(report) => Some(report.violation?.check.to_string()),
        None => Some("a panic".to_owned()),
    }
}

/// The command that replays a history with its whole trace.
pub fn command(scenario: Scenario, seed: u64, options: &Options) -> String {
    let without = match options.without.as_slice() {
        [] => String::new(),
        parts => format!(" --without {}", parts.join(",")),
    };
    let name = scenario.name();
    format!("cargo run --profile simulation -p isledb-simulation -- replay {name} {seed}{without}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_engine_ends_its_history_alone() {
        assert!(unless_it_panics(|| panic!("as the engine would")).is_none());
        let options = Options::default();
        assert!(unless_it_panics(|| Scenario::Publishers.run(0, &options)).is_some());
    }
}
