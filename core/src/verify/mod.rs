//! Checks a whole database: is everything that it refers to there, and is it what it should be?
//!
//! [`manifest`](self) reads CURRENT, the log and the snapshot, and says which objects they name; `inventory` holds that
//! against a listing and tells what nothing names; `table` reads a table whole, through a `sequential` window; `blobs` does
//! the same for values outside of tables. It reads and lists, and writes nothing.

mod blobs;
mod finding;
mod inventory;
mod manifest;
mod progress;
mod report;
mod sequential;
mod table;

pub use finding::{Finding, FindingKind, Summary};
pub use progress::Progress;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use futures::stream::{self, StreamExt};

use self::blobs::BlobIds;
use self::manifest::{Named, NamedTable};
use self::report::Report;
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::maybe::MaybeSend;
use crate::read::fetch::{Loader, Source};
use crate::read::{BlockCache, ReadSource};
use crate::signature::Trust;

/// Bound of the cache for the tails and indexes of the tables that are being read, in bytes.
const CACHE_BYTES: u64 = 8 << 20;

/// What is checked, and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Read every table and every blob whole. Default: no; then their existence and size are checked, and of tables with
    /// blobs the list of those.
    pub deep: bool,
    /// Tables, blobs or log entries that are read at once, 1 to 64. Default 8. Each takes up to 4 MiB of memory, or its
    /// largest block where that is larger.
    pub concurrency: usize,
}

impl Default for VerifyOptions {
    fn default() -> VerifyOptions {
        VerifyOptions { deep: false, concurrency: 8 }
    }
}

impl VerifyOptions {
    /// The most that may be read at once.
    pub const MAX_CONCURRENCY: usize = 64;

    /// `InvalidArgument` for what is out of bounds, by name.
    pub fn validate(&self) -> Result<()> {
        if !(1..=VerifyOptions::MAX_CONCURRENCY).contains(&self.concurrency) {
            let most = VerifyOptions::MAX_CONCURRENCY;
            return Err(Error::invalid(format!("concurrency {}: 1 to {most}", self.concurrency)));
        }
        Ok(())
    }
}

/// A check of a database that is about to run.
///
/// It may run beside writers, readers and maintenance: what it finds missing it reports only if the database still names it.
/// Memory: the manifest, 40 bytes for each blob that is referred to, and what [`VerifyOptions::concurrency`] says.
pub struct Verification {
    source: ReadSource,
    options: VerifyOptions,
    progress: Arc<Progress>,
}

impl Verification {
    /// A check of the database behind `source`. No request yet.
    ///
    /// Errors: `InvalidArgument` for an option out of its bounds.
    pub fn new(source: ReadSource, options: VerifyOptions) -> Result<Verification> {
        options.validate()?;
        Ok(Verification { source, options, progress: Arc::default() })
    }

    /// How far it is; may be read from elsewhere while it runs.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Runs the check, and tells everything that it finds, problems and orphans, as it finds them.
    ///
    /// Cost: CURRENT, the snapshot, a GET for each log entry that is kept, a listing of the prefix (a request for each 1,000
    /// objects), two GETs for each table that names blobs. `deep`: all bytes of all tables and blobs, in ranges of 4 MiB.
    ///
    /// Errors: `NoDatabase`; what kept it from checking (`Permission`, `Unavailable`); `Corrupt` or `Unsupported` where the
    /// manifest itself cannot be read, after it was told as a finding: then nothing is known of what it would name.
    pub async fn run(&self, mut tell: impl FnMut(Finding) + MaybeSend) -> Result<Summary> {
        let report = Report::default();
        let mut check = pin!(self.check(&report));
        poll_fn(|cx| {
            let outcome = check.as_mut().poll(cx);
            report.take().into_iter().for_each(&mut tell);
            outcome
        })
        .await
    }

    async fn check(&self, report: &Report) -> Result<Summary> {
        let named = manifest::read(&self.source, self.options.concurrency, report).await?;
        let (mut listed, tables) = inventory::tables(&self.source, &named, report).await?;
        inventory::manifest(&self.source, &named, &mut listed, report).await?;
        let (ids, complete) = self.tables(&tables, self.options.deep, report).await?;
        let (ids, missing) = blobs::check(self, ids, complete, &named, &mut listed, report).await?;
        self.missing_blobs(missing, &named, &tables, report).await?;
        Ok(Summary {
            tables: named.tables.values().filter(|table| table.live).count() as u64,
            feed_tables: named.tables.values().filter(|table| !table.live).count() as u64,
            log_entries: named.slots.end - named.slots.start,
            snapshots: u64::from(named.snapshot.is_some()),
            blobs: ids.len(),
            objects: listed.objects,
            bytes: listed.bytes,
            blob_orphans_known: complete,
            ..report.summary()
        })
    }

    /// Looks into tables that are there. Returns the blobs that they name, and whether those are all.
    async fn tables(&self, tables: &[NamedTable], deep: bool, report: &Report) -> Result<(BlobIds, bool)> {
        let ReadSource { requests, layout, trust, .. } = &self.source;
        let cache = Arc::new(BlockCache::new(CACHE_BYTES));
        // A table is opened without trust: what is wrong with it is to be told, not refused.
        let loader = Loader::new(Source { requests: requests.clone(), cache, trust: Trust::default() });
        let mut looks = Vec::new();
        for table in tables.iter().filter(|table| table.sized && (deep || table.meta.has_blob_refs)) {
            if deep {
                self.progress.add_total(table.meta.size);
            }
            looks.push((loader.clone(), table.reference(layout), trust.clone(), self.progress.clone()));
        }
        let looks = looks.into_iter().map(|(loader, table, trust, progress)| async move {
            let looked = match deep {
                true => table::read_whole(&loader, &table, &trust, &progress).await,
                false => table::blobs_named(&loader, &table, &trust, &progress).await,
            };
            (table.name.as_str().to_owned(), looked)
        });
        let mut complete = tables.iter().all(|table| table.sized || !table.meta.has_blob_refs);
        let mut ids = BlobIds::default();
        let mut looks = stream::iter(looks).buffer_unordered(self.options.concurrency);
        while let Some((object, looked)) = looks.next().await {
            match looked {
                Ok(content) => {
                    complete &= content.complete;
                    ids.add(content.blobs);
                    content.findings.into_iter().for_each(|finding| report.tell(finding));
                }
                Err(error) => {
                    let finding = Finding::of(error)?;
                    complete = false;
                    if finding.kind != FindingKind::Missing
                        || manifest::still_names(&self.source, &object).await?
                    {
                        report.tell(finding);
                    }
                }
            }
        }
        Ok((ids, complete))
    }

    /// Tells of blobs that are not there, if tables that the database names now refer to them.
    async fn missing_blobs(
        &self,
        mut missing: Vec<BlobId>,
        named: &Named,
        tables: &[NamedTable],
        report: &Report,
    ) -> Result<()> {
        if missing.is_empty() {
            return Ok(());
        }
        let now = manifest::read(&self.source, self.options.concurrency, &Report::default()).await?;
        if now.version != named.version {
            let layout = &self.source.layout;
            let stays = |table: &&NamedTable| now.tables.contains_key(&layout.sst(&table.meta.id));
            let stayed: Vec<NamedTable> = tables.iter().filter(stays).cloned().collect();
            let (ids, _) = self.tables(&stayed, false, &Report::default()).await?;
            missing.retain(|id| ids.contains(id));
        }
        for id in missing {
            let message = "a table refers to this blob, and it is not there";
            report.tell(Finding::new(&self.source.layout.blob(&id), FindingKind::Missing, message));
        }
        Ok(())
    }
}
