//! The reader: the latest view that is known, kept within its age, and what can be asked of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::blob;
use super::cache::BlockCache;
use super::fetch::{Loader, Source};
use super::flight::Flights;
use super::get;
use super::pinned::Pinned;
use super::scan::{Scan, ScanOptions};
use super::version::{Entry, Meaning};
use super::view::View;
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::layout::Layout;
use crate::host::{Begun, Event, Host, Requests};
use crate::manifest::{ManifestStorage, ManifestView, read_current};
use crate::signature::Trust;

/// The first and the longest pause between two looks of [`Reader::wait_for`], in milliseconds.
const WAIT_MS: (u64, u64) = (20, 1000);

/// So many times a read begins anew on a newer view because an object of the older one is gone.
const MAX_NEW_VIEWS: u32 = 8;

/// How a reader keeps its view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReaderOptions {
    /// Refresh before a read when the view is older than this, in milliseconds. `None`: only when the database's own limit
    /// (`max_view_age_ms`; 10 min where CURRENT does not say) forces it.
    pub refresh_after_ms: Option<u64>,
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
    renewals: Arc<Flights<(), Arc<Pinned>>>,
}

/// What readers of all scopes share: finished states.
struct Shared {
    manifest: Arc<dyn ManifestStorage>,
    layout: Layout,
    options: ReaderOptions,
    latest: Mutex<Arc<Pinned>>,
}

impl Reader {
    /// Opens the database, which need not exist: then it reads as empty and [`Reader::exists`] says so.
    ///
    /// Cost: one GET of CURRENT; one more round for a snapshot and for log entries that CURRENT does not carry, all at
    /// once.
    pub async fn open(source: ReadSource, options: ReaderOptions) -> Result<Reader> {
        let ReadSource { manifest, requests, layout, cache, trust } = source;
        let view = ManifestView::load(&*manifest, &*requests.host).await?;
        let latest = Mutex::new(Arc::new(Pinned::new(view, &layout)));
        Ok(Reader {
            shared: Arc::new(Shared { manifest, layout, options, latest }),
            loader: Loader::new(Source { requests, cache, trust }),
            renewals: Flights::new(),
        })
    }

    /// A reader of the same view and cache that waits for no load of another scope.
    ///
    /// For hosts where one request must not await another's promise: one scope a request. Finished bytes and views are
    /// shared with all.
    pub fn scoped(&self) -> Reader {
        Reader { shared: self.shared.clone(), loader: self.loader.scoped(), renewals: Flights::new() }
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
    /// Cost: one conditional GET; nothing more where nothing changed or where the new entries are inline.
    pub async fn refresh(&self) -> Result<bool> {
        let (begun, known) = (self.requests().begin(), self.latest());
        let result = self.refresh_from(&known).await;
        self.requests().ended(begun, |elapsed| {
            let age_ms = known.manifest.age_ms(&**self.host());
            Event::Refresh { result: result.as_ref().copied(), elapsed, age_ms }
        });
        result
    }

    async fn refresh_from(&self, known: &Arc<Pinned>) -> Result<bool> {
        let (manifest, changed) = known.manifest.refresh(&*self.shared.manifest, &**self.host()).await?;
        let read = if changed { Pinned::new(manifest, &self.shared.layout) } else { known.renewed(manifest) };
        self.adopt(Arc::new(read));
        Ok(changed)
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

    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        self.loader.host()
    }

    pub(crate) fn requests(&self) -> &Requests {
        self.loader.requests()
    }

    fn latest(&self) -> Arc<Pinned> {
        self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes `read` the latest view, unless a newer one is here already (refreshes may end in any order).
    fn adopt(&self, read: Arc<Pinned>) {
        let host = &**self.host();
        let mut latest = self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if read.is_newer_than(&latest, host) {
            *latest = read;
        }
    }

    /// The latest view, refreshed first where it is too old. Those who find it too old together refresh it once.
    async fn fresh(&self) -> Result<Arc<Pinned>> {
        let latest = self.latest();
        let age_ms = latest.manifest.age_ms(&**self.host());
        let limit_ms = latest.manifest.max_age_ms();
        if age_ms <= self.shared.options.refresh_after_ms.map_or(limit_ms, |ms| ms.min(limit_ms)) {
            return Ok(latest);
        }
        let joined = self.renewals.join(vec![()], |_| {
            let reader = self.clone();
            Box::pin(async move {
                reader.refresh().await?;
                Ok(reader.latest())
            })
        });
        let under_way = joined.under_way.into_iter().map(|(_, flight)| flight);
        match under_way.chain(joined.started.map(|(_, flight)| flight)).next() {
            Some(flight) => flight.await,
            None => Ok(latest),
        }
    }

    async fn find_fresh(&self, key: &[u8]) -> Result<Option<Found>> {
        let begun = self.requests().begin();
        let found = self.find_latest(key).await;
        self.looked_up(begun, &found, || self.latest().manifest.age_ms(&**self.host()));
        found
    }

    /// Tells the observer how a look-up ended.
    pub(crate) fn looked_up(
        &self,
        begun: Begun,
        found: &Result<Option<Found>>,
        view_age_ms: impl FnOnce() -> u64,
    ) {
        self.requests().ended(begun, |elapsed| Event::Get {
            result: found.as_ref().map(Option::is_some),
            elapsed,
            view_age_ms: view_age_ms(),
        });
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
        match blob::fetch(self.loader.requests(), &self.shared.layout, id).await {
            Ok(value) => Ok(value),
            Err(error) => Err(match self.after_missing(pinned, error).await {
                Ok(_) => pinned.expired(&**self.host()),
                Err(error) => error,
            }),
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
pub(crate) struct Found {
    pub(crate) value: Bytes,
    sequence: u64,
    expires_at_ms: Option<u64>,
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
