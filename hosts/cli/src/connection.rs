//! A database as a URL names it: its store, metered, and the engine on top.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use isledb::format::layout::Layout;
use isledb::format::manifest::Current;
use isledb::host::{Cost, Host, Meter, Metered, ObjectStore, Observer, Requests, RetryPolicy, Span};
use isledb::maintain::{DryRun, Maintenance, MaintenanceOptions};
use isledb::manifest::{CurrentRead, ManifestView};
use isledb::read::{Reader, ReaderOptions};
use isledb::tail::{TailOptions, Tailer};
use isledb::ticket::{TicketDraft, TicketRange};
use isledb::verify::{Verification, VerifyOptions};
use isledb::write::{Writer, WriterOptions};
use isledb::{
    Db, DbOptions, DiskCache, DiskCacheCounters, DiskCacheOptions, Error, Presigner, Provider, SignerToken,
};

use crate::args::{Global, Role};
use crate::as_of::FixedManifest;
use crate::exit::{Failure, Outcome};
use crate::signer::Access;
use crate::{exporter, signing};

/// The longest that a command waits at its end for its disk cache.
const SETTLE: Duration = Duration::from_secs(1);

/// What was asked of a store so far.
#[derive(Clone)]
pub(crate) struct Metering {
    provider: Provider,
    meter: Meter,
    cache: Option<DiskCache>,
}

impl Metering {
    pub(crate) fn cost(&self) -> Cost {
        self.meter.cost()
    }

    /// Begins a measurement of its own.
    pub(crate) fn span(&self) -> Span {
        self.meter.span()
    }

    pub(crate) fn provider(&self) -> Provider {
        self.provider
    }

    /// What the disk cache did, where there is one.
    pub(crate) fn cache(&self) -> Option<DiskCacheCounters> {
        self.cache.as_ref().map(DiskCache::counters)
    }

    /// Gives the disk cache a moment to keep what was read, so that the next command finds it.
    pub(crate) async fn settle(&self) {
        if let Some(cache) = &self.cache {
            let _ = tokio::time::timeout(SETTLE, cache.settled()).await;
        }
    }
}

/// A store, and the database in it.
pub(crate) struct Connection {
    url: String,
    metering: Metering,
    options: DbOptions,
    presigner: Option<Presigner>,
    db: Db,
}

impl Connection {
    /// No request is sent yet.
    pub(crate) fn open(url: &str, global: &Global) -> Outcome<Connection> {
        let place = isledb::open_store(url, &store_options(global)?)?;
        let metered = Metered::new(Arc::new(isledb::Observed::new(place.store)));
        let cache = disk_cache(global).map(|options| DiskCache::open(&options)).transpose()?;
        let metering = Metering { provider: place.provider, meter: metered.meter(), cache };
        // Above the meter: what the cache answers is no request.
        let store: Arc<dyn ObjectStore> = match (&metering.cache, &place.address) {
            (Some(cache), Some(address)) => Arc::new(cache.over(Arc::new(metered), address)),
            _ => Arc::new(metered),
        };
        let host: Arc<dyn Host> = Arc::new(isledb::TokioHost::new());
        let observer = global.metrics_addr.map(|_| Arc::new(isledb::Metrics) as Arc<dyn Observer>);
        let options = DbOptions { retry: retry(global.timeout), observer, ..DbOptions::default() };
        let options = signing::with_keys(options, global)?;
        let db = Db::open(store, host, &place.prefix, options.clone())?;
        if global.metrics_addr.is_some() {
            exporter::sample(&db, metering.meter.clone());
        }
        Ok(Connection { url: url.to_owned(), metering, options, presigner: place.presigner, db })
    }

