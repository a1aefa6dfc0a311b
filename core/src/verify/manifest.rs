//! The documents of the manifest: each is read, held against the others, and asked which objects it names.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use hashbrown::HashSet;

use super::finding::{Finding, FindingKind};
use super::report::Report;
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::gc::{DoomedBlobs, GcCheckpoint, PendingMarks};
use crate::format::layout::Layout;
use crate::format::manifest::{Current, LogEntry, Op, Snapshot, SstMeta};
use crate::host::Version;
use crate::manifest::{ManifestStorage, Replay};
use crate::read::ReadSource;
use crate::read::cache::ObjectName;
use crate::read::tables::TableRef;
use crate::tail::feed;

/// So often the manifest is read anew because it moved meanwhile.
const MAX_READS: u32 = 8;

/// So many entries are read before it is asked whether any of them was there.
const SLOTS_IN_A_LOT: u64 = 1024;

/// What the manifest names.
pub(super) struct Named {
    /// CURRENT's.
    pub(super) version: Version,
    /// By object.
    pub(super) tables: BTreeMap<String, NamedTable>,
    /// The slots whose log entries are kept.
    pub(super) slots: Range<u64>,
    /// The snapshot's object.
    pub(super) snapshot: Option<String>,
    /// What waits for its deletion.
    pub(super) doomed: Doomed,
}

/// What the documents of maintenance say is about to go.
#[derive(Debug, Default)]
pub(super) struct Doomed {
    /// Ids of tables that are marked.
    pub(super) tables: HashSet<String>,
    /// Blobs that are named.
    pub(super) blobs: HashSet<BlobId>,
}

/// A table that the manifest names.
#[derive(Debug, Clone)]
pub(super) struct NamedTable {
    pub(super) meta: Arc<SstMeta>,
    /// In the present state; else the change feed alone needs it.
    pub(super) live: bool,
    /// The object is there and has the size that it should have.
    pub(super) sized: bool,
}

impl NamedTable {
    /// Bytes that its object has.
    pub(super) fn object_size(&self) -> u64 {
        let bloom = &self.meta.bloom;
        if bloom.length == 0 { self.meta.size } else { bloom.offset.saturating_add(bloom.length + 16) }
    }

    pub(super) fn reference(&self, layout: &Layout) -> TableRef {
        TableRef { meta: self.meta.clone(), name: ObjectName::new(&layout.sst(&self.meta.id)), rank: 0 }
    }
}

/// Reads everything, and tells what is wrong with it.
///
/// Errors: `NoDatabase`; `Corrupt`, `NotFound` or `Unsupported`, told already, where it cannot be said what the database is.
pub(super) async fn read(source: &ReadSource, at_once: usize, report: &Report) -> Result<Named> {
    let storage = &*source.manifest;
    for _ in 0..MAX_READS {
        let (version, current) = read_current(source, report).await?;
        let mut findings = Vec::new();
        let read = documents(storage, version.clone(), &current, at_once, &mut findings).await;
        // What went while it was read is no finding: CURRENT is read anew.
        let missing = findings.iter().any(|finding| finding.kind == FindingKind::Missing)
            || matches!(read, Err(Error::NotFound { .. }));
        if missing && storage.read_current(None).await.is_ok_and(|again| again.version != version) {
            continue;
        }
        findings.into_iter().for_each(|finding| report.tell(finding));
        let mut named = match read {
            Ok(named) => named,
            Err(error) => return Err(told(error, report)),
        };
        named.doomed = maintenance(source, report).await?;
        return Ok(named);
    }
    Err(Error::Unavailable {
        object: source.layout.current(),
        message: format!("it changed {MAX_READS} times while it was read"),
    })
}

/// True where the database, as it is now, names this table or blob-bearing object.
pub(super) async fn still_names(source: &ReadSource, object: &str) -> Result<bool> {
    let named = read(source, 8, &Report::default()).await?;
    Ok(named.tables.contains_key(object))
}

