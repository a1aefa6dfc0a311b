//! Many histories, each from its own seed, and the same seed twice.
//!
//! `ISLEDB_SIM_SEEDS=n` runs the seeds 0..n of each scenario in place of its share. A failure prints the command that replays
//! it, as it is and shrunk; see `tests/README.md`.

#![allow(clippy::print_stdout, reason = "what ran is worth a line")]

use std::env;

use isledb_simulation::scenario::{Options, Scenario};
use isledb_simulation::sweep::{command, shrink, sweep};

/// How many lines of the trace a failure shows.
const SHOWN_LINES: usize = 120;

/// A run in CI has 10,000 seeds, any other one a tenth. Most are for the publishers, which are the cheaper half.
fn share(scenario: Scenario) -> u64 {
    let of_ci = match scenario {
        Scenario::Publishers => 7_000,
        Scenario::Engine => 3_000,
    };
    match env::var("ISLEDB_SIM_SEEDS") {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("ISLEDB_SIM_SEEDS={text}: {error}")),
        Err(_) if env::var_os("CI").is_some() => of_ci,
        Err(_) => of_ci / 10,
    }
}

/// Each scenario is one test; the two run beside each other, each on one thread.
fn run(scenario: Scenario) {
    let (name, seeds, options) = (scenario.name(), share(scenario), Options::default());
    let swept = sweep(scenario, 0..seeds, 1, &options);
    if let Some(seed) = swept.failed {
        let whole = command(scenario, seed, &options);
        let Some((fewer, _)) = shrink(scenario, seed, &options) else {
            panic!("{name}: seed {seed} panics; to replay it: {whole}");
        };
        let shrunk = command(scenario, seed, &fewer);
        let mut report = scenario.run(seed, &Options { keep_trace: true, ..fewer });
        report.trace.drain(..report.trace.len().saturating_sub(SHOWN_LINES));
        panic!("{name}, shrunk:\n{report}\nall of it: {whole}\nshrunk: {shrunk}");
    }
    let (flushes, removals) = (swept.flushes, swept.removals);
    println!("{name}: {seeds} seeds, {flushes} flushes committed, {removals} tables removed by retention");
    assert!(flushes > seeds, "these histories do next to nothing");
    assert!(scenario != Scenario::Engine || removals > seeds / 20, "retention does next to nothing");
}

/// Seeds that found something, what it was, and where the engine's own test of it stands.
const FOUND: &[(Scenario, u64, &str)] = &[(
    Scenario::Engine,
    1654,
    "A reader asked for CURRENT after its wall clock was set back by 91 s, and slept before the answer came. By age the empty \
     view from before was the younger one, so the answer was thrown away: `refresh` ended well, and what was committed before \
     it was not seen (core/src/read/pinned.rs).",
)];

#[test]
fn what_was_found_stays_mended() {
    for (scenario, seed, story) in FOUND {
        let report = scenario.run(*seed, &Options::default());
        assert!(report.violation.is_none(), "{story}\n{report}");
    }
}

#[test]
fn publishers_commit_under_contention() {
    run(Scenario::Publishers);
}

#[test]
fn the_engine_reads_and_follows_what_contending_writers_commit() {
    run(Scenario::Engine);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        for scenario in Scenario::ALL {
            let hash =
                |keep_trace| scenario.run(seed, &Options { keep_trace, ..Options::default() }).trace_hash;
            assert_eq!(hash(false), hash(true), "seed {seed}");
        }
    }
}
