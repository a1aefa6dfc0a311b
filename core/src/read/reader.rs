//! The reader: the latest view that is known, kept within its age, and what can be asked of it.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::blob;
use super::cache::BlockCache;
use super::fetch::{Loader, Source};
use super::get;
use super::pinned::Pinned;
use super::refresh::Refreshes;
use super::scan::Scan;
use super::scan_options::ScanOptions;
use super::version::{Entry, Meaning};
use super::view::View;
use crate::error::{Error, Result, within};
use crate::format::blob::BlobId;
use crate::format::layout::Layout;
use crate::host::{Begun, Event, Host, Moment, Requests};
use crate::manifest::{ManifestStorage, ManifestView, read_current};
use crate::maybe::BoxFuture;
use crate::signature::Trust;

/// The first and the longest pause between two looks of [`Reader::wait_for`], in milliseconds.
const WAIT_MS: (u64, u64) = (20, 1000);

/// So many times a read begins anew on a newer view because an object of the older one is gone.
pub(crate) const MAX_NEW_VIEWS: u32 = 8;

/// The longest view age that a database may allow.
const MAX_REFRESH_AFTER_MS: u64 = 7 * 86_400_000;

/// The default of [`ReaderOptions::read_ahead_bytes`]: 8 MiB.
pub const DEFAULT_READ_AHEAD_BYTES: u64 = 8 * 1024 * 1024;

/// The bounds of [`ReaderOptions::read_ahead_bytes`].
const READ_AHEAD_BYTES: RangeInclusive<u64> = 64 * 1024..=1024 * 1024 * 1024;

/// How a reader keeps its view, and how far its scans read ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderOptions {
    /// Refresh before a read when the view is older than this, in milliseconds. `None`: only when the database's own limit
    /// (`max_view_age_ms`; 10 min where CURRENT does not say) forces it. Default `None`; at most 7 days.
    pub refresh_after_ms: Option<u64>,
    /// What all sources of one scan may hold ahead together, in stored bytes, and once more under way; at most 1 MiB each, and
    /// always one block. A scan begins with 8 KiB a source and doubles. 64 KiB to 1 GiB; 8 MiB by default.
    pub read_ahead_bytes: u64,
}

impl Default for ReaderOptions {
    fn default() -> ReaderOptions {
        ReaderOptions { refresh_after_ms: None, read_ahead_bytes: DEFAULT_READ_AHEAD_BYTES }
    }
}

impl ReaderOptions {
    /// Errors: `InvalidArgument` with the first option out of its bounds.
    pub fn validate(&self) -> Result<()> {
        within("refresh_after_ms", self.refresh_after_ms.unwrap_or(0), 0..=MAX_REFRESH_AFTER_MS)?;
        within("read_ahead_bytes", self.read_ahead_bytes, READ_AHEAD_BYTES)
    }
}

/// Where a reader reads from: what [`Reader::open`] needs.
#[derive(Clone)]
pub struct ReadSource {
    /// Where the manifest is.
    pub manifest: Arc<dyn ManifestStorage>,
    /// Where tables and blobs are.
    pub requests: Requests,
    /// Their names.
    pub layout: Layout,
    /// Decoded parts of tables. It may be shared by all readers of this store, and by no reader of another one.
    pub cache: Arc<BlockCache>,
    /// What is checked of a table before it is used. Whoever shares a cache has to have the same.
    pub trust: Trust,
}

/// Reads a database: committed data only, as of the view that it holds.
///
/// A view is one consistent state. It stays until [`Reader::refresh`], so what a `get` shows may be as old as the view may
/// be: then the next read refreshes by itself (one conditional GET, `refresh_after_ms`). Clones share the view and the
/// loads under way. No method needs more rights than to GET named objects: nothing is listed.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
    loader: Loader,
    refreshes: Arc<Refreshes>,
}

/// What readers of all scopes share: finished states.
struct Shared {
    manifest: Arc<dyn ManifestStorage>,
    layout: Layout,
    options: ReaderOptions,
    latest: Mutex<Latest>,
    /// What it belongs to was closed: nothing new is read.
    closed: AtomicBool,
}

struct Latest {
    pinned: Arc<Pinned>,
    /// When the first view of this version was read.
    changed: Moment,
}

