//! Short keys that divide two blocks in the index.

/// Sets `out` to a short user key `s` with `a <= s < b`, and says whether it is shorter work than `a` itself: where
/// false, `out` is unchanged and the index keeps the last internal key of the block.
///
/// `b` is the first user key of the next block, or `None` for the last block.
pub(super) fn shorten(a: &[u8], b: Option<&[u8]>, out: &mut Vec<u8>) -> bool {
    let cut = match b {
        Some(b) => separator_cut(a, b),
        None => a.iter().position(|&byte| byte != 0xff),
    };
    // A cut at `j` makes the key a[..=j] with its last byte raised: greater than `a`, and never longer.
    let Some(head) = cut.and_then(|j| a.get(..=j)) else {
        return false;
    };
    out.clear();
    out.extend_from_slice(head);
    if let Some(last) = out.last_mut() {
        *last += 1;
    }
    true
}

/// The position in `a` of the byte to raise, `None` where `a` has to stay as it is.
fn separator_cut(a: &[u8], b: &[u8]) -> Option<usize> {
    let i = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (&x, &y) = (a.get(i)?, b.get(i)?);
    if x >= y {
        return None;
    }
    if i + 1 < b.len() || x + 1 < y {
        return Some(i);
    }
    // Raising a[i] would give exactly `b`: raise a later byte instead.
    a.iter().skip(i + 1).position(|&byte| byte != 0xff).map(|j| i + 1 + j)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(a: &[u8], b: Option<&[u8]>) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        shorten(a, b, &mut out).then_some(out)
    }

    #[test]
    fn separators() {
        type Case = (&'static [u8], &'static [u8], Option<&'static [u8]>);
        let cases: [Case; 11] = [
            (b"black", b"blue", Some(b"blb")),
            (b"abc", b"abd", None),
            (b"abc", b"abcd", None),
            (b"abcz", b"abd", Some(b"abc{")),
            (b"abc\xff\xffz", b"abd", Some(b"abc\xff\xff{")),
            (b"abc\xff", b"abd", None),
            (b"a", b"c", Some(b"b")),
            (b"a\xffx", b"b", Some(b"a\xffy")),
            (b"abcdef", b"abzz", Some(b"abd")),
            (b"a1", b"a2b", Some(b"a2")),
            (b"a1x", b"a2", Some(b"a1y")),
        ];
        for (a, b, expected) in cases {
            assert_eq!(short(a, Some(b)).as_deref(), expected, "{:?} {:?}", a, b);
        }
        assert_eq!(short(b"same", Some(b"same")), None);
        assert_eq!(short(b"", Some(b"a")), None);
    }

    #[test]
    fn successors() {
        assert_eq!(short(b"abc", None).as_deref(), Some(&b"b"[..]));
        assert_eq!(short(b"\xff", None), None);
        assert_eq!(short(b"\xff\xffa", None).as_deref(), Some(&b"\xff\xffb"[..]));
        assert_eq!(short(b"\xff\xfeb", None).as_deref(), Some(&b"\xff\xff"[..]));
    }
}
