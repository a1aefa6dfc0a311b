//! `isledb why`.

use std::path::PathBuf;

use clap::Args as Flags;
use isledb::read::{Answer, FilterVerdict, Held, KeyVersion, Skip, Source, Why};

use super::Context;
use crate::args::Database;
use crate::duration;
use crate::exit::{Code, Failure, Outcome};
use crate::json::Line;
use crate::keys::Encoding;
use crate::output::{self, BAD, FAINT, GOOD, Output};
use crate::plugins::Formatter;

/// Show what each table says of a key, and why `get` answers as it does
#[derive(Debug, Flags)]
#[command(after_help = "\
A table for each source, in the order of the manifest: level 0 from the newest on, then the runs. A
source is left out by `range` (the key is not between its first and last one), by `filter` (its
bloom filter says no) or by `sequence` (nothing in it can be newer than what was found). Of the
others the highest sequence wins. Tables that are left out by filter or sequence are read all the
same, so that a filter that lies is seen. Exit code 1 where `get` finds no value.

Examples:
  isledb why ./db user/42
  isledb why ./db user/42 --all
  isledb why s3://bucket/db user/42 --json | jq 'select(.winner)'
  isledb why ./db user/42 --at 117")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// The key
    #[arg(value_name = "KEY")]
    key: String,
    /// Also list the tables whose range does not cover the key
    #[arg(long)]
    all: bool,
    /// As of this log slot (see `stat`), as far back as the change feed reaches
    #[arg(long, value_name = "SLOT")]
    at: Option<u64>,
    /// A key formatter, which shows the key to people (a build with the feature `plugins`)
    #[arg(long, value_name = "FILE.wasm")]
    format_keys: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let encoding = context.global.encoding();
    let key = encoding.key(&args.key)?;
    let key_text = match &args.format_keys {
        Some(path) => Formatter::load(path)?.keys(&[&key])?.into_iter().next().flatten(),
        None => None,
    };
    let connection = context.connect(args.database.url())?;
    let reader = match args.at {
        Some(slot) => connection.reader_at(slot).await?,
        None => connection.reader().await?,
    };
    let why = reader.view().why(&key).await?;
    let out = &mut context.out;
    if out.is_json() {
        for (i, source) in why.sources.iter().enumerate() {
            out.json(json(source, (why.winner == Some(i)).then_some(why.answer)))?;
        }
    } else {
        if let Some(key_text) = key_text {
            out.line(format!("{} is {}", encoding.show(&key), Encoding::Utf8.show(key_text.as_bytes())))?;
        }
        let text = text(&why, args.all, encoding, out);
        out.line(text)?;
    }
    if why.answer == Answer::Value {
        return Ok(());
    }
    let message = format!("{}, {}", verdict(&why, encoding), args.database.url());
    Err(Failure::new(Code::NotThere, "key_not_found", message).advise("`isledb scan` lists what is there"))
}

/// One source for programs. `answer`: it is the winner, and what `get` makes of it.
fn json(source: &Source, answer: Option<Answer>) -> Line {
    let versions: Vec<String> = source.versions.iter().map(|version| version_json(version).end()).collect();
    Line::new()
        .field("table", &source.meta.id)
        .field("object", &source.object)
        .field("run", source.run)
        .bytes("min_key", &source.meta.min_key)
        .bytes("max_key", &source.meta.max_key)
        .field("seq_lo", source.meta.seq_lo)
        .field("seq_hi", source.meta.seq_hi)
        .field("in_range", source.skipped != Some(Skip::Range))
        .field("filter", filter(source.filter))
        .field("partition", source.place.map(|place| place.partition))
        .field("block_offset", source.place.map(|place| place.block.offset))
        .field("block_length", source.place.map(|place| place.block.length))
        .raw("versions", &format!("[{}]", versions.join(",")))
        .field("more_versions", source.more)
        .field("skipped", source.skipped.map(skipped))
        .field("winner", answer.is_some())
        .field("answer", answer.map(answered))
}

