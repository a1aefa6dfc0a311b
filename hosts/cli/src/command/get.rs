//! `isledb get`.

use std::io::IsTerminal;
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args as Flags;

use super::Context;
use crate::args::Database;
use crate::entry;
use crate::exit::{Code, Failure, Outcome};
use crate::keys::Encoding;
use crate::output::BAD;
use crate::plugins::Transform;

/// Read one or many keys
#[derive(Debug, Flags)]
#[command(after_help = "\
One key: its value as it is, so that it can go into a file. Many keys: a line each, key and value
with a tab between. Exit code 1 where a key is not there.

Examples:
  isledb get ./db user/42
  isledb get s3://bucket/db photo/1 > photo.jpg
  isledb get ./db user/42 user/43 --json
  isledb get ./db user/42 --at 117")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// The keys
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
    /// Read as of this log slot (see `stat`), as far back as the change feed reaches
    #[arg(long, value_name = "SLOT")]
    at: Option<u64>,
    /// A value transform, which changes or hides what is read (a build with the feature `plugins`)
    #[arg(long, value_name = "FILE.wasm")]
    transform: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let encoding = context.global.encoding();
    let key = |key: &String| encoding.key(key).map(Bytes::from);
    let keys = args.keys.iter().map(key).collect::<Outcome<Vec<_>>>()?;
    let transform = args.transform.as_deref().map(Transform::load).transpose()?;
    let connection = context.connect(args.database.url())?;
    let reader = match args.at {
        Some(slot) => connection.reader_at(slot).await?,
        None => connection.reader().await?,
    };
    // All at once, so that a key more is not a round trip more, in the order of the keys.
    let entries = reader.get_many_entries(&keys).await?;
    let entries = match &transform {
        Some(transform) => transform.apply(entries)?,
        None => entries,
    };

    let single = keys.len() == 1;
    let mut missing = Vec::new();
    for (key, entry) in keys.iter().zip(&entries) {
        if entry.is_none() {
            missing.push(encoding.show(key));
        }
        let out = &mut context.out;
        if out.is_json() {
            out.json(entry::found(key, entry.as_ref()))?;
        } else if let Some(entry) = entry {
            if single {
                value(context, encoding, &entry.value)?;
            } else {
                let line = entry::text(out, encoding, key, Some(&entry.value));
                out.line(line)?;
            }
        } else if !single {
            let line = format!("{}\t{}", encoding.show(key), out.paint(BAD, "(not found)"));
            out.line(line)?;
        }
    }
    match missing.as_slice() {
        [] => Ok(()),
        [key] => Err(Failure::new(
            Code::NotThere,
            "key_not_found",
            format!("no key {key}, {}", args.database.url()),
        )
        .advise("`isledb scan` lists what is there")),
        keys => {
            let message =
                format!("{} of {} keys are not there, {}", keys.len(), args.keys.len(), args.database.url());
            Err(Failure::new(Code::NotThere, "key_not_found", message)
                .advise("`isledb scan` lists what is there"))
        }
    }
}

/// The value as it is; on a terminal made harmless and with a line end.
fn value(context: &mut Context, encoding: Encoding, bytes: &[u8]) -> Outcome {
    let out = &mut context.out;
    if encoding != Encoding::Utf8 {
        out.line(encoding.show(bytes))?;
    } else if !std::io::stdout().is_terminal() {
        out.bytes(bytes)?;
    } else if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t')
    {
        out.line(text.strip_suffix('\n').unwrap_or(text))?;
    } else {
        out.line(encoding.show(bytes))?;
    }
    Ok(())
}
