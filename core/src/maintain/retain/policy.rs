//! The options of retention: every default, every bound.

use std::time::Duration;

use super::super::plan::removal::RetentionPlan;
use super::super::plan::{fifo, window};
use crate::error::{Error, Result, millis, within};
use crate::manifest::State;

const DAY_MS: u64 = 86_400_000;

/// Which tables go because their data is old. Nothing goes without it.
///
/// Meant for data whose keys are not written again for ever: a table goes whole, with keys whose newest version is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Tables one by one, or whole segments of time.
    pub mode: RetentionMode,
    /// How long data stays. Default 7 days; 1 s to 100 years.
    pub period: Duration,
    /// So many tables stay whatever their age; by segments a tenth of it, and at least one. Default 10; at most 1,000,000; 0
    /// only with `allow_everything`.
    pub count: u32,
    /// Lets retention remove all tables there are. Default: no; then a pass that would is refused.
    pub allow_everything: bool,
}

/// How retention chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionMode {
    /// The oldest tables first.
    Fifo,
    /// All tables of a segment of time at once.
    TimeWindow {
        /// Length of a segment. Default 1 h; 1 s to 10 years.
        segment: Duration,
    },
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            mode: RetentionMode::Fifo,
            period: Duration::from_millis(7 * DAY_MS),
            count: 10,
            allow_everything: false,
        }
    }
}

impl RetentionMode {
    /// Segments of the default length.
    pub const TIME_WINDOW: RetentionMode = RetentionMode::TimeWindow { segment: Duration::from_secs(3600) };
}

impl Retention {
    /// Errors: `InvalidArgument` with the first option out of its bounds.
    pub fn validate(&self) -> Result<()> {
        within("retention period (ms)", millis(self.period), 1_000..=36_525 * DAY_MS)?;
        within("retention count", self.count.into(), u64::from(!self.allow_everything)..=1_000_000)?;
        if let RetentionMode::TimeWindow { segment } = self.mode {
            within("retention segment (ms)", millis(segment), 1_000..=3_653 * DAY_MS)?;
        }
        Ok(())
    }

    /// What goes from `state` at `now_ms` (the store's time). Pure.
    ///
    /// Errors: `InvalidArgument` where all tables would go and `allow_everything` is off.
    pub fn plan(&self, state: &State, now_ms: u64) -> Result<RetentionPlan> {
        let (period_ms, count) = (millis(self.period), u64::from(self.count));
        let plan = match self.mode {
            RetentionMode::Fifo => fifo::plan(state, period_ms, count, now_ms),
            RetentionMode::TimeWindow { segment } => {
                window::plan(state, period_ms, count / 10, millis(segment), now_ms)
            }
        };
        if plan.everything && !self.allow_everything {
            return Err(Error::invalid(format!(
                "retention would remove all {} tables; allow_everything lets it",
                plan.remove.len()
            )));
        }
        Ok(plan)
    }
}
