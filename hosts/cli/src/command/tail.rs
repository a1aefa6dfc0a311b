//! `isledb tail`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args as Flags;
use isledb::Error;
use isledb::read::ScanOptions;
use isledb::tail::{Change, ChangeOp, Cursor, TailOptions, TailStart, Tailer};

use super::Context;
use super::scan::Range;
use crate::args::Database;
use crate::connection::Connection;
use crate::exit::{Failure, Outcome};
use crate::json::Line;
use crate::output::{BAD, FAINT, GOOD, KEY, Output};

/// Show changes in the order of their commits, deletes too
#[derive(Debug, Flags)]
#[command(after_help = "\
Without --follow it ends where nothing more is committed. With --bootstrap it begins with everything
that is there now, in key order, and goes on with the changes since: no gap, no repeat. A line's
cursor names the place behind that line; one of a bootstrap goes on with the same keys only. What
--prefix, --start and --end leave out is not fetched. Ctrl-C ends it; that is a success.
A cursor that is older than what the database keeps ends with code 9 and the oldest that works.

Examples:
  isledb tail ./db --from begin
  isledb tail s3://bucket/db --follow --prefix user/ --json
  isledb tail s3://bucket/db --follow --start user/4 --end user/5
  isledb tail ./db --bootstrap --follow --cursor-file ./place   # again: it goes on where it was")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// Where to begin: begin, now, or a cursor. Without it: the cursor file, else now with --follow, else begin
    #[arg(long, value_name = "PLACE", conflicts_with = "bootstrap")]
    from: Option<From>,
    /// Begin with the present state, where there is no cursor yet
    #[arg(long)]
    bootstrap: bool,
    /// Wait for more
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    range: Range,
    /// Keep the place in this file, written after each line that left, and begin there if it exists
    #[arg(long, value_name = "FILE")]
    cursor_file: Option<PathBuf>,
}

/// Where to begin.
#[derive(Debug, Clone)]
enum From {
    Begin,
    Now,
    Cursor(Cursor),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<From, String> {
        match text {
            "begin" => Ok(From::Begin),
            "now" => Ok(From::Now),
            text => text.parse().map(From::Cursor).map_err(|error: isledb::Error| error.to_string()),
        }
    }
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let ScanOptions { start: start_key, end: end_key, prefix, limit, .. } =
        args.range.options(context.global.encoding())?;
    let options = TailOptions { start: start(&args)?, prefix, start_key, end_key, ..TailOptions::default() };
    let connection = context.connect(args.database.url())?;
    let (mut tailer, mut first) = open(&connection, options).await?;
    let interrupt = context.interrupt.clone();
    let mut left = limit.unwrap_or(u64::MAX);
    let mut place = Place { file: args.cursor_file.as_deref(), kept: None };
    while left > 0 {
        let next = match first.take() {
            Some(change) => Some(change),
            None => tokio::select! {
                biased;
                () = interrupt.asked() => break,
                next = step(&mut tailer, args.follow, &mut context.out, &mut place) => next?,
            },
        };
        let Some(change) = next else { break };
        left -= 1;
        print(&change, context)?;
        if place.file.is_some() {
            context.out.flush()?;
            place.keep(&change.cursor)?;
        }
    }
    context.out.flush()?;
    place.keep(&tailer.cursor())
}

/// The feed, and its first change if that is known already.
///
/// A bucket of the original does not say how far back its feed reaches: that shows when the first table is asked for. The
/// beginning is then the oldest place that works.
async fn open(connection: &Connection, options: TailOptions) -> Outcome<(Tailer, Option<Change>)> {
    let from_the_beginning = options.start == TailStart::Begin;
    let mut tailer = connection.tailer(options.clone()).await?;
    if !from_the_beginning {
        return Ok((tailer, None));
    }
    match tailer.try_next().await {
        Ok(first) => Ok((tailer, first)),
        Err(Error::CursorExpired { oldest, .. }) => {
            let start = TailStart::Cursor(oldest.parse()?);
            Ok((connection.tailer(TailOptions { start, ..options }).await?, None))
        }
        Err(error) => Err(error.into()),
    }
}

