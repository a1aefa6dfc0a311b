//! The row layout that data, index, properties and metaindex blocks share: prefix-compressed entries, then the offsets of
//! the restarts (entries that share nothing), then their number.

use bytes::Bytes;

use super::varint;
use crate::{Error, Result};

/// Where the parts of one entry lie in its block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Bytes of the previous key that this key begins with.
    pub(super) shared: u32,
    /// First of the key's own bytes; they end at `value_at`.
    pub(super) key_at: u32,
    /// First byte of the value; it ends at `end`.
    pub(super) value_at: u32,
    /// First byte behind the entry.
    pub(super) end: u32,
}

impl Row {
    /// Reads the header of the entry at `at`. `entries` are all entries of the block, without the restarts.
    #[inline]
    pub(super) fn read(entries: &[u8], at: u32) -> Option<Row> {
        let rest = entries.get(at as usize..)?;
        let (shared, unshared, value, header) = match *rest {
            [shared, unshared, value, ..] if (shared | unshared | value) < 0x80 => {
                (u32::from(shared), u32::from(unshared), u32::from(value), 3)
            }
            _ => Row::long_header(rest)?,
        };
        // Three numbers below 2^32 and an offset cannot pass 64 bits.
        let key_at = u64::from(at) + u64::from(header);
        let value_at = key_at + u64::from(unshared);
        let end = value_at + u64::from(value);
        if end > entries.len() as u64 {
            return None;
        }
        Some(Row { shared, key_at: key_at as u32, value_at: value_at as u32, end: end as u32 })
    }

    #[cold]
    fn long_header(bytes: &[u8]) -> Option<(u32, u32, u32, u32)> {
        let (shared, a) = varint::read_u32(bytes)?;
        let (unshared, b) = varint::read_u32(bytes.get(a as usize..)?)?;
        let (value, c) = varint::read_u32(bytes.get((a + b) as usize..)?)?;
        Some((shared, unshared, value, a + b + c))
    }

    /// The key's own bytes.
    #[inline]
    pub(super) fn unshared<'a>(&self, entries: &'a [u8]) -> &'a [u8] {
        entries.get(self.key_at as usize..self.value_at as usize).unwrap_or_default()
    }
}

/// The frame of a row block whose restarts were checked: they rise strictly, begin at 0 and lie inside the entries.
#[derive(Debug, Clone)]
pub(super) struct RowBlock {
    pub(super) data: Bytes,
    /// End of the entries, start of the restart offsets.
    pub(super) entries_end: u32,
    /// Number of restarts, at least one.
    pub(super) restarts: u32,
}

impl RowBlock {
    /// Checks the frame. `at` is the offset of the block in its object, for messages.
    pub(super) fn parse(object: &str, at: u64, data: Bytes) -> Result<RowBlock> {
        let corrupt = |expected: &str, found: String| Error::corrupt(object, at, expected, found);
        if data.len() > i32::MAX as usize {
            return Err(corrupt("a block below 2 GiB", format!("{} bytes", data.len())));
        }
        let Some((rest, count)) = data.split_last_chunk::<4>() else {
            return Err(corrupt("a row block of 8 bytes at least", format!("{} bytes", data.len())));
        };
        let restarts = u32::from_le_bytes(*count);
        if restarts & (1 << 31) != 0 && restarts != u32::MAX {
            let what = "a hash index in data blocks".to_owned();
            return Err(Error::Unsupported { object: object.to_owned(), what });
        }
        let Some(entries_end) = (rest.len() as u64).checked_sub(u64::from(restarts) * 4) else {
            return Err(corrupt("a restart count that fits the block", restarts.to_string()));
        };
        let block = RowBlock { entries_end: entries_end as u32, restarts, data };
        if restarts == 0 || block.restart(0) != 0 {
            return Err(corrupt("a first restart at 0", format!("{restarts} restarts")));
        }
        let mut previous = 0;
        for i in 1..restarts {
            let offset = block.restart(i);
            if offset <= previous || offset >= block.entries_end {
                let expected = format!("restart {i} above {previous} and below {}", block.entries_end);
                return Err(corrupt(&expected, offset.to_string()));
            }
            previous = offset;
        }
        Ok(block)
    }

