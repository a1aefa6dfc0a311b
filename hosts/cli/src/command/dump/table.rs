//! A table: summary, properties, blocks, entries.

use std::sync::Arc;

use bytes::Bytes;
use isledb::Error;
use isledb::format::sst::{
    Block, BlockHandle, FullFilter, IndexPartition, MAX_BLOCK_BYTES, PartitionAt, Table, TableOpen,
};
use isledb::format::value::Value;

use super::Part;
use crate::command::Context;
use crate::exit::Outcome;
use crate::json::Line;
use crate::keys::Encoding;
use crate::output::{self, FAINT, KEY, STRONG};

/// Ends the bloom container that may follow a table in its object: this, and the length of its JSON as 8 bytes.
const CONTAINER_MAGIC: &[u8; 8] = b"ISLEBLM1";
const CONTAINER_TRAILER: u64 = 16;

/// Bytes of the JSON of an appended container.
fn container_json(bytes: &[u8]) -> Option<u64> {
    let trailer = bytes.last_chunk::<16>()?;
    let length = u64::from_le_bytes(*trailer.last_chunk::<8>()?);
    let fits = length.checked_add(CONTAINER_TRAILER)? < bytes.len() as u64;
    (trailer.starts_with(CONTAINER_MAGIC) && fits).then_some(length)
}

/// True where the bytes end with a bloom container.
pub(super) fn has_container(bytes: &[u8]) -> bool {
    container_json(bytes).is_some()
}

/// An open table with all of its bytes.
struct Opened {
    object: Arc<str>,
    table: Table,
    bytes: Bytes,
    container: u64,
}

impl Opened {
    /// The whole object is here, so the whole of it is the tail.
    fn new(object: &Arc<str>, bytes: Bytes) -> Outcome<Opened> {
        let container = container_json(&bytes).map_or(0, |json| json + CONTAINER_TRAILER);
        let size = bytes.len() as u64 - container;
        let bytes = bytes.slice(..size as usize);
        match Table::open(object, size, 0, bytes.clone())? {
            TableOpen::Ready(table) => Ok(Opened { object: object.clone(), table, bytes, container }),
            TableOpen::NeedMore(range) => Err(Error::Corrupt {
                object: object.to_string(),
                offset: Some(range.start),
                expected: "a table that is whole".into(),
                found: format!("{size} bytes"),
            }
            .into()),
        }
    }

    fn partition(&self, i: usize) -> Outcome<IndexPartition> {
        Ok(match self.table.partition(i) {
            PartitionAt::Resident(partition) => partition,
            PartitionAt::Stored(range) => self.table.decode_partition(i, self.slice(range)?)?,
        })
    }

    fn block(&self, handle: BlockHandle) -> Outcome<Block> {
        let stored = self.slice(handle.stored())?;
        Ok(Block::decode(&self.object, handle, stored, self.table.checksum(), MAX_BLOCK_BYTES)?)
    }

    fn slice(&self, range: std::ops::Range<u64>) -> Outcome<Bytes> {
        if range.start > range.end || range.end > self.bytes.len() as u64 {
            return Err(Error::Corrupt {
                object: self.object.to_string(),
                offset: Some(range.start),
                expected: "a block inside the table".into(),
                found: format!("bytes {} to {} of {}", range.start, range.end, self.bytes.len()),
            }
            .into());
        }
        Ok(self.bytes.slice(range.start as usize..range.end as usize))
    }
}

pub(super) fn show(object: &Arc<str>, bytes: Bytes, part: Part, context: &mut Context) -> Outcome {
    let opened = Opened::new(object, bytes)?;
    match part {
        Part::Summary => summary(&opened, context),
        Part::Properties => properties(&opened, context),
        Part::Blocks => blocks(&opened, context),
        Part::Entries => entries(&opened, context),
    }
}

fn summary(opened: &Opened, context: &mut Context) -> Outcome {
    let table = &opened.table;
    let footer = table.footer();
    let properties = table.properties();
    let filter = match (table.full_filter(), opened.partition(0)?.filter().is_some()) {
        (Some(FullFilter::Resident(_) | FullFilter::Stored(_)), _) => "full",
        (None, true) => "partitioned",
        (None, false) => "none",
    };
    let out = &mut context.out;
    if out.is_json() {
        let line = Line::new()
            .field("object", &*opened.object)
            .field("kind", "table")
            .field("bytes", opened.bytes.len())
            .field("flavour", format!("{:?}", footer.flavour).to_lowercase())
            .field("version", footer.version)
            .field("checksum", format!("{:?}", footer.checksum).to_lowercase())
            .field("entries", properties.entries())
            .field("deletes", properties.deletes())
            .field("data_blocks", properties.data_blocks())
            .field("data_bytes", properties.data_size())
            .field("index_levels", if table.is_two_level() { 2 } else { 1 })
            .field("index_partitions", table.partitions())
            .field("filter", filter)
            .field("bloom_container_bytes", opened.container);
        out.json(line)?;
        return Ok(());
    }
    let mut rows = output::table(&[]);
    let size = |bytes: usize| output::size(bytes as u64);
    rows.add_row([
        "table",
        &format!("{}, {:?} version {}", size(opened.bytes.len()), footer.flavour, footer.version),
    ]);
    rows.add_row([
        "entries",
        &format!(
            "{}, {} of them deletes",
            output::count(properties.entries()),
            output::count(properties.deletes())
        ),
    ]);
    rows.add_row([
        "data",
        &format!(
            "{} blocks, {}",
            output::count(properties.data_blocks()),
            output::size(properties.data_size())
        ),
    ]);
    rows.add_row([
        "index",
        &format!("{} levels, {} partitions", if table.is_two_level() { 2 } else { 1 }, table.partitions()),
    ]);
    rows.add_row(["filter", filter]);
    rows.add_row(["checksums", &format!("{:?}, those of the tail verified", footer.checksum)]);
    if opened.container > 0 {
        rows.add_row(["bloom container", &format!("{} behind the table", output::size(opened.container))]);
    }
    out.line(out.paint(STRONG, &opened.object))?;
    out.line(output::table_text(rows, &[]))?;
    Ok(())
}

