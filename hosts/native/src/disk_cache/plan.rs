//! Which bytes to ask for, which of them to keep, and how an answer is put together: arithmetic alone.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// What to get so that the chunks around `missing` are whole. Without knowing the object's size, nothing behind `asked_end` may
/// be asked for: it may not be there, and stores refuse that.
pub(super) fn widen(missing: &Range<u64>, asked_end: u64, size: Option<u64>, chunk_bytes: u64) -> Range<u64> {
    let start = missing.start - missing.start % chunk_bytes;
    let end = missing.end.next_multiple_of(chunk_bytes);
    start..end.min(size.unwrap_or(asked_end).max(missing.end))
}

/// The chunks that begin in `range` of an object of `size` bytes: number and bytes. Of the last perhaps not all: whoever reads
/// without knowing the size of an object gets no more than he asked for.
pub(super) fn chunks_within(
    range: &Range<u64>,
    size: u64,
    chunk_bytes: u64,
) -> impl Iterator<Item = (u64, Range<u64>)> {
    let end = range.end.min(size);
    let first = range.start.div_ceil(chunk_bytes);
    (first..)
        .map(move |number| (number, number * chunk_bytes..((number + 1) * chunk_bytes).min(end)))
        .take_while(|(_, bytes)| !bytes.is_empty())
}

/// The part of chunk `number` that is asked for.
pub(super) fn part_of(number: u64, asked: &Range<u64>, chunk_bytes: u64) -> Range<u64> {
    let start = number * chunk_bytes;
    start.max(asked.start)..(start + chunk_bytes).min(asked.end)
}

/// The bytes `asked` out of pieces, which know their range of the object; `None` where there is a gap. Holds on to nothing that
/// is much larger than what was asked.
pub(super) fn assemble(asked: &Range<u64>, pieces: &[(Range<u64>, Bytes)]) -> Option<Bytes> {
    let length = asked.end - asked.start;
    let holds = |at: u64| pieces.iter().find(move |(range, _)| range.contains(&at));
    let (range, bytes) = holds(asked.start)?;
    if range.end >= asked.end && bytes.len() as u64 <= 2 * length {
        return slice(range, bytes, asked);
    }
    let mut all = BytesMut::with_capacity(usize::try_from(length).ok()?);
    let mut at = asked.start;
    while at < asked.end {
        let (range, bytes) = holds(at)?;
        let end = range.end.min(asked.end);
        all.extend_from_slice(&slice(range, bytes, &(at..end))?);
        at = end;
    }
    Some(all.freeze())
}

fn slice(range: &Range<u64>, bytes: &Bytes, wanted: &Range<u64>) -> Option<Bytes> {
    let start = usize::try_from(wanted.start.checked_sub(range.start)?).ok()?;
    let end = usize::try_from(wanted.end.checked_sub(range.start)?).ok()?;
    (end <= bytes.len()).then(|| bytes.slice(start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_widened_to_chunks_within_the_object() {
        assert_eq!(widen(&(10..20), 20, Some(100), 64), 0..64);
        assert_eq!(widen(&(70..90), 90, Some(100), 64), 64..100, "not behind the end");
        assert_eq!(widen(&(10..20), 20, None, 64), 0..20, "nothing that may not be there");
        assert_eq!(widen(&(10..64), 500, None, 64), 0..64);
        assert_eq!(widen(&(10..60), 500, None, 64), 0..64, "what is asked for is there");
        assert_eq!(widen(&(64..128), 128, Some(128), 64), 64..128);
    }

    #[test]
    fn chunks_are_kept_from_their_beginning() {
        let chunks = |range: Range<u64>, size| chunks_within(&range, size, 64).collect::<Vec<_>>();
        assert_eq!(chunks(0..200, 200), [(0, 0..64), (1, 64..128), (2, 128..192), (3, 192..200)]);
        assert_eq!(chunks(0..199, 200), [(0, 0..64), (1, 64..128), (2, 128..192), (3, 192..199)]);
        assert_eq!(chunks(1..130, 200), [(1, 64..128), (2, 128..130)]);
        assert_eq!(chunks(1..63, 200), []);
        assert_eq!(chunks(0..64, 64), [(0, 0..64)]);
        assert_eq!(chunks(0..0, 0), []);
        assert_eq!(chunks(0..u64::MAX, 65), [(0, 0..64), (1, 64..65)]);
    }

    #[test]
    fn parts_stay_within_what_is_asked() {
        assert_eq!(part_of(0, &(10..200), 64), 10..64);
        assert_eq!(part_of(1, &(10..200), 64), 64..128);
        assert_eq!(part_of(3, &(10..200), 64), 192..200);
    }

    #[test]
    fn answers_are_put_together_without_a_gap() {
        let object: Vec<u8> = (0..=255).collect();
        let piece = |range: Range<u64>| {
            (range.clone(), Bytes::from(object[range.start as usize..range.end as usize].to_vec()))
        };
        let pieces = [piece(64..128), piece(0..64), piece(100..200)];
        for asked in [0..1, 0..64, 5..100, 63..65, 0..200, 64..128, 199..200] {
            let whole = assemble(&asked, &pieces).unwrap();
            assert_eq!(whole, object[asked.start as usize..asked.end as usize], "{asked:?}");
        }
        assert_eq!(assemble(&(0..201), &pieces), None);
        assert_eq!(assemble(&(250..251), &pieces), None);
        assert_eq!(assemble(&(0..100), &[(0..128, Bytes::from_static(b"short"))]), None);
    }
}
