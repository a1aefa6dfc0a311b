//! The range of keys that a scan covers.

use std::ops::Bound;

use bytes::Bytes;

/// A half-open range of user keys: `start <= key < end`, without an end where `end` is `None`.
///
/// Every way to say a range (open or closed bounds, a prefix) becomes this one, because the successor of a byte string is
/// exact: nothing lies between `key` and `key` followed by a zero byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) start: Bytes,
    pub(crate) end: Option<Bytes>,
}

impl KeyRange {
    /// The keys within both bounds that begin with `prefix`.
    pub(crate) fn new(start: &Bound<Bytes>, end: &Bound<Bytes>, prefix: Option<&Bytes>) -> KeyRange {
        let mut range = KeyRange {
            start: match start {
                Bound::Included(key) => key.clone(),
                Bound::Excluded(key) => successor(key),
                Bound::Unbounded => Bytes::new(),
            },
            end: match end {
                Bound::Included(key) => Some(successor(key)),
                Bound::Excluded(key) => Some(key.clone()),
                Bound::Unbounded => None,
            },
        };
        if let Some(prefix) = prefix {
            if *prefix > range.start {
                range.start = prefix.clone();
            }
            if let Some(after) = after_prefix(prefix)
                && range.end.as_ref().is_none_or(|end| after < *end)
            {
                range.end = Some(after);
            }
        }
        range
    }

    /// True where no key can be in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// True where `key` is at or behind the end.
    pub(crate) fn ends_before(&self, key: &[u8]) -> bool {
        self.end.as_ref().is_some_and(|end| key >= &end[..])
    }

    /// The place in front of `gap` (`None`: behind everything), or the end of the range that lies nearest to it.
    pub(crate) fn clamp(&self, gap: Option<Bytes>) -> Option<Bytes> {
        match gap {
            Some(gap) if gap < self.start => Some(self.start.clone()),
            Some(gap) if !self.ends_before(&gap) => Some(gap),
            _ => self.end.clone(),
        }
    }

    /// True where some key of the closed range `min..=max` is in it.
    pub(crate) fn overlaps(&self, min: &[u8], max: &[u8]) -> bool {
        !self.is_empty() && max >= &self.start[..] && !self.ends_before(min)
    }
}

/// The least key above `key`.
pub(crate) fn successor(key: &[u8]) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next.into()
}

/// The least key above every key that begins with `prefix`; none where the prefix is empty or all 0xFF.
fn after_prefix(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut after = prefix[..=last].to_vec();
    after[last] += 1;
    Some(after.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bytes: &[u8]) -> Bytes {
        Bytes::copy_from_slice(bytes)
    }

    #[test]
    fn closed_bounds_become_half_open_ones() {
        let range = KeyRange::new(&Bound::Excluded(key(b"a")), &Bound::Included(key(b"c")), None);
        assert_eq!(range, KeyRange { start: key(b"a\0"), end: Some(key(b"c\0")) });
        assert!(range.ends_before(b"c\0"));
        assert!(!range.ends_before(b"c"));
    }

    #[test]
    fn a_prefix_narrows_the_bounds_and_never_widens_them() {
        let all = KeyRange::new(&Bound::Unbounded, &Bound::Unbounded, Some(&key(b"ab\xff")));
        assert_eq!(all, KeyRange { start: key(b"ab\xff"), end: Some(key(b"ac")) });
        let narrow =
            KeyRange::new(&Bound::Included(key(b"abc")), &Bound::Excluded(key(b"abd")), Some(&key(b"ab")));
        assert_eq!(narrow, KeyRange { start: key(b"abc"), end: Some(key(b"abd")) });
        let ends = KeyRange::new(&Bound::Unbounded, &Bound::Unbounded, Some(&key(b"\xff\xff")));
        assert_eq!(ends, KeyRange { start: key(b"\xff\xff"), end: None });
    }

    #[test]
    fn bounds_that_cross_are_an_empty_range() {
        assert!(KeyRange::new(&Bound::Included(key(b"b")), &Bound::Excluded(key(b"b")), None).is_empty());
        assert!(KeyRange::new(&Bound::Included(key(b"c")), &Bound::Included(key(b"b")), None).is_empty());
        assert!(!KeyRange::new(&Bound::Included(key(b"b")), &Bound::Included(key(b"b")), None).is_empty());
    }

    #[test]
    fn a_gap_is_brought_into_the_range() {
        let range = KeyRange::new(&Bound::Included(key(b"c")), &Bound::Excluded(key(b"f")), None);
        for (gap, clamped) in [(&b"a"[..], &b"c"[..]), (b"c", b"c"), (b"d", b"d"), (b"f", b"f"), (b"z", b"f")]
        {
            assert_eq!(range.clamp(Some(key(gap))), Some(key(clamped)));
        }
        assert_eq!(range.clamp(None), Some(key(b"f")));
        let open = KeyRange { end: None, ..range };
        assert_eq!(open.clamp(None), None);
        assert_eq!(open.clamp(Some(key(b"z"))), Some(key(b"z")));
    }

    #[test]
    fn overlap_is_by_closed_table_bounds() {
        let range = KeyRange::new(&Bound::Included(key(b"c")), &Bound::Excluded(key(b"f")), None);
        assert!(range.overlaps(b"a", b"c"));
        assert!(range.overlaps(b"e", b"z"));
        assert!(!range.overlaps(b"f", b"z"));
        assert!(!range.overlaps(b"a", b"b"));
    }
}
