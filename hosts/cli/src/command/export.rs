//! `isledb export`.

use std::io::{BufWriter, Write};

use clap::Args as Flags;
use isledb::read::Entry;

use super::Context;
use super::scan::Range;
use crate::args::Database;
use crate::entry;
use crate::exit::{Failure, Outcome};
use crate::keys;
use crate::keys::Encoding;
use crate::output;
use crate::progress::Progress;
use crate::rows::Format;

/// Write the whole view, in a form that `load` reads back
#[derive(Debug, Flags)]
#[command(after_help = "\
One consistent view, in key order. If it is interrupted, or outlives the view, go on with --start
and the last key. NDJSON carries any bytes (key_b64, value_b64 where they are not UTF-8). CSV needs
UTF-8, or --hex or --base64.

Examples:
  isledb export ./db > all.ndjson
  isledb export s3://bucket/db --format csv --out all.csv
  isledb export ./a | isledb load ./b -")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// The form of the rows
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
    #[command(flatten)]
    range: Range,
}

const BUFFER_BYTES: usize = 256 << 10;

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let encoding = context.global.encoding();
    let options = args.range.options(encoding)?;
    let connection = context.connect(args.database.url())?;
    let reader = connection.reader().await?;
    let sink: Box<dyn Write + Send> = match &args.out {
        None => Box::new(std::io::stdout()),
        Some(path) => Box::new(std::fs::File::create(path).map_err(|error| Failure::file(path, &error))?),
    };
    let mut writer = RowWriter::new(args.format, encoding, sink)?;
    // Progress in front of a stream on the same terminal would only be in its way.
    let mut progress = match args.out {
        Some(_) => Progress::bytes(context.global.progress, None),
        None => Progress::none(),
    };
    let mut scan = reader.view().scan(&options);
    let (mut rows, mut bytes) = (0u64, 0u64);
    let mut last: Option<bytes::Bytes> = None;
    loop {
        let entry = match scan.next().await {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(error) => {
                writer.flush()?;
                let failure = Failure::from(error);
                return Err(match last {
                    Some(key) => failure.advise(format!(
                        "{} entries are written; go on with --start behind {}",
                        output::count(rows),
                        encoding.show(&key)
                    )),
                    None => failure,
                });
            }
        };
        writer.row(&entry)?;
        rows += 1;
        bytes += (entry.key.len() + entry.value.len()) as u64;
        last = Some(entry.key);
        progress.set(bytes, || format!("{} entries", output::count(rows)));
    }
    writer.flush()?;
    progress.finish();
    if let Some(path) = &args.out
        && !context.out.is_json()
    {
        output::note(&format!("{} entries, {} in {path}", output::count(rows), output::size(bytes)));
    }
    Ok(())
}

/// Writes entries in one form.
enum RowWriter {
    Ndjson(BufWriter<Box<dyn Write + Send>>),
    Csv(Box<csv::Writer<Box<dyn Write + Send>>>, Encoding),
}

impl RowWriter {
    fn new(format: Format, encoding: Encoding, sink: Box<dyn Write + Send>) -> Outcome<RowWriter> {
        if format == Format::Ndjson {
            return Ok(RowWriter::Ndjson(BufWriter::with_capacity(BUFFER_BYTES, sink)));
        }
        let mut csv = csv::WriterBuilder::new().buffer_capacity(BUFFER_BYTES).from_writer(sink);
        let header = match encoding {
            Encoding::Utf8 => ["key", "value", "expires_at_ms"],
            Encoding::Hex => ["key_hex", "value_hex", "expires_at_ms"],
            Encoding::Base64 => ["key_b64", "value_b64", "expires_at_ms"],
        };
        csv.write_record(header).map_err(from_csv)?;
        Ok(RowWriter::Csv(Box::new(csv), encoding))
    }

    fn row(&mut self, entry: &Entry) -> Outcome {
        match self {
            RowWriter::Ndjson(sink) => {
                sink.write_all(entry::exported(entry).end().as_bytes())?;
                Ok(sink.write_all(b"\n")?)
            }
            RowWriter::Csv(csv, encoding) => {
                let expires = entry.expires_at_ms.map(|at| at.to_string()).unwrap_or_default();
                let (key, value) =
                    (field(*encoding, &entry.key, entry)?, field(*encoding, &entry.value, entry)?);
                csv.write_record([key, value, expires]).map_err(from_csv)
            }
        }
    }

    fn flush(&mut self) -> Outcome {
        match self {
            RowWriter::Ndjson(sink) => Ok(sink.flush()?),
            RowWriter::Csv(csv, _) => Ok(csv.flush()?),
        }
    }
}

fn field(encoding: Encoding, bytes: &[u8], entry: &Entry) -> Outcome<String> {
    match encoding {
        Encoding::Utf8 => String::from_utf8(bytes.to_vec()).map_err(|_| {
            Failure::usage(format!(
                "the entry {} is not UTF-8, CSV cannot hold it",
                Encoding::Utf8.show(&entry.key)
            ))
            .advise("use --base64, --hex or --format ndjson")
        }),
        Encoding::Hex => Ok(hex::encode(bytes)),
        Encoding::Base64 => Ok(keys::base64(bytes)),
    }
}

fn from_csv(error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => Failure::usage(format!("cannot write CSV: {other:?}")),
    }
}
