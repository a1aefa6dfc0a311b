//! `isledb scan`.

use std::ops::Bound;

use clap::Args as Flags;
use isledb::read::{Entry, ScanOptions};

use super::Context;
use crate::args::Database;
use crate::connection::Connection;
use crate::entry;
use crate::exit::Outcome;
use crate::json::Line;
use crate::keys::Encoding;

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
    let connection = context.connect(args.database.url())?;
    if args.count {
        return count(options, &connection, context).await;
    }
    let reader = connection.reader().await?;
    let options = if args.reverse { options.reversed() } else { options };
    let mut scan = reader.view().scan(&options);
    while let Some(entry) = scan.next().await? {
        print(&entry, args.keys_only, context)?;
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
