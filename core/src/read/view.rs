//! A view that a caller holds on to.

use std::sync::Arc;

use bytes::Bytes;

use super::pinned::Pinned;
use super::reader::{Found, Reader, now_ms};
use super::scan::{Scan, ScanOptions};
use super::version::Entry;
use crate::error::Result;
use crate::manifest::ManifestView;

/// One consistent state of the database: every read of it sees the same data. Cheap to clone.
///
/// It may be read for as long as the database allows (`max_view_age_ms`; 10 min where CURRENT does not say): after that
/// its objects may be gone, and reading it is `ViewExpired`. Whether an entry has expired is decided at each read.
#[derive(Clone)]
pub struct View {
    reader: Reader,
    pinned: Arc<Pinned>,
}

impl View {
    pub(crate) fn new(reader: Reader, pinned: Arc<Pinned>) -> View {
        View { reader, pinned }
    }

    /// True if there is a database.
    pub fn exists(&self) -> bool {
        self.pinned.manifest.exists()
    }

    /// CURRENT, the state and its age.
    pub fn manifest(&self) -> &ManifestView {
        &self.pinned.manifest
    }

    /// The highest LSN that was committed when the view was read. Cost: none.
    pub fn max_committed_lsn(&self) -> Option<u64> {
        self.pinned.manifest.current.max_committed_lsn
    }

    /// No LSN of this view is lower. Cost: none.
    pub fn low_watermark_lsn(&self) -> Option<u64> {
        self.pinned.manifest.current.low_watermark_lsn
    }

    /// The live value of `key`, or `None`. Cost as [`Reader::get`], but never a refresh.
    ///
    /// Errors: `ViewExpired`; those of [`Reader::get`].
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.find(key).await?.map(|found| found.value))
    }

    /// Like [`View::get`], with sequence number and expiry.
    pub async fn get_entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        Ok(self.find(key).await?.map(|found| found.into_entry(key)))
    }

    /// The live entries of a range, in key order. Cost: none; see [`Scan::next`].
    pub fn scan(&self, options: &ScanOptions) -> Scan {
        Scan::pinned(self.reader.clone(), self.pinned.clone(), options, now_ms(&**self.reader.host()))
    }

    /// Like [`View::scan`], but entries whose time has passed are shown too: what the state holds, whatever the time.
    pub(crate) fn scan_unexpiring(&self, options: &ScanOptions) -> Scan {
        Scan::pinned(self.reader.clone(), self.pinned.clone(), options, 0)
    }

    async fn find(&self, key: &[u8]) -> Result<Option<Found>> {
        let begun = self.reader.requests().begin();
        let found = self.find_pinned(key).await;
        self.reader.looked_up(begun, &found, || self.pinned.manifest.age_ms(&**self.reader.host()));
        found
    }

    async fn find_pinned(&self, key: &[u8]) -> Result<Option<Found>> {
        self.pinned.check_age(&**self.reader.host())?;
        match self.reader.find(&self.pinned, key).await {
            Ok(found) => Ok(found),
            Err(error) => Err(match self.reader.after_missing(&self.pinned, error).await {
                Ok(_) => self.pinned.expired(&**self.reader.host()),
                Err(error) => error,
            }),
        }
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("View").field(&self.pinned.manifest.current).finish()
    }
}
