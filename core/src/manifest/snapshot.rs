//! Snapshots: they keep the window short, so that all of it stays inline in CURRENT.

use super::publish::Publisher;
use crate::error::{Error, Result};
use crate::mutation::{Mutation, mutated};

/// A snapshot is due where the window's entries pass this many bytes ...
const WINDOW_MAX_BYTES: usize = 24 * 1024;
/// ... or this many.
const WINDOW_MAX_ENTRIES: u64 = 32;
/// What an entry counts that is too long to be inline.
const LEFT_OUT_ENTRY_BYTES: usize = 4 * 1024;

impl Publisher {
    /// True if the window has grown enough for a snapshot.
    pub fn snapshot_due(&self) -> bool {
        let current = &self.view.current;
        let entries = current.next_seq.saturating_sub(current.log_seq_start);
        let inline: usize = current.inline_log.iter().map(|entry| entry.bytes.len()).sum();
        let left_out = entries.saturating_sub(current.inline_log.len() as u64) as usize;
        entries > WINDOW_MAX_ENTRIES
            || inline + left_out.saturating_mul(LEFT_OUT_ENTRY_BYTES) > WINDOW_MAX_BYTES
    }

    /// Writes a snapshot of the base's state and makes CURRENT begin at it: two requests in series. Returns whether CURRENT
    /// took it; where it did not, the base is read anew and the next publication tries again.
    ///
    /// The snapshot is never deleted here: the CAS may still land. GC takes it when nothing can name it any more.
    pub async fn write_snapshot(&mut self) -> Result<bool> {
        let current = self.view.current.clone();
        if self.is_pending() || !self.owns(&current) || self.view.replay.covered_next() != current.next_seq {
            return Ok(false);
        }
        let id = self.new_id().0.to_string();
        let storage = self.storage.clone();
        storage.write_snapshot(&id, self.view.state().to_snapshot().encode()).await?;
        if mutated(Mutation::SnapshotOfStaleState) {
            self.refresh().await?;
        }
        let mut next = (*self.view.current).clone();
        next.snapshot = storage.layout().snapshot(&id);
        next.log_seq_start = next.next_seq;
        next.inline_log.clear();
        let older = mutated(Mutation::SnapshotIsUnconditional).then(|| next.clone());
        match self.cas(next, &[]).await {
            Ok(()) => Ok(true),
            Err(Error::Corrupt { object, offset, expected, found }) => {
                Err(Error::Corrupt { object, offset, expected, found })
            }
            Err(_) => {
                self.refresh().await?;
                if let Some(older) = older {
                    return self.cas(older, &[]).await.map(|()| true);
                }
                Ok(false)
            }
        }
    }
}
