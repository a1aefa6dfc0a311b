//! Deliberate bugs in the engine, each caught by its recorded seed, and by nothing but the bug.
//!
//! A build of its own: `cargo test -p isledb-simulation --features mutations --test mutations`. What the search found is
//! recorded below: `tests/simulation/run.sh --mutations 5 10000` finds the seeds anew, where histories have changed.

#![allow(clippy::print_stdout, reason = "what caught a bug is worth a line")]

use std::collections::BTreeSet;

use isledb_core::mutation::Mutation::{self, *};
use isledb_simulation::scenario::{
    Options,
    Scenario::{self, Engine, Publishers},
};
use isledb_simulation::sweep::caught;

/// The bug, the scenario that catches it soonest, the first seed there that does, and how many seeds it takes in the mean.
const CAUGHT: &[(Mutation, Scenario, u64, u64)] = &[
    (SlotIsOverwritten, Publishers, 0, 2),
    (NobodyHelps, Publishers, 1, 5),
    (HelpWithoutFence, Publishers, 1, 2),
    (HelpWithoutEffects, Publishers, 1, 3),
    (FenceBeforeEntry, Publishers, 0, 2),
    (LostPutTakesNewSlot, Publishers, 1, 3),
    (LostCoverTakesNewSlot, Publishers, 1, 3),
    (OwnEntryIsNotKnown, Publishers, 1, 4),
    (FenceIsNotChecked, Publishers, 4, 3),
    (SnapshotIsUnconditional, Publishers, 101, 41),
    (SnapshotOfStaleState, Publishers, 101, 150),
    (YoungOrphansGo, Engine, 2, 8),
    (CollectWithoutSettling, Publishers, 4945, 5000),
    (CollectBeforeFloor, Publishers, 6636, 6637),
    (CollectWithoutGrace, Engine, 13, 7),
    (SettleByTableAlone, Engine, 319, 1654),
    (ForgetsOpenOutcome, Publishers, 29, 43),
    (TombstoneDropped, Engine, 34, 41),
    (SeekBeginsLate, Engine, 3, 3),
    (FilterHashDiffers, Engine, 2, 2),
    (FeedSkipsAtSnapshot, Engine, 9, 5),
    (FeedSkipsAfterRestart, Engine, 1, 2),
    (FeedBeginsLate, Engine, 0, 1),
    (CacheMixesTables, Engine, 0, 2),
    (ExpiryInSeconds, Engine, 5, 7),
    (AcknowledgedTooEarly, Engine, 0, 1),
    (BatchIsSplit, Engine, 2, 4),
    (FloorRisesTooSoon, Engine, 7, 6),
    (TrimTakesOneMore, Engine, 2, 5),
    (CollectByOwnClock, Engine, 232, 253),
];

/// No seed is known that catches these.
const NOT_YET: &[Mutation] = &[ViewNeverExpires];

#[test]
fn each_bug_is_caught_by_its_seed_and_the_seed_runs_without_it() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = Vec::new();
    for (mutation, scenario, seed, _) in CAUGHT {
        match caught(*scenario, *seed, *mutation) {
            Some(check) => println!("{mutation:?}: {check}, by {} {seed}", scenario.name()),
            None => missed.push(format!("{mutation:?} by {} {seed}", scenario.name())),
        }
    }
    let _ = std::panic::take_hook();
    assert!(missed.is_empty(), "not caught: {missed:?}");
    let seeds: BTreeSet<_> = CAUGHT.iter().map(|(_, scenario, seed, _)| (scenario.name(), *seed)).collect();
    for (name, seed) in seeds {
        let scenario = Scenario::named(name).unwrap_or_else(|| panic!("{name} is a scenario"));
        let report = scenario.run(seed, &Options::default());
        assert!(report.violation.is_none(), "{report}");
    }
}

#[test]
fn every_bug_has_a_seed_or_is_known_to_have_none() {
    let recorded = CAUGHT.iter().map(|(mutation, ..)| *mutation);
    let listed: BTreeSet<Mutation> = recorded.chain(NOT_YET.iter().copied()).collect();
    assert_eq!(listed, Mutation::ALL.into_iter().collect());
    assert_eq!(CAUGHT.len() + NOT_YET.len(), listed.len(), "one is listed twice");
    assert!(CAUGHT.len() >= 24);
    assert!(CAUGHT.iter().all(|(_, _, seed, mean)| *seed < 10_000 && *mean < 10_000));
}
