//! `isledb verify`.

use std::time::{Duration, Instant};

use clap::Args as Flags;
use isledb::verify::{Finding, FindingKind, Summary, VerifyOptions};
use tokio::sync::mpsc;

use super::Context;
use crate::args::Database;
use crate::cost;
use crate::duration;
use crate::exit::{Code, Failure, Outcome};
use crate::json::Line;
use crate::output::{self, BAD, FAINT, GOOD, Output};
use crate::progress::Progress;

/// Check that everything the database refers to is there and is what it should be
#[derive(Debug, Flags)]
#[command(after_help = "\
Without --deep: every document of the manifest with its checksum, the existence and size of every
table and blob, and what nothing refers to. With --deep every byte of every table and blob besides:
hashes, block checksums, order, bounds, counts, filters. It may run beside writers and maintenance,
and needs the right to list. Orphans are no problems: maintenance removes them in time. Exit code 1
where something is wrong; 5 or 6 where the manifest cannot be read at all.

Examples:
  isledb verify ./db
  isledb verify s3://bucket/db --deep --concurrency 32
  isledb verify ./db --orphans
  isledb verify ./db --deep --json | jq 'select(.problem)'")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// Read every table and every blob whole
    #[arg(long)]
    deep: bool,
    /// List what nothing refers to, one by one (--json always does)
    #[arg(long)]
    orphans: bool,
    /// Objects that are read at once, 1 to 64
    #[arg(long, value_name = "N", default_value_t = VerifyOptions::default().concurrency)]
    concurrency: usize,
}

/// How often progress is shown.
const EVERY: Duration = Duration::from_millis(200);

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let options = VerifyOptions { deep: args.deep, concurrency: args.concurrency };
    let connection = context.connect(args.database.url())?;
    let verification = connection.verification(options)?;
    let (started, read) = (Instant::now(), verification.progress());
    let (send, mut findings) = mpsc::unbounded_channel();
    let check = verification.run(move |finding| drop(send.send(finding)));
    tokio::pin!(check);
    let mut progress = Progress::bytes(context.global.progress, None);
    let mut tick = tokio::time::interval(EVERY);
    let mut problems: u64 = 0;
    let outcome = loop {
        tokio::select! {
            biased;
            Some(finding) = findings.recv() => {
                problems += u64::from(finding.kind.is_problem());
                progress.around(|| print(&finding, args.orphans, &mut context.out))?;
            }
            outcome = &mut check => break outcome,
            _ = tick.tick() => progress.set(read.done_bytes(), || {
                format!("of {}, {}", output::size(read.total_bytes()), output::counted(problems, "problem"))
            }),
        }
    };
    progress.finish();
    while let Ok(finding) = findings.try_recv() {
        print(&finding, args.orphans, &mut context.out)?;
    }
    let summary = outcome.map_err(|error| connection.named(error))?;
    summarize(&summary, &args, started.elapsed(), context)?;
    if summary.problems == 0 {
        return Ok(());
    }
    let found = output::counted(summary.problems, "problem");
    let message = format!("{found} found, {}", args.database.url());
    Err(Failure::new(Code::NotThere, "problems_found", message)
        .advise("keep the bucket as it is, and restore what is named from a copy"))
}

/// `{object, problem, kind, note, offset, bytes, age_ms}`, or a line for people.
fn print(finding: &Finding, orphans: bool, out: &mut Output) -> Outcome {
    let problem = finding.kind.is_problem();
    if out.is_json() {
        let text = Some(&finding.message);
        let line = Line::new()
            .field("object", &finding.object)
            .field("problem", text.filter(|_| problem))
            .field("kind", finding.kind.name())
            .field("note", text.filter(|_| !problem))
            .field("offset", finding.offset)
            .field("bytes", finding.bytes)
            .field("age_ms", finding.age_ms);
        return Ok(out.json(line)?);
    }
    if problem || orphans {
        let style = if problem { BAD } else { FAINT };
        let place = finding.offset.map_or_else(String::new, |offset| format!(" at byte {offset}"));
        let mut line = format!(
            "{}\t{}{place}\t{}",
            out.paint(style, finding.kind.name()),
            finding.object,
            finding.message
        );
        if let (FindingKind::Orphan, Some(bytes)) = (finding.kind, finding.bytes) {
            let age = finding.age_ms.map_or_else(String::new, |ms| format!(", {} old", age_text(ms)));
            line.push_str(&format!(" ({}{age})", output::size(bytes)));
        }
        out.line(line)?;
    }
    Ok(())
}

/// An age to the second.
fn age_text(ms: u64) -> String {
    duration::text_ms(ms - ms % 1000)
}

fn summarize(summary: &Summary, args: &Args, elapsed: Duration, context: &mut Context) -> Outcome {
    let cost = context.metered.as_ref().map(|metering| metering.cost()).unwrap_or_default();
    let out = &mut context.out;
    if out.is_json() {
        let line = Line::new()
            .field("deep", args.deep)
            .field("tables", summary.tables)
            .field("feed_tables", summary.feed_tables)
            .field("blobs", summary.blobs)
            .field("log_entries", summary.log_entries)
            .field("snapshots", summary.snapshots)
            .field("objects", summary.objects)
            .field("bytes", summary.bytes)
            .field("problems", summary.problems)
            .field("orphans", summary.orphans)
            .field("orphan_bytes", summary.orphan_bytes)
            .field("blob_orphans_known", summary.blob_orphans_known)
            .field("seconds", (elapsed.as_secs_f64() * 1000.0).round() / 1000.0)
            .raw("requests", &cost::requests(&cost))
            .field("bytes_read", cost.bytes_read);
        out.json(Line::new().raw("summary", &line.end()))?;
        return Ok(());
    }
    let feed = match summary.feed_tables {
        0 => String::new(),
        n => format!(" and {} of the change feed", output::count(n)),
    };
    out.line(format!(
        "{}{feed}, {}, {}, {}: {}, {}",
        output::counted(summary.tables, "table"),
        output::counted(summary.blobs, "blob"),
        if summary.log_entries == 1 {
            "1 log entry".into()
        } else {
            format!("{} log entries", output::count(summary.log_entries))
        },
        output::counted(summary.snapshots, "snapshot"),
        output::counted(summary.objects, "object"),
        output::size(summary.bytes),
    ))?;
    if summary.orphans > 0 {
        let hint = if args.orphans { "" } else { "; --orphans lists them" };
        out.line(format!(
            "{}, {}, that nothing refers to{hint}",
            output::counted(summary.orphans, "orphan"),
            output::size(summary.orphan_bytes)
        ))?;
    }
    if !summary.blob_orphans_known {
        out.line("blobs were not looked for orphans: a table that may refer to them cannot be read")?;
    }
    let how = if args.deep { "every byte read" } else { "content not read, --deep does" };
    match summary.problems {
        0 => out.line(format!("{} ({how})", out.paint(GOOD, "no problems")))?,
        n => out.line(format!("{} ({how})", out.paint(BAD, &output::counted(n, "problem"))))?,
    }
    Ok(())
}