impl Reader {
    /// Opens the database, which need not exist: then it reads as empty and [`Reader::exists`] says so. An option out of its
    /// bounds is `InvalidArgument`.
    ///
    /// Cost: one GET of CURRENT; one more round for a snapshot and for log entries that CURRENT does not carry, all at
    /// once.
    pub async fn open(source: ReadSource, options: ReaderOptions) -> Result<Reader> {
        let ReadSource { manifest, requests, layout, cache, trust } = source;
        options.validate()?;
        let view = ManifestView::load(&*manifest, &*requests.host).await?;
        let changed = view.read_at;
        let latest = Mutex::new(Latest { pinned: Arc::new(Pinned::new(view, &layout)), changed });
        let closed = AtomicBool::new(false);
        Ok(Reader {
            shared: Arc::new(Shared { manifest, layout, options, latest, closed }),
            loader: Loader::new(Source { requests, cache, trust }),
            refreshes: Refreshes::new(),
        })
    }

    /// A reader of the same view and cache that waits for no load of another scope.
    ///
    /// For hosts where one request must not await another's promise: one scope a request. Finished bytes and views are
    /// shared with all.
    pub fn scoped(&self) -> Reader {
        Reader { shared: self.shared.clone(), loader: self.loader.scoped(), refreshes: Refreshes::new() }
    }

    /// A reader of the same view, refreshed together with this one, that keeps what it reads elsewhere.
    pub(crate) fn with_cache(&self, cache: Arc<BlockCache>) -> Reader {
        Reader { loader: self.loader.with_cache(cache), ..self.clone() }
    }

    /// True if there was a database when the view was read.
    pub fn exists(&self) -> bool {
        self.latest().manifest.exists()
    }

    /// The latest view that is known, pinned: it does not change, and it does not refresh by itself. Cost: none.
    pub fn view(&self) -> View {
        View::new(self.clone(), self.latest())
    }

    /// Reads CURRENT again; true if it changed. Everything that was committed before the call is visible after it.
    ///
    /// Cost: one conditional GET; nothing more where nothing changed or where the new entries are inline. Callers at the
    /// same time share it: at most one request is with the store, and one more waits for those who asked meanwhile.
    pub async fn refresh(&self) -> Result<bool> {
        let known = self.latest();
        let read = self.refreshes.begin(|| self.look()).await?;
        Ok(read.manifest.version != known.manifest.version)
    }

