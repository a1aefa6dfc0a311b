//! A view that a caller holds on to.

use std::sync::Arc;

use bytes::Bytes;

use super::pinned::Pinned;
use super::reader::{Found, Reader, now_ms};
use super::scan::Scan;
use super::scan_options::ScanOptions;
use super::version::Entry;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::manifest::ManifestView;

/// A look of another handle that is younger than this, in milliseconds, serves [`View::renew`] as well as an own one.
const JUST_NOW_MS: u64 = 1_000;

/// One consistent state of the database: every read of it sees the same data. Cheap to clone and to keep: it holds the list
/// of tables, and nothing in the store.
///
/// It may be read for as long as the database allows (`max_view_age_ms`; 10 min where CURRENT does not say): after that
/// its objects may be gone, and reading it is `ViewExpired`; [`View::renew`] moves on to a newer one. Whether an entry has
/// expired is decided at each read.
#[derive(Clone)]
pub struct View {
    pub(super) reader: Reader,
    pub(super) pinned: Arc<Pinned>,
}

impl View {
    pub(crate) fn new(reader: Reader, pinned: Arc<Pinned>) -> View {
        View { reader, pinned }
    }

    pub(crate) fn parts(&self) -> (&Reader, &Arc<Pinned>) {
        (&self.reader, &self.pinned)
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

    /// How long ago it was read, or was last known to be the newest, in milliseconds.
    pub fn age_ms(&self) -> u64 {
        self.pinned.manifest.age_ms(self.host())
    }

    /// How long it may still be read, in milliseconds; 0: it has expired.
    pub fn expires_in_ms(&self) -> u64 {
        // The last millisecond of its life is one.
        self.pinned.manifest.max_age_ms().saturating_add(1).saturating_sub(self.age_ms())
    }

    /// Which state it is: opaque text, equal for equal states of one database, whoever read them and when.
    pub fn version(&self) -> String {
        let current = &self.pinned.manifest.current;
        let (max, low) = (current.max_committed_lsn, current.low_watermark_lsn);
        format!(
            "{}:{}:{}:{}:{}:{}:{}",
            current.snapshot,
            current.log_seq_start,
            current.next_seq,
            max.is_some(),
            max.unwrap_or(0),
            low.is_some(),
            low.unwrap_or(0)
        )
    }

    /// A newer view, with its whole life before it. This one stays what it is.
    ///
    /// Cost: one conditional GET; none where another handle of this reader looked within the last second, or is about to.
    ///
    /// Errors: those of [`Reader::refresh`]; `Closed`.
    pub async fn renew(&self) -> Result<View> {
        self.reader.check_open()?;
        let latest = self.reader.latest();
        let host = self.host();
        let newer = !Arc::ptr_eq(&latest, &self.pinned) && latest.is_newer_than(&self.pinned);
        let just_now = newer && latest.manifest.age_ms(host) <= JUST_NOW_MS;
        let pinned = if just_now { latest } else { self.reader.renew().await? };
        Ok(View::new(self.reader.clone(), pinned))
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
        Scan::pinned(self.reader.clone(), self.pinned.clone(), options, now_ms(self.host()))
    }

    /// Like [`View::scan`], but entries whose time has passed are shown too: what the state holds, whatever the time.
    pub(crate) fn scan_unexpiring(&self, options: &ScanOptions) -> Scan {
        Scan::pinned(self.reader.clone(), self.pinned.clone(), options, 0)
    }

    fn host(&self) -> &dyn Host {
        &**self.reader.host()
    }

    async fn find(&self, key: &[u8]) -> Result<Option<Found>> {
        let begun = self.reader.requests().begin();
        let found = self.find_pinned(key).await;
        let there = found.as_ref().map(Option::is_some);
        self.reader.looked_up(begun, there, || self.pinned.manifest.age_ms(self.host()));
        found
    }

    async fn find_pinned(&self, key: &[u8]) -> Result<Option<Found>> {
        self.pinned.check_age(self.host())?;
        match self.reader.find(&self.pinned, key).await {
            Ok(found) => Ok(found),
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// What a failed read of this view says to the caller: an object that is gone may be one that the view outlived.
    pub(super) async fn failed(&self, error: Error) -> Error {
        self.reader.after_missing_pinned(&self.pinned, error).await
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("View").field(&self.pinned.manifest.current).finish()
    }
}
