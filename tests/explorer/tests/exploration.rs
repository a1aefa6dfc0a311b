//! The configurations that end within seconds: those of our protocol are explored to their end and nothing is found, those
//! with a known defect show it.

use std::time::Duration;

use isledb_explorer::{Limits, Report, all, explore};

const LIMITS: Limits = Limits { states: 2_000_000, elapsed: Duration::from_secs(120) };

#[test]
fn nothing_that_must_not_happen_can_be_reached() {
    for config in all().iter().filter(|config| config.quick && config.finds.is_none()) {
        let report = explore(config, LIMITS);
        assert!(report.violation.is_none(), "{}: {:#?}", config.name, report.violation);
        assert!(report.exhausted, "{}: {} states were not all", config.name, report.states);
    }
}

#[test]
fn known_defects_are_found() {
    for config in all().iter().filter(|config| config.quick) {
        let Some(finds) = config.finds else { continue };
        let report = explore(config, LIMITS);
        let found = report.violation.map(|found| found.what).unwrap_or_default();
        assert!(found.contains(finds), "{}: {found:?} is not {finds:?}", config.name);
    }
}

/// What is explored is the same each time, so a printed trace can be had again.
#[test]
fn an_exploration_repeats_itself() {
    let configs = all();
    for name in ["writers", "bug-match"] {
        let config = configs.iter().find(|config| config.name == name);
        let explored = config.map(|config| {
            let (one, two) = (explore(config, LIMITS), explore(config, LIMITS));
            let told = |r: &Report| (r.states, r.steps, r.histories, r.violation.clone().map(|f| f.trace));
            assert_eq!(told(&one), told(&two));
        });
        assert!(explored.is_some(), "{name} is a configuration");
    }
}
