//! The options of maintenance: every default, every bound.

use std::sync::Arc;
use std::time::Duration;

use super::filter::CompactionFilter;
use super::gc::{GcOptions, MarkStorage};
use super::plan::merge::MergePolicy;
use super::retain::Retention;
use crate::error::{Result, millis, within};
use crate::format::sst::TableOptions;
use crate::manifest::ClaimOptions;

const MIB: u64 = 1 << 20;
const DAY_MS: u64 = 86_400_000;

/// What a maintenance owner does, and how. Invalid values are refused when it is opened, by name.
#[derive(Clone)]
pub struct MaintenanceOptions {
    /// Merge compaction; `None` leaves tables as they are. Default: on.
    pub merge: Option<MergeOptions>,
    /// Removes tables whose data is old. Default: `None`, nothing is removed.
    pub retention: Option<Retention>,
    /// Garbage collection; `None` deletes nothing. Default: on.
    pub gc: Option<GcOptions>,
    /// Where the marks of garbage collection lie. Default: where [`DbOptions::marks`](crate::DbOptions) says. Every owner
    /// of a database must use the same place.
    pub marks: Option<Arc<dyn MarkStorage>>,
    /// How long [`Maintenance::run`](super::Maintenance::run) waits between two passes. Default 5 s; 10 ms to a day.
    pub check_interval: Duration,
    /// Who holds the maintenance role, as CURRENT shows it. A random part is always appended, so that a restarted process
    /// is a new owner. Default `isledb`; 1 to 128 bytes of printable ASCII.
    pub owner: String,
    /// Take the role from whoever holds it. Default: yes. Off: opening fails with [`Error::Fenced`] where it was ever taken.
    pub takeover: bool,
    /// A process of the original writes this database while maintenance runs. Then at most two entries are published until
    /// the next one of the writer appears, since it gives up when it finds a third; and no snapshots are written. Default: no.
    pub beside_original: bool,
    /// Sets how long readers may use one view; garbage collection waits for them. Default: leave it. 1 s to 7 days.
    pub max_view_age: Option<Duration>,
    /// Sets how long the change feed reaches back. Default: leave it. At most 10 years.
    pub change_retention: Option<Duration>,
    /// How long one upload or publication repeats failed requests before the pass fails (a later one begins anew). Default
    /// 60 s; 1 ms to 10 min, well below the ages that the commit protocol relies on.
    pub deadline: Duration,
    /// Requests that the merges of one pass may make, estimated from sizes before each begins. Default: no bound; at least 1.
    /// What does not fit is not begun: `OverBudget` where it is the first, else [`Report::over_budget`](super::Report).
    pub max_requests: Option<u64>,
    /// Bytes that one merge may hold, estimated the same way. Default: no bound; at least 1.
    pub max_memory_bytes: Option<u64>,
}

impl Default for MaintenanceOptions {
    fn default() -> MaintenanceOptions {
        MaintenanceOptions {
            merge: Some(MergeOptions::default()),
            retention: None,
            gc: Some(GcOptions::default()),
            marks: None,
            check_interval: Duration::from_secs(5),
            owner: "isledb".to_owned(),
            takeover: true,
            beside_original: false,
            max_view_age: None,
            change_retention: None,
            deadline: Duration::from_secs(60),
            max_requests: None,
            max_memory_bytes: None,
        }
    }
}

/// How tables are merged.
///
/// Memory of a merge: `read_ahead` for each open input (at most `policy.max_inputs`, disjoint tables one after the other in
/// one of them), three times `part_size` or one table of `policy.table_size`, whichever is less, and the filters of one
/// table (up to 24 bytes an entry, at most 1,048,576 entries).
#[derive(Clone)]
pub struct MergeOptions {
    /// When to merge what.
    pub policy: MergePolicy,
    /// How tables are built. Default: as the writer's.
    pub table: TableOptions,
    /// Appends the bloom container that the original's readers use (2 % of a table). Default: yes. It follows the bits per
    /// key of `table`.
    pub bloom_container: bool,
    /// Stored bytes that one input holds ahead, half of them in flight. Default 2 MiB; 64 KiB to 64 MiB.
    pub read_ahead: u64,
    /// A table up to this size is one put; a larger one goes up in parts of this size, at most two in flight. Default 8 MiB;
    /// 5 MiB (the least that S3 takes) to 1 GiB.
    pub part_size: u64,
    /// Bytes a second that are read and written together at most. Default: no limit. 64 KiB to 1 TiB.
    pub bytes_per_second: Option<u64>,
    /// Judges what is rewritten. Default: none.
    pub filter: Option<Arc<dyn CompactionFilter>>,
}

