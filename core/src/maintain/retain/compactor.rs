//! The seed's name for an owner that only removes what is old.

use std::sync::Arc;
use std::time::Duration;

use super::policy::{Retention, RetentionMode};
use crate::db::Db;
use crate::error::Result;
use crate::maintain::gc::MarkStorage;
use crate::maintain::plan::removal::data_time_ms;
use crate::maintain::{Maintenance, MaintenanceOptions, Report};

/// The options of a [`RetentionCompactor`], under the seed's names. Bounds: those of what each one sets.
#[derive(Clone)]
pub struct RetentionCompactorOptions {
    /// [`Retention::mode`]. Default: by age.
    pub mode: RetentionMode,
    /// [`Retention::period`]. Default 7 days.
    pub retention_period: Duration,
    /// [`Retention::count`]. Default 10.
    pub retention_count: u32,
    /// [`MaintenanceOptions::check_interval`]. Default 1 min.
    pub check_interval: Duration,
    /// [`MaintenanceOptions::owner`]. Default `isledb`.
    pub owner_id: String,
    /// [`MaintenanceOptions::marks`]. Default: the database's.
    pub gc_mark_storage: Option<Arc<dyn MarkStorage>>,
}

impl Default for RetentionCompactorOptions {
    fn default() -> RetentionCompactorOptions {
        let retention = Retention::default();
        RetentionCompactorOptions {
            mode: retention.mode,
            retention_period: retention.period,
            retention_count: retention.count,
            check_interval: Duration::from_secs(60),
            owner_id: MaintenanceOptions::default().owner,
            gc_mark_storage: None,
        }
    }
}

impl RetentionCompactorOptions {
    /// The options of the owner behind it.
    pub fn maintenance(self) -> MaintenanceOptions {
        let retention = Retention {
            mode: self.mode,
            period: self.retention_period,
            count: self.retention_count,
            allow_everything: false,
        };
        MaintenanceOptions {
            merge: None,
            retention: Some(retention),
            marks: self.gc_mark_storage,
            check_interval: self.check_interval,
            owner: self.owner_id,
            ..MaintenanceOptions::default()
        }
    }
}

/// A maintenance owner that removes what is old and collects garbage, under the seed's name.
pub struct RetentionCompactor {
    owner: Maintenance,
    retention: Retention,
}

/// What a [`RetentionCompactor`] works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionStats {
    /// What it goes by.
    pub retention: Retention,
    /// Tables of level 0.
    pub l0_tables: u64,
    /// Sorted runs.
    pub runs: u64,
    /// Bytes of all tables.
    pub bytes: u64,
    /// Time of the oldest table's newest data, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
}

impl RetentionCompactor {
    /// Claims the role. Cost and errors: [`Db::maintenance`].
    pub async fn open(db: &Db, options: RetentionCompactorOptions) -> Result<RetentionCompactor> {
        let options = options.maintenance();
        let retention = options.retention.clone().unwrap_or_default();
        Ok(RetentionCompactor { owner: db.maintenance(options).await?, retention })
    }

    /// Removes what is old, then collects garbage. Cost and errors: [`Maintenance::run_once`].
    pub async fn run_cleanup(&mut self) -> Result<Report> {
        self.owner.run_once().await
    }

    /// Does so every `check_interval`, until it fails for good or is dropped: [`Maintenance::run`].
    pub async fn run(&mut self) -> Result<()> {
        self.owner.run().await
    }

    /// What it works on, as of its last look. No request.
    pub fn stats(&self) -> RetentionStats {
        let state = self.owner.view().state();
        RetentionStats {
            retention: self.retention.clone(),
            l0_tables: state.l0.len() as u64,
            runs: state.runs.len() as u64,
            bytes: state.tables().map(|table| table.size).sum(),
            oldest_ms: state.tables().map(|table| data_time_ms(table)).min(),
        }
    }

    /// True if another owner took the role.
    pub fn is_fenced(&self) -> bool {
        self.owner.is_fenced()
    }

    /// Ends it: [`Maintenance::close`].
    pub async fn close(self) -> Result<()> {
        self.owner.close().await
    }
}
