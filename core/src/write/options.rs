//! The writer's options: every default, every bound.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Result, millis, within};
use crate::format::sst::TableOptions;
use crate::manifest::ClaimOptions;
use crate::signature::TableSigner;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The longest key, in bytes: what every reader of the format can take.
pub const MAX_KEY_BYTES: u64 = 65_527;
/// The largest value, in bytes.
pub const MAX_VALUE_BYTES: u64 = 256 * MIB;
/// The largest batch, in bytes of keys and values.
pub const MAX_BATCH_BYTES: u64 = 64 * MIB;

/// How a writer works. Invalid values are refused when it is opened, by name.
///
/// Memory: at most `(max_pending_memtables + 1) x (memtable_size + one batch or value)` in memtables, one `memtable_size` kept
/// for the next one, and `upload_concurrency x (part_size x 3)` in tables on their way out.
#[derive(Clone)]
pub struct WriterOptions {
    /// Bytes at which a memtable is handed over to be flushed: keys, values (those of blobs too) and some 27 bytes an
    /// entry. A batch or a large value may overshoot it. Default 16 MiB; 4 KiB to 1 GiB.
    pub memtable_size: u64,
    /// How long a write waits at most before [`Writer::run`](super::Writer::run) flushes it, where the host drives that
    /// future, and how long [`Writer::wait_committed`](super::Writer::wait_committed) gathers others for one commit.
    /// Zero: nothing flushes by time. Default 1 s; at most a day.
    pub flush_interval: Duration,
    /// Full memtables, in flight ones included, at which a put has to wait for a commit. Default 4; 1 to 64.
    pub max_pending_memtables: u32,
    /// Values of at least this many bytes become objects of their own. Default 256 KiB; 1 byte to 8 MiB.
    pub blob_threshold: u64,
    /// Longest key in bytes. Default and most: 65,527; at least 1.
    pub max_key: u64,
    /// Largest value in bytes. Default and most: 256 MiB; 0 allows only empty ones.
    pub max_value: u64,
    /// Largest batch in bytes of keys and values. Default and most: 64 MiB; at least 1.
    pub max_batch: u64,
    /// How tables are built.
    pub table: TableOptions,
    /// Appends the bloom container that the original's readers use (2 % of a table). Default: yes. It follows the bits per
    /// key of `table`.
    pub bloom_container: bool,
    /// Who holds the writer role, as CURRENT shows it. A random part is always appended, so that a restarted process is a
    /// new owner. Default `isledb`; 1 to 128 bytes of printable ASCII.
    pub owner: String,
    /// Take the role from whoever holds it. Default: yes. Off: opening fails with [`Error::Fenced`] where it was ever taken.
    pub takeover: bool,
    /// A process of the original may hold or take the role while this writer runs. Default: no.
    pub beside_original: bool,
    /// Sets how long readers may use one view; garbage collection waits for them. Default: leave it (1 h in a new
    /// database). 1 s to 7 days.
    pub max_view_age: Option<Duration>,
    /// Sets how long the change feed reaches back. Default: leave it (1 h in a new database). At most 10 years.
    pub change_retention: Option<Duration>,
    /// Tables (and blobs of one table) uploaded at the same time. Default 4; 1 to 64.
    pub upload_concurrency: u32,
    /// A table up to this size is one request; a larger one goes up in parts of this size, at most two in flight. Default
    /// 32 MiB, so that a usual memtable is one request; 5 MiB (the least that S3 takes) to 1 GiB.
    pub part_size: u64,
    /// Signs each table that is flushed; see [`crate::signature`]. Default: what the handle of the database signs with.
    pub signer: Option<Arc<dyn TableSigner>>,
    /// Tables in level 0 at which a put waits until a merge has taken some, as it waits at `max_pending_memtables`: so readers never have
    /// more of them to ask. What is buffered already is flushed all the same. Only with maintenance beside it, here or
    /// elsewhere; a put that waits looks for its work with one conditional GET each 200 ms. Default: none; 1 to 100,000.
    pub l0_limit: Option<u32>,
    /// How long a put waits for space before it fails with [`Error::Backpressure`]. Default 30 s; up to a day; zero does
    /// not wait at all.
    pub put_deadline: Duration,
    /// How long one attempt to upload or commit a table repeats failed requests before the call that drives it
    /// fails (nothing is lost then: the next call goes on). Default 60 s; 1 ms to 10 min, well below the ages that the commit protocol relies on.
    pub flush_deadline: Duration,
}

