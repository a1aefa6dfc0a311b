//! One sorted source of a merge.

use std::sync::Arc;

use bytes::Bytes;

use super::feed::{Feed, InputTable, Stepped, Stretch};
use crate::error::Result;
use crate::format::sst::BlockIter;
use crate::maybe::BoxFuture;
use crate::read::fetch::Source;
use crate::read::merge::{At, Sorted};

/// The entries of some tables (disjoint, ascending), from a key on. It holds two stretches at most: the one that is read, and
/// the next one on its way.
pub(super) struct Input {
    source: Source,
    tables: Arc<[InputTable]>,
    /// Stored bytes of one stretch.
    stretch_bytes: u64,
    /// The way that is left; away while a step has it.
    feed: Option<Feed>,
    step: Option<BoxFuture<'static, Result<Stepped>>>,
    stretch: Option<Stretch>,
    /// The current block; kept from block to block for its buffers.
    entries: Option<BlockIter>,
    /// The table that the current block belongs to.
    reading: usize,
    /// The key to begin at, until it is reached.
    seek: Option<Bytes>,
    /// It stands on an entry.
    standing: bool,
    /// Stored bytes of the blocks that were begun.
    consumed: u64,
}

impl Input {
    /// A source over `tables` (disjoint, ascending, not empty) that holds `read_ahead` stored bytes. It must be loaded before
    /// its first entry.
    pub(super) fn new(source: Source, tables: Vec<InputTable>, read_ahead: u64) -> Input {
        let tables: Arc<[InputTable]> = tables.into();
        Input {
            source,
            feed: Some(Feed::new(tables.clone(), Bytes::new())),
            tables,
            stretch_bytes: (read_ahead / 2).max(1),
            step: None,
            stretch: None,
            entries: None,
            reading: 0,
            seek: None,
            standing: false,
            consumed: 0,
        }
    }

    /// Forgets its place: the next load brings the first entry at or above `key`.
    pub(super) fn seek(&mut self, key: Bytes) {
        self.feed = Some(Feed::new(self.tables.clone(), key.clone()));
        self.step = None;
        self.stretch = None;
        self.entries = None;
        self.standing = false;
        self.seek = Some(key);
    }

    /// Stored bytes that have been read so far; what is read again after a seek counts again.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The current entry.
    pub(super) fn entries(&self) -> Option<&BlockIter> {
        self.entries.as_ref()
    }

    /// The table that the current entry comes from.
    pub(super) fn table(&self) -> &InputTable {
        &self.tables[self.reading.min(self.tables.len() - 1)]
    }

    /// Fetches what the next entry needs, and moves to it. The stretch behind it is asked for at once, so that its round
    /// passes while this one is merged.
    pub(super) async fn load(&mut self) -> Result<At> {
        if self.standing {
            return Ok(At::Entry);
        }
        loop {
            match self.advance()? {
                At::Load => {}
                at => return Ok(at),
            }
            self.begin_step();
            let Some(step) = &mut self.step else { continue };
            let stepped = step.await;
            self.step = None;
            let (feed, stretch) = stepped?;
            if let Some(stretch) = stretch {
                self.feed = Some(feed);
                self.stretch = Some(stretch);
                self.begin_step();
                // Polled once, its request is sent.
                if let Some(step) = &mut self.step
                    && let std::task::Poll::Ready(stepped) = futures::poll!(step)
                {
                    self.step = Some(Box::pin(futures::future::ready(stepped)));
                }
            }
        }
    }

    fn begin_step(&mut self) {
        if self.step.is_none()
            && let Some(feed) = self.feed.take()
        {
            self.step = Some(Box::pin(feed.step(self.source.clone(), self.stretch_bytes)));
        }
    }

    /// Moves within the stretch at hand.
    fn advance_loaded(&mut self) -> Result<At> {
        if let Some(entries) = &mut self.entries
            && entries.next()?
        {
            return Ok(At::Entry);
        }
        while let Some(stretch) = &mut self.stretch {
            let Some((stored, block)) = stretch.next()? else {
                self.stretch = None;
                break;
            };
            self.consumed += stored;
            self.reading = stretch.table;
            let entries = match &mut self.entries {
                Some(entries) => {
                    entries.reset(block);
                    entries
                }
                none => none.insert(block.iter()),
            };
            let found = match &self.seek {
                Some(key) => entries.seek_ge(key)?,
                None => entries.seek_to_first()?,
            };
            if found {
                self.seek = None;
                return Ok(At::Entry);
            }
        }
        let done = self.feed.is_none() && self.step.is_none();
        Ok(if done { At::End } else { At::Load })
    }
}

impl Sorted for Input {
    fn key(&self) -> &[u8] {
        self.entries.as_ref().map(BlockIter::user_key).unwrap_or_default()
    }

    fn sequence(&self) -> u64 {
        self.entries.as_ref().map(BlockIter::sequence).unwrap_or_default()
    }

    fn rank(&self) -> u32 {
        self.table().rank
    }

    fn object(&self) -> &str {
        &self.table().name
    }

    fn advance(&mut self) -> Result<At> {
        let at = self.advance_loaded();
        self.standing = matches!(at, Ok(At::Entry));
        at
    }
}
