//! `isledb dump`: any object, readable.

mod document;
mod object;
mod table;
mod ticket;

use std::sync::Arc;

use bytes::Bytes;
use clap::Args as Flags;
use isledb::format::blob::BlobId;

use self::object::Kind;
use super::Context;
use crate::exit::{Code, Failure, Outcome};
use crate::json::Line;
use crate::output;

/// Show any object of a database, or a file that holds one
#[derive(Debug, Flags)]
#[command(
    override_usage = "isledb dump [OPTIONS] <URL> <OBJECT>\n       isledb dump [OPTIONS] <FILE>",
    after_help = "\
OBJECT is a name as an error shows it, a name below the database's prefix, or short: CURRENT, the
number of a log slot (17), a table (1-1-7-1776247921123456789.sst), a blob's 64 hex digits, a
snapshot's id, pending.json, checkpoint.json, blobs.json. Checksums are verified. A table shows its
summary; --properties, --blocks and --entries show what is in it.

Examples:
  isledb dump ./db CURRENT
  isledb dump s3://bucket/db 17
  isledb dump ./db 1-1-7-1776247921123456789.sst --entries --json
  isledb dump ./db/sstable/1-1-7-1776247921123456789.sst --blocks
  isledb dump view.json                        # a view ticket of `isledb sign`"
)]
pub(crate) struct Args {
    /// The database; or a local file, if nothing follows
    #[arg(value_name = "URL|FILE")]
    place: String,
    /// The object
    #[arg(value_name = "OBJECT")]
    object: Option<String>,
    /// Of a table: its data blocks
    #[arg(long, group = "part")]
    blocks: bool,
    /// Of a table: every version of every key
    #[arg(long, group = "part")]
    entries: bool,
    /// Of a table: its properties
    #[arg(long, group = "part")]
    properties: bool,
}

/// What of a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Summary,
    Blocks,
    Entries,
    Properties,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let part = match (args.blocks, args.entries, args.properties) {
        (true, _, _) => Part::Blocks,
        (_, true, _) => Part::Entries,
        (_, _, true) => Part::Properties,
        _ => Part::Summary,
    };
    let (name, kind, bytes) = match &args.object {
        Some(object) => {
            let connection = context.connect(&args.place)?;
            let name = object::name(connection.layout(), object)?;
            let bytes = connection.object(&name).await?;
            let kind = object::kind(&name).or_else(|| object::kind_of_content(&bytes));
            (name, kind, bytes)
        }
        None => {
            let bytes =
                Bytes::from(std::fs::read(&args.place).map_err(|error| Failure::file(&args.place, &error))?);
            // A file may have any name: what is in it counts where the name says nothing.
            let kind = object::kind(&args.place).or_else(|| object::kind_of_content(&bytes));
            (args.place.clone(), kind, bytes)
        }
    };
    let Some(kind) = kind else {
        return Err(Failure::new(
            Code::Unsupported,
            "unsupported",
            "this is no object of a database that is known here",
        )
        .at(name)
        .advise("look at it with other tools"));
    };
    if part != Part::Summary && kind != Kind::Table {
        return Err(Failure::usage("--blocks, --entries and --properties are for tables").at(name));
    }
    match kind {
        Kind::Table => table::show(&Arc::from(name), bytes, part, context),
        Kind::Blob(id) => blob(&name, id, &bytes, context),
        Kind::Cursor => cursor(&name, &bytes, context),
        Kind::Ticket => ticket::show(&name, &bytes, context),
        kind => document::show(&name, &kind, &bytes, context),
    }
}

/// A blob: its hash is its name.
fn blob(name: &str, id: Option<BlobId>, bytes: &Bytes, context: &mut Context) -> Outcome {
    let found = BlobId::of(bytes);
    if let Some(id) = id
        && id != found
    {
        return Err(Failure::new(
            Code::Corrupt,
            "corrupt",
            format!("corrupt object: expected SHA-256 {id}, found {found}"),
        )
        .at(name)
        .advise("restore this object from a copy"));
    }
    let encoding = context.global.encoding();
    let out = &mut context.out;
    if out.is_json() {
        let line = Line::new().field("object", name).field("kind", "blob").field("id", found.to_string());
        out.json(line.field("bytes", bytes.len()).bytes("value", bytes))?;
    } else {
        let shown = bytes.get(..BLOB_SHOWN).unwrap_or(bytes);
        let more = bytes.len() - shown.len();
        out.line(out.paint(output::STRONG, name))?;
        out.line(format!("blob, {}, SHA-256 verified", output::size(bytes.len() as u64)))?;
        out.line(encoding.show(shown))?;
        if more > 0 {
            out.line(format!("... and {} more", output::size(more as u64)))?;
        }
    }
    Ok(())
}

/// People see so many bytes of a blob.
const BLOB_SHOWN: usize = 1024;

/// A cursor of the change feed, as `tail --cursor-file` keeps it.
fn cursor(name: &str, bytes: &[u8], context: &mut Context) -> Outcome {
    let cursor = object::cursor(bytes)
        .ok_or_else(|| Failure::new(Code::Corrupt, "corrupt", "this is no cursor").at(name))?;
    let out = &mut context.out;
    if out.is_json() {
        out.json(
            Line::new().field("object", name).field("kind", "cursor").field("cursor", cursor.to_string()),
        )?;
    } else {
        out.line(format!("cursor {cursor}"))?;
    }
    Ok(())
}