async fn read_current(source: &ReadSource, report: &Report) -> Result<(Version, Current)> {
    let storage = &*source.manifest;
    let read = match storage.read_current(None).await {
        Err(Error::NotFound { .. }) => {
            return Err(Error::NoDatabase { prefix: source.layout.prefix().to_owned() });
        }
        read => read?,
    };
    match Current::decode(&storage.layout().current(), &read.bytes) {
        Ok(current) => Ok((read.version, current)),
        Err(error) => Err(told(error, report)),
    }
}

/// The error, after it was told as a finding.
fn told(error: Error, report: &Report) -> Error {
    if let Ok(finding) = Finding::of(error.clone()) {
        report.tell(finding);
    }
    error
}

async fn documents(
    storage: &dyn ManifestStorage,
    version: Version,
    current: &Current,
    at_once: usize,
    findings: &mut Vec<Finding>,
) -> Result<Named> {
    let layout = storage.layout();
    let snapshot = read_snapshot(storage, current).await?;
    let covered = snapshot.as_ref().map_or(0, |(_, snapshot)| snapshot.log_seq);
    if current.log_seq_start > covered.saturating_add(1) {
        let slots = covered + 1..current.log_seq_start;
        let message = format!("the entries of slots {slots:?} are neither in the window nor in a snapshot");
        findings.push(Finding::new(&layout.current(), FindingKind::Disagrees, message));
    }
    let slots = kept_slots(current);
    let Entries { window, feed } = read_entries(storage, current, slots.clone(), at_once, findings).await?;
    let name = snapshot.as_ref().map(|(name, _)| name.clone());
    let replay = Replay::full(current, snapshot.map(|(_, snapshot)| snapshot), &window)?;
    let mut tables = BTreeMap::new();
    for meta in replay.state.tables() {
        let object = layout.sst(&meta.id);
        let table = NamedTable { meta: meta.clone(), live: true, sized: false };
        if tables.insert(object.clone(), table).is_some() {
            let message = "the state lists this table twice";
            findings.push(Finding::new(&object, FindingKind::Disagrees, message));
        }
    }
    if let Some(next) = current.next_sequence
        && next <= replay.state.max_sequence()
    {
        let message = format!("next_sequence is {next}, and a table has {}", replay.state.max_sequence());
        findings.push(Finding::new(&layout.current(), FindingKind::Disagrees, message));
    }
    for meta in feed_tables(current, &replay, &feed) {
        let table = NamedTable { meta: meta.clone(), live: false, sized: false };
        tables.entry(layout.sst(&meta.id)).or_insert(table);
    }
    Ok(Named { version, tables, slots, snapshot: name, doomed: Doomed::default() })
}

async fn read_snapshot(
    storage: &dyn ManifestStorage,
    current: &Current,
) -> Result<Option<(String, Snapshot)>> {
    if current.snapshot.is_empty() {
        return Ok(None);
    }
    let layout = storage.layout();
    let id = layout.snapshot_id_of(&current.snapshot)?;
    let name = layout.snapshot(&id);
    let snapshot = Snapshot::decode(&name, &storage.read_snapshot(&id).await?)?;
    Ok(Some((name, snapshot)))
}

/// The slots whose entries are kept: those of the window, and of the feed where CURRENT says how far it reaches back.
pub(super) fn kept_slots(current: &Current) -> Range<u64> {
    let window = current.window();
    let floor = current.feed_floor_seq.unwrap_or(window.start).min(window.start);
    floor.min(window.end)..window.end
}

/// What is known of the entries that are kept.
#[derive(Default)]
struct Entries {
    window: Vec<LogEntry>,
    /// Those of the window and of the feed that add a table or claim a role, by slot.
    feed: Vec<LogEntry>,
}

