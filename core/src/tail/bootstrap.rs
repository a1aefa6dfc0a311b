//! The state that a new consumer begins with.

use std::ops::Bound;
use std::sync::Arc;

use super::cursor::{Cursor, Held, Scanning};
use super::feed;
use crate::error::{Error, Result};
use crate::manifest::ManifestView;
use crate::read::range::KeyRange;
use crate::read::{Entry, Reader, Scan, ScanOptions, View};

/// So many views may become too old one after the other before one entry of them was read. A CURRENT that allows views no
/// time at all must end in an error.
const MAX_VIEWS: u32 = 8;

/// Emits a view in key order, and goes on in a newer one from its last key when a view becomes too old.
///
/// The change feed that follows begins where the oldest of these views ends, and leaves out, key by key, what the view that
/// emitted the key held already. So what it repeats in time it does not repeat in changes.
pub(super) struct Bootstrap {
    scan: Scan,
}

impl Bootstrap {
    /// A bootstrap of the keys of `range` from `view`. `cursor` is where an earlier one stopped, or [`None`] to begin.
    ///
    /// Errors: `CursorExpired` where the feed no longer reaches back to the oldest of its views.
    pub(super) fn begin(
        view: &View,
        range: &KeyRange,
        cursor: Option<Cursor>,
    ) -> Result<(Bootstrap, Cursor)> {
        let ManifestView { current, replay, .. } = view.manifest();
        let fresh = feed::bootstrap(current, replay);
        let mut cursor = cursor.unwrap_or_else(|| fresh.clone());
        let Some(mut scanning) = cursor.scanning.clone() else {
            return Err(Error::invalid(format!("cursor {cursor} is past its bootstrap")));
        };
        // Where nothing was emitted, nothing is held: as if it began now.
        if scanning.last_key.is_empty() {
            (scanning.slot, cursor) = (fresh.slot, fresh);
        }
        feed::check(&cursor, current, replay)?;
        let slot = current.next_slot();
        if slot != scanning.slot {
            let emitted =
                cursor.held.last().is_none_or(|held| held.up_to.as_ref() != Some(&scanning.last_key));
            if emitted {
                let up_to = Some(scanning.last_key.clone());
                let line = Held { up_to, slot: scanning.slot };
                cursor.held = cursor.held.iter().cloned().chain([line]).collect();
            }
        }
        let start = match &scanning.last_key {
            key if !key.is_empty() && *key >= range.start => Bound::Excluded(key.clone()),
            _ => Bound::Included(range.start.clone()),
        };
        let end = range.end.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let scan = view.scan_unexpiring(&ScanOptions { start, end, ..ScanOptions::default() });
        cursor.scanning = Some(Scanning { slot, ..scanning });
        Ok((Bootstrap { scan }, cursor))
    }

    /// The next entry of the state, or [`None`] at its end; `cursor` moves behind it.
    pub(super) async fn next(
        &mut self,
        reader: &Reader,
        range: &KeyRange,
        cursor: &mut Cursor,
    ) -> Result<Option<Entry>> {
        let mut views_left = MAX_VIEWS;
        loop {
            match self.scan.next().await {
                Ok(Some(entry)) => {
                    if let Some(scanning) = &mut cursor.scanning {
                        scanning.last_key = entry.key.clone();
                    }
                    return Ok(Some(entry));
                }
                Ok(None) => {
                    finish(cursor);
                    return Ok(None);
                }
                Err(Error::ViewExpired { .. }) if views_left > 0 => {
                    views_left -= 1;
                    reader.refresh().await?;
                    (*self, *cursor) = Bootstrap::begin(&reader.view(), range, Some(cursor.clone()))?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The state was emitted to its end: the feed follows.
fn finish(cursor: &mut Cursor) {
    let Some(last) = cursor.scanning.take() else { return };
    if !cursor.held.is_empty() {
        let line = Held { up_to: None, slot: last.slot };
        cursor.held = cursor.held.iter().cloned().chain([line]).collect::<Arc<[Held]>>();
    }
}
