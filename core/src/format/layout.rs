//! Names of all objects under a database's prefix.

use super::blob::BlobId;
use super::ksuid::Ksuid;
use super::manifest::is_table_id;
use crate::error::{Error, Result};

/// What an object is, by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// `manifest/CURRENT`.
    Current,
    /// The log entry of a slot.
    Log(u64),
    /// The state at one slot.
    Snapshot,
    /// A table.
    Table,
    /// A large value.
    Blob,
    /// What the capability probe writes.
    Probe,
    /// What maintenance remembers: anything under `manifest/gc/`.
    Maintenance,
}

impl ObjectKind {
    /// True for what readers get: the name is written once, or is CURRENT.
    pub fn is_read(self) -> bool {
        !matches!(self, ObjectKind::Probe | ObjectKind::Maintenance)
    }
}

/// The names under one prefix. Cheap to clone beside the requests that they name.
///
/// | name | what |
/// |---|---|
/// | `P/manifest/CURRENT` | how far readers look |
/// | `P/manifest/log/<20 digits>.json` | one decided entry a slot |
/// | `P/manifest/snapshots/<ksuid>.manifest` | the state at one slot |
/// | `P/manifest/gc/…`, `P/manifest/probe/…` | what maintenance remembers; the capability probe |
/// | `P/sstable/<id>` | a table; its id ends in `.sst` |
/// | `P/blobs/<hh>/<64 hex digits>.blob` | a large value by its SHA-256; `hh` = its first two digits |
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Layout {
    prefix: String,
    /// The prefix with its slash, or nothing.
    root: String,
}

