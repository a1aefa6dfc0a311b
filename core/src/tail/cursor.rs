//! A place in the change feed that outlives the process.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use crate::error::{Error, Result};

/// Version of the text form.
const TAG: &str = "c1";
/// Longest text that is read, in bytes: some keys of the longest kind.
const MAX_TEXT_BYTES: usize = 4 << 20;

/// How far a consumer has come. Take it from a [`super::Change`], keep its text beside what the change did, and go on from it
/// in any process.
///
/// The text form is `c1.<slot>.<sequence>.<writer epoch>.<maintenance epoch>`, then for a bootstrap its views, then a CRC-32C:
/// letters, digits and `. : - _`, some 30 bytes, or a few keys more while a bootstrap goes on. It orders nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The next slot to read, or to go on reading.
    pub(super) slot: u64,
    /// All of this slot up to this sequence number was emitted; 0 = nothing yet.
    pub(super) sequence: u64,
    /// The fence epochs below which entries from `slot` on do not count, by role.
    pub(super) epochs: [u64; 2],
    /// What the views of a bootstrap have emitted already. Keys and slots ascend.
    pub(super) held: Arc<[Held]>,
    /// The bootstrap goes on.
    pub(super) scanning: Option<Scanning>,
}

/// The keys behind those of the line before, up to `up_to` (inclusive; `None`: all the rest), were emitted from a view that
/// holds every slot below `slot`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) up_to: Option<Bytes>,
    pub(super) slot: u64,
}

/// The view that is being emitted holds every slot below `slot`; `last_key` is the last key that was emitted (empty: none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scanning {
    pub(super) last_key: Bytes,
    pub(super) slot: u64,
}

impl Cursor {
    /// At the beginning of a slot.
    pub(super) fn at(slot: u64, epochs: [u64; 2]) -> Cursor {
        Cursor { slot, sequence: 0, epochs, held: Arc::default(), scanning: None }
    }

    /// The log slot that is read next, or is being read.
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// Up to which sequence number that slot has been read; 0 at its beginning.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// True while the state is emitted that a bootstrap begins with.
    pub fn is_bootstrapping(&self) -> bool {
        self.scanning.is_some()
    }

    /// True if a view of the bootstrap that emitted `key` held this slot's changes already.
    pub(super) fn holds(&self, slot: u64, key: &[u8]) -> bool {
        let emitted_by =
            self.held.iter().find(|held| held.up_to.as_ref().is_none_or(|last| key <= &last[..]));
        emitted_by.is_some_and(|held| slot < held.slot)
    }

