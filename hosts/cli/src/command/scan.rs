//! `isledb scan`.

use std::ops::Bound;
use std::path::PathBuf;

use clap::Args as Flags;
use isledb::read::{Entry, ScanOptions};

use super::Context;
use crate::args::Database;
use crate::connection::Connection;
use crate::entry;
use crate::exit::Outcome;
use crate::json::Line;
use crate::keys::Encoding;
use crate::output::KEY;
use crate::plugins::Formatter;

/// Entries that a formatter sees in one call.
const FORMATTED_AT_ONCE: usize = 256;

/// List entries in key order
#[derive(Debug, Flags)]
#[command(after_help = "\
Examples:
  isledb scan ./db --prefix user/ --limit 10
  isledb scan ./db --start user/4 --end user/5 --keys-only
  isledb scan s3://bucket/db --prefix log/ --reverse --limit 1
  isledb scan ./db --count")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    range: Range,
    /// From the last key to the first
    #[arg(long)]
    reverse: bool,
    /// Leave out the values
    #[arg(long)]
    keys_only: bool,
    /// Say only how many there are
    #[arg(long, conflicts_with_all = ["reverse", "keys_only"])]
    count: bool,
    /// A key formatter, which shows keys and values to people (a build with the feature `plugins`)
    #[arg(long, value_name = "FILE.wasm", conflicts_with = "count")]
    format_keys: Option<PathBuf>,
}

/// Which keys.
#[derive(Debug, Flags)]
pub(crate) struct Range {
    /// Only keys that begin so
    #[arg(long, value_name = "P")]
    prefix: Option<String>,
    /// From this key on
    #[arg(long, value_name = "KEY")]
    start: Option<String>,
    /// Up to this key, without it
    #[arg(long, value_name = "KEY")]
    end: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

impl Range {
    /// The same, as the engine takes it.
    pub(crate) fn options(&self, encoding: Encoding) -> Outcome<ScanOptions> {
        let key = |text: &Option<String>| text.as_deref().map(|text| encoding.key(text)).transpose();
        Ok(ScanOptions {
            start: key(&self.start)?.map_or(Bound::Unbounded, |key| Bound::Included(key.into())),
            end: key(&self.end)?.map_or(Bound::Unbounded, |key| Bound::Excluded(key.into())),
            prefix: key(&self.prefix)?.map(Into::into),
            limit: self.limit,
            ..ScanOptions::default()
        })
    }
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let options = args.range.options(context.global.encoding())?;
    let formatter = args.format_keys.as_deref().map(Formatter::load).transpose()?;
    let connection = context.connect(args.database.url())?;
    if args.count {
        return count(options, &connection, context).await;
    }
    let reader = connection.reader().await?;
    let options = if args.reverse { options.reversed() } else { options };
    let mut scan = reader.view().scan(&options);
    let Some(formatter) = formatter else {
        while let Some(entry) = scan.next().await? {
            print(&entry, args.keys_only, context)?;
        }
        return Ok(());
    };
    let mut page = Vec::with_capacity(FORMATTED_AT_ONCE);
    while let Some(entry) = scan.next().await? {
        page.push(entry);
        if page.len() == FORMATTED_AT_ONCE {
            print_formatted(&formatter, &std::mem::take(&mut page), args.keys_only, context)?;
        }
    }
    print_formatted(&formatter, &page, args.keys_only, context)
}

/// A page of entries, each with the text that the plugin has for it.
fn print_formatted(formatter: &Formatter, page: &[Entry], keys_only: bool, context: &mut Context) -> Outcome {
    let encoding = context.global.encoding();
    let keys: Vec<&[u8]> = page.iter().map(|entry| &entry.key[..]).collect();
    let keys = formatter.keys(&keys)?;
    let values = if keys_only { vec![None; page.len()] } else { formatter.values(page)? };
    let out = &mut context.out;
    for (entry, (key, value)) in page.iter().zip(keys.into_iter().zip(values)) {
        if out.is_json() {
            out.json(entry::json(entry, keys_only).field("key_text", key).field("value_text", value))?;
            continue;
        }
        // What a plugin writes is as little to be trusted on a terminal as what the database holds.
        let shown = |text: Option<String>, bytes: &[u8]| match text {
            Some(text) => Encoding::Utf8.show(text.as_bytes()),
            None => encoding.show(bytes),
        };
        let line = out.paint(KEY, &shown(key, &entry.key));
        out.line(if keys_only { line } else { format!("{line}\t{}", shown(value, &entry.value)) })?;
    }
    Ok(())
}

fn print(entry: &Entry, keys_only: bool, context: &mut Context) -> Outcome {
    let encoding = context.global.encoding();
    let out = &mut context.out;
    if out.is_json() {
        out.json(entry::json(entry, keys_only))?;
    } else {
        let value = (!keys_only).then_some(&entry.value[..]);
        let line = entry::text(out, encoding, &entry.key, value);
        out.line(line)?;
    }
    Ok(())
}

async fn count(options: ScanOptions, connection: &Connection, context: &mut Context) -> Outcome {
    let reader = connection.reader().await?;
    let mut scan = reader.view().scan(&options);
    let mut count: u64 = 0;
    while scan.next().await?.is_some() {
        count += 1;
    }
    if context.out.is_json() {
        context.out.json(Line::new().field("count", count))?;
    } else {
        context.out.line(count.to_string())?;
    }
    Ok(())
}
