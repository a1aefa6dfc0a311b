//! The control plane: opens a prefix, hands out the writer, readers and tailers, and owns what they share.

use std::sync::Arc;
#[cfg(feature = "maintain")]
use std::sync::Weak;
#[cfg(feature = "write")]
use std::sync::{Mutex, PoisonError};

use crate::error::{Result, within};
use crate::format::layout::Layout;
#[cfg(feature = "write")]
use crate::format::manifest::Role;
use crate::host::{Host, ObjectStore, Observer, Requests, RetryPolicy};
#[cfg(feature = "maintain")]
use crate::maintain::gc::{MarkStorage, ObjectMarks};
#[cfg(feature = "maintain")]
use crate::maintain::{Maintenance, MaintenanceOptions};
#[cfg(feature = "write")]
use crate::manifest::{ClaimOptions, Publisher};
use crate::manifest::{LsnExtractor, ManifestStorage, ManifestView, ObjectManifest, read_current};
use crate::read::{
    BlockCache, Coordinator, DEFAULT_CACHE_BYTES, ReadSource, Reader, ReaderOptions, TailingReader,
    TailingReaderOptions,
};
use crate::signature::{SignaturePolicy, TableSigner, TableVerifier, Trust};
use crate::tail::{TailOptions, Tailer};
use crate::ticket::{self, TicketDraft, TicketRange};
use crate::verify::{Verification, VerifyOptions};
#[cfg(feature = "write")]
use crate::write::{WeakWriter, Writer, WriterOptions};

/// Largest bound of the cache that is taken, in bytes.
const MAX_CACHE_BYTES: u64 = 1 << 40;

/// What all handles of a database share.
#[derive(Clone)]
pub struct DbOptions {
    /// Where the manifest lies; `None` is under the prefix, in the same store.
    pub manifest: Option<Arc<dyn ManifestStorage>>,
    /// Where the marks of garbage collection lie; `None` is under the prefix, in the same store.
    #[cfg(feature = "maintain")]
    pub marks: Option<Arc<dyn MarkStorage>>,
    /// How failed requests are repeated. Default: as [`RetryPolicy`] says, for up to a minute.
    pub retry: RetryPolicy,
    /// Bound of the cache of decoded blocks, index partitions and table tails, in bytes. Default 64 MiB; at
    /// most 1 TiB, and 0 keeps next to nothing.
    pub cache_bytes: u64,
    /// Prove, before the first write to a prefix that holds no database of ours, that the store enforces conditional
    /// puts. Default: yes. Off, for a store that is known to be right: 6 requests fewer, once.
    pub probe: bool,
    /// Who hears of what happens. Default: nobody, which costs nothing.
    pub observer: Option<Arc<dyn Observer>>,
    /// Whose signatures over tables are trusted; see [`crate::signature`]. Default: none.
    pub verifier: Option<Arc<dyn TableVerifier>>,
    /// What is done about tables that no trusted key signed. Default (`None`): with a `verifier` they are not read, without
    /// one nothing is checked. `Warn` and `Require` need a `verifier`.
    ///
    /// Cost of both: each table is read whole when it is opened, and 32 KiB for each block that is not cached.
    pub signatures: Option<SignaturePolicy>,
    /// Signs each table that this handle writes, be it a flush or a merge. Default: none, tables are not signed.
    pub signer: Option<Arc<dyn TableSigner>>,
    /// Compare the SHA-256 of each table with the one in the manifest when it is opened, which reads it whole. Default: no;
    /// each block has a checksum of its own.
    pub verify_checksums: bool,
    /// Reads LSNs from keys; see [`Db::max_committed_lsn`]. Every handle that writes must have the same. Default: none, and the
    /// LSNs in CURRENT stay as they are.
    pub lsn: Option<Arc<dyn LsnExtractor>>,
}

impl Default for DbOptions {
    fn default() -> DbOptions {
        DbOptions {
            manifest: None,
            #[cfg(feature = "maintain")]
            marks: None,
            retry: RetryPolicy::default(),
            cache_bytes: DEFAULT_CACHE_BYTES,
            probe: true,
            observer: None,
            verifier: None,
            signatures: None,
            signer: None,
            verify_checksums: false,
            lsn: None,
        }
    }
}

/// One database: a prefix of an object store. Cheap to clone; all clones share caches and the one writer.
#[derive(Clone)]
pub struct Db(Arc<Shared>);

struct Shared {
    source: ReadSource,
    #[cfg(feature = "write")]
    lsn: Option<Arc<dyn LsnExtractor>>,
    signer: Option<Arc<dyn TableSigner>>,
    #[cfg(feature = "write")]
    writer: Mutex<WriterSlot>,
    /// Held by the maintenance owner that is open.
    #[cfg(feature = "maintain")]
    maintenance: Mutex<Weak<()>>,
    #[cfg(feature = "maintain")]
    marks: Arc<dyn MarkStorage>,
}