impl Default for WriterOptions {
    fn default() -> WriterOptions {
        WriterOptions {
            memtable_size: 16 * MIB,
            flush_interval: Duration::from_secs(1),
            max_pending_memtables: 4,
            blob_threshold: 256 * KIB,
            max_key: MAX_KEY_BYTES,
            max_value: MAX_VALUE_BYTES,
            max_batch: MAX_BATCH_BYTES,
            table: TableOptions::default(),
            bloom_container: true,
            owner: "isledb".to_owned(),
            takeover: true,
            beside_original: false,
            max_view_age: None,
            change_retention: None,
            upload_concurrency: 4,
            part_size: 32 * MIB,
            signer: None,
            l0_limit: None,
            put_deadline: Duration::from_secs(30),
            flush_deadline: Duration::from_secs(60),
        }
    }
}

impl WriterOptions {
    /// Errors: `InvalidArgument` with the first option out of its bounds.
    pub fn validate(&self) -> Result<()> {
        const DAY: u64 = 86_400_000;
        self.table.validate()?;
        within("memtable_size", self.memtable_size, 4 * KIB..=1024 * MIB)?;
        within("flush_interval (ms)", millis(self.flush_interval), 0..=DAY)?;
        within("max_pending_memtables", self.max_pending_memtables.into(), 1..=64)?;
        within("blob_threshold", self.blob_threshold, 1..=8 * MIB)?;
        within("max_key", self.max_key, 1..=MAX_KEY_BYTES)?;
        within("max_value", self.max_value, 0..=MAX_VALUE_BYTES)?;
        within("max_batch", self.max_batch, 1..=MAX_BATCH_BYTES)?;
        within("upload_concurrency", self.upload_concurrency.into(), 1..=64)?;
        within("part_size", self.part_size, 5 * MIB..=1024 * MIB)?;
        if let Some(limit) = self.l0_limit {
            within("l0_limit", limit.into(), 1..=100_000)?;
        }
        within("put_deadline (ms)", millis(self.put_deadline), 0..=DAY)?;
        within("flush_deadline (ms)", millis(self.flush_deadline), 1..=600_000)?;
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
            deadline_ms: millis(self.flush_deadline),
            lsn: None,
        }
    }

    pub(super) fn check_key(&self, key: &[u8]) -> Result<()> {
        within("key length in bytes", key.len() as u64, 1..=self.max_key)
    }

    pub(super) fn check_value(&self, value: &[u8]) -> Result<()> {
        within("value length in bytes", value.len() as u64, 0..=self.max_value)
    }

    pub(super) fn check_batch(&self, bytes: u64) -> Result<()> {
        within("batch size in bytes", bytes, 0..=self.max_batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn defaults_are_valid() {
        let defaults = WriterOptions::default();
        defaults.validate().unwrap();
        assert_eq!(defaults.memtable_size, 16 << 20);
        assert_eq!(defaults.blob_threshold, 256 << 10);
        assert_eq!(defaults.flush_interval, Duration::from_secs(1));
        assert_eq!(defaults.max_pending_memtables, 4);
        assert_eq!(defaults.l0_limit, None);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_by_name() {
        type Change = fn(&mut WriterOptions);
        let cases: [(&str, Change); 15] = [
            ("memtable_size", |o| o.memtable_size = 4095),
            ("flush_interval", |o| o.flush_interval = Duration::MAX),
            ("max_pending_memtables", |o| o.max_pending_memtables = 0),
            ("blob_threshold", |o| o.blob_threshold = 0),
            ("max_key", |o| o.max_key = MAX_KEY_BYTES + 1),
            ("max_value", |o| o.max_value = MAX_VALUE_BYTES + 1),
            ("max_batch", |o| o.max_batch = 0),
            ("upload_concurrency", |o| o.upload_concurrency = 65),
            ("part_size", |o| o.part_size = (5 << 20) - 1),
            ("l0_limit", |o| o.l0_limit = Some(0)),
            ("put_deadline", |o| o.put_deadline = Duration::from_secs(86_401)),
            ("flush_deadline", |o| o.flush_deadline = Duration::ZERO),
            ("max_view_age", |o| o.max_view_age = Some(Duration::from_millis(999))),
            ("change_retention", |o| o.change_retention = Some(Duration::MAX)),
            ("owner", |o| o.owner = "two words".into()),
        ];
        for (name, change) in cases {
            let mut options = WriterOptions::default();
            change(&mut options);
            let error = options.validate().unwrap_err();
            assert!(
                matches!(&error, Error::InvalidArgument { what } if what.contains(name)),
                "{name}: {error}"
            );
        }
    }
}
