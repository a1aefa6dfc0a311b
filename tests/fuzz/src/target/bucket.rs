//! A whole bucket, read in every way: gets, scans both ways, the change feed, why, and the check of everything.

use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_conformance::InstantHost;
use isledb_core::read::{Entry, Reader, ReaderOptions, ScanOptions};
use isledb_core::tail::{Cursor, TailOptions, TailStart};
use isledb_core::verify::VerifyOptions;
use isledb_core::{Db, DbOptions, ErrorKind, Result};

use crate::archive::{NOW_MS, PREFIX, pack, store_of, unpack};
use crate::fixtures;

const MAX_ENTRIES: usize = 4_000;
const MAX_KEYS: usize = 24;

pub(super) fn run(input: &[u8]) -> bool {
    let store = store_of(&unpack(input));
    let db = Db::open(store, Arc::new(InstantHost::new(NOW_MS, 2)), PREFIX, DbOptions::default()).unwrap();
    block_on(async {
        let sound = verify(&db).await;
        let Some(reader) = named(db.reader(ReaderOptions::default()).await) else { return false };
        let forwards = scan(&reader, ScanOptions::default()).await;
        let backwards = scan(&reader, ScanOptions::default().reversed()).await;
        let keys = keys(forwards.as_deref());
        let together = named(reader.get_many(&keys).await);
        let mut alone = Vec::new();
        for key in &keys {
            alone.push(named(reader.get(key).await));
        }
        for key in keys.iter().take(2) {
            named(reader.view().why(key).await);
        }
        for start in [TailStart::Begin, TailStart::Bootstrap, TailStart::Now] {
            tail(&db, start).await;
        }
        // Where nothing is wrong, all ways to read say the same.
        if sound {
            let (forwards, backwards) = (forwards.unwrap(), backwards.unwrap());
            assert!(forwards.iter().eq(backwards.iter().rev()) || forwards.len() >= MAX_ENTRIES);
            assert_eq!(together.unwrap(), alone.iter().map(|got| got.clone().unwrap()).collect::<Vec<_>>());
            for (key, got) in keys.iter().zip(alone) {
                let scanned = forwards.iter().find(|entry| entry.key == key).map(|entry| entry.value.clone());
                assert_eq!(got.unwrap(), scanned, "{key:?}");
            }
        }
        reader.exists()
    })
}

/// What came, or nothing where an error says why: which object, or that there is no database, or that time has passed.
pub(super) fn named<T>(answer: Result<T>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            match error.kind() {
                ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::NotFound => {
                    let place = error.object().map_or_else(|| error.to_string(), str::to_owned);
                    assert!(place.contains(PREFIX), "{error} names no object");
                }
                ErrorKind::Expired => {}
                _ => panic!("{error:?}"),
            }
            None
        }
    }
}

/// True where nothing at all is wrong.
async fn verify(db: &Db) -> bool {
    let options = VerifyOptions { deep: true, ..VerifyOptions::default() };
    let mut problems = 0;
    let check = db.verification(options).unwrap();
    let summary = check.run(|finding| problems += u64::from(finding.kind.is_problem())).await;
    match named(summary) {
        Some(summary) => {
            assert_eq!(summary.problems, problems);
            problems == 0
        }
        None => false,
    }
}

/// At most so many entries; `None` after an error.
async fn scan(reader: &Reader, options: ScanOptions) -> Option<Vec<Entry>> {
    let mut scan = named(reader.scan(options).await)?;
    let mut entries = Vec::new();
    while let Some(entry) = named(scan.next().await)? {
        entries.push(entry);
        if entries.len() >= MAX_ENTRIES {
            break;
        }
    }
    Some(entries)
}

/// Keys to get: some that are there, and some that are not.
fn keys(entries: Option<&[Entry]>) -> Vec<Bytes> {
    let entries = entries.unwrap_or_default();
    let some = entries.iter().step_by((entries.len() / MAX_KEYS).max(1)).map(|entry| entry.key.clone());
    let mut keys: Vec<Bytes> = some.filter(|key| !key.is_empty()).collect();
    keys.extend([&b"a"[..], b"k03", b"user000000", b"\xff"].map(Bytes::from_static));
    if entries.len() >= MAX_ENTRIES {
        let last = &entries[entries.len() - 1].key;
        keys.retain(|key| key <= last);
    }
    keys
}

async fn tail(db: &Db, start: TailStart) {
    let options = TailOptions { start, max_buffer_bytes: 1 << 10, ..TailOptions::default() };
    let Some(mut tailer) = named(db.tailer(options).await) else { return };
    for i in 0..MAX_ENTRIES {
        let Some(Some(change)) = named(tailer.try_next().await) else { return };
        if i % 64 == 0 {
            let cursor = tailer.cursor();
            assert_eq!(cursor.to_string().parse::<Cursor>().as_ref(), Ok(&cursor), "after {change:?}");
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let packed = fixtures::buckets().iter().map(pack);
    packed.filter(|bucket| bucket.len() <= 40 << 10).collect()
}
