//! Settling a slot below the window: what can still be told of it?
//!
//! That an effect is absent from the state proves nothing: the table may have been compacted away since.

use super::publish::{Phase, Publisher, Step, unknown};
use crate::error::{Error, Result};
use crate::format::manifest::Op;
use crate::mutation::{Mutation, mutated};

impl Publisher {
    /// The base was just read and the slot lies below its window.
    pub(super) async fn settle(&mut self) -> Result<Step> {
        let Some(slot) = self.pending()?.slot else { return Ok(Step::Go(Phase::Base)) };
        if self.pending()?.claim.is_some() {
            return self.settle_claim();
        }
        let draft = self.pending()?.draft.clone();
        if draft.shows_in(self.view.state()) && matches!(draft.op, Op::AddSstable(_) | Op::Compaction(_)) {
            return self.settled_as_ours();
        }
        // Read the entry, then the floor: what lies at or above a floor read *later* had not been deleted.
        let read = match self.storage.read_log(slot).await {
            Ok(raw) => Some(raw),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        self.refresh().await?;
        let current = self.view.current.clone();
        if current.feed_floor_seq.is_some_and(|floor| floor <= slot) {
            let object = self.storage.layout().log(slot);
            let Some(raw) = read else {
                return Err(Error::corrupt(
                    &object,
                    None,
                    "a log entry above the feed floor",
                    "no such object",
                ));
            };
            let entry = crate::format::manifest::LogEntry::decode(&object, slot, &raw)?;
            return if entry.id == self.pending()?.id { self.committed(entry) } else { self.start_over() };
        }
        if !self.owns(&current) {
            return Ok(Step::Failed(unknown(
                &draft,
                "its log entry is gone and the role too".to_owned(),
                false,
            )));
        }
        let committed = match &draft.op {
            Op::AddSstable(meta) if !mutated(Mutation::SettleByTableAlone) => {
                current.next_sequence.is_some_and(|next| next > meta.seq_hi)
            }
            _ => draft.shows_in(self.view.state()),
        };
        if committed { self.settled_as_ours() } else { self.start_over() }
    }

    /// Committed, though its log entry need not exist any more: what was put is what counts.
    fn settled_as_ours(&mut self) -> Result<Step> {
        match self.pending()?.encoded.clone() {
            Some((entry, _)) => self.committed(entry),
            None => self.start_over(),
        }
    }
}
