//! Rows of files and pipes: NDJSON and CSV, and the key and value that a row stands for.
//!
//! A reader is a plain blocking iterator; `feed` runs it on a thread of its own, so that parsing overlaps with the
//! engine's work and Ctrl-C is heard while standard input is silent.

mod csv_rows;
mod feed;
mod input;
mod ndjson;
mod operations;
mod shape;
mod template;

pub(crate) use csv_rows::CsvRows;
pub(crate) use feed::Feed;
pub(crate) use input::{Input, Taken};
pub(crate) use ndjson::NdjsonRows;
pub(crate) use operations::{Operation, Operations};
pub(crate) use shape::{Shape, ValueOf};
pub(crate) use template::Template;

use crate::exit::Outcome;

/// The textual form of a file of rows: one JSON object a line, or comma-separated values with a header line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Ndjson,
    Csv,
}

impl Format {
    /// What the name of a file says of it; NDJSON where it says nothing.
    pub(crate) fn of_name(name: &str) -> Format {
        let name = name.strip_suffix(".zst").unwrap_or(name);
        if name.ends_with(".csv") { Format::Csv } else { Format::Ndjson }
    }
}

/// One entry to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// When the entry goes away, in Unix milliseconds.
    pub(crate) expires_at_ms: Option<u64>,
}

/// Rows of one input, in its order. After an error the reader is not asked again.
pub(crate) type Rows = Box<dyn Iterator<Item = Outcome<Row>> + Send>;

/// Opens an input when its turn comes.
pub(crate) type OpenRows = Box<dyn FnOnce() -> Outcome<Rows> + Send>;

/// A reader of `input` in this form.
pub(crate) fn read(format: Format, input: Input, shape: Shape) -> Outcome<Rows> {
    Ok(match format {
        Format::Ndjson => Box::new(NdjsonRows::new(input, shape)),
        Format::Csv => Box::new(CsvRows::new(input, shape)?),
    })
}