impl Default for MergeOptions {
    fn default() -> MergeOptions {
        MergeOptions {
            policy: MergePolicy::default(),
            table: TableOptions::default(),
            bloom_container: true,
            read_ahead: 2 * MIB,
            part_size: 8 * MIB,
            bytes_per_second: None,
            filter: None,
        }
    }
}

impl MaintenanceOptions {
    /// Errors: `InvalidArgument` with the first option out of its bounds.
    pub fn validate(&self) -> Result<()> {
        if let Some(merge) = &self.merge {
            merge.validate()?;
        }
        if let Some(retention) = &self.retention {
            retention.validate()?;
        }
        if let Some(gc) = &self.gc {
            gc.validate()?;
        }
        within("check_interval (ms)", millis(self.check_interval), 10..=DAY_MS)?;
        within("deadline (ms)", millis(self.deadline), 1..=600_000)?;
        within("max_requests", self.max_requests.unwrap_or(1), 1..=u64::MAX)?;
        within("max_memory_bytes", self.max_memory_bytes.unwrap_or(1), 1..=u64::MAX)?;
        self.claim().validate()
    }

    /// How the role is claimed.
    pub fn claim(&self) -> ClaimOptions {
        ClaimOptions {
            owner: self.owner.clone(),
            takeover: self.takeover,
            beside_original: self.beside_original,
            max_view_age_ms: self.max_view_age.map(millis),
            change_retention_ms: self.change_retention.map(millis),
            deadline_ms: millis(self.deadline),
            lsn: None,
        }
    }
}

impl MergeOptions {
    /// Errors: `InvalidArgument` with the first option out of its bounds.
    pub fn validate(&self) -> Result<()> {
        self.policy.validate()?;
        within("read_ahead", self.read_ahead, 64 << 10..=64 * MIB)?;
        self.table.validate()?;
        within("part_size", self.part_size, 5 * MIB..=1024 * MIB)?;
        if let Some(rate) = self.bytes_per_second {
            within("bytes_per_second", rate, 64 << 10..=1 << 40)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn defaults_are_valid() {
        let defaults = MaintenanceOptions::default();
        defaults.validate().unwrap();
        assert_eq!(defaults.check_interval, Duration::from_secs(5));
        assert_eq!(defaults.deadline, Duration::from_secs(60));
        assert!(defaults.takeover && !defaults.beside_original);
        assert!(defaults.retention.is_none() && defaults.gc.is_some() && defaults.marks.is_none());
        let merge = defaults.merge.unwrap();
        assert_eq!((merge.read_ahead, merge.part_size), (2 << 20, 8 << 20));
        assert!(merge.bytes_per_second.is_none() && merge.bloom_container);
        let policy = merge.policy;
        assert_eq!((policy.l0_tables, policy.min_runs, policy.max_runs, policy.size_ratio), (8, 4, 8, 4));
        assert_eq!((policy.run_limit, policy.max_inputs, policy.table_size), (32, 32, 64 << 20));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_by_name() {
        type Change = fn(&mut MaintenanceOptions);
        fn merge(options: &mut MaintenanceOptions) -> &mut MergeOptions {
            options.merge.as_mut().unwrap()
        }
        let cases: [(&str, Change); 19] = [
            ("max_requests", |o| o.max_requests = Some(0)),
            ("max_memory_bytes", |o| o.max_memory_bytes = Some(0)),
            ("retention count", |o| o.retention = Some(Retention { count: 0, ..Retention::default() })),
            ("gc max_deletes", |o| o.gc.as_mut().unwrap().max_deletes = 0),
            ("check_interval", |o| o.check_interval = Duration::from_millis(9)),
            ("deadline", |o| o.deadline = Duration::ZERO),
            ("max_view_age", |o| o.max_view_age = Some(Duration::from_millis(999))),
            ("change_retention", |o| o.change_retention = Some(Duration::MAX)),
            ("owner", |o| o.owner = "two words".into()),
            ("read_ahead", |o| merge(o).read_ahead = 1),
            ("part_size", |o| merge(o).part_size = (5 << 20) - 1),
            ("bytes_per_second", |o| merge(o).bytes_per_second = Some(1)),
            ("l0_tables", |o| merge(o).policy.l0_tables = 0),
            ("min_runs", |o| merge(o).policy.min_runs = 1),
            ("max_runs", |o| merge(o).policy.max_runs = 3),
            ("size_ratio", |o| merge(o).policy.size_ratio = 0),
            ("run_limit", |o| merge(o).policy.run_limit = 7),
            ("max_inputs", |o| merge(o).policy.max_inputs = 7),
            ("table_size", |o| merge(o).policy.table_size = 1),
        ];
        for (name, change) in cases {
            let mut options = MaintenanceOptions::default();
            change(&mut options);
            let error = options.validate().unwrap_err();
            assert!(
                matches!(&error, Error::InvalidArgument { what } if what.contains(name)),
                "{name}: {error}"
            );
        }
    }
}