    /// All entries, without the restarts.
    #[inline]
    pub(super) fn entries(&self) -> &[u8] {
        self.data.get(..self.entries_end as usize).unwrap_or_default()
    }

    /// The offset of restart `i`, where `i` is below `restarts`. The top bit is a flag of later formats.
    #[inline]
    pub(super) fn restart(&self, i: u32) -> u32 {
        let at = self.entries_end as usize + 4 * i as usize;
        match self.data.get(at..).and_then(|bytes| bytes.first_chunk::<4>()) {
            Some(bytes) => u32::from_le_bytes(*bytes) & 0x7fff_ffff,
            None => 0,
        }
    }

    /// Calls `visit` with every key (whole) and value in order.
    pub(super) fn for_each(
        &self,
        object: &str,
        at: u64,
        mut visit: impl FnMut(&[u8], Bytes) -> Result<()>,
    ) -> Result<()> {
        let entries = self.entries();
        let mut key = Vec::new();
        let mut next = 0;
        while next < self.entries_end {
            let row = Row::read(entries, next).filter(|row| row.shared as usize <= key.len());
            let Some(row) = row else {
                return Err(Error::corrupt(
                    object,
                    at,
                    "a row entry",
                    format!("bytes at {next} of the block"),
                ));
            };
            key.truncate(row.shared as usize);
            key.extend_from_slice(row.unshared(entries));
            visit(&key, self.data.slice(row.value_at as usize..row.end as usize))?;
            next = row.end;
        }
        Ok(())
    }
}

/// Length of the common prefix, eight bytes at a time.
#[inline]
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let mut length = 0;
    for (x, y) in words_a.iter().zip(words_b) {
        let difference = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if difference != 0 {
            return length + (difference.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    let (rest_a, rest_b) = (a.get(length..).unwrap_or_default(), b.get(length..).unwrap_or_default());
    length + rest_a.iter().zip(rest_b).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &'static [u8]) -> Result<RowBlock> {
        RowBlock::parse("t", 0, Bytes::from_static(bytes))
    }

    #[test]
    fn frames() {
        assert!(parse(&[0, 0, 0, 0, 1, 0, 0, 0]).is_ok(), "an empty block has one restart");
        assert!(parse(&[1, 0, 0, 0]).is_err(), "no room for the restart");
        assert!(parse(&[0, 0, 0, 0]).is_err(), "no restart");
        assert!(parse(&[]).is_err());
        assert!(parse(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(parse(&[9, 0, 0, 0, 1, 0, 0, 0]).is_err(), "the first restart is not at 0");
        let message = parse(&[0, 0, 0, 0, 1, 0, 0, 0x80]).unwrap_err().to_string();
        assert!(message.contains("hash index"), "{message}");
    }

    #[test]
    fn an_entry_that_leaves_the_block_is_no_entry() {
        assert!(Row::read(&[0, 1, 0], 0).is_none());
        assert!(Row::read(&[0, 1, 0, b'k'], 0).is_some());
        assert!(Row::read(&[0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0], 0).is_none());
        assert!(Row::read(&[], 0).is_none());
        assert!(Row::read(&[0], 7).is_none());
    }

    #[test]
    fn common_prefixes() {
        let a = b"0123456789abcdefghij";
        for i in 0..=a.len() {
            let mut b = a.to_vec();
            assert_eq!(common_prefix(a, &b[..i]), i);
            if let Some(byte) = b.get_mut(i) {
                *byte ^= 0x80;
                assert_eq!(common_prefix(a, &b), i);
            }
        }
    }
}
