//! The simulation by hand: many seeds, or one with its trace. See `tests/README.md`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is run to be read")]

use std::process::ExitCode;
use std::time::Instant;

use isledb_simulation::scenario::{Options, Scenario};
use isledb_simulation::sweep::{command, shrink, sweep};

const USAGE: &str = "usage:
  run SCENARIO FIRST COUNT [--threads N]       seeds FIRST..FIRST+COUNT; status 1 if one fails, with the command that replays it
  replay SCENARIO SEED [--without PART,PART]   one seed with its whole trace
  search MUTATION CATCHES MOST                 (built with the feature `mutations`) the seeds that catch it, or `all`: until so many did
SCENARIO: publishers, engine";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match call(&arguments) {
        Ok(code) => code,
        Err(what) => {
            eprintln!("{what}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The argument behind `--name`.
fn option<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).map(String::as_str)
}

fn number(arguments: &[String], at: usize) -> Result<u64, String> {
    let text = arguments.get(at).ok_or("an argument is missing")?;
    text.parse().map_err(|error| format!("{text}: {error}"))
}

fn call(arguments: &[String]) -> Result<ExitCode, String> {
    let scenario = |at: usize| {
        let name = arguments.get(at).ok_or("a scenario is missing")?;
        Scenario::named(name).ok_or_else(|| format!("no scenario is named {name}"))
    };
    let without =
        option(arguments, "--without").unwrap_or_default().split(',').filter(|part| !part.is_empty());
    let options = Options { without: without.map(str::to_owned).collect(), ..Options::default() };
    match arguments.first().map(String::as_str) {
        Some("run") => {
            let (first, count) = (number(arguments, 2)?, number(arguments, 3)?);
            let threads = option(arguments, "--threads").map_or(Ok(2), str::parse);
            let threads = threads.map_err(|error| format!("--threads: {error}"))?;
            Ok(run(scenario(1)?, first..first + count, threads, &options))
        }
        Some("replay") => {
            let report = scenario(1)?.run(number(arguments, 2)?, &Options { keep_trace: true, ..options });
            println!("{report}");
            Ok(ExitCode::from(u8::from(report.violation.is_some())))
        }
        #[cfg(feature = "mutations")]
        Some("search") => {
            let name = arguments.get(1).ok_or("a mutation is missing")?;
            let (catches, most) = (number(arguments, 2)?, number(arguments, 3)?);
            search(name, catches, most);
            Ok(ExitCode::SUCCESS)
        }
        _ => Err("a command is missing".to_owned()),
    }
}

/// Looks for the seeds that catch a mutation (`all`: each), in every scenario: until so many did, or so many were run. One line
/// of JSON each.
#[cfg(feature = "mutations")]
fn search(name: &str, catches: u64, most: u64) {
    use isledb_core::mutation::Mutation;
    std::panic::set_hook(Box::new(|_| {}));
    let wanted = |mutation: &Mutation| name == "all" || format!("{mutation:?}") == name;
    for mutation in Mutation::ALL.into_iter().filter(wanted) {
        for scenario in Scenario::ALL {
            let started = Instant::now();
            let (mut seeds, mut first, mut caught, mut checks) = (0, None, 0, Vec::new());
            while seeds < most && caught < catches {
                if let Some(check) = isledb_simulation::sweep::caught(scenario, seeds, mutation) {
                    first.get_or_insert(seeds);
                    caught += 1;
                    checks.push(check);
                }
                seeds += 1;
            }
            checks.sort();
            checks.dedup();
            let (name, seconds) = (scenario.name(), started.elapsed().as_secs());
            println!(
                "{{\"mutation\":\"{mutation:?}\",\"scenario\":\"{name}\",\"first\":{},\"caught\":{caught},\"seeds\":{seeds},\"seconds\":{seconds},\"checks\":{checks:?}}}",
                first.map_or("null".to_owned(), |seed| seed.to_string()),
            );
        }
    }
}

fn run(scenario: Scenario, seeds: std::ops::Range<u64>, threads: usize, options: &Options) -> ExitCode {
    let started = Instant::now();
    let swept = sweep(scenario, seeds, threads, options);
    let seconds = started.elapsed().as_secs_f64();
    let name = scenario.name();
    println!("{name}: {} seeds, {} flushes in {seconds:.1} s", swept.seeds, swept.flushes);
    let Some(seed) = swept.failed else { return ExitCode::SUCCESS };
    println!("{name}: seed {seed} fails; whole: {}", command(scenario, seed, options));
    if let Some((options, report)) = shrink(scenario, seed, options) {
        println!("{report}\nshrunk: {}", command(scenario, seed, &options));
    }
    ExitCode::FAILURE
}
