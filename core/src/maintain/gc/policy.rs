//! The options of garbage collection: every default, every bound.

use std::time::Duration;

use crate::error::{Result, millis, within};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;

/// When what nothing needs any more is deleted.
///
/// The waits that keep readers, feeds and commits safe are not options of a process: they follow from the database's own
/// `max_view_age_ms` and `change_retention_ms`, and from the commit protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcOptions {
    /// A pass collects garbage when the last run began so long ago; the first pass of a process always does. Default 1 min; at
    /// most a day; zero: every pass.
    pub interval: Duration,
    /// A table stays at least so long after it was seen out of use, however short views live. Default 10 min; 10 min (what the
    /// original waits) to 30 days.
    pub grace: Duration,
    /// How often all tables and blobs are listed for what nothing refers to: uploads that were never committed, values whose last
    /// table is gone. Default a day; a minute to 30 days. Such an object goes when it is a day old.
    pub scan_interval: Duration,
    /// Most objects of one kind that one run deletes; the rest waits for the next. Default 10,000; 1 to 1,000,000.
    pub max_deletes: u32,
}

impl Default for GcOptions {
    fn default() -> GcOptions {
        GcOptions {
            interval: Duration::from_millis(MINUTE_MS),
            grace: Duration::from_millis(10 * MINUTE_MS),
            scan_interval: Duration::from_millis(DAY_MS),
            max_deletes: 10_000,
        }
    }
}

impl GcOptions {
    /// Errors: `InvalidArgument` with the first option out of its bounds.
    pub fn validate(&self) -> Result<()> {
        within("gc interval (ms)", millis(self.interval), 0..=DAY_MS)?;
        within("gc grace (ms)", millis(self.grace), 10 * MINUTE_MS..=30 * DAY_MS)?;
        within("gc scan_interval (ms)", millis(self.scan_interval), MINUTE_MS..=30 * DAY_MS)?;
        within("gc max_deletes", self.max_deletes.into(), 1..=1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn defaults_are_valid() {
        let defaults = GcOptions::default();
        defaults.validate().unwrap();
        assert_eq!((defaults.interval, defaults.grace), (Duration::from_secs(60), Duration::from_secs(600)));
        assert_eq!((defaults.scan_interval, defaults.max_deletes), (Duration::from_secs(86_400), 10_000));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_by_name() {
        type Change = fn(&mut GcOptions);
        let cases: [(&str, Change); 4] = [
            ("interval", |o| o.interval = Duration::MAX),
            ("grace", |o| o.grace = Duration::from_secs(599)),
            ("scan_interval", |o| o.scan_interval = Duration::ZERO),
            ("max_deletes", |o| o.max_deletes = 0),
        ];
        for (name, change) in cases {
            let mut options = GcOptions::default();
            change(&mut options);
            let error = options.validate().unwrap_err();
            assert!(
                matches!(&error, Error::InvalidArgument { what } if what.contains(name)),
                "{name}: {error}"
            );
        }
    }
}
