//! Entries of the database, as lines.

use isledb::read::Entry;

use crate::json::Line;
use crate::keys::Encoding;
use crate::output::{KEY, Output};

/// `{key, found, value, sequence, expires_at_ms}` of a `get`.
pub(crate) fn found(key: &[u8], entry: Option<&Entry>) -> Line {
    let line = Line::new().bytes("key", key).field("found", entry.is_some());
    match entry {
        Some(entry) => line
            .bytes("value", &entry.value)
            .field("sequence", entry.sequence)
            .field("expires_at_ms", entry.expires_at_ms),
        None => line
            .field("value", None::<u64>)
            .field("sequence", None::<u64>)
            .field("expires_at_ms", None::<u64>),
    }
}

/// `{key, value}` of a scan; without values `{key}`.
pub(crate) fn json(entry: &Entry, keys_only: bool) -> Line {
    let line = Line::new().bytes("key", &entry.key);
    if keys_only { line } else { line.bytes("value", &entry.value) }
}

/// The line of an entry that never expires, as `export` writes it.
pub(crate) fn line(key: &[u8], value: &[u8]) -> String {
    Line::new().bytes("key", key).bytes("value", value).end()
}

/// What `export` writes and `load` reads back: `{key, value}`, and `expires_at_ms` where there is one.
pub(crate) fn exported(entry: &Entry) -> Line {
    let line = json(entry, false);
    match entry.expires_at_ms {
        Some(at) => line.field("expires_at_ms", at),
        None => line,
    }
}

/// `key`, a tab, `value`.
pub(crate) fn text(out: &Output, encoding: Encoding, key: &[u8], value: Option<&[u8]>) -> String {
    let key = out.paint(KEY, &encoding.show(key));
    match value {
        Some(value) => format!("{key}\t{}", encoding.show(value)),
        None => key,
    }
}
