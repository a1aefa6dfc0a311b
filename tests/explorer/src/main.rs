//! Explores the configurations that are named (`gc*`: by prefix; `all`: every one), and prints a table, with the shortest
//! trace of each violation. Without a name it lists them. Each is
//! bounded by `--max STATES` (default 20,000,000) and `--seconds SECONDS` (default 3,600).

#![allow(clippy::print_stdout, reason = "a command")]

use std::num::ParseIntError;
use std::process::ExitCode;
use std::time::Duration;

use isledb_explorer::{Config, Limits, Report, UNBOUNDED, all, explore};

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let (Ok(states), Ok(seconds)) =
        (option(&mut args, "--max", 20_000_000), option(&mut args, "--seconds", 3_600))
    else {
        println!("--max and --seconds want a number");
        return ExitCode::FAILURE;
    };
    let limits = Limits { states, elapsed: Duration::from_secs(seconds) };
    let names = |config: &Config, arg: &String| match arg.strip_suffix('*') {
        Some(prefix) => config.name.starts_with(prefix),
        None => arg == config.name || arg == "all",
    };
    let mut right = true;
    println!("| configuration | bounds | states | steps | histories | depth | seconds | |");
    println!("|---|---|---|---|---|---|---|---|");
    for config in all() {
        let bounds = bounds(&config);
        if !args.iter().any(|arg| names(&config, arg)) {
            if args.is_empty() {
                println!("| {}: {} | {bounds} |", config.name, config.about);
            }
            continue;
        }
        let report = explore(&config, limits);
        let Report { states, steps, histories, depth, elapsed, .. } = &report;
        let seconds = elapsed.as_secs_f64();
        let outcome = match &report.violation {
            Some(found) => format!("{} ({} steps)", found.what, found.trace.len()),
            None if report.exhausted => "exhausted".to_owned(),
            None => "not exhausted".to_owned(),
        };
        let Config { name, about, .. } = config;
        let star = if config.quick { "*" } else { "" };
        println!(
            "| {name}{star}: {about} | {bounds} | {states} | {steps} | {histories} | {depth} | {seconds:.1} | {outcome} |"
        );
        if let Some(found) = &report.violation {
            for (at, line) in found.trace.iter().enumerate() {
                println!("  {:3} {line}", at + 1);
            }
        }
        let what = report.violation.map(|found| found.what);
        right &= match config.finds {
            Some(finds) => what.is_some_and(|what| what.contains(finds)),
            None => what.is_none(),
        };
    }
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Takes an option and its number out of the arguments.
fn option(args: &mut Vec<String>, name: &str, default: u64) -> Result<u64, ParseIntError> {
    let Some(at) = args.iter().position(|arg| arg == name) else { return Ok(default) };
    let number = args.get(at + 1).map_or("", String::as_str).parse()?;
    args.drain(at..at + 2);
    Ok(number)
}

fn bounds(config: &Config) -> String {
    let mut bounds = Vec::new();
    match config.faults {
        0 => {}
        UNBOUNDED => bounds.push("any faults".to_owned()),
        faults => bounds.push(format!("{faults} faults")),
    }
    for (number, what) in [(config.delayed, "delayed"), (config.crashes, "crashes")] {
        if number > 0 {
            bounds.push(format!("{number} {what}"));
        }
    }
    if config.jumps() > 0 {
        bounds.push(format!("{} clock jumps", config.jumps()));
    }
    bounds.extend(config.switches.map(|switches| format!("{switches} interruptions")));
    bounds.join(", ")
}