#[cfg(feature = "write")]
#[derive(Default)]
struct WriterSlot {
    /// The writer that was opened last.
    open: Option<WeakWriter>,
    /// One is being opened.
    opening: bool,
    /// The store was proved, or the proof is not wanted.
    proved: bool,
}

impl Db {
    /// A handle on the database under `prefix` of `store`. No request: whether there is a database is found out by what is
    /// opened from it. `prefix` may be empty; a trailing slash does not matter.
    ///
    /// Errors: `InvalidArgument` for a prefix that no object can have, and for `signatures` without a `verifier`.
    pub fn open(
        store: Arc<dyn ObjectStore>,
        host: Arc<dyn Host>,
        prefix: &str,
        options: DbOptions,
    ) -> Result<Db> {
        options.retry.validate()?;
        within("cache_bytes", options.cache_bytes, 0..=MAX_CACHE_BYTES)?;
        let layout = Layout::new(prefix)?;
        let trust = Trust::new(options.verifier, options.signatures, options.verify_checksums)?;
        let requests = Requests { store, host, policy: options.retry, observer: options.observer };
        let manifest = options
            .manifest
            .unwrap_or_else(|| Arc::new(ObjectManifest::new(requests.clone(), layout.clone())));
        #[cfg(feature = "maintain")]
        let marks =
            options.marks.unwrap_or_else(|| Arc::new(ObjectMarks::new(requests.clone(), layout.clone())));
        let cache = Arc::new(BlockCache::new(options.cache_bytes));
        Ok(Db(Arc::new(Shared {
            source: ReadSource { manifest, requests, layout, cache, trust },
            #[cfg(feature = "write")]
            lsn: options.lsn,
            signer: options.signer,
            #[cfg(feature = "write")]
            writer: Mutex::new(WriterSlot { proved: !options.probe, ..WriterSlot::default() }),
            #[cfg(feature = "maintain")]
            maintenance: Mutex::default(),
            #[cfg(feature = "maintain")]
            marks,
        })))
    }

    /// The names of this database's objects.
    pub fn layout(&self) -> &Layout {
        &self.0.source.layout
    }

    /// The requests that this database makes its way with.
    pub fn requests(&self) -> &Requests {
        &self.0.source.requests
    }

    /// The decoded parts of tables that all readers share.
    pub fn cache(&self) -> &BlockCache {
        &self.0.source.cache
    }

    /// What signs the tables that this handle writes.
    pub fn signer(&self) -> Option<&Arc<dyn TableSigner>> {
        self.0.signer.as_ref()
    }

    #[cfg(feature = "maintain")]
    pub(crate) fn source(&self) -> &ReadSource {
        &self.0.source
    }

    /// Where the manifest lies.
    pub fn manifest(&self) -> &Arc<dyn ManifestStorage> {
        &self.0.source.manifest
    }

    /// Where the marks of garbage collection lie.
    #[cfg(feature = "maintain")]
    pub fn marks(&self) -> &Arc<dyn MarkStorage> {
        &self.0.marks
    }

    /// Reads the manifest: one GET, two rounds where there is a snapshot.
    pub async fn load_view(&self) -> Result<ManifestView> {
        let source = &self.0.source;
        ManifestView::load(source.manifest.as_ref(), source.requests.host.as_ref()).await
    }

    /// The highest LSN ever committed (see [`LsnExtractor`]); `None` where there is none, or no database. It never falls.
    /// Cost: one GET of CURRENT.
    pub async fn max_committed_lsn(&self) -> Result<Option<u64>> {
        Ok(read_current(&*self.0.source.manifest).await?.max_committed_lsn)
    }

    /// No visible LSN is lower; `None` where there is none, or no database. It rises as old tables are removed.
    /// Cost: one GET of CURRENT.
    pub async fn low_watermark_lsn(&self) -> Result<Option<u64>> {
        Ok(read_current(&*self.0.source.manifest).await?.low_watermark_lsn)
    }

    /// Opens a reader, of which a process may have any number. Cost: as [`Reader::open`].
    pub async fn reader(&self, options: ReaderOptions) -> Result<Reader> {
        Reader::open(self.0.source.clone(), options).await
    }

    /// Opens what gives out views and tailers that refresh together. Cost: as [`Reader::open`].
    pub async fn coordinator(&self, options: ReaderOptions) -> Result<Coordinator> {
        Coordinator::open(self.0.source.clone(), options).await
    }

    /// Opens a reader that catches up in the order of keys. Cost: as [`Reader::open`].
    pub async fn tailing_reader(&self, options: TailingReaderOptions) -> Result<TailingReader> {
        TailingReader::open(self.0.source.clone(), options).await
    }

    /// A check of the whole database, about to run. No request yet.
    ///
    /// Errors: `InvalidArgument` for an option out of its bounds.
    pub fn verification(&self, options: VerifyOptions) -> Result<Verification> {
        Verification::new(self.0.source.clone(), options)
    }