impl Layout {
    /// Takes a prefix as the user gives it: one trailing `/` is stripped, then `//`, `.` and `..` are resolved as the
    /// original does. `""` is the whole bucket.
    ///
    /// Errors: `InvalidArgument` for a prefix that starts with `/`, leaves the bucket by `..`, or has control characters
    /// (the original escapes those in some of its requests and not in others).
    pub fn new(prefix: &str) -> Result<Layout> {
        let refuse = |why: &str| Err(Error::invalid(format!("prefix {prefix:?} {why}")));
        if prefix.chars().any(char::is_control) {
            return refuse("has control characters");
        }
        let stripped = prefix.strip_suffix('/').unwrap_or(prefix);
        if stripped.starts_with('/') {
            return refuse("starts with a slash");
        }
        let mut elements: Vec<&str> = Vec::new();
        for element in stripped.split('/') {
            match element {
                "" | "." => {}
                ".." => {
                    if elements.pop().is_none() {
                        return refuse("leaves the bucket");
                    }
                }
                name => elements.push(name),
            }
        }
        let prefix = elements.join("/");
        let root = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Layout { prefix, root })
    }

    /// The prefix, clean, without a trailing slash.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What all objects of the manifest start with.
    pub fn manifest_prefix(&self) -> String {
        self.under("manifest/")
    }

    /// `P/manifest/CURRENT`.
    pub fn current(&self) -> String {
        self.under("manifest/CURRENT")
    }

    /// `P/manifest/log/<slot>.json`.
    pub fn log(&self, slot: u64) -> String {
        format!("{}manifest/log/{slot:020}.json", self.root)
    }

    /// What all log objects start with.
    pub fn log_prefix(&self) -> String {
        self.under("manifest/log/")
    }

    /// The slot of a log object's full name; `None` for any other object.
    pub fn slot_of(&self, name: &str) -> Option<u64> {
        let digits = name.strip_prefix(&self.root)?.strip_prefix("manifest/log/")?.strip_suffix(".json")?;
        (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
    }

    /// `P/manifest/snapshots/<id>.manifest`.
    pub fn snapshot(&self, id: &str) -> String {
        format!("{}manifest/snapshots/{id}.manifest", self.root)
    }

    /// What all snapshots start with.
    pub fn snapshot_prefix(&self) -> String {
        self.under("manifest/snapshots/")
    }

    /// The id in CURRENT's `snapshot` field. The field is a full name, but only its last element counts, so a copied or
    /// renamed prefix opens, and a hostile CURRENT cannot point elsewhere.
    ///
    /// Errors: `Corrupt` where the last element is not `<ksuid>.manifest`.
    pub fn snapshot_id_of(&self, field: &str) -> Result<String> {
        let last = field.rsplit('/').next().unwrap_or(field);
        match last.strip_suffix(".manifest").filter(|id| id.parse::<Ksuid>().is_ok()) {
            Some(id) => Ok(id.to_owned()),
            None => Err(Error::corrupt(
                &self.current(),
                None,
                "a snapshot named <ksuid>.manifest",
                format!("{field:?}"),
            )),
        }
    }

    /// `P/sstable/<id>`; the id has its `.sst`.
    pub fn sst(&self, id: &str) -> String {
        format!("{}sstable/{id}", self.root)
    }

    /// What all tables start with.
    pub fn sst_prefix(&self) -> String {
        self.under("sstable/")
    }

    /// `P/blobs/<hh>/<hex>.blob`.
    pub fn blob(&self, id: &BlobId) -> String {
        let hex = id.to_string();
        format!("{}blobs/{:02x}/{hex}.blob", self.root, id.as_bytes()[0])
    }

    /// What all blobs start with.
    pub fn blob_prefix(&self) -> String {
        self.under("blobs/")
    }

    /// `P/manifest/probe/<ksuid>`: where the capability probe writes.
    pub fn probe(&self, id: &Ksuid) -> String {
        format!("{}manifest/probe/{id}", self.root)
    }

    /// What all leftovers of probes start with.
    pub fn probe_prefix(&self) -> String {
        self.under("manifest/probe/")
    }

    /// `P/manifest/gc/pending-sst/pending.json`: tables that wait for their deletion.
    pub fn pending_marks(&self) -> String {
        self.under("manifest/gc/pending-sst/pending.json")
    }

    /// `P/manifest/gc/checkpoint.json`: what maintenance saw, and when.
    pub fn gc_checkpoint(&self) -> String {
        self.under("manifest/gc/checkpoint.json")
    }

    /// `P/manifest/gc/blobs.json`: blobs that are about to go.
    pub fn gc_blobs(&self) -> String {
        self.under("manifest/gc/blobs.json")
    }

    /// `manifest/gc/clock`: written by each run of maintenance, to learn the store's time from it.
    pub fn gc_clock(&self) -> String {
        self.under("manifest/gc/clock")
    }

    /// The id of a table's full name; `None` for any other object.
    pub fn sst_id_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        let id = name.strip_prefix(&self.root)?.strip_prefix("sstable/")?;
        is_table_id(id).then_some(id)
    }

    /// True for what a probe of this database left behind. Another database may lie below the same prefix.
    pub fn is_probe(&self, name: &str) -> bool {
        let id = name.strip_prefix(&self.root).and_then(|name| name.strip_prefix("manifest/probe/"));
        id.is_some_and(|id| id.parse::<Ksuid>().is_ok())
    }

    /// The blob of a full name; `None` for any other object.
    pub fn blob_id_of(&self, name: &str) -> Option<BlobId> {
        let rest = name.strip_prefix(&self.root)?.strip_prefix("blobs/")?;
        let id: BlobId = rest.get(3..)?.strip_suffix(".blob")?.parse().ok()?;
        (self.blob(&id) == name).then_some(id)
    }

    /// What a full name stands for. `None` for every name that this layout does not make, so that no other spelling of an
    /// object (`..`, `//`, an escape) and nothing outside of the prefix has a kind.
    pub fn kind_of(&self, name: &str) -> Option<ObjectKind> {
        let rest = name.strip_prefix(&self.root)?;
        if rest == "manifest/CURRENT" {
            return Some(ObjectKind::Current);
        }
        if let Some(slot) = self.slot_of(name) {
            return Some(ObjectKind::Log(slot));
        }
        if let Some(id) = rest.strip_prefix("manifest/snapshots/") {
            let id = id.strip_suffix(".manifest")?;
            return id.parse::<Ksuid>().is_ok().then_some(ObjectKind::Snapshot);
        }
        if self.sst_id_of(name).is_some() {
            return Some(ObjectKind::Table);
        }
        if self.blob_id_of(name).is_some() {
            return Some(ObjectKind::Blob);
        }
        if self.is_probe(name) {
            return Some(ObjectKind::Probe);
        }
        let marks = [self.pending_marks(), self.gc_checkpoint(), self.gc_blobs(), self.gc_clock()];
        marks.iter().any(|mark| mark == name).then_some(ObjectKind::Maintenance)
    }

    /// A full name without the prefix; `None` for a name outside of it.
    pub fn relative<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(&self.root)
    }

    /// The full name of what lies under the prefix at `relative`.
    pub fn full(&self, relative: &str) -> String {
        self.under(relative)
    }

    fn under(&self, name: &str) -> String {
        format!("{}{name}", self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let layout = Layout::new("a/b").unwrap();
        assert_eq!(layout.current(), "a/b/manifest/CURRENT");
        assert_eq!(layout.log(7), "a/b/manifest/log/00000000000000000007.json");
        assert_eq!(layout.log(u64::MAX), "a/b/manifest/log/18446744073709551615.json");
        assert_eq!(layout.slot_of(&layout.log(u64::MAX)), Some(u64::MAX));
        assert_eq!(layout.slot_of("a/b/manifest/log/7.json"), None);
        assert_eq!(layout.slot_of("a/b/manifest/log/99999999999999999999.json"), None);
        assert_eq!(layout.sst("1.sst"), "a/b/sstable/1.sst");
        let id = BlobId::of(b"blobvalue");
        assert_eq!(layout.blob(&id), format!("a/b/blobs/88/{id}.blob"));
        assert_eq!(layout.blob_id_of(&layout.blob(&id)), Some(id));
        for other in
            [format!("a/b/blobs/89/{id}.blob"), format!("a/blobs/88/{id}.blob"), "a/b/blobs/8".into()]
        {
            assert_eq!(layout.blob_id_of(&other), None, "{other}");
        }
        assert_eq!(layout.sst_id_of("a/b/sstable/1.sst"), Some("1.sst"));
        assert_eq!(layout.sst_id_of("a/b/sstable/x/1.sst"), None);
        assert_eq!(Layout::new("").unwrap().current(), "manifest/CURRENT");
    }

    #[test]
    fn names_have_one_kind_and_other_spellings_none() {
        let layout = Layout::new("a/b").unwrap();
        let blob = layout.blob(&BlobId::of(b"v"));
        for (name, kind) in [
            ("a/b/manifest/CURRENT", ObjectKind::Current),
            ("a/b/manifest/log/00000000000000000007.json", ObjectKind::Log(7)),
            ("a/b/manifest/snapshots/0ujsszwN8NRY24YaXiTIE2VWDTS.manifest", ObjectKind::Snapshot),
            ("a/b/sstable/1-1-7-1.sst", ObjectKind::Table),
            (&blob, ObjectKind::Blob),
            ("a/b/manifest/probe/0ujsszwN8NRY24YaXiTIE2VWDTS", ObjectKind::Probe),
            ("a/b/manifest/gc/pending-sst/pending.json", ObjectKind::Maintenance),
            ("a/b/manifest/gc/clock", ObjectKind::Maintenance),
        ] {
            assert_eq!(layout.kind_of(name), Some(kind), "{name}");
            assert_eq!(layout.full(layout.relative(name).unwrap()), name);
        }
        for other in [
            "",
            "a/b",
            "a/b/",
            "a/b/manifest",
            "a/b/manifest/",
            "a/b/manifest/current",
            "a/b/manifest/CURRENT/",
            "a/b/manifest/CURRENT\0",
            "a/b//manifest/CURRENT",
            "a/b/./manifest/CURRENT",
            "a/b/../b/manifest/CURRENT",
            "/a/b/manifest/CURRENT",
            "a/bc/manifest/CURRENT",
            "a/b%2Fmanifest/CURRENT",
            "a/b/manifest%2fCURRENT",
            "a/manifest/CURRENT",
            "a/b/manifest/log/7.json",
            "a/b/manifest/snapshots/x.manifest",
            "a/b/manifest/snapshots/../CURRENT",
            "a/b/sstable/",
            "a/b/sstable/..",
            "a/b/sstable/../manifest/CURRENT",
            "a/b/sstable/x/y.sst",
            "a/b/sstable/x\\y.sst",
            "a/b/blobs/00/00.blob",
            "a/b/elsewhere",
        ] {
            assert_eq!(layout.kind_of(other), None, "{other:?}");
        }
        assert_eq!(Layout::new("").unwrap().kind_of("manifest/CURRENT"), Some(ObjectKind::Current));
    }

    #[test]
    fn prefixes_are_cleaned_as_the_original_does() {
        for (given, clean) in [
            ("", ""),
            ("logs/", "logs"),
            ("a//b", "a/b"),
            ("a/./b", "a/b"),
            ("a/../b", "b"),
            ("a/..", ""),
            (".", ""),
        ] {
            assert_eq!(Layout::new(given).unwrap().prefix(), clean, "{given:?}");
        }
        for bad in ["/a", "//", "..", "a/../..", "a\nb", "\0"] {
            assert!(Layout::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_the_last_element_of_the_snapshot_field_counts() {
        let layout = Layout::new("db").unwrap();
        let id = "0ujsszwN8NRY24YaXiTIE2VWDTS";
        for field in [format!("elsewhere/manifest/snapshots/{id}.manifest"), format!("{id}.manifest")] {
            assert_eq!(layout.snapshot_id_of(&field).unwrap(), id);
        }
        for bad in ["", "a/", "../CURRENT", &format!("{id}.manifest/"), &format!("{id}.json"), "x.manifest"] {
            assert!(layout.snapshot_id_of(bad).is_err(), "{bad:?}");
        }
    }
}
