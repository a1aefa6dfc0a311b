//! What maintenance does to CURRENT besides its entries: it covers what was decided, and raises the feed's floor.

use super::publish::Publisher;
use crate::error::{Error, Result};

impl Publisher {
    /// Covers what was decided and not covered (for its authors, as every publisher does on its way) and leaves the newest
    /// CURRENT as the base, in which the role was verified. Only a state after that says what nothing refers to: an entry
    /// that is decided will be visible, whoever covers it.
    ///
    /// Cost: one conditional GET, and one GET that finds nothing, where nobody interferes; two requests more an entry.
    ///
    /// Errors: `Fenced`; `InvalidArgument` while an entry of this publisher is not settled.
    pub async fn settle_behind(&mut self) -> Result<()> {
        if self.is_pending() {
            return Err(Error::invalid("an earlier entry is not settled: resume it first"));
        }
        self.refresh().await?;
        loop {
            if !self.owns(&self.view.current) {
                return Err(self.fenced());
            }
            let slot = self.view.current.next_slot();
            let Some(decided) = self.read_decided(slot).await? else { return Ok(()) };
            let lsns = self.cover_effects(&decided.entry)?;
            match self.cas_cover(&decided.entry, &decided.raw, &lsns).await {
                Ok(()) => {}
                // Somebody was faster, or nobody knows.
                Err(Error::Precondition { .. }) => self.refresh().await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Raises the feed's floor to `floor`: what lies below may be deleted afterwards. One request. False: it was not done, and
    /// may be tried again later.
    ///
    /// Errors: `Fenced`; `InvalidArgument` while an entry is not settled, and for a floor beyond the log.
    pub async fn raise_feed_floor(&mut self, floor: u64) -> Result<bool> {
        let current = self.view.current.clone();
        if self.is_pending() || floor > current.next_slot() {
            return Err(Error::invalid(format!(
                "the feed's floor cannot rise to {floor}: the log ends at {}, or an entry is not settled",
                current.next_slot()
            )));
        }
        if !self.owns(&current) {
            return Err(self.fenced());
        }
        if current.feed_floor_seq.is_none_or(|present| present >= floor) {
            return Ok(false);
        }
        let mut next = (*current).clone();
        next.feed_floor_seq = Some(floor);
        match self.cas(next, &[]).await {
            Ok(()) => Ok(true),
            Err(error @ Error::Corrupt { .. }) => Err(error),
            Err(_) => {
                self.refresh().await?;
                Ok(false)
            }
        }
    }
}