/// The entries of `slots`, lot by lot. Below the window one may be missing; where a whole lot is, the log is listed for the next one
/// that is there, since CURRENT may say of any number of slots that they are kept.
async fn read_entries(
    storage: &dyn ManifestStorage,
    current: &Current,
    slots: Range<u64>,
    at_once: usize,
    findings: &mut Vec<Finding>,
) -> Result<Entries> {
    let mut entries = Entries::default();
    let mut start = slots.start;
    while start < slots.end {
        let below = if start < current.log_seq_start { current.log_seq_start } else { slots.end };
        let lot = start..below.min(start.saturating_add(SLOTS_IN_A_LOT));
        start = lot.end;
        let found = read_lot(storage, current, lot.clone(), at_once, &mut entries, findings).await?;
        if found == 0 && lot.end < current.log_seq_start {
            let next = storage.list_log(lot.end - 1).await?.first().copied().unwrap_or(current.log_seq_start);
            start = next.clamp(lot.end, current.log_seq_start);
            if start > lot.end {
                let object = storage.layout().log(lot.end);
                let message =
                    format!("the feed reaches back to it, and all entries up to {} are missing", start - 1);
                findings.push(Finding::new(&object, FindingKind::Missing, message));
            }
        }
    }
    Ok(entries)
}

/// Reads the entries of some slots; says how many objects there were.
async fn read_lot(
    storage: &dyn ManifestStorage,
    current: &Current,
    slots: Range<u64>,
    at_once: usize,
    entries: &mut Entries,
    findings: &mut Vec<Finding>,
) -> Result<u64> {
    let layout = storage.layout();
    let mut found = 0;
    let mut reads =
        stream::iter(slots).map(|slot| async move { (slot, storage.read_log(slot).await) }).buffered(at_once);
    while let Some((slot, read)) = reads.next().await {
        let object = layout.log(slot);
        let inline = current.inline(slot);
        found += u64::from(!matches!(read, Err(Error::NotFound { .. })));
        let entry = match read.and_then(|bytes| Ok((LogEntry::decode(&object, slot, &bytes)?, bytes))) {
            Ok((entry, bytes)) => {
                if inline.is_some_and(|inline| *inline != bytes) {
                    let message = "CURRENT carries other bytes for this entry";
                    findings.push(Finding::new(&object, FindingKind::Disagrees, message));
                }
                entry
            }
            Err(error) => {
                let is_window = slot >= current.log_seq_start;
                // CURRENT may have it, and the feed can be told from the window.
                let carried = inline.and_then(|bytes: &Bytes| LogEntry::decode(&object, slot, bytes).ok());
                match carried {
                    Some(entry) => {
                        findings.push(Finding::of(error)?);
                        entry
                    }
                    None if is_window => return Err(error),
                    None => {
                        findings.push(Finding::of(error)?);
                        continue;
                    }
                }
            }
        };
        if matches!(entry.op, Op::AddSstable(_) | Op::FenceClaim { .. }) {
            entries.feed.push(entry.clone());
        }
        if slot >= current.log_seq_start {
            entries.window.push(entry);
        }
    }
    Ok(found)
}

/// Tables that the change feed reads, whether or not they are in the state. A bucket that does not say how far its feed
/// reaches back promises nothing.
fn feed_tables(current: &Current, replay: &Replay, feed: &[LogEntry]) -> Vec<Arc<SstMeta>> {
    let Some(floor) = current.feed_floor_seq else { return Vec::new() };
    let mut epochs = feed::epochs_at(current, replay, kept_slots(current).start);
    let counted = feed.iter().filter_map(|entry| {
        let table = feed::flushed(entry, &mut epochs)?;
        (entry.seq >= floor).then_some(table)
    });
    counted.collect()
}

/// Reads what maintenance keeps, and says what waits for its deletion.
async fn maintenance(source: &ReadSource, report: &Report) -> Result<Doomed> {
    let layout = &source.layout;
    let mut doomed = Doomed::default();
    for name in [layout.pending_marks(), layout.gc_checkpoint(), layout.gc_blobs()] {
        let body = match source.requests.get(&name).await {
            Ok(fetched) => fetched.body,
            Err(Error::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        let read = if name == layout.pending_marks() {
            PendingMarks::decode(&name, &body)
                .map(|marks| doomed.tables.extend(marks.marks.into_iter().map(|mark| mark.sst_id)))
        } else if name == layout.gc_checkpoint() {
            GcCheckpoint::decode(&name, &body).map(drop)
        } else {
            DoomedBlobs::decode(&name, &body)
                .map(|named| doomed.blobs.extend(named.blobs.into_iter().map(|blob| blob.id)))
        };
        if let Err(error) = read {
            report.tell(Finding::of(error)?);
        }
    }
    Ok(doomed)
}
