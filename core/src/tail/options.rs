//! How to follow the feed: every default, every bound.

use std::ops::Bound;

use bytes::Bytes;

use super::cursor::Cursor;
use crate::error::{Error, Result, within};
use crate::read::range::KeyRange;

const HOUR_MS: u64 = 3_600_000;
const MAX_BUFFER_BYTES: u64 = 1 << 30;

/// Where a tailer begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailStart {
    /// At the oldest change that is kept.
    Begin,
    /// Behind all that is committed now.
    Now,
    /// Behind the change that this cursor came with.
    Cursor(Cursor),
    /// With the present state, key by key, and then the changes since.
    Bootstrap,
}

/// How to follow. Invalid values are refused when the tailer is opened, by name.
///
/// Only changes of keys within `prefix`, `start_key` and `end_key` come. The feed as a whole is not read for that: a table that
/// has no such key is not opened, and of the others only the blocks that may have one are fetched. A cursor holds whatever the
/// keys are, but for one of a bootstrap: that must go on with the same keys, since the state of others was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailOptions {
    /// Where to begin. Default: now.
    pub start: TailStart,
    /// Only keys that begin so; within the bounds too. Default: all.
    pub prefix: Option<Bytes>,
    /// Only keys from here on. Default: all.
    pub start_key: Bound<Bytes>,
    /// Only keys up to here. Default: all.
    pub end_key: Bound<Bytes>,
    /// How long [`super::Tailer::next`] waits between two looks at CURRENT while changes come, in milliseconds (give or take a
    /// quarter, so that tailers do not look all at once). Default 500; 1 to an hour.
    pub poll_ms: u64,
    /// How long it waits in the end when none come; each look that finds nothing makes the wait half as long again. Default
    /// 5,000; `poll_ms` to an hour.
    pub idle_poll_ms: u64,
    /// How many bytes of entries of one table are in memory. A larger table is read several times. One entry is always
    /// held. Default 64 MiB; 1 to 1 GiB.
    pub max_buffer_bytes: u64,
}

impl Default for TailOptions {
    fn default() -> TailOptions {
        TailOptions {
            start: TailStart::Now,
            prefix: None,
            start_key: Bound::Unbounded,
            end_key: Bound::Unbounded,
            poll_ms: 500,
            idle_poll_ms: 5_000,
            max_buffer_bytes: 64 << 20,
        }
    }
}

impl TailOptions {
    /// Errors: `InvalidArgument` with the first option out of its bounds.
    pub fn validate(&self) -> Result<()> {
        within("poll_ms", self.poll_ms, 1..=HOUR_MS)?;
        within("idle_poll_ms", self.idle_poll_ms, self.poll_ms..=HOUR_MS)?;
        within("max_buffer_bytes", self.max_buffer_bytes, 1..=MAX_BUFFER_BYTES)?;
        if self.range().is_empty() {
            return Err(Error::invalid("prefix, start_key and end_key leave no key that could be followed"));
        }
        Ok(())
    }

    /// The keys whose changes come.
    pub(super) fn range(&self) -> KeyRange {
        KeyRange::new(&self.start_key, &self.end_key, self.prefix.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &'static str) -> Bytes {
        Bytes::from_static(key.as_bytes())
    }

    #[test]
    fn defaults_are_valid() {
        let defaults = TailOptions::default();
        defaults.validate().unwrap();
        assert_eq!(defaults.start, TailStart::Now);
        assert_eq!((defaults.poll_ms, defaults.idle_poll_ms), (500, 5_000));
        assert_eq!(defaults.max_buffer_bytes, 64 << 20);
        assert_eq!(defaults.range(), KeyRange { start: Bytes::new(), end: None });
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_by_name() {
        type Change = fn(&mut TailOptions);
        let cases: [(&str, Change); 8] = [
            ("poll_ms", |o| o.poll_ms = 0),
            ("poll_ms", |o| (o.poll_ms, o.idle_poll_ms) = (HOUR_MS + 1, HOUR_MS + 1)),
            ("idle_poll_ms", |o| o.idle_poll_ms = 499),
            ("idle_poll_ms", |o| o.idle_poll_ms = HOUR_MS + 1),
            ("max_buffer_bytes", |o| o.max_buffer_bytes = 0),
            ("max_buffer_bytes", |o| o.max_buffer_bytes = MAX_BUFFER_BYTES + 1),
            ("start_key", |o| {
                (o.start_key, o.end_key) = (Bound::Included(key("b")), Bound::Excluded(key("b")))
            }),
            ("prefix", |o| (o.prefix, o.end_key) = (Some(key("b")), Bound::Included(key("a")))),
        ];
        for (name, change) in cases {
            let mut options = TailOptions::default();
            change(&mut options);
            let error = options.validate().unwrap_err();
            assert!(
                matches!(&error, Error::InvalidArgument { what } if what.contains(name)),
                "{name}: {error}"
            );
        }
    }

    #[test]
    fn every_bound_itself_is_allowed() {
        for (poll_ms, idle_poll_ms, max_buffer_bytes) in [(1, 1, 1), (HOUR_MS, HOUR_MS, MAX_BUFFER_BYTES)] {
            TailOptions { poll_ms, idle_poll_ms, max_buffer_bytes, ..TailOptions::default() }
                .validate()
                .unwrap();
        }
    }
}
