//! Breadth first, so the trace of a violation is a shortest one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hashbrown::HashSet;

use crate::config::Config;
use crate::state::State;
use crate::step::{Next, World};

/// What an exploration came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// Name of the configuration.
    pub name: &'static str,
    /// Different states that were seen.
    pub states: u64,
    /// Steps between them that were taken.
    pub steps: u64,
    /// Different histories of single actors: so often the engine was really run.
    pub histories: u64,
    /// Longest shortest way to a state.
    pub depth: u32,
    /// How long it took.
    pub elapsed: Duration,
    /// Everything within the bounds was seen.
    pub exhausted: bool,
    /// The first violation, with the steps that lead to it.
    pub violation: Option<Found>,
}

/// A violation.
#[derive(Debug, Clone)]
pub struct Found {
    /// What must never happen, and did.
    pub what: String,
    /// The steps, in words.
    pub trace: Vec<String>,
}

/// Where a state came from: the number of its predecessor and which of its steps.
struct Origin {
    from: u32,
    step: u16,
}

/// When to stop where a configuration is too large.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// States that are seen at most; 4,294,967,295 can be told apart.
    pub states: u64,
    /// How long to go on.
    pub elapsed: Duration,
}

/// Explores `config` until a violation is found, everything was seen, or a limit is reached.
pub fn explore(config: &Config, limits: Limits) -> Report {
    let started = Instant::now();
    let mut report = Report {
        name: config.name,
        states: 1,
        steps: 0,
        histories: 0,
        depth: 0,
        elapsed: Duration::ZERO,
        exhausted: false,
        violation: None,
    };
    let (mut world, first) = match World::new(config) {
        Ok(begun) => begun,
        Err(what) => {
            report.violation = Some(Found { what, trace: vec!["the beginning".to_owned()] });
            return report;
        }
    };
    let mut scratch = Vec::new();
    let mut seen: HashSet<u64> = HashSet::new();
    let mut origins = vec![Origin { from: 0, step: 0 }];
    let mut frontier: VecDeque<(State, u32, u32)> = VecDeque::new();
    seen.insert(first.fingerprint(&mut scratch));
    frontier.push_back((first.clone(), 0, 0));
    let mut next = Vec::new();
    report.exhausted = true;
    let mut found: Option<(String, Vec<u16>)> = None;
    'search: while let Some((state, number, depth)) = frontier.pop_front() {
        if started.elapsed() >= limits.elapsed {
            report.exhausted = false;
            break;
        }
        world.successors(&state, &mut next);
        for (step, Next { state, violation, .. }) in next.drain(..).enumerate() {
            report.steps += 1;
            let what = match violation {
                Some(what) => Some(what),
                None if !seen.insert(state.fingerprint(&mut scratch)) => continue,
                None => world.check_ends(&state, &mut scratch).err(),
            };
            if let Some(what) = what {
                found = Some((what, way(&origins, number, step as u16)));
                report.exhausted = false;
                break 'search;
            }
            report.states += 1;
            report.depth = depth + 1;
            if report.states >= limits.states.min(u64::from(u32::MAX)) {
                report.exhausted = false;
                break 'search;
            }
            origins.push(Origin { from: number, step: step as u16 });
            frontier.push_back((state, origins.len() as u32 - 1, depth + 1));
        }
    }
    report.histories = world.actors.len() as u64;
    report.violation = found.map(|(what, way)| Found { what, trace: replay(&mut world, first, &way) });
    report.elapsed = started.elapsed();
    report
}

/// The steps from the beginning to state `number`, and then `last`.
fn way(origins: &[Origin], mut number: u32, last: u16) -> Vec<u16> {
    let mut way = vec![last];
    while number != 0 {
        let Origin { from, step } = origins[number as usize];
        way.push(step);
        number = from;
    }
    way.reverse();
    way
}

/// The same steps once more, with words.
fn replay(world: &mut World<'_>, mut state: State, way: &[u16]) -> Vec<String> {
    world.labels = true;
    let mut trace = Vec::new();
    for step in way {
        let mut next = Vec::new();
        world.successors(&state, &mut next);
        let taken = next.swap_remove(usize::from(*step));
        trace.extend(taken.label);
        state = taken.state;
    }
    trace
}
