//! Cuts entries into the batches that plugins are promised.

use std::ops::Range;

use isledb::maintain::{MAX_FILTER_BATCH_BYTES, MAX_FILTER_BATCH_ENTRIES};

/// Ranges of at most 4,096 entries and 256 KiB; one entry alone may be larger.
pub(super) fn batches(sizes: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let (mut batches, mut start, mut end, mut bytes) = (Vec::new(), 0, 0, 0);
    for size in sizes {
        let full =
            end - start == MAX_FILTER_BATCH_ENTRIES as usize || bytes + size as u64 > MAX_FILTER_BATCH_BYTES;
        if full && end > start {
            batches.push(start..end);
            (start, bytes) = (end, 0);
        }
        end += 1;
        bytes += size as u64;
    }
    if end > start {
        batches.push(start..end);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_as_promised() {
        assert!(batches([]).is_empty());
        assert_eq!(batches([5, 5, 1 << 20]), [0..2, 2..3]);
        assert_eq!(batches([1 << 20, 1, 1 << 20]), [0..1, 1..2, 2..3]);
        assert_eq!(batches([128 << 10, 128 << 10, 1]), [0..2, 2..3]);
        assert_eq!(batches(vec![0; 4097]), [0..4096, 4096..4097]);
    }
}
