//! The seed's name for an owner that only merges.

use std::sync::Arc;
use std::time::Duration;

use super::filter::CompactionFilter;
use super::options::{MaintenanceOptions, MergeOptions};
use super::owner::Maintenance;
use super::plan::merge::MergePolicy;
use super::report::Report;
use crate::db::Db;
use crate::error::Result;
use crate::format::sst::TableOptions;

/// The options of a [`Compactor`], under the seed's names. Bounds: those of what each one sets.
#[derive(Clone)]
pub struct CompactorOptions {
    /// [`MergePolicy::l0_tables`]. Default 8.
    pub l0_compaction_threshold: u32,
    /// [`MergePolicy::min_runs`]. Default 4.
    pub min_sources: u32,
    /// [`MergePolicy::max_runs`]. Default 8.
    pub max_sources: u32,
    /// [`MergePolicy::size_ratio`]. Default 4.
    pub size_threshold: u32,
    /// [`MergePolicy::table_size`]. Default 64 MiB.
    pub target_sst_size: u64,
    /// [`MergeOptions::table`]: block size, compression, bits per key.
    pub table: TableOptions,
    /// [`MergeOptions::filter`]. Default: none.
    pub filter: Option<Arc<dyn CompactionFilter>>,
    /// [`MaintenanceOptions::check_interval`]. Default 5 s.
    pub check_interval: Duration,
    /// [`MaintenanceOptions::owner`]. Default `isledb`.
    pub owner_id: String,
}

impl Default for CompactorOptions {
    fn default() -> CompactorOptions {
        let (maintenance, merge) = (MaintenanceOptions::default(), MergeOptions::default());
        CompactorOptions {
            l0_compaction_threshold: merge.policy.l0_tables,
            min_sources: merge.policy.min_runs,
            max_sources: merge.policy.max_runs,
            size_threshold: merge.policy.size_ratio,
            target_sst_size: merge.policy.table_size,
            table: merge.table,
            filter: merge.filter,
            check_interval: maintenance.check_interval,
            owner_id: maintenance.owner,
        }
    }
}

impl CompactorOptions {
    /// The options of the owner behind it.
    pub fn maintenance(self) -> MaintenanceOptions {
        let policy = MergePolicy {
            l0_tables: self.l0_compaction_threshold,
            min_runs: self.min_sources,
            max_runs: self.max_sources,
            size_ratio: self.size_threshold,
            table_size: self.target_sst_size,
            ..MergePolicy::default()
        };
        let merge =
            MergeOptions { policy, table: self.table, filter: self.filter, ..MergeOptions::default() };
        MaintenanceOptions {
            merge: Some(merge),
            check_interval: self.check_interval,
            owner: self.owner_id,
            ..MaintenanceOptions::default()
        }
    }
}

/// A maintenance owner that only merges, under the seed's name.
pub struct Compactor(Maintenance);

impl Compactor {
    /// Claims the role. Cost and errors: [`Db::maintenance`].
    pub async fn open(db: &Db, options: CompactorOptions) -> Result<Compactor> {
        db.maintenance(options.maintenance()).await.map(Compactor)
    }

    /// Merges until nothing waits. Cost and errors: [`Maintenance::run_once`].
    pub async fn run_compaction(&mut self) -> Result<Report> {
        self.0.run_once().await
    }

    /// Merges whenever something waits, until it fails for good or is dropped: [`Maintenance::run`].
    pub async fn run(&mut self) -> Result<()> {
        self.0.run().await
    }

    /// True if another owner took the role.
    pub fn is_fenced(&self) -> bool {
        self.0.is_fenced()
    }

    /// Ends it: [`Maintenance::close`].
    pub async fn close(self) -> Result<()> {
        self.0.close().await
    }
}