    /// Goes to the beginning of a slot.
    pub(super) fn move_to(&mut self, slot: u64) {
        (self.slot, self.sequence) = (slot, 0);
        if self.held.last().is_some_and(|held| held.slot <= slot) {
            self.held = Arc::default();
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [writer, maintenance] = self.epochs;
        let mut text = format!("{TAG}.{}.{}.{writer}.{maintenance}", self.slot, self.sequence);
        let mut line = |letter: char, slot: u64, key: &[u8]| {
            text.push_str(&format!(".{letter}{slot}:"));
            URL_SAFE_NO_PAD.encode_string(key, &mut text);
        };
        for held in self.held.iter() {
            match &held.up_to {
                Some(key) => line('h', held.slot, key),
                None => line('e', held.slot, b""),
            }
        }
        if let Some(scanning) = &self.scanning {
            line('s', scanning.slot, &scanning.last_key);
        }
        write!(f, "{text}.{:08x}", crc32c::crc32c(text.as_bytes()))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    /// Reads the text form.
    ///
    /// Errors: `InvalidArgument` for text that is no cursor, was changed or cut; `Unsupported` for a later version of the form.
    fn from_str(text: &str) -> Result<Cursor> {
        let shown = text.get(..60).unwrap_or(text);
        if text.len() <= MAX_TEXT_BYTES
            && let Some((tag, _)) = text.split_once('.')
            && tag != TAG
            && tag.strip_prefix('c').is_some_and(|n| n.parse::<u32>().is_ok())
        {
            return Err(Error::Unsupported {
                object: format!("cursor {shown:?}"),
                what: format!("version {tag:?} of cursors"),
            });
        }
        parse(text).ok_or_else(|| Error::invalid(format!("{shown:?} is not a cursor, or was changed")))
    }
}

fn parse(text: &str) -> Option<Cursor> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    let (covered, crc) = text.rsplit_once('.')?;
    if format!("{:08x}", crc32c::crc32c(covered.as_bytes())) != crc {
        return None;
    }
    let mut fields = covered.split('.');
    if fields.next()? != TAG {
        return None;
    }
    let mut number = || fields.next()?.parse::<u64>().ok();
    let (slot, sequence, epochs) = (number()?, number()?, [number()?, number()?]);
    let mut held: Vec<Held> = Vec::new();
    let mut scanning = None;
    for field in fields {
        let (letter, rest) = field.split_at_checked(1)?;
        let (at, key) = rest.split_once(':')?;
        let at = at.parse().ok()?;
        let key = Bytes::from(URL_SAFE_NO_PAD.decode(key).ok()?);
        let follows = held.last().is_none_or(|last| {
            last.slot < at && last.up_to.as_ref().is_some_and(|up_to| letter == "e" || *up_to <= key)
        });
        if scanning.is_some() || !follows {
            return None;
        }
        match letter {
            "h" if !key.is_empty() => held.push(Held { up_to: Some(key), slot: at }),
            "e" if key.is_empty() && !held.is_empty() => held.push(Held { up_to: None, slot: at }),
            "s" => scanning = Some(Scanning { last_key: key, slot: at }),
            _ => return None,
        }
    }
    let possible = match (&scanning, held.last()) {
        // The feed will begin where the first view ends.
        (Some(scanning), _) => {
            sequence == 0 && slot == held.first().map_or(scanning.slot, |first| first.slot)
        }
        // What the views held matters until the feed reaches the end of the last.
        (None, Some(last)) => last.up_to.is_none() && slot < last.slot,
        (None, None) => true,
    };
    possible.then(|| Cursor { slot, sequence, epochs, held: held.into(), scanning })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(text: &str) -> String {
        format!("{text}.{:08x}", crc32c::crc32c(text.as_bytes()))
    }

    #[test]
    fn text_is_short_and_checked() {
        let cursor = Cursor { sequence: 1007, ..Cursor::at(42, [3, 0]) };
        let text = cursor.to_string();
        assert_eq!(text, sealed("c1.42.1007.3.0"));
        assert_eq!(text.parse::<Cursor>().unwrap(), cursor);
        for at in 0..text.len() {
            assert!(text[..at].parse::<Cursor>().is_err());
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert!(String::from_utf8(changed).unwrap().parse::<Cursor>().is_err());
        }
        let later = sealed("c2.42").parse::<Cursor>().unwrap_err();
        assert!(matches!(later, Error::Unsupported { .. }), "{later}");
    }

    #[test]
    fn refuses_what_no_bootstrap_leaves() {
        for good in ["c1.5.0.1.0.s5:", "c1.5.0.1.0.h5:YQ.s7:Yg", "c1.6.9.1.0.h5:YQ.h6:Yg.e7:"] {
            let cursor: Cursor = sealed(good).parse().unwrap();
            assert_eq!(cursor.to_string(), sealed(good));
        }
        for bad in [
            "c1",
            "c1.5.0.1",
            "c1.5.0.1.x",
            "c1.5.0.1.0.",
            "c1.5.0.1.0.s4:",
            "c1.5.0.1.0.s6:",
            "c1.7.9.1.0.h5:YQ.h6:Yg.e7:",
            "c1.5.9.1.0.s5:",
            "c1.5.0.1.0.e5:",
            "c1.5.0.1.0.h5:YQ",
            "c1.5.0.1.0.h5:.s6:",
            "c1.5.0.1.0.h5:YQ.e5:",
            "c1.5.0.1.0.h5:Yg.s6:YQ",
            "c1.5.0.1.0.h5:Yg.h6:YQ.e7:",
            "c1.5.0.1.0.h5:YQ.e6:YQ",
            "c1.5.0.1.0.s5:YQ.e6:",
            "c1.5.0.1.0.h5:YQ=.s6:Yg",
            "c1.5.0.1.0.x5:YQ",
            "c1.5.0.1.0.\u{e9}5:YQ",
        ] {
            assert!(sealed(bad).parse::<Cursor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn each_key_is_left_out_as_far_as_its_own_view_reached() {
        let cursor: Cursor = sealed("c1.5.0.1.0.h5:Yg.h8:ZA.e9:").parse().unwrap();
        assert!(!cursor.holds(5, b"a") && !cursor.holds(5, b"b"));
        assert!(cursor.holds(7, b"c") && cursor.holds(7, b"d") && !cursor.holds(8, b"d"));
        assert!(cursor.holds(8, b"e") && !cursor.holds(9, b"e"));
        let mut moved = cursor.clone();
        moved.move_to(8);
        assert_eq!(moved.held, cursor.held);
        moved.move_to(9);
        assert!(moved.held.is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "c1(\\.[hes]?[0-9]{1,3}(:[a-zA-Z]{0,4})?){0,8}") {
            let _ = text.parse::<Cursor>();
            if let Ok(cursor) = sealed(&text).parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
            }
        }
    }
}
