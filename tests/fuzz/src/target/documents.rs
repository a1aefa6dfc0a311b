//! The JSON documents: as they are, and with their checksums put right. What is read is written and read again, and must be the
//! same.

use std::fmt::Debug;

use bytes::Bytes;
use isledb_core::Result;
use isledb_core::format::gc::{DoomedBlobs, GcCheckpoint, PendingMarks};
use isledb_core::format::manifest::{Current, LogEntry, Snapshot};

use crate::fixtures;
use crate::reseal;

const OBJECT: &str = "db/manifest/fuzzed";

fn read<T: Debug + PartialEq>(
    input: &[u8],
    decode: impl Fn(&[u8]) -> Result<T>,
    encode: impl Fn(&T) -> Bytes,
) -> bool {
    let resealed = reseal::document(input);
    let mut any = false;
    for bytes in [input, &resealed] {
        match decode(bytes) {
            Ok(document) => {
                assert_eq!(decode(&encode(&document)).as_ref(), Ok(&document));
                any = true;
            }
            Err(error) => assert_eq!(error.object(), Some(OBJECT), "{error}"),
        }
    }
    any
}

pub(super) fn current(input: &[u8]) -> bool {
    read(
        input,
        |bytes| {
            let current = Current::decode(OBJECT, &Bytes::copy_from_slice(bytes))?;
            for entry in &current.inline_log {
                let _ = LogEntry::decode(OBJECT, entry.seq, &entry.bytes);
            }
            let _ = (current.window(), current.next_slot(), current.inline(current.log_seq_start));
            Ok(current)
        },
        Current::encode,
    )
}

pub(super) fn log_entry(input: &[u8]) -> bool {
    // The slot that the entry itself says, so that most inputs get behind this check.
    let slot = serde_json::from_slice::<serde_json::Value>(input).ok();
    let slot = slot.and_then(|entry| entry.get("seq")?.as_u64()).unwrap_or(7);
    read(input, |bytes| LogEntry::decode(OBJECT, slot, bytes), LogEntry::encode)
}

pub(super) fn snapshot(input: &[u8]) -> bool {
    let decode = |bytes: &[u8]| {
        let snapshot = Snapshot::decode(OBJECT, bytes)?;
        for run in &snapshot.runs {
            let _ = run.is_disjoint();
        }
        Ok(snapshot)
    };
    read(input, decode, Snapshot::encode)
}

pub(super) fn marks(input: &[u8]) -> bool {
    read(input, |bytes| PendingMarks::decode(OBJECT, bytes), PendingMarks::encode)
}

pub(super) fn checkpoint(input: &[u8]) -> bool {
    read(input, |bytes| GcCheckpoint::decode(OBJECT, bytes), GcCheckpoint::encode)
}

pub(super) fn doomed(input: &[u8]) -> bool {
    let decode = |bytes: &[u8]| {
        let doomed = DoomedBlobs::decode(OBJECT, bytes)?;
        let found = doomed.blobs.iter().filter(|blob| doomed.get(&blob.id) == Some(blob));
        assert_eq!(found.count(), doomed.blobs.len());
        Ok(doomed)
    };
    read(input, decode, DoomedBlobs::encode)
}

pub(super) fn current_seeds() -> Vec<Vec<u8>> {
    fixtures::documents("/manifest/CURRENT")
}

pub(super) fn log_seeds() -> Vec<Vec<u8>> {
    fixtures::documents("/manifest/log/")
}

pub(super) fn snapshot_seeds() -> Vec<Vec<u8>> {
    fixtures::documents("/manifest/snapshots/")
}

pub(super) fn marks_seeds() -> Vec<Vec<u8>> {
    fixtures::documents("/manifest/gc/pending-sst/pending.json")
}

pub(super) fn checkpoint_seeds() -> Vec<Vec<u8>> {
    fixtures::documents("/manifest/gc/checkpoint.json")
}

pub(super) fn doomed_seeds() -> Vec<Vec<u8>> {
    fixtures::documents("/manifest/gc/blobs.json")
}
