//! `isledb load`.

use std::time::{Duration, Instant};

use clap::{Args as Flags, ValueEnum};
use isledb::format::sst::Compression;

use super::Context;
use crate::args::{Database, Role};
use crate::cost;
use crate::exit::{Code, Failure, Outcome};
use crate::json::Line;
use crate::loading::{Commits, Ended, Loaded, Loading};
use crate::output;
use crate::progress::Progress;
use crate::rows::{self, Feed, Format, Input, OpenRows, Shape, Taken, Template, ValueOf};
use crate::writing;

/// Load rows from files or standard input
#[derive(Debug, Flags)]
#[command(after_help = "\
Without --key and --key-template the rows are entries as `export` writes them: key, value and
expires_at_ms. With one of them the value is the whole row as JSON. In CSV a field that is a plain
number stays a number, an empty one is null, everything else is text. Files that end in .zst are
decompressed.

Rows are committed about every second and every 16 MiB, or every --batch rows. What a line of --json
reports as committed is durable. On Ctrl-C the rows taken so far are committed, then the command
ends with exit code 130.

Examples:
  isledb load ./db flights.csv --null NA --key-template 'flight/{origin}/{year}-{month:02}-{day:02}'
  isledb load s3://bucket/db users.ndjson --key id --batch 10000
  zcat big.csv.gz | isledb load ./db --format csv --key id --value payload")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// The files; - or none is standard input
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// The form of the rows; without it CSV where the name of the file ends in .csv, else NDJSON
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The key is this column
    #[arg(long, value_name = "COLUMN", conflicts_with = "key_template")]
    key: Option<String>,
    /// The key is made of columns and text: 'user/{country}/{id:08}'; :08 pads with zeros, so that numbers sort
    #[arg(long, value_name = "TEMPLATE", value_parser = Template::parse)]
    key_template: Option<Template>,
    /// The value is this column, not the whole row
    #[arg(long, value_name = "COLUMN")]
    value: Option<String>,
    /// A CSV field of this text is null, as an empty one is
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// Commit every N rows, each commit all or nothing
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) batch: Option<u64>,
    /// How blocks are compressed: not at all, fast, or small
    #[arg(long, value_enum, default_value = "snappy")]
    codec: Codec,
    #[command(flatten)]
    role: Role,
}

/// Compression of the tables that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Codec {
    None,
    Snappy,
    Zstd,
}

impl Codec {
    fn compression(self) -> Compression {
        match self {
            Codec::None => Compression::None,
            Codec::Snappy => Compression::Snappy,
            Codec::Zstd => isledb::zstd(0),
        }
    }
}

/// A slow input becomes visible after this time.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let taken = Taken::default();
    let (inputs, total) = inputs(&args, &taken)?;
    let connection = context.connect(args.database.url())?;
    let mut options = writing::options(context);
    options.flush_interval = FLUSH_EVERY;
    options.table.compression = args.codec.compression();
    let Some(writer) = writing::take(context, &connection, &args.role, options).await? else {
        return dry_run(context, inputs).await;
    };

    let started = Instant::now();
    let mut feed = Feed::start(inputs);
    let mut progress = Progress::bytes(context.global.progress, total);
    let background = args.batch.is_none().then(|| writing::run_in_background(&writer));
    let commits = args.batch.map_or(Commits::BySize, Commits::EveryRows);
    let json = context.out.is_json();
    let (out, interrupt) = (&mut context.out, &context.interrupt);
    let mut reported = 0;
    let (loaded, outcome) = Loading::new(&writer, commits)
        .run(&mut feed, interrupt, |loaded| {
            if json && loaded.sequence > reported {
                reported = loaded.sequence;
                // Whoever read our lines may go away; the rows are loaded all the same.
                let _ = out.json(commit_line(loaded)).and_then(|()| out.flush());
            }
            progress.set(taken.bytes(), || {
                format!(
                    "{} rows, {} committed",
                    output::count(loaded.rows),
                    output::count(loaded.committed_rows)
                )
            });
            Ok(())
        })
        .await;
    progress.finish();
    drop(background);

    let seconds = started.elapsed().as_secs_f64();
    let spent = connection.metering().cost();
    if context.out.is_json() {
        context.out.json(
            Line::new()
                .field("rows", loaded.committed_rows)
                .field("bytes", loaded.bytes)
                .field("seconds", seconds)
                .field("flushes", loaded.commits)
                .raw("requests", &cost::requests(&spent)),
        )?;
    } else {
        let line = summary(&loaded, seconds, &spent);
        context.out.line(line)?;
    }
    match outcome? {
        Ended::Whole => Ok(()),
        Ended::Interrupted => Err(Failure::new(
            Code::Interrupted,
            "interrupted",
            format!(
                "interrupted: {} rows are committed, the rest was not read",
                output::count(loaded.committed_rows)
            ),
        )
        .advise("load again: rows that are there are written over")),
    }
}

