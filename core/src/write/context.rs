//! What every part of the write path needs: requests, time, names, options.

use std::sync::{Arc, Mutex, PoisonError};

use super::blob::Doomed;
use super::options::WriterOptions;
use crate::error::millis;
use crate::format::layout::Layout;
use crate::host::{Host, Requests};

/// The surroundings of one writer.
pub(super) struct Context {
    /// Repeat what may be repeated, within `flush_deadline`.
    pub(super) requests: Requests,
    pub(super) host: Arc<dyn Host>,
    pub(super) layout: Layout,
    pub(super) options: WriterOptions,
    pub(super) doomed: Doomed,
    names: Mutex<Names>,
}

struct Names {
    next_epoch: u64,
    last_ns: u64,
}

/// The name of a new table, and when its building began.
pub(super) struct TableName {
    pub(super) id: String,
    pub(super) epoch: u64,
    pub(super) unix_ns: u64,
}

impl Context {
    pub(super) fn new(
        requests: Requests,
        layout: Layout,
        options: WriterOptions,
        next_epoch: u64,
    ) -> Context {
        let requests = requests.within(millis(options.flush_deadline));
        let host = requests.host.clone();
        let names = Mutex::new(Names { next_epoch, last_ns: 0 });
        Context { requests, host, layout, options, doomed: Doomed::default(), names }
    }

    /// Zero: off.
    pub(super) fn flush_interval_ms(&self) -> u64 {
        millis(self.options.flush_interval)
    }

    pub(super) fn flush_deadline_ms(&self) -> u64 {
        millis(self.options.flush_deadline)
    }

    /// A name that no table ever had: `<epoch>-<first>-<last>-<unix_nanos>.sst`.
    ///
    /// Two owners may count the same epoch and sequence numbers, and clocks of browsers and edge workers tick in whole
    /// milliseconds; so the digits below a millisecond are random, and within a writer the number only grows.
    pub(super) fn name_table(&self, first_sequence: u64, last_sequence: u64) -> TableName {
        let now_ns = self.host.now_unix_ns();
        let mut random = [0; 8];
        self.host.fill_random(&mut random);
        let salted_ns = now_ns - now_ns % 1_000_000 + u64::from_ne_bytes(random) % 1_000_000;
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.last_ns = salted_ns.max(names.last_ns + 1);
        let epoch = names.next_epoch;
        // A label: where the manifest has run out of them, several tables share the last.
        names.next_epoch = names.next_epoch.saturating_add(1);
        let id = format!("{epoch}-{first_sequence}-{last_sequence}-{}.sst", names.last_ns);
        TableName { id, epoch, unix_ns: now_ns }
    }
}