/// The next change. What waits in our buffer leaves before we wait for more.
async fn step(
    tailer: &mut Tailer,
    follow: bool,
    out: &mut Output,
    place: &mut Place<'_>,
) -> Outcome<Option<Change>> {
    if let Some(change) = tailer.try_next().await? {
        return Ok(Some(change));
    }
    if !follow {
        return Ok(None);
    }
    out.flush()?;
    place.keep(&tailer.cursor())?;
    Ok(Some(tailer.next().await?))
}

fn start(args: &Args) -> Outcome<TailStart> {
    if let Some(from) = &args.from {
        return Ok(match from {
            From::Begin => TailStart::Begin,
            From::Now => TailStart::Now,
            From::Cursor(cursor) => TailStart::Cursor(cursor.clone()),
        });
    }
    if let Some(path) = &args.cursor_file {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let cursor = text.trim().parse().map_err(|error: isledb::Error| {
                    Failure::usage(format!("{} holds no cursor: {error}", path.display()))
                        .advise("remove the file to begin anew")
                })?;
                return Ok(TailStart::Cursor(cursor));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::file(&path.display().to_string(), &error)),
        }
    }
    Ok(match (args.bootstrap, args.follow) {
        (true, _) => TailStart::Bootstrap,
        (false, true) => TailStart::Now,
        (false, false) => TailStart::Begin,
    })
}

/// The cursor file.
struct Place<'a> {
    file: Option<&'a Path>,
    kept: Option<String>,
}

impl Place<'_> {
    /// Replaces the file as a whole: whoever reads it finds the old place or the new one.
    fn keep(&mut self, cursor: &Cursor) -> Outcome {
        let Some(path) = self.file else { return Ok(()) };
        let text = cursor.to_string();
        if self.kept.as_ref() == Some(&text) {
            return Ok(());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let failed = |error: &std::io::Error| Failure::file(&path.display().to_string(), error);
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
        std::io::Write::write_all(&mut file, format!("{text}\n").as_bytes())
            .map_err(|error| failed(&error))?;
        file.persist(path).map_err(|error| failed(&error.error))?;
        self.kept = Some(text);
        Ok(())
    }
}

/// `{cursor, sequence, op, key, value, expires_at_ms}`, or a line for people.
fn print(change: &Change, context: &mut Context) -> Outcome {
    if context.out.is_json() {
        let line = Line::new().field("cursor", change.cursor.to_string()).field("sequence", change.sequence);
        let line = match &change.op {
            ChangeOp::Put { value, expires_at_ms } => line
                .field("op", "put")
                .bytes("key", &change.key)
                .bytes("value", value)
                .field("expires_at_ms", expires_at_ms),
            ChangeOp::Delete => line
                .field("op", "del")
                .bytes("key", &change.key)
                .field("value", None::<u64>)
                .field("expires_at_ms", None::<u64>),
        };
        context.out.json(line)?;
    } else {
        let line = text(change, context);
        context.out.line(line)?;
    }
    Ok(())
}

/// `@sequence put key value`, with tabs between.
pub(crate) fn text(change: &Change, context: &Context) -> String {
    let (out, encoding) = (&context.out, context.global.encoding());
    let sequence = out.paint(FAINT, &format!("@{}", change.sequence));
    let key = out.paint(KEY, &encoding.show(&change.key));
    match &change.op {
        ChangeOp::Put { value, .. } => {
            format!("{sequence}\t{}\t{key}\t{}", out.paint(GOOD, "put"), encoding.show(value))
        }
        ChangeOp::Delete => format!("{sequence}\t{}\t{key}", out.paint(BAD, "del")),
    }
}
