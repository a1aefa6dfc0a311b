//! What the engine tells whoever watches it: one event for each thing that happened.

use std::time::Duration;

use super::retry::Requests;
use crate::error::Error;
use crate::maybe::{MaybeSend, MaybeSync};

/// Watches a database: metrics, progress bars, logs.
///
/// It is called in the middle of the work, from any thread that drives it: so it must be quick, must not block, and must not
/// call back into the database. Events of one handle may come at the same time.
pub trait Observer: MaybeSend + MaybeSync + 'static {
    /// Something happened. Variants that it does not know are for others.
    fn observe(&self, event: &Event<'_>);
}

/// Something that happened. `bytes` are bytes, `elapsed` is the time on the host's monotonic clock from the call to its end,
/// and a call that was dropped half way tells nothing.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Writes were accepted into memory: the operations of one call, and the bytes of their keys and values.
    Write {
        /// Keys set.
        puts: u64,
        /// Keys deleted.
        deletes: u64,
        /// Of keys and values.
        bytes: u64,
    },
    /// A call that writes was refused; nothing of it was accepted.
    WriteRefused {
        /// Why.
        error: &'a Error,
    },
    /// A write found `max_pending_memtables` and began to wait for a commit. Once a call.
    Backpressure {
        /// Bytes in memtables that are not committed.
        pending_bytes: u64,
    },
    /// A value became an object of its own, or was found to be there.
    BlobPut {
        /// Its bytes.
        result: Result<u64, &'a Error>,
        /// With all attempts.
        elapsed: Duration,
    },
    /// A memtable was committed, or an attempt to commit one failed (the next one goes on where it was).
    Flush {
        /// What the table holds.
        result: Result<Flushed, &'a Error>,
        /// Since the attempt began. Uploads of younger memtables overlap with it.
        elapsed: Duration,
    },
    /// CURRENT was read again.
    Refresh {
        /// Whether it changed.
        result: Result<bool, &'a Error>,
        /// With the replay of what is new.
        elapsed: Duration,
        /// How old the view was by then, in milliseconds.
        age_ms: u64,
    },
    /// One key was looked up.
    Get {
        /// Whether it has a live value.
        result: Result<bool, &'a Error>,
        /// With the blob, where the value is one.
        elapsed: Duration,
        /// How old the view was that answered, in milliseconds; 0 where it failed.
        view_age_ms: u64,
    },
    /// A scan was dropped, at its end or before.
    ScanEnd {
        /// Entries that it showed.
        entries: u64,
        /// The scan had a limit.
        limited: bool,
        /// Why it could not go on, where it could not.
        error: Option<&'a Error>,
        /// Since it was made: the time that its caller took is in it.
        elapsed: Duration,
    },
    /// A value that lies in an object of its own was fetched and verified.
    BlobFetch {
        /// Its bytes.
        result: Result<u64, &'a Error>,
        /// With all attempts.
        elapsed: Duration,
    },
    /// Parts of a table were looked up in the cache.
    CacheLookup {
        /// What was looked up.
        part: CachePart,
        /// It was there.
        hit: bool,
    },
    /// Parts of a table were fetched, neighbours together.
    RangeRead {
        /// The table.
        object: &'a str,
        /// Requests, all at once.
        requests: u64,
        /// Bytes of their answers.
        result: Result<u64, &'a Error>,
        /// Until the last answer.
        elapsed: Duration,
    },
    /// A table, or a part of one, is not what a trusted key signed, and is read all the same because the policy only warns.
    Untrusted {
        /// Which table, and why.
        error: &'a Error,
    },
    /// A tailer handed out changes, or has caught up with all that it knows to be committed.
    Delivered {
        /// How many; 0 where it has caught up.
        changes: u64,
        /// Age of the last of them, in milliseconds: from the time that the log gives (its author's clock) to now; during a
        /// bootstrap the age of the view. 0 where it has caught up.
        lag_ms: u64,
        /// Log slots that are known to be committed and not delivered as a whole.
        lag_slots: u64,
    },
    /// A merge of tables began.
    MergeBegun {
        /// `level0`, `runs` or `full`.
        kind: &'static str,
        /// Tables that it reads.
        tables: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// A merge went on by half a megabyte or so.
    MergeProgress {
        /// Bytes read so far.
        bytes: u64,
        /// Bytes to read in all.
        of: u64,
    },
    /// A merge was committed, or it failed: then nothing was removed.
    MergeEnd {
        /// `level0`, `runs` or `full`.
        kind: &'static str,
        /// Bytes of the tables that it wrote.
        result: Result<u64, &'a Error>,
        /// Since it began.
        elapsed: Duration,
    },
    /// Retention removed tables from the state. Their deletion comes later.
    Retired {
        /// How many.
        tables: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// A run of garbage collection ended.
    Collected {
        /// What it deleted.
        result: Result<Collected, &'a Error>,
        /// Since it began.
        elapsed: Duration,
    },
}

/// What a run of garbage collection deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Tables.
    pub tables: u64,
    /// Blobs.
    pub blobs: u64,
    /// Log entries, snapshots and what probes left behind.
    pub documents: u64,
    /// Bytes of tables and blobs, as far as they were known.
    pub bytes: u64,
    /// Tables that are out of use and wait for views and for the change feed.
    pub waiting: u64,
}

/// What a flush committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Bytes of the table, without the bloom container behind it.
    pub bytes: u64,
    /// Entries of the table, deletes among them.
    pub entries: u64,
}

/// A kind of part that the cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CachePart {
    /// The parsed tail of a table: without it the table has to be opened.
    Tail,
    /// A part of the index or the filter.
    Index,
    /// A data block.
    Block,
}

/// When something began that an observer will hear of. Nothing, and no clock was read, where nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Begun(Option<u64>);

impl Requests {
    /// Tells the observer. Without one this is a look at an `Option`: `event` is not called.
    pub fn observe<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if let Some(observer) = &self.observer {
            observer.observe(&event());
        }
    }

    /// Begins something of which [`Requests::ended`] will tell how long it took.
    pub fn begin(&self) -> Begun {
        Begun(self.observer.as_ref().map(|_| self.host.monotonic_ns()))
    }

    /// Tells the observer of the end of what began at `begun`.
    pub fn ended<'a>(&self, begun: Begun, event: impl FnOnce(Duration) -> Event<'a>) {
        if let (Some(observer), Some(begun_ns)) = (&self.observer, begun.0) {
            let elapsed_ns = self.host.monotonic_ns().saturating_sub(begun_ns);
            observer.observe(&event(Duration::from_nanos(elapsed_ns)));
        }
    }
}