fn properties(opened: &Opened, context: &mut Context) -> Outcome {
    let mut table = output::table(&[]);
    for (name, value) in opened.table.properties().iter() {
        if context.out.is_json() {
            context.out.json(Line::new().bytes("name", name).bytes("value", value))?;
        } else {
            table.add_row([Encoding::Utf8.show(name), Encoding::Utf8.show(value)]);
        }
    }
    if !context.out.is_json() {
        context.out.line(output::table_text(table, &[]))?;
    }
    Ok(())
}

fn blocks(opened: &Opened, context: &mut Context) -> Outcome {
    let encoding = context.global.encoding();
    let out = &mut context.out;
    let mut table =
        output::table(&["block", "partition", "offset", "stored", "entries", "first key", "last key"]);
    let mut number = 0u64;
    for i in 0..opened.table.partitions() {
        let partition = opened.partition(i)?;
        for j in 0..partition.len() {
            let handle = partition.handle(j);
            let mut iter = opened.block(handle)?.iter();
            let (mut entries, mut first, mut last) = (0u64, Vec::new(), Vec::new());
            let mut more = iter.seek_to_first()?;
            while more {
                if entries == 0 {
                    first = iter.user_key().to_vec();
                }
                entries += 1;
                last.clear();
                last.extend_from_slice(iter.user_key());
                more = iter.next()?;
            }
            if out.is_json() {
                let line = Line::new()
                    .field("block", number)
                    .field("partition", i)
                    .field("offset", handle.offset)
                    .field("length", handle.length)
                    .field("entries", entries);
                out.json(line.bytes("first_key", &first).bytes("last_key", &last))?;
            } else {
                table.add_row([
                    number.to_string(),
                    i.to_string(),
                    handle.offset.to_string(),
                    handle.length.to_string(),
                    entries.to_string(),
                    encoding.show(&first),
                    encoding.show(&last),
                ]);
            }
            number += 1;
        }
    }
    if !out.is_json() {
        out.line(output::table_text(table, &[0, 1, 2, 3, 4]))?;
    }
    Ok(())
}

fn entries(opened: &Opened, context: &mut Context) -> Outcome {
    for i in 0..opened.table.partitions() {
        let partition = opened.partition(i)?;
        for j in 0..partition.len() {
            let handle = partition.handle(j);
            let mut iter = opened.block(handle)?.iter();
            let mut more = iter.seek_to_first()?;
            while more {
                let value = Value::decode(&opened.object, Some(handle.offset), iter.value())?;
                entry(iter.user_key(), iter.sequence(), &value, context)?;
                more = iter.next()?;
            }
        }
    }
    Ok(())
}

fn entry(key: &[u8], sequence: u64, value: &Value, context: &mut Context) -> Outcome {
    let encoding = context.global.encoding();
    let out = &mut context.out;
    if out.is_json() {
        let line = Line::new().bytes("key", key).field("sequence", sequence);
        let line = match value {
            Value::Inline { value, .. } => line.field("op", "put").bytes("value", value),
            Value::Blob { id, .. } => line.field("op", "put").field("blob", id.to_string()),
            Value::Delete { .. } => line.field("op", "del"),
        };
        out.json(line.field("expires_at_ms", value.expire_at_ms()))?;
        return Ok(());
    }
    let what = match value {
        Value::Inline { value, .. } => encoding.show(value),
        Value::Blob { id, .. } => format!("blob {id}"),
        Value::Delete { .. } => out.paint(output::BAD, "(deleted)"),
    };
    let expires = value.expire_at_ms().map(|at| format!("\texpires {}", crate::duration::date_ms(at)));
    let sequence = out.paint(FAINT, &format!("@{sequence}"));
    let key = out.paint(KEY, &encoding.show(key));
    out.line(format!("{key}\t{sequence}\t{what}{}", expires.unwrap_or_default()))?;
    Ok(())
}
