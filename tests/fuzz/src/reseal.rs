//! Puts checksums right around whatever stands there, as far as the bytes can be followed: what is behind the checksums is where
//! an attacker, who can compute them, would strike.

use bytes::Bytes;
use isledb_core::format::sst::{BlockHandle, ChecksumKind, read_stored_block};

use crate::crafted::checksum;

const FOOTER: usize = 53;
const MAX_BLOCKS: usize = 4096;
const MAX_CHECKSUMS: usize = 64;
const FIELD: &[u8] = b",\"crc32c\":\"";

/// A table with right block checksums. What is no table stays as it is.
pub(crate) fn table(input: &[u8]) -> Vec<u8> {
    let mut table = Resealed { bytes: input.to_vec(), kind: ChecksumKind::Crc32c, blocks: 0 };
    if let Some(at) = input.len().checked_sub(FOOTER) {
        let footer = input[at..].to_vec();
        if footer[0] == 3 {
            table.kind = ChecksumKind::XxHash64;
        }
        table.take_footer(&footer[1..41]);
    }
    table.bytes
}

struct Resealed {
    bytes: Vec<u8>,
    kind: ChecksumKind,
    blocks: usize,
}

impl Resealed {
    fn take_footer(&mut self, mut handles: &[u8]) -> Option<()> {
        let (metaindex, index) = (handle(&mut handles)?, handle(&mut handles)?);
        let mut filter_parts = Vec::new();
        for (name, place) in rows(&self.seal(metaindex)?) {
            let Some(body) = handle(&mut &place[..]).and_then(|place| self.seal(place)) else { continue };
            for (property, value) in rows(&body).into_iter().filter(|_| name == b"rocksdb.properties") {
                let mut value = &value[..];
                let mut numbers = std::iter::from_fn(|| varint(&mut value));
                match &property[..] {
                    b"isledb.filter_parts" => filter_parts = numbers.skip(1).collect(),
                    b"isledb.blobs" => {
                        let place = numbers.next().zip(numbers.next());
                        place.and_then(|(offset, length)| self.seal(BlockHandle { offset, length }));
                    }
                    _ => {}
                }
            }
        }
        for (i, (_, place)) in rows(&self.seal(index)?).into_iter().enumerate() {
            let Some(block) = exact_handle(&place) else { continue };
            let Some(body) = self.seal(block) else { continue };
            if let Some(length) = filter_parts.get(i) {
                self.seal(BlockHandle { offset: block.stored().end, length: *length });
            }
            // A partition of the index: its values are handles.
            for (_, place) in rows(&body) {
                exact_handle(&place).and_then(|block| self.seal(block));
            }
        }
        Some(())
    }

    /// Puts the checksum of a block right, and gives its body.
    fn seal(&mut self, handle: BlockHandle) -> Option<Vec<u8>> {
        self.blocks += 1;
        let start = usize::try_from(handle.offset).ok()?;
        let end = start.checked_add(usize::try_from(handle.length).ok()?)?;
        if self.blocks > MAX_BLOCKS || end.checked_add(5 + FOOTER)? > self.bytes.len() {
            return None;
        }
        let (body, trailer) = self.bytes[start..end + 5].split_at_mut(end - start);
        let sum = checksum(self.kind, body, trailer[0]);
        trailer[1..].copy_from_slice(&sum.to_le_bytes());
        let stored = Bytes::copy_from_slice(&self.bytes[start..end + 5]);
        read_stored_block("resealed", handle, stored, self.kind, 1 << 20).ok().map(|body| body.to_vec())
    }
}

/// The entries of a row block, as far as it is one.
pub(crate) fn rows(block: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut found, mut key) = (Vec::new(), Vec::new());
    let end = block
        .split_last_chunk::<4>()
        .and_then(|(rest, count)| rest.len().checked_sub(u32::from_le_bytes(*count) as usize * 4));
    let mut entries = block.get(..end.unwrap_or(0)).unwrap_or_default();
    let mut next = || {
        let mut number = || varint(&mut entries).and_then(|number| usize::try_from(number).ok());
        let (shared, unshared, value) = (number()?, number()?, number()?);
        key.truncate(shared);
        key.extend_from_slice(entries.split_off(..unshared)?);
        Some((key.clone(), entries.split_off(..value)?.to_vec()))
    };
    while let Some(row) = next().filter(|_| found.len() < MAX_BLOCKS) {
        found.push(row);
    }
    found
}

fn handle(bytes: &mut &[u8]) -> Option<BlockHandle> {
    Some(BlockHandle { offset: varint(bytes)?, length: varint(bytes)? })
}

pub(crate) fn exact_handle(mut bytes: &[u8]) -> Option<BlockHandle> {
    handle(&mut bytes).filter(|_| bytes.is_empty())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// A document with a right checksum at the end of each object that has one: of the entries inside CURRENT, then of CURRENT.
pub(crate) fn document(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let places: Vec<usize> =
        (0..bytes.len()).filter(|at| bytes[*at..].starts_with(FIELD)).take(MAX_CHECKSUMS).collect();
    for at in places {
        let digits = at + FIELD.len();
        if bytes.get(digits + 8..digits + 10) != Some(b"\"}") {
            continue;
        }
        let Some(start) = object_start(&bytes[..at]) else { continue };
        let sum = format!("{:08x}", crc32c::crc32c(&bytes[start..at]));
        bytes[digits..digits + 8].copy_from_slice(sum.as_bytes());
    }
    bytes
}

/// Where the object begins that is still open at the end.
fn object_start(bytes: &[u8]) -> Option<usize> {
    let (mut open, mut in_string, mut escaped) = (Vec::new(), false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' if !in_string => open.push(at),
            b'}' if !in_string => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
}