    /// The live value of `key`, or `None`.
    ///
    /// Cost with a cold cache: three rounds (tails of the tables that may hold it, a partition of each, one block), none
    /// with a warm one; one more for a blob. Before it a refresh, if the view is too old.
    ///
    /// Errors: `InvalidArgument` for an empty key; `Corrupt`, which names the object.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.find_fresh(key).await?.map(|found| found.value))
    }

    /// Like [`Reader::get`], with sequence number and expiry.
    pub async fn get_entry(&self, key: &[u8]) -> Result<Option<Entry>> {
        Ok(self.find_fresh(key).await?.map(|found| found.into_entry(key)))
    }

    /// The live entries of a range, in key order. Cost: none, or a refresh if the view is too old; see [`Scan::next`].
    pub async fn scan(&self, options: ScanOptions) -> Result<Scan> {
        let pinned = self.fresh().await?;
        Ok(Scan::new(self.clone(), pinned, &options, now_ms(&**self.host())))
    }

    /// Returns when everything up to `sequence` is visible here. Drop the future to give up.
    ///
    /// Cost: none where it is visible already; else one conditional GET each 20 ms at first, each second in the end.
    pub async fn wait_for(&self, sequence: u64) -> Result<()> {
        let (mut pause_ms, longest_ms) = WAIT_MS;
        if self.latest().manifest.next_sequence() > sequence {
            return Ok(());
        }
        loop {
            self.refresh().await?;
            if self.latest().manifest.next_sequence() > sequence {
                return Ok(());
            }
            self.host().sleep(Duration::from_millis(pause_ms)).await;
            pause_ms = (pause_ms * 2).min(longest_ms);
        }
    }

    /// The highest LSN ever committed, now and not as of the view; as [`Db::max_committed_lsn`](crate::Db::max_committed_lsn).
    /// Cost: one GET of CURRENT.
    pub async fn max_committed_lsn(&self) -> Result<Option<u64>> {
        Ok(read_current(&*self.shared.manifest).await?.max_committed_lsn)
    }

    /// No visible LSN is lower; as [`Db::low_watermark_lsn`](crate::Db::low_watermark_lsn). Cost: one GET of CURRENT.
    pub async fn low_watermark_lsn(&self) -> Result<Option<u64>> {
        Ok(read_current(&*self.shared.manifest).await?.low_watermark_lsn)
    }

    /// The cache that this reader uses.
    pub fn cache(&self) -> &Arc<BlockCache> {
        self.loader.cache()
    }

    pub(crate) fn loader(&self) -> &Loader {
        &self.loader
    }

    pub(crate) fn read_ahead_bytes(&self) -> u64 {
        self.shared.options.read_ahead_bytes
    }

    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        self.loader.host()
    }

    pub(crate) fn requests(&self) -> &Requests {
        self.loader.requests()
    }

    pub(crate) fn manifest(&self) -> &Arc<dyn ManifestStorage> {
        &self.shared.manifest
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    pub(crate) fn refreshes(&self) -> &Refreshes {
        &self.refreshes
    }

    pub(crate) fn latest(&self) -> Arc<Pinned> {
        self.lock().pinned.clone()
    }

    /// How long it had been quiet when CURRENT was read last, in milliseconds: nothing new came for so long.
    pub(crate) fn quiet_ms(&self) -> u64 {
        let latest = self.lock();
        let host = &**self.host();
        latest.changed.elapsed_ms(host).saturating_sub(latest.pinned.manifest.age_ms(host))
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing new is read, by none of its clones and scopes. Views stay what they are.
    pub(crate) fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.refreshes.wake();
    }

    /// `Closed` after [`Reader::close`].
    pub(crate) fn check_open(&self) -> Result<()> {
        let closed = self.shared.closed.load(Ordering::SeqCst);
        if closed { Err(Error::Closed { what: "coordinator" }) } else { Ok(()) }
    }

    /// A refresh of its own.
    fn look(&self) -> BoxFuture<'static, Result<Arc<Pinned>>> {
        let reader = self.clone();
        Box::pin(async move {
            reader.check_open()?;
            let (begun, known) = (reader.requests().begin(), reader.latest());
            let read = known.manifest.refresh(&*reader.shared.manifest, &**reader.host()).await;
            reader.requests().ended(begun, |elapsed| {
                let age_ms = known.manifest.age_ms(&**reader.host());
                Event::Refresh { result: read.as_ref().map(|(_, changed)| *changed), elapsed, age_ms }
            });
            let (manifest, changed) = read?;
            let read = if changed { Pinned::new(manifest, reader.layout()) } else { known.renewed(manifest) };
            Ok(reader.adopt(Arc::new(read)))
        })
    }

    /// Makes `read` the latest view, unless a newer one is here already (refreshes of several scopes may end in any
    /// order). Returns the latest.
    fn adopt(&self, read: Arc<Pinned>) -> Arc<Pinned> {
        let mut latest = self.lock();
        if read.is_newer_than(&latest.pinned) {
            if read.manifest.version != latest.pinned.manifest.version {
                latest.changed = read.manifest.read_at;
                self.refreshes.wake();
            }
            latest.pinned = read;
        }
        latest.pinned.clone()
    }

    /// A view of these moments: by a refresh that is under way, or by one of its own.
    ///
    /// Cost: at most one conditional GET, and none where somebody else's is with the store.
    pub(crate) async fn renew(&self) -> Result<Arc<Pinned>> {
        self.refreshes.join(|| self.look()).await
    }

    /// The latest view, refreshed first where it is too old. Those who find it too old together refresh it once.
    pub(crate) async fn fresh(&self) -> Result<Arc<Pinned>> {
        let is_fresh = |pinned: &Pinned| {
            let (age_ms, limit_ms) = (pinned.manifest.age_ms(&**self.host()), pinned.manifest.max_age_ms());
            age_ms <= self.shared.options.refresh_after_ms.map_or(limit_ms, |ms| ms.min(limit_ms))
        };
        let latest = self.latest();
        if is_fresh(&latest) {
            return Ok(latest);
        }
        let renewed = self.renew().await?;
        if is_fresh(&renewed) {
            return Ok(renewed);
        }
        // Somebody else's was long on its way.
        self.refreshes.begin(|| self.look()).await
    }

    async fn find_fresh(&self, key: &[u8]) -> Result<Option<Found>> {
        let begun = self.requests().begin();
        let found = self.find_latest(key).await;
        let there = found.as_ref().map(Option::is_some);
        self.looked_up(begun, there, || self.latest().manifest.age_ms(&**self.host()));
        found
    }

    /// Tells the observer how a look-up ended.
    pub(crate) fn looked_up(
        &self,
        begun: Begun,
        result: Result<bool, &Error>,
        view_age_ms: impl FnOnce() -> u64,
    ) {
        self.requests().ended(begun, |elapsed| Event::Get { result, elapsed, view_age_ms: view_age_ms() });
    }

    async fn find_latest(&self, key: &[u8]) -> Result<Option<Found>> {
        let mut pinned = self.fresh().await?;
        for _ in 0..MAX_NEW_VIEWS {
            match self.find(&pinned, key).await {
                Err(error) => pinned = self.after_missing(&pinned, error).await?,
                found => return found,
            }
        }
        self.find(&pinned, key).await
    }

    /// The live value of `key` in a view.
    pub(crate) async fn find(&self, pinned: &Pinned, key: &[u8]) -> Result<Option<Found>> {
        if key.is_empty() {
            return Err(Error::invalid("an empty key: keys have 1 to 65527 bytes"));
        }
        let Some(version) = get::newest(&self.loader, &pinned.tables, key).await? else { return Ok(None) };
        let sequence = version.sequence;
        Ok(match version.meaning(now_ms(&**self.host()))? {
            Meaning::Nothing => None,
            Meaning::Value { value, expires_at_ms } => Some(Found { value, sequence, expires_at_ms }),
            Meaning::Blob { id, expires_at_ms } => {
                let value = blob::fetch(self.loader.requests(), &self.shared.layout, &id).await?;
                Some(Found { value, sequence, expires_at_ms })
            }
        })
    }

    /// A blob that a pinned view refers to.
    pub(crate) async fn blob(&self, pinned: &Pinned, id: &BlobId) -> Result<Bytes> {
        pinned.check_age(&**self.host())?;
        match blob::fetch(self.loader.requests(), &self.shared.layout, id).await {
            Ok(value) => Ok(value),
            Err(error) => Err(self.after_missing_pinned(pinned, error).await),
        }
    }

    /// The error for the caller when a read of `pinned` failed and no other view will do. Cost: as
    /// [`Reader::after_missing`].
    pub(crate) async fn after_missing_pinned(&self, pinned: &Pinned, error: Error) -> Error {
        match self.after_missing(pinned, error).await {
            Ok(_) => pinned.expired(&**self.host()),
            Err(error) => error,
        }
    }

    /// What to do when a read of `pinned` failed: a newer view that does not name the missing object, to read again; else
    /// the error for the caller. A store may answer 403 for a missing name to whoever may not list.
    ///
    /// Cost: one conditional GET where an object is missing, nothing otherwise.
    pub(crate) async fn after_missing(&self, pinned: &Pinned, error: Error) -> Result<Arc<Pinned>> {
        let (Error::NotFound { object } | Error::Permission { object, .. }) = &error else {
            return Err(error);
        };
        self.refresh().await?;
        let latest = self.latest();
        if latest.manifest.version != pinned.manifest.version && !latest.tables.names(object) {
            return Ok(latest);
        }
        Err(match &error {
            Error::NotFound { object } => {
                Error::corrupt(object, None, "an object that the current view refers to", "no such object")
            }
            _ => error,
        })
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("prefix", &self.shared.layout.prefix())
            .field("current", &self.latest().manifest.current)
            .finish_non_exhaustive()
    }
}

/// A live value.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) value: Bytes,
    pub(crate) sequence: u64,
    pub(crate) expires_at_ms: Option<u64>,
}

impl Found {
    pub(crate) fn into_entry(self, key: &[u8]) -> Entry {
        let key = Bytes::copy_from_slice(key);
        Entry { key, value: self.value, sequence: self.sequence, expires_at_ms: self.expires_at_ms }
    }
}

pub(crate) fn now_ms(host: &dyn Host) -> u64 {
    host.now_unix_ns() / 1_000_000
}
