//! Digests of the chunks of a table: what its bytes were when it was read whole and found to be right.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Bytes of a chunk: what a read by range may have to fetch beside what it wants. The digests take a thousandth of the table.
pub(crate) const CHUNK: u64 = 32 << 10;

/// The SHA-256 of each [`CHUNK`] bytes of a table, the last one shorter.
#[derive(Debug, Default)]
pub(crate) struct ChunkDigests {
    size: u64,
    digests: Vec<[u8; 32]>,
}

impl ChunkDigests {
    /// Takes the next bytes of the table. All pieces but the last are whole chunks.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        debug_assert!(self.size.is_multiple_of(CHUNK), "a piece behind the last one");
        self.digests
            .extend(piece.chunks(CHUNK as usize).map(|chunk| <[u8; 32]>::from(Sha256::digest(chunk))));
        self.size += piece.len() as u64;
    }

    /// Bytes of the table.
    #[cfg(test)]
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The chunks that hold `range`, as one range.
    pub(crate) fn widen(&self, range: &Range<u64>) -> Range<u64> {
        let end = range.end.saturating_add(CHUNK - 1);
        range.start - range.start % CHUNK..(end - end % CHUNK).min(self.size)
    }

    /// Whether `bytes`, which begin at `start`, are what was there. Only whole chunks can be compared.
    ///
    /// Errors: `Corrupt` with the first chunk that is another.
    pub(crate) fn check(&self, object: &str, start: u64, bytes: &[u8]) -> Result<()> {
        let end = start + bytes.len() as u64;
        if !start.is_multiple_of(CHUNK) || !(end.is_multiple_of(CHUNK) || end == self.size) || end > self.size
        {
            return Err(Error::corrupt(
                object,
                start,
                "whole chunks of the table",
                format!("{start}..{end}"),
            ));
        }
        let first = (start / CHUNK) as usize;
        for (i, chunk) in bytes.chunks(CHUNK as usize).enumerate() {
            if self.digests.get(first + i) != Some(&Sha256::digest(chunk).into()) {
                let at = start + i as u64 * CHUNK;
                let expected = "the bytes that were verified when the table was opened";
                return Err(Error::corrupt(object, at, expected, "others: the object was replaced"));
            }
        }
        Ok(())
    }

    /// Bytes that it keeps in memory.
    pub(crate) fn memory(&self) -> u64 {
        self.digests.len() as u64 * 32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digests(table: &[u8]) -> ChunkDigests {
        let mut digests = ChunkDigests::default();
        table.chunks(2 * CHUNK as usize).for_each(|piece| digests.push(piece));
        digests
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_flipped_bit_is_found_in_every_range_that_holds_it(
            size in 1..4 * CHUNK, start in 0..4 * CHUNK, length in 1..CHUNK, at in 0..4 * CHUNK
        ) {
            let mut table: Vec<u8> = (0..size).map(|i| (i * 7 + i / 251) as u8).collect();
            let digests = digests(&table);
            prop_assert_eq!(digests.size(), size);
            let range = start % size..(start % size + length).min(size);
            let wide = digests.widen(&range);
            prop_assert!(wide.start <= range.start && range.end <= wide.end && wide.end <= size);
            prop_assert!(wide.end - wide.start < range.end - range.start + 2 * CHUNK);
            let slice = |table: &[u8]| table[wide.start as usize..wide.end as usize].to_vec();
            prop_assert!(digests.check("t", wide.start, &slice(&table)).is_ok());
            let at = wide.start + at % (wide.end - wide.start);
            table[at as usize] ^= 4;
            let error = digests.check("t", wide.start, &slice(&table)).unwrap_err();
            prop_assert_eq!(error.offset(), Some(at - at % CHUNK));
        }
    }

    #[test]
    fn parts_of_chunks_and_what_lies_behind_the_table_are_refused() {
        let table = vec![3; CHUNK as usize + 100];
        let digests = digests(&table);
        assert!(digests.check("t", CHUNK, &table[CHUNK as usize..]).is_ok());
        assert!(digests.check("t", CHUNK, &table[CHUNK as usize + 1..]).is_err());
        assert!(digests.check("t", 1, &table[1..]).is_err());
        assert!(digests.check("t", CHUNK, &[3; 101]).is_err());
    }
}