fn version_json(version: &KeyVersion) -> Line {
    let (op, bytes, blob) = match version.held {
        Held::Value { bytes } => ("put", Some(bytes), None),
        Held::Blob { id } => ("put", None, Some(id.to_string())),
        Held::Delete => ("del", None, None),
    };
    Line::new()
        .field("sequence", version.sequence)
        .field("op", op)
        .field("bytes", bytes)
        .field("blob", blob)
        .field("expires_at_ms", version.expires_at_ms)
        .field("block_offset", version.block.offset)
}

fn filter(verdict: FilterVerdict) -> Option<&'static str> {
    match verdict {
        FilterVerdict::Unasked => None,
        FilterVerdict::Maybe => Some("maybe"),
        FilterVerdict::Absent => Some("absent"),
    }
}

fn skipped(skip: Skip) -> &'static str {
    match skip {
        Skip::Range => "range",
        Skip::Filter => "filter",
        Skip::Sequence => "sequence",
    }
}

fn answered(answer: Answer) -> &'static str {
    match answer {
        Answer::Nothing => "nothing",
        Answer::Value => "value",
        Answer::Deleted => "deleted",
        Answer::Expired { .. } => "expired",
    }
}

/// A table of the sources, and a sentence.
fn text(why: &Why, all: bool, encoding: Encoding, out: &Output) -> String {
    let mut table = output::table(&["table", "in", "sequences", "filter", "block", "versions", ""]);
    let mut elsewhere = 0;
    for (i, source) in why.sources.iter().enumerate() {
        if source.skipped == Some(Skip::Range) && !all {
            elsewhere += 1;
            continue;
        }
        let block = source.place.map_or_else(String::new, |place| {
            format!("{} bytes at {}, partition {}", place.block.length, place.block.offset, place.partition)
        });
        let mut versions: Vec<String> = source.versions.iter().map(version_text).collect();
        if source.more {
            versions.push("older ones".into());
        }
        let role = match source.skipped {
            _ if why.winner == Some(i) => out.paint(GOOD, "wins"),
            Some(Skip::Filter) if !source.versions.is_empty() => {
                out.paint(BAD, "hidden: its filter is wrong, see `verify --deep`")
            }
            Some(skip) => out.paint(FAINT, &format!("left out by {}", skipped(skip))),
            None if source.versions.is_empty() => out.paint(FAINT, "has no version"),
            None => out.paint(FAINT, "older"),
        };
        table.add_row([
            source.meta.id.clone(),
            source.run.map_or("L0".into(), |run| format!("run {run}")),
            format!("{}-{}", source.meta.seq_lo, source.meta.seq_hi),
            filter(source.filter).unwrap_or("-").to_owned(),
            block,
            versions.join(", "),
            role,
        ]);
    }
    let mut text = String::new();
    if elsewhere < why.sources.len() {
        text.push_str(&output::table_text(table, &[]));
        text.push('\n');
    }
    if elsewhere > 0 {
        let tables = output::counted(elsewhere as u64, "table");
        text.push_str(&out.paint(FAINT, &format!("{tables} with other key ranges (--all lists them)")));
        text.push('\n');
    }
    text.push_str(&verdict(why, encoding));
    text
}

fn version_text(version: &KeyVersion) -> String {
    let held = match version.held {
        Held::Value { bytes } => format!("put of {}", output::size(bytes)),
        Held::Blob { id } => format!("put of blob {}", &id.to_string()[..12]),
        Held::Delete => "delete".into(),
    };
    let expiry =
        version.expires_at_ms.map_or_else(String::new, |at| format!(" until {}", duration::date_ms(at)));
    format!("@{} {held}{expiry}", version.sequence)
}

/// What `get` does, in a sentence.
fn verdict(why: &Why, encoding: Encoding) -> String {
    let key = encoding.show(&why.key);
    let newest = why.winner.and_then(|i| why.sources.get(i)?.versions.first());
    match (why.answer, newest) {
        (Answer::Value, Some(version)) => format!("get {key} returns the {}", version_text(version)),
        (Answer::Deleted, Some(version)) => format!("get {key} finds it deleted by @{}", version.sequence),
        (Answer::Expired { at_ms }, Some(version)) => {
            format!(
                "get {key} finds it expired: @{} lived until {}",
                version.sequence,
                duration::date_ms(at_ms)
            )
        }
        _ => format!("get {key} finds nothing: no table that counts has the key"),
    }
}
