//! Which requests to make for a set of byte ranges of one object.

use crate::sort::sort_indexes;
use std::ops::Range;

/// Neighbours with a gap up to this many bytes are cheaper read as one than asked for apart: a request costs about 25 ms
/// and a fraction of a cent, 64 KiB cost about 2 ms.
pub(crate) const MAX_GAP: u64 = 64 * 1024;

/// No request asks for more than this many bytes, unless a single range does: what is buffered stays bounded.
pub(crate) const MAX_REQUEST: u64 = 4 * 1024 * 1024;

/// One request, and which of the wanted ranges it brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Bytes to ask for.
    pub(crate) range: Range<u64>,
    /// Indexes into the wanted ranges, ascending by offset.
    pub(crate) brings: Vec<usize>,
}

/// The fewest requests that bring all of `wanted` (in any order, overlaps allowed) while no gap above [`MAX_GAP`] is read
/// and none is longer than [`MAX_REQUEST`].
pub(crate) fn coalesce(wanted: &[Range<u64>]) -> Vec<Request> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    let bounds = |i: usize| (wanted[i].start, wanted[i].end);
    sort_indexes(&mut order, &|a, b| bounds(a).cmp(&bounds(b)));
    let mut requests: Vec<Request> = Vec::new();
    for i in order {
        let next = &wanted[i];
        if let Some(last) = requests.last_mut()
            && next.start <= last.range.end.saturating_add(MAX_GAP)
            && next.end.max(last.range.end) - last.range.start <= MAX_REQUEST
        {
            last.range.end = last.range.end.max(next.end);
            last.brings.push(i);
            continue;
        }
        requests.push(Request { range: next.clone(), brings: vec![i] });
    }
    requests
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_and_small_gaps_become_one_request() {
        let wanted = [4096..8192, 0..4096, 8192 + MAX_GAP..9000 + MAX_GAP];
        assert_eq!(coalesce(&wanted), [Request { range: 0..9000 + MAX_GAP, brings: vec![1, 0, 2] }]);
    }

    #[test]
    fn a_large_gap_is_skipped() {
        let requests = coalesce(&[0..100, 101 + MAX_GAP..200 + MAX_GAP]);
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1].brings, [1]);
    }

    #[test]
    fn nothing_wanted_is_nothing_asked() {
        assert!(coalesce(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn every_range_is_brought_exactly_once(
            wanted in prop::collection::vec((0u64..20_000_000, 1u64..200_000), 0..40)
        ) {
            let wanted: Vec<Range<u64>> = wanted.into_iter().map(|(start, len)| start..start + len).collect();
            let requests = coalesce(&wanted);
            let mut brought = vec![0; wanted.len()];
            for request in &requests {
                prop_assert!(request.range.end - request.range.start <= MAX_REQUEST);
                for i in &request.brings {
                    prop_assert!(request.range.start <= wanted[*i].start && wanted[*i].end <= request.range.end);
                    brought[*i] += 1;
                }
            }
            prop_assert!(brought.iter().all(|times| *times == 1));
            let asked: u64 = requests.iter().map(|r| r.range.end - r.range.start).sum();
            let needed: u64 = wanted.iter().map(|r| r.end - r.start).sum();
            prop_assert!(asked <= needed + MAX_GAP * wanted.len() as u64);
        }
    }
}
