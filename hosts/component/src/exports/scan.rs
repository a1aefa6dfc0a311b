//! Pages of a scan.

use std::ops::Bound;

use bytes::Bytes;
use isledb_core::read::{self as engine, TryNext};

use super::exported;
use super::failure::invalid;
use super::interfaces::read;
use super::turn::Turn;
use super::types::{Entry, Failure};

/// Most entries of a page, and of a batch of the feed.
pub(super) const MAX_ENTRIES: u32 = 1 << 20;

/// What a page may take up beside its last entry.
const MAX_PAGE_BYTES: u64 = 1 << 30;

pub(super) struct Scan(Turn<engine::Scan>);

impl Scan {
    pub(super) fn new(scan: engine::Scan) -> Scan {
        Scan(Turn::new("scan", scan))
    }
}

exported! {
    impl read::GuestScan as Scan {
        async fn next_page(&self, max_entries: u32, max_bytes: u64) -> Result<Vec<Entry>, Failure> {
            if !(1..=MAX_ENTRIES).contains(&max_entries) {
                return Err(invalid(format!("max-entries is {max_entries}, allowed are 1 to {MAX_ENTRIES}")));
            }
            if !(1..=MAX_PAGE_BYTES).contains(&max_bytes) {
                return Err(invalid(format!("max-bytes is {max_bytes}, allowed are 1 to {MAX_PAGE_BYTES}")));
            }
            let mut scan = self.0.take()?;
            let (mut page, mut bytes) = (Vec::new(), 0);
            while page.len() < max_entries as usize && bytes < max_bytes {
                let next = match scan.try_next() {
                    Ok(TryNext::Entry(entry)) => Ok(Some(entry)),
                    Ok(TryNext::Wait) => scan.next().await,
                    Ok(TryNext::End) => Ok(None),
                    Err(error) => Err(error),
                };
                match next {
                    Ok(Some(entry)) => {
                        bytes += (entry.key.len() + entry.value.len()) as u64;
                        page.push(Entry::from(entry));
                    }
                    Ok(None) => break,
                    // It comes up again at the next call, behind what was read before it.
                    Err(_) if !page.is_empty() => break,
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(page)
        }
    }
}

impl From<engine::Entry> for Entry {
    fn from(entry: engine::Entry) -> Entry {
        let engine::Entry { key, value, sequence, expires_at_ms } = entry;
        Entry { key: key.into(), value: value.into(), sequence, expires_at_ms }
    }
}

/// A half-open range.
pub(super) fn bounds(start: Option<Vec<u8>>, end: Option<Vec<u8>>) -> (Bound<Bytes>, Bound<Bytes>) {
    let included = |key: Vec<u8>| Bound::Included(key.into());
    let excluded = |key: Vec<u8>| Bound::Excluded(key.into());
    (start.map_or(Bound::Unbounded, included), end.map_or(Bound::Unbounded, excluded))
}
