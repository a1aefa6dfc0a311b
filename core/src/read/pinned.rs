//! One consistent state of the database, as all readers of it share it.

use std::sync::Arc;

use super::tables::Tables;
use crate::error::{Error, Result};
use crate::format::layout::Layout;
use crate::host::Host;
use crate::manifest::ManifestView;
use crate::mutation::{Mutation, mutated};

/// A state, its tables made ready, and since when it is known. Replaced whole, never changed.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) manifest: ManifestView,
    pub(crate) tables: Arc<Tables>,
}

impl Pinned {
    pub(crate) fn new(manifest: ManifestView, layout: &Layout) -> Pinned {
        Pinned { tables: Arc::new(Tables::new(manifest.state(), layout)), manifest }
    }

    /// The same tables, known to be current since later.
    pub(crate) fn renewed(&self, manifest: ManifestView) -> Pinned {
        Pinned { manifest, tables: self.tables.clone() }
    }

    /// True where it is to be preferred to `other`: read later, or of a longer history.
    pub(crate) fn is_newer_than(&self, other: &Pinned) -> bool {
        let (next, other_next) = (self.manifest.current.next_seq, other.manifest.current.next_seq);
        self.manifest.read_at.order(&other.manifest.read_at).then(next.cmp(&other_next)).is_ge()
    }

    /// True where it is older than the database allows: objects that it names may be gone.
    pub(crate) fn is_overaged(&self, host: &dyn Host) -> bool {
        self.manifest.age_ms(host) > self.manifest.max_age_ms() && !mutated(Mutation::ViewNeverExpires)
    }

    /// `ViewExpired` where it is older than the database allows.
    pub(crate) fn check_age(&self, host: &dyn Host) -> Result<()> {
        if self.is_overaged(host) { Err(self.expired(host)) } else { Ok(()) }
    }

    /// The error of a view that can no longer be read.
    pub(crate) fn expired(&self, host: &dyn Host) -> Error {
        Error::ViewExpired { age_ms: self.manifest.age_ms(host), limit_ms: self.manifest.max_age_ms() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::manifest::Current;
    use crate::host::Moment;
    use crate::manifest::Replay;
    use crate::maybe::BoxFuture;

    /// Its wall clock and its monotonic clock, in seconds.
    struct Clocks(u64, u64);

    impl Host for Clocks {
        fn now_unix_ns(&self) -> u64 {
            self.0 * 1_000_000_000
        }
        fn monotonic_ns(&self) -> u64 {
            self.1 * 1_000_000_000
        }
        fn fill_random(&self, buf: &mut [u8]) {
            buf.fill(0);
        }
        fn sleep(&self, _: std::time::Duration) -> BoxFuture<'static, ()> {
            Box::pin(futures::future::pending())
        }
    }

    fn read(next_seq: u64, at: &Clocks) -> Pinned {
        let current = Current { log_seq_start: next_seq, next_seq, ..Current::default() };
        let replay = Arc::new(Replay::full(&current, None, &[]).unwrap());
        let read_at = Moment::now(at);
        let manifest = ManifestView { current: Arc::new(current), version: None, replay, read_at };
        Pinned::new(manifest, &Layout::new("db").unwrap())
    }

    /// A refresh whose answer a sleep had delayed, after the wall clock was set back, was thrown away: by its age the view
    /// from before was younger, and what was committed before the refresh stayed unseen.
    #[test]
    fn a_view_that_was_read_later_is_newer_whatever_the_wall_clock_says() {
        let before = read(1, &Clocks(1_000, 10));
        let after = read(4, &Clocks(900, 11));
        let now = Clocks(950, 11);
        assert!(before.manifest.age_ms(&now) < after.manifest.age_ms(&now), "the ages say the opposite");
        assert!(after.is_newer_than(&before) && !before.is_newer_than(&after));
    }

    #[test]
    fn of_two_that_were_read_at_once_the_longer_history_is_newer() {
        let clocks = Clocks(1_000, 10);
        let (short, long) = (read(2, &clocks), read(3, &clocks));
        assert!(long.is_newer_than(&short) && !short.is_newer_than(&long));
        assert!(short.is_newer_than(&read(2, &clocks)), "the same again is adopted");
    }
}
