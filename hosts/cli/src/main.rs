//! The `isledb` command: an IsleDB database from the shell.
//!
//! `args` is the command line, `command/` has one file a command; everything else is a concept that commands share, named
//! after it. The engine and the stores are the crate `isledb`'s; nothing here knows how a table or a manifest works.

mod args;
mod as_of;
mod command;
mod config;
mod connection;
mod cost;
mod duration;
mod entry;
mod exit;
mod exporter;
mod interrupt;
mod json;
mod keys;
mod loading;
mod output;
mod plugins;
mod progress;
mod role;
mod rows;
mod signer;
mod signing;
mod size;
mod upkeep;
mod writing;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, Global};
use crate::command::Context;
use crate::exit::{Code, Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::output::Output;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    trace(&cli.global);
    let json = cli.global.json;
    let outcome = runtime().and_then(|runtime| {
        let outcome = runtime.block_on(run(cli));
        // Whatever still waits for standard input is left behind.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_quiet() => ExitCode::SUCCESS,
        Err(failure) => {
            output::report(&failure, json);
            ExitCode::from(failure.code as u8)
        }
    }
}

/// The command line with the defaults of the configuration file. What clap has to say, it says itself.
fn parse(arguments: &[OsString]) -> Result<Cli, ExitCode> {
    let usage = Code::Usage as u8;
    let as_json = arguments.iter().any(|argument| argument == "--json");
    let tell = |failure: &Failure| {
        output::report(failure, as_json);
        ExitCode::from(failure.code as u8)
    };
    let command = config::apply(Cli::command(), arguments).map_err(|failure| tell(&failure))?;
    let parsed = command.try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        if !error.use_stderr() {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        if as_json {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            return tell(&Failure::usage(first.trim_start_matches("error: ")).advise("see `isledb help`"));
        }
        let _ = error.print();
        ExitCode::from(usage)
    })
}

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Unreachable, "runtime", format!("cannot start: {error}")))
}

async fn run(cli: Cli) -> Outcome {
    let mut context = Context {
        out: Output::new(cli.global.json),
        global: cli.global,
        interrupt: Interrupt::listen(),
        metered: None,
    };
    if let Some(address) = context.global.metrics_addr {
        exporter::serve(address)?;
    }
    let outcome = command::run(cli.command, &mut context).await;
    // What was printed before a failure belongs in front of it.
    let flushed = context.out.flush();
    if let Some(metering) = context.metered {
        metering.settle().await;
        if context.global.cost {
            let (cost, cache) = (metering.cost(), metering.cache());
            if context.global.json {
                output::note_json(cost::json(&cost, metering.provider(), cache.as_ref()));
            } else {
                output::note(&cost::text(&cost, metering.provider(), cache.as_ref()));
            }
        }
    }
    outcome?;
    Ok(flushed?)
}

/// `-v` on standard error; `ISLEDB_LOG` names modules and levels as `RUST_LOG` does elsewhere.
fn trace(global: &Global) {
    let level = match global.verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::builder()
        .with_env_var("ISLEDB_LOG")
        .try_from_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("off,isledb={level},isledb_core={level}")));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
}