fn commit_line(loaded: &Loaded) -> Line {
    Line::new()
        .field("rows", loaded.committed_rows)
        .field("sequence", loaded.sequence)
        .field("committed", true)
}

/// One line for people.
pub(crate) fn summary(loaded: &Loaded, seconds: f64, spent: &isledb::host::Cost) -> String {
    let per_second = |n: u64| (n as f64 / seconds.max(1e-3)) as u64;
    let expired = match loaded.expired {
        0 => String::new(),
        n => format!(", {} expired ones left out", output::count(n)),
    };
    format!(
        "{} committed{expired}, {} in {seconds:.1} s ({} rows/s, {}/s), {}, {}",
        output::counted(loaded.committed_rows, "row"),
        output::size(loaded.bytes),
        output::count(per_second(loaded.committed_rows)),
        output::size(per_second(loaded.bytes)),
        output::counted(loaded.commits, "commit"),
        cost::requests_text(spent),
    )
}

/// What opens the inputs, and their size where it is known.
fn inputs(args: &Args, taken: &Taken) -> Outcome<(Vec<OpenRows>, Option<u64>)> {
    let key = args.key_template.clone().or_else(|| args.key.as_deref().map(Template::column));
    if key.is_none() && args.value.is_some() {
        return Err(Failure::usage("--value needs a key").advise("add --key COLUMN or --key-template"));
    }
    let value = args.value.clone().map_or(ValueOf::Row, ValueOf::Column);
    let shape = Shape { key, value, null: args.null.clone() };
    let names = if args.files.is_empty() { vec!["-".to_owned()] } else { args.files.clone() };
    let mut total = Some(0);
    let mut inputs: Vec<OpenRows> = Vec::new();
    for name in names {
        // A name that cannot be opened is told before anything is written.
        let size = match name.as_str() {
            "-" => None,
            path => {
                let meta = std::fs::metadata(path).map_err(|error| Failure::file(path, &error))?;
                meta.is_file().then_some(meta.len())
            }
        };
        total = total.zip(size).map(|(a, b)| a + b);
        let format = args.format.unwrap_or_else(|| Format::of_name(&name));
        let (shape, taken) = (shape.clone(), taken.clone());
        inputs.push(Box::new(move || rows::read(format, Input::open(&name, &taken)?, shape)));
    }
    Ok((inputs, total))
}

/// Reads everything, writes nothing: the input is checked.
async fn dry_run(context: &mut Context, inputs: Vec<OpenRows>) -> Outcome {
    let mut feed = Feed::start(inputs);
    let (mut rows, mut bytes) = (0u64, 0u64);
    while let Some(piece) = feed.next().await {
        for row in piece? {
            rows += 1;
            bytes += (row.key.len() + row.value.len()) as u64;
        }
    }
    writing::nothing(context, &format!("would load {} rows, {}", output::count(rows), output::size(bytes)))
}
