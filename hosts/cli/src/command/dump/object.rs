//! Which object is meant, and what it is.

use std::str::FromStr;

use isledb::format::blob::BlobId;
use isledb::format::ksuid::Ksuid;
use isledb::format::layout::Layout;
use isledb::tail::Cursor;

use crate::exit::Outcome;

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Current,
    /// A log entry, with its slot.
    Log(u64),
    Snapshot,
    Table,
    /// With the id that its name says.
    Blob(Option<BlobId>),
    Marks,
    Checkpoint,
    DoomedBlobs,
    Cursor,
    Ticket,
}

/// The full name of what the user calls `text`.
pub(crate) fn name(layout: &Layout, text: &str) -> Outcome<String> {
    let prefix = layout.prefix();
    let below = |text: &str| if prefix.is_empty() { text.to_owned() } else { format!("{prefix}/{text}") };
    if text.contains('/') {
        // An error shows full names; people write what stands below the prefix.
        let full = !prefix.is_empty() && text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        return Ok(if full { text.to_owned() } else { below(text) });
    }
    let stem = text.split('.').next().unwrap_or(text);
    Ok(match text {
        "CURRENT" => layout.current(),
        "pending.json" => layout.pending_marks(),
        "checkpoint.json" => layout.gc_checkpoint(),
        "blobs.json" => layout.gc_blobs(),
        _ if text.ends_with(".sst") => layout.sst(text),
        _ => match (BlobId::from_str(stem), stem.parse::<u64>(), Ksuid::from_str(stem)) {
            (Ok(id), _, _) => layout.blob(&id),
            (_, Ok(slot), _) => layout.log(slot),
            (_, _, Ok(_)) => layout.snapshot(stem),
            _ => below(text),
        },
    })
}

/// What the name of an object or of a file says.
pub(crate) fn kind(name: &str) -> Option<Kind> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let (stem, extension) = last.rsplit_once('.').unwrap_or((last, ""));
    match (stem, extension) {
        ("CURRENT", "") => Some(Kind::Current),
        ("pending", "json") => Some(Kind::Marks),
        ("checkpoint", "json") => Some(Kind::Checkpoint),
        ("blobs", "json") => Some(Kind::DoomedBlobs),
        (slot, "json") if slot.len() == 20 => slot.parse().ok().map(Kind::Log),
        (_, "manifest") => Some(Kind::Snapshot),
        (_, "sst") => Some(Kind::Table),
        (id, "blob") => Some(Kind::Blob(BlobId::from_str(id).ok())),
        _ => None,
    }
}

/// What the bytes look like. A blob may look like anything, so it is never guessed.
pub(crate) fn kind_of_content(bytes: &[u8]) -> Option<Kind> {
    // Magic numbers at the end of a table, and of the container that may follow one.
    const PEBBLE: [u8; 8] = [0xf0, 0x9f, 0xaa, 0xb3, 0xf0, 0x9f, 0xaa, 0xb3];
    const ROCKSDB: [u8; 8] = 0x88e2_41b7_85f4_cff7_u64.to_le_bytes();
    if bytes.ends_with(&PEBBLE) || bytes.ends_with(&ROCKSDB) || super::table::has_container(bytes) {
        return Some(Kind::Table);
    }
    if let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(bytes) {
        let has = |name: &str| fields.contains_key(name);
        return match () {
            () if has("isledb_ticket") => Some(Kind::Ticket),
            () if has("op") && has("seq") => fields.get("seq").and_then(|seq| seq.as_u64()).map(Kind::Log),
            () if has("next_seq") => Some(Kind::Current),
            () if has("log_seq") => Some(Kind::Snapshot),
            () if has("last_applied_seq") => Some(Kind::Checkpoint),
            () if has("marks") => Some(Kind::Marks),
            () if has("blobs") => Some(Kind::DoomedBlobs),
            () => None,
        };
    }
    cursor(bytes).map(|_| Kind::Cursor)
}

/// The cursor that a cursor file holds.
pub(crate) fn cursor(bytes: &[u8]) -> Option<Cursor> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_stand_for_full_ones() {
        let layout = Layout::new("a/b").unwrap();
        let hex = "ab".repeat(32);
        for (text, expected) in [
            ("CURRENT", "a/b/manifest/CURRENT".to_owned()),
            ("17", "a/b/manifest/log/00000000000000000017.json".into()),
            ("00000000000000000017.json", "a/b/manifest/log/00000000000000000017.json".into()),
            ("1-1-7-9.sst", "a/b/sstable/1-1-7-9.sst".into()),
            (
                "0ujsszwN8NRY24YaXiTIE2VWDTS",
                "a/b/manifest/snapshots/0ujsszwN8NRY24YaXiTIE2VWDTS.manifest".into(),
            ),
            (&hex, format!("a/b/blobs/ab/{hex}.blob")),
            ("manifest/CURRENT", "a/b/manifest/CURRENT".into()),
            ("a/b/manifest/CURRENT", "a/b/manifest/CURRENT".into()),
            ("pending.json", "a/b/manifest/gc/pending-sst/pending.json".into()),
        ] {
            assert_eq!(name(&layout, text).unwrap(), expected, "{text}");
        }
        assert_eq!(name(&Layout::new("").unwrap(), "sstable/x.sst").unwrap(), "sstable/x.sst");
    }

    #[test]
    fn names_and_contents_tell_the_kind() {
        assert_eq!(kind("x/manifest/CURRENT"), Some(Kind::Current));
        assert_eq!(kind("x/00000000000000000017.json"), Some(Kind::Log(17)));
        assert_eq!(kind("x/17.txt"), None);
        assert_eq!(kind_of_content(br#"{"snapshot":"","next_seq":0,"next_epoch":1}"#), Some(Kind::Current));
        assert_eq!(kind_of_content(br#"{"id":"x","seq":4,"op":"checkpoint"}"#), Some(Kind::Log(4)));
        assert_eq!(kind_of_content(br#"{"isledb_ticket":1}"#), Some(Kind::Ticket));
        assert_eq!(kind_of_content(b"hello"), None);
    }
}