    /// The database `name` below this one's prefix, in the same store, with caches of its own.
    pub(crate) fn below(&self, name: &str) -> Outcome<Connection> {
        let prefix = match self.layout().prefix() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        };
        self.with_prefix(&prefix, format!("{}/{name}", self.url.trim_end_matches('/')))
    }

    /// The same database with nothing in its caches.
    pub(crate) fn cold(&self) -> Outcome<Connection> {
        self.with_prefix(self.layout().prefix(), self.url.clone())
    }

    fn with_prefix(&self, prefix: &str, url: String) -> Outcome<Connection> {
        let Requests { store, host, .. } = self.requests().clone();
        let db = Db::open(store, host, prefix, self.options.clone())?;
        let (metering, options, presigner) =
            (self.metering.clone(), self.options.clone(), self.presigner.clone());
        Ok(Connection { url, metering, options, presigner, db })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn metering(&self) -> Metering {
        self.metering.clone()
    }

    pub(crate) fn layout(&self) -> &Layout {
        self.db.layout()
    }

    pub(crate) fn requests(&self) -> &Requests {
        self.db.requests()
    }

    /// A whole object. Without CURRENT there is no database.
    pub(crate) async fn object(&self, name: &str) -> Outcome<Bytes> {
        match self.requests().get(name).await {
            Ok(fetched) => Ok(fetched.body),
            Err(error) if name == self.layout().current() => Err(self.missing(error).into()),
            Err(error) => Err(error.into()),
        }
    }

    /// CURRENT, if there is one. One GET.
    pub(crate) async fn current(&self) -> Outcome<Option<Current>> {
        match self.db.manifest().read_current(None).await {
            Ok(read) => Ok(Some(Current::decode(&self.layout().current(), &read.bytes)?)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// CURRENT as it was read, and the state that it stands for. One GET, and another round where there is a snapshot.
    pub(crate) async fn manifest_view(&self) -> Outcome<(CurrentRead, ManifestView)> {
        let manifest = self.db.manifest();
        let read = manifest.read_current(None).await.map_err(|error| self.missing(error))?;
        let fixed = FixedManifest::new(manifest.clone(), read.clone());
        match ManifestView::load(&fixed, &*self.requests().host).await {
            Ok(view) => Ok((read, view)),
            // What CURRENT names may go while it is read: once more, from the beginning.
            Err(Error::Corrupt { .. }) => {
                let read = manifest.read_current(None).await.map_err(|error| self.missing(error))?;
                let fixed = FixedManifest::new(manifest.clone(), read.clone());
                Ok((read, ManifestView::load(&fixed, &*self.requests().host).await?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A reader of what is committed now.
    pub(crate) async fn reader(&self) -> Outcome<Reader> {
        let reader = self.db.reader(ReaderOptions::default()).await?;
        if !reader.exists() {
            return Err(self.no_database().into());
        }
        Ok(reader)
    }

    /// A reader of what was committed at a log slot.
    pub(crate) async fn reader_at(&self, slot: u64) -> Outcome<Reader> {
        let manifest = self.db.manifest().clone();
        let fixed = match FixedManifest::as_of(manifest, self.requests(), slot).await {
            Ok(fixed) => fixed,
            Err(failure) if failure.is_missing(&self.layout().current()) => {
                return Err(self.no_database().into());
            }
            Err(failure) => return Err(failure),
        };
        let options = DbOptions { manifest: Some(Arc::new(fixed)), ..self.options.clone() };
        let Requests { store, host, .. } = self.requests().clone();
        let db = Db::open(store, host, self.layout().prefix(), options)?;
        Ok(db.reader(ReaderOptions::default()).await?)
    }

    /// Takes the writer role.
    pub(crate) async fn writer(&self, role: &Role, options: WriterOptions) -> Outcome<Writer> {
        let Requests { store, host, .. } = self.requests().clone();
        let db_options = DbOptions { probe: !role.no_probe, ..self.options.clone() };
        let db = Db::open(store, host, self.layout().prefix(), db_options)?;
        Ok(db.writer(WriterOptions { takeover: !role.no_takeover, ..options }).await?)
    }

    /// Takes the maintenance role. `watch` wraps the observer of this connection, if there is one.
    pub(crate) async fn maintenance(
        &self,
        probe: bool,
        options: MaintenanceOptions,
        watch: impl FnOnce(Option<Arc<dyn Observer>>) -> Arc<dyn Observer>,
    ) -> Outcome<Maintenance> {
        let Requests { store, host, .. } = self.requests().clone();
        let observer = watch(self.options.observer.clone());
        let db_options = DbOptions { probe, observer: Some(observer), ..self.options.clone() };
        let db = Db::open(store, host, self.layout().prefix(), db_options)?;
        db.maintenance(options).await.map_err(|error| self.named(error).into())
    }

    /// What a pass of maintenance would do.
    pub(crate) async fn maintenance_dry_run(&self, options: &MaintenanceOptions) -> Outcome<DryRun> {
        let would = Maintenance::dry_run(&self.db, options).await;
        would.map_err(|error| self.named(error).into())
    }

    /// What signs URLs of the store's objects, where there is a service that would honour them.
    pub(crate) fn presigner(&self) -> Option<&Presigner> {
        self.presigner.as_ref()
    }

    /// What a view ticket of the present version has to carry.
    pub(crate) async fn ticket_draft(&self, range: &TicketRange) -> Result<TicketDraft, Error> {
        self.db.ticket_draft(range).await.map_err(|error| self.named(error))
    }

    /// A check of the whole database.
    pub(crate) fn verification(&self, options: VerifyOptions) -> Outcome<Verification> {
        Ok(self.db.verification(options)?)
    }

    /// The change feed.
    pub(crate) async fn tailer(&self, options: TailOptions) -> Outcome<Tailer> {
        if self.current().await?.is_none() {
            return Err(self.no_database().into());
        }
        Ok(self.db.tailer(options).await?)
    }

    /// The error, with the address that the user gave in it.
    pub(crate) fn named(&self, error: Error) -> Error {
        match error {
            Error::NoDatabase { .. } => self.no_database(),
            other => other,
        }
    }

    fn no_database(&self) -> Error {
        Error::NoDatabase { prefix: self.url.clone() }
    }

    fn missing(&self, error: Error) -> Error {
        match error {
            Error::NotFound { .. } => self.no_database(),
            other => other,
        }
    }
}

fn retry(timeout: Duration) -> RetryPolicy {
    let deadline_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let default = RetryPolicy::default();
    RetryPolicy { deadline_ms, attempt_timeout_ms: default.attempt_timeout_ms.min(deadline_ms), ..default }
}

fn store_options(global: &Global) -> Outcome<isledb::StoreOptions> {
    let signer_token = global.signer_token.as_deref().map(signer_token).transpose()?;
    Ok(isledb::StoreOptions {
        endpoint: global.endpoint.clone(),
        region: global.region.clone(),
        path_style: if global.virtual_hosted { Some(false) } else { global.path_style.then_some(true) },
        allow_http: global.allow_http,
        signer_token,
        disk_cache: None,
    })
}

/// The first token of a file such as `isledb serve --token` takes.
fn signer_token(path: &Path) -> Outcome<SignerToken> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(&shown, &error))?;
    let first = Access::tokens_of(&text).into_iter().next();
    Ok(first.ok_or_else(|| Failure::usage(format!("{shown} holds no token")))?.into())
}

fn disk_cache(global: &Global) -> Option<DiskCacheOptions> {
    let directory = global.cache_dir.clone()?;
    Some(DiskCacheOptions { max_bytes: global.cache_bytes, ..DiskCacheOptions::new(directory) })
}
