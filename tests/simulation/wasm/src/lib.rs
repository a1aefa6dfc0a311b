//! The simulation as a module without imports: whatever the engine asks of its host, the simulated one answers.

use isledb_simulation::scenario::{Options, Scenario};

/// Runs the history of `seed` of the scenario at this place in [`Scenario::ALL`]: the hash of its trace, or 0 where something
/// happened that must not.
// Safety: no other symbol of the module has that name.
#[unsafe(no_mangle)]
pub extern "C" fn trace_hash(scenario: u32, seed: u64) -> u64 {
    let Some(scenario) = Scenario::ALL.get(scenario as usize) else { return 0 };
    let report = scenario.run(seed, &Options { portable: true, ..Options::default() });
    if report.violation.is_some() { 0 } else { report.trace_hash }
}
