//! What every exported resource opens: the database under a prefix, with a meter at its door.

use std::sync::Arc;

use isledb_core::host::{Meter, Metered, RetryPolicy};
use isledb_core::read::ReaderOptions;
use isledb_core::{Db, DbOptions};

use super::types::{Failure, OpenOptions, Stats};
use crate::{WitHost, WitStore};

/// Default bound of the cache: a component has some 128 MiB for everything.
const CACHE_BYTES: u64 = 32 << 20;

pub(super) struct Opened {
    pub(super) db: Db,
    pub(super) meter: Meter,
}

impl Opened {
    pub(super) fn new(prefix: &str, options: &OpenOptions) -> Result<Opened, Failure> {
        let store = Metered::new(Arc::new(WitStore));
        let meter = store.meter();
        let mut retry = RetryPolicy::default();
        retry.attempt_timeout_ms = options.attempt_timeout_ms.unwrap_or(retry.attempt_timeout_ms);
        retry.deadline_ms = options.retry_deadline_ms.unwrap_or(retry.deadline_ms);
        let cache_bytes = options.cache_bytes.unwrap_or(CACHE_BYTES);
        let options = DbOptions { retry, cache_bytes, ..DbOptions::default() };
        Ok(Opened { db: Db::open(Arc::new(store), Arc::new(WitHost::new()), prefix, options)?, meter })
    }

    pub(super) fn stats(&self) -> Stats {
        let (cost, cache) = (self.meter.cost(), self.db.cache().stats());
        Stats {
            get: cost.get,
            head: cost.head,
            put: cost.put,
            list: cost.list,
            delete: cost.delete,
            bytes_read: cost.bytes_read,
            bytes_written: cost.bytes_written,
            round_trips: cost.round_trips,
            cache_hits: cache.hits,
            cache_misses: cache.misses,
            cache_bytes: cache.bytes,
        }
    }
}

pub(super) fn reader_options(options: &OpenOptions) -> ReaderOptions {
    let default = ReaderOptions::default();
    ReaderOptions {
        refresh_after_ms: options.refresh_after_ms,
        read_ahead_bytes: options.read_ahead_bytes.unwrap_or(default.read_ahead_bytes),
    }
}
