//! The store's clock, as far as it can be known: what maintenance calls "now".

use crate::host::{Host, Moment};

/// A lower bound of the store's present time, from the Last-Modified of an object that was just written.
///
/// Ages of things in a bucket are differences of the store's own times, so that a maintenance process with a wrong clock takes
/// nothing too early. The time that passes in this process is added by its clocks; it never runs ahead of the store's by
/// more than those do.
#[derive(Debug, Clone, Copy)]
pub struct StoreClock {
    at_ms: u64,
    since: Moment,
}

impl StoreClock {
    /// From the Last-Modified (Unix milliseconds) of an object written a moment ago, taken when the store's answer has come.
    /// `None` where the store does not say: then this process's clock has to do.
    pub fn new(last_modified_ms: Option<u64>, host: &dyn Host) -> StoreClock {
        let since = Moment::now(host);
        StoreClock { at_ms: last_modified_ms.unwrap_or_else(|| since.unix_ms()), since }
    }

    /// Now, in milliseconds since the Unix epoch.
    pub fn now_ms(&self, host: &dyn Host) -> u64 {
        self.at_ms.saturating_add(self.since.elapsed_ms(host))
    }
}
