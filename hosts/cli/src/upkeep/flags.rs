//! Flags that several maintenance commands have.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use isledb::maintain::retain::{Retention, RetentionMode};
use isledb::maintain::{MaintenanceOptions, MergeOptions};

use crate::args::Global;
use crate::exit::Outcome;
use crate::plugins;

/// The longest deadline of one upload or publication.
const DEADLINE_MAX: Duration = Duration::from_secs(600);

/// Flags of the commands that take the maintenance role.
#[derive(Debug, Clone, Args)]
pub(crate) struct MaintenanceRole {
    /// Refuse where another owner holds the maintenance role, instead of taking it over
    #[arg(long, env = "ISLEDB_NO_TAKEOVER", hide_env = true, help_heading = "Role")]
    pub(crate) no_takeover: bool,
    /// Claim and write nothing; say what would be done, and why
    #[arg(long, help_heading = "Role")]
    pub(crate) dry_run: bool,
    /// Trust that the store keeps the conditions of writes, without a probe before the first one
    #[arg(long, env = "ISLEDB_NO_PROBE", hide_env = true, help_heading = "Role")]
    pub(crate) no_probe: bool,
    /// A process of the original IsleDB writes this database meanwhile: publish at its pace, and no snapshots
    #[arg(long, help_heading = "Role")]
    pub(crate) beside_original: bool,
}

impl MaintenanceRole {
    /// An owner that does nothing yet.
    pub(crate) fn options(&self, global: &Global) -> MaintenanceOptions {
        MaintenanceOptions {
            merge: None,
            retention: None,
            gc: None,
            owner: "isledb-cli".into(),
            takeover: !self.no_takeover,
            beside_original: self.beside_original,
            deadline: global.timeout.min(DEADLINE_MAX),
            ..MaintenanceOptions::default()
        }
    }
}

/// How tables are merged.
#[derive(Debug, Clone, Args)]
pub(crate) struct MergeFlags {
    /// So many tables of level 0 are merged into a run
    #[arg(long, value_name = "N", default_value_t = MergeOptions::default().policy.l0_tables, help_heading = "Merge")]
    l0_tables: u32,
    /// The most bytes a second that merges read and write together: 50MiB; no limit by default
    #[arg(long, value_name = "SIZE", value_parser = crate::size::parse, help_heading = "Merge")]
    throttle: Option<u64>,
    /// A compaction filter, which keeps, drops or rewrites what is merged (a build with the feature `plugins`)
    #[arg(long, value_name = "FILE.wasm", help_heading = "Merge")]
    plugin: Option<PathBuf>,
}

impl MergeFlags {
    /// Errors: what is wrong with the plugin, by its name.
    pub(crate) fn options(&self) -> Outcome<MergeOptions> {
        let filter = self.plugin.as_deref().map(plugins::compaction_filter).transpose()?;
        let mut options = MergeOptions { bytes_per_second: self.throttle, filter, ..MergeOptions::default() };
        options.policy.l0_tables = self.l0_tables;
        Ok(options)
    }
}

/// How retention chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The oldest tables first
    Fifo,
    /// All tables of a segment of time at once
    Window,
}

/// Which tables go because their data is old.
#[derive(Debug, Clone, Args)]
pub(crate) struct RetentionFlags {
    /// How long data stays
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = crate::duration::parse, help_heading = "Retention")]
    period: Duration,
    /// So many tables stay whatever their age; by window a tenth of it in segments, and at least one
    #[arg(long, value_name = "N", default_value_t = Retention::default().count, help_heading = "Retention")]
    count: u32,
    /// Length of a segment, with window
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = crate::duration::parse, help_heading = "Retention")]
    segment: Duration,
    /// Remove even where all tables are old, so that nothing is left
    #[arg(long, help_heading = "Retention")]
    yes: bool,
}

impl RetentionFlags {
    pub(crate) fn options(&self, mode: Mode) -> Retention {
        let mode = match mode {
            Mode::Fifo => RetentionMode::Fifo,
            Mode::Window => RetentionMode::TimeWindow { segment: self.segment },
        };
        Retention { mode, period: self.period, count: self.count, allow_everything: self.yes }
    }
}