    /// What a view ticket of the present version has to carry, with the tables that overlap `range`. Cost: as
    /// [`ticket::draft`].
    pub async fn ticket_draft(&self, range: &TicketRange) -> Result<TicketDraft> {
        ticket::draft(&self.0.source, range).await
    }

    /// Opens a tailer on the change feed. Cost: as [`Tailer::open`].
    pub async fn tailer(&self, options: TailOptions) -> Result<Tailer> {
        Tailer::open(self.0.source.clone(), options).await
    }
}

#[cfg(feature = "write")]
impl Db {
    /// Claims the writer role and opens the writer. Whoever held the role is fenced, unless `takeover` is off.
    ///
    /// Cost on a live database: 4 or 5 requests in series (CURRENT, its snapshot, slot, CURRENT). The first time on a prefix
    /// without a database of ours also the capability probe: 6 requests in 4 rounds.
    ///
    /// Errors: `InvalidArgument` for an option out of its bounds, and where this handle has a writer that is open already;
    /// `Unsupported` for a store that ignores conditions; `Fenced` without `takeover`; `Corrupt` for a log without CURRENT.
    pub async fn writer(&self, options: WriterOptions) -> Result<Writer> {
        options.validate()?;
        let opening = Opening::begin(&self.0)?;
        let view = self.load_view().await?;
        let publisher = self.claim(Role::Writer, options.claim(), view, opening.proved).await?;
        let ReadSource { requests, layout, .. } = self.0.source.clone();
        let signer = options.signer.clone().or_else(|| self.0.signer.clone());
        let writer = Writer::new(requests, layout, publisher, WriterOptions { signer, ..options });
        opening.done(&writer);
        Ok(writer)
    }

    /// Claims a role from `view`; first proves the store where it may be new to us.
    async fn claim(
        &self,
        role: Role,
        options: ClaimOptions,
        view: ManifestView,
        proved: bool,
    ) -> Result<Publisher> {
        let ReadSource { manifest, requests, .. } = self.0.source.clone();
        let host = requests.host.clone();
        let ours = view.current.next_sequence.is_some();
        let view = if ours || proved {
            Publisher::prepare_claim(manifest.as_ref(), host.as_ref(), view).await?
        } else {
            let prove = manifest.prove();
            let prepare = Publisher::prepare_claim(manifest.as_ref(), host.as_ref(), view);
            let ((), view) = futures::future::try_join(prove, prepare).await?;
            view
        };
        let options = ClaimOptions { lsn: self.0.lsn.clone(), ..options };
        Publisher::claim(manifest, host, role, &options, view).await
    }
}

#[cfg(feature = "maintain")]
impl Db {
    /// Claims the maintenance role and opens its owner. Whoever held the role is fenced, unless `takeover` is off.
    ///
    /// Cost on a live database: 4 or 5 requests in series (CURRENT, its snapshot, slot, CURRENT, CURRENT again for the store's
    /// clock). The first time on a database that only the original wrote also the capability probe.
    ///
    /// Errors: `InvalidArgument` for an option out of its bounds, and where this handle has an open owner already; `NoDatabase`;
    /// `Unsupported` for a store that ignores conditions; `Fenced` without `takeover`.
    pub async fn maintenance(&self, options: MaintenanceOptions) -> Result<Maintenance> {
        options.validate()?;
        let lease = Arc::new(());
        {
            let mut open = self.0.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
            if open.upgrade().is_some() {
                return Err(crate::Error::invalid(
                    "this database handle has an open maintenance owner: close it first",
                ));
            }
            *open = Arc::downgrade(&lease);
        }
        let view = self.load_view().await?;
        if !view.exists() {
            return Err(crate::Error::NoDatabase { prefix: self.layout().prefix().to_owned() });
        }
        let proved = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).proved;
        let publisher = self.claim(Role::Maintenance, options.claim(), view, proved).await?;
        Maintenance::new(self.clone(), publisher, options, lease).await
    }
}

/// The right to open the writer; given back when it is dropped.
#[cfg(feature = "write")]
struct Opening<'a> {
    shared: &'a Shared,
    proved: bool,
}

#[cfg(feature = "write")]
impl<'a> Opening<'a> {
    fn begin(shared: &'a Shared) -> Result<Opening<'a>> {
        let mut slot = shared.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let open = slot.open.as_ref().is_some_and(WeakWriter::is_open);
        if open || slot.opening {
            return Err(crate::Error::invalid(
                "this database handle has an open writer: close it, or clone it",
            ));
        }
        slot.opening = true;
        Ok(Opening { shared, proved: slot.proved })
    }

    fn done(self, writer: &Writer) {
        let mut slot = self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner);
        slot.open = Some(writer.downgrade());
        slot.proved = true;
    }
}

#[cfg(feature = "write")]
impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner).opening = false;
    }
}
