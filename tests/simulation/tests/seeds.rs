//! Many histories, each from its own seed, and the same seed twice.
//!
//! `ISLEDB_SIM_SEEDS=n` runs the seeds 0..n (2,000 in CI, else 200), `ISLEDB_SIM_SEED=n` one seed with its whole trace:
//! `ISLEDB_SIM_SEED=7 cargo test -p isledb-simulation --test seeds publishers -- --nocapture`.

#![allow(clippy::print_stdout, reason = "one seed is run to be read")]

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use isledb_simulation::scenario::{Options, Report, engine, publishers};

/// How many lines of the trace a failure shows.
const SHOWN_LINES: usize = 120;

type Scenario = fn(u64, Options) -> Report;

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

fn seeds() -> u64 {
    number("ISLEDB_SIM_SEEDS").unwrap_or(if env::var_os("CI").is_some() { 2000 } else { 200 })
}

/// Runs the seeds of `scenario` on two threads; each run is single-threaded.
fn run(name: &str, scenario: Scenario) {
    if let Some(seed) = number("ISLEDB_SIM_SEED") {
        let report = scenario(seed, Options { keep_trace: true, bug: None });
        println!("{report}");
        assert!(report.violation.is_none(), "{name}: seed {seed}");
        return;
    }
    let (seeds, next, failed) = (seeds(), AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let (flushes, removals) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || failed.load(Ordering::Relaxed) != u64::MAX {
                        return;
                    }
                    let Ok(report) = std::panic::catch_unwind(|| scenario(seed, Options::default())) else {
                        println!("{name}: seed {seed} panics");
                        failed.fetch_min(seed, Ordering::Relaxed);
                        return;
                    };
                    flushes.fetch_add(report.flushes as u64, Ordering::Relaxed);
                    removals.fetch_add(report.removals as u64, Ordering::Relaxed);
                    if report.violation.is_some() {
                        failed.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    if failed != u64::MAX {
        let mut report = scenario(failed, Options { keep_trace: true, bug: None });
        report.trace.drain(..report.trace.len().saturating_sub(SHOWN_LINES));
        panic!(
            "{name}:\n{report}\nall of it: ISLEDB_SIM_SEED={failed} cargo test -p isledb-simulation --test seeds {name} -- --nocapture"
        );
    }
    let (flushes, removals) = (flushes.into_inner(), removals.into_inner());
    println!("{name}: {seeds} seeds, {flushes} flushes committed, {removals} tables removed by retention");
    assert!(flushes > seeds, "these histories do next to nothing");
    assert!(name != "engine" || removals > seeds, "retention does next to nothing");
}

#[test]
fn publishers_commit_under_contention() {
    run("publishers", publishers::run);
}

#[test]
fn the_engine_reads_and_follows_what_contending_writers_commit() {
    run("engine", engine::run);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        for scenario in [publishers::run, engine::run] {
            let hash = |keep_trace| scenario(seed, Options { keep_trace, bug: None }).trace_hash;
            assert_eq!(hash(false), hash(true), "seed {seed}");
        }
    }
}
