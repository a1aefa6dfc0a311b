//! One sorted source of a scan: the entries of tables that are read one behind the other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::fetch::Loader;
use super::merge::{At, Sorted};
use super::range::KeyRange;
use super::tables::TableRef;
use super::walk::{Loaded, Walk};
use crate::error::Result;
use crate::format::sst::{Block, BlockIter};
use crate::maybe::BoxFuture;

/// What a source fetches first, in stored bytes, and at least one block. Two blocks of the default size: a short scan
/// that begins in the middle of a block still ends within one round.
const FIRST_READ_AHEAD: u64 = 8 * 1024;

/// What a source fetches at once when it has been read for a while.
pub(crate) const MAX_READ_AHEAD: u64 = 1024 * 1024;

/// From this read-ahead on the next blocks are asked for as soon as the last ones have come, so that the time of the
/// round passes while the reader is busy with these.
const OVERLAP_FROM: u64 = 128 * 1024;

/// The entries of some tables in order, from a key on. Fetches little at first, then doubles.
pub(crate) struct Cursor {
    /// The way behind what is loaded.
    walk: Walk,
    /// The step that is under way from there. Never locked: a future alone would keep the cursor from being shared
    /// between threads.
    step: Mutex<Option<BoxFuture<'static, Result<Loaded>>>>,
    /// Blocks that are loaded and follow the current one.
    ahead: VecDeque<Block>,
    /// The current block; kept from block to block for its buffers, and without a position where none is current.
    entries: Option<BlockIter>,
    /// The table that the current block belongs to.
    reading: usize,
    /// The key to begin at, until it is reached.
    seek: Option<Bytes>,
    /// What the next step may bring, in stored bytes.
    read_ahead: u64,
    max_read_ahead: u64,
    /// It stands on an entry.
    standing: bool,
}

impl Cursor {
    /// A source over `tables` (disjoint, ascending, not empty) within `range`. It must be loaded before its first entry.
    /// It holds up to twice `max_read_ahead` stored bytes, and at least two blocks.
    pub(crate) fn new(tables: Vec<Arc<TableRef>>, range: &KeyRange, max_read_ahead: u64) -> Cursor {
        let mut cursor = Cursor {
            walk: Walk::new(tables, range),
            step: Mutex::new(None),
            ahead: VecDeque::new(),
            entries: None,
            reading: 0,
            seek: None,
            read_ahead: 0,
            max_read_ahead,
            standing: false,
        };
        cursor.seek(range.start.clone());
        cursor
    }

    /// Forgets its place: the next load brings the first entry at or above `key`.
    pub(crate) fn seek(&mut self, key: Bytes) {
        self.walk.seek(key.clone());
        *self.step() = None;
        self.ahead.clear();
        self.entries = None;
        self.standing = false;
        self.read_ahead = FIRST_READ_AHEAD.min(self.max_read_ahead);
        self.seek = Some(key);
    }

    /// The current entry.
    pub(crate) fn entries(&self) -> Option<&BlockIter> {
        self.entries.as_ref()
    }

    /// Loads what the next entry needs, and moves to it: after a table's tail and an index partition, one round of
    /// blocks. May be dropped and called again, also when it has come to its end.
    pub(crate) async fn load(&mut self, loader: &Loader) -> Result<At> {
        if self.standing {
            return Ok(At::Entry);
        }
        loop {
            match self.advance()? {
                At::Load => {}
                at => return Ok(at),
            }
            if self.step().is_none() {
                let step = self.walk.clone().step(loader.clone(), self.read_ahead);
                *self.step() = Some(Box::pin(step));
            }
            let Some(step) = self.step() else { continue };
            let loaded = step.await;
            *self.step() = None;
            let Loaded { rest, table, blocks } = loaded?;
            self.walk = rest;
            self.reading = table;
            self.ahead.extend(blocks);
            self.read_ahead = (self.read_ahead * 2).min(self.max_read_ahead);
            if self.read_ahead >= OVERLAP_FROM && !self.walk.is_done() {
                let mut step: BoxFuture<'static, _> =
                    Box::pin(self.walk.clone().step(loader.clone(), self.read_ahead));
                // Polled once, its request is sent. Where everything is cached the step is complete: nothing to wait for.
                if let std::task::Poll::Ready(loaded) = futures::poll!(&mut step) {
                    step = Box::pin(futures::future::ready(loaded));
                }
                *self.step() = Some(step);
            }
        }
    }

    fn step(&mut self) -> &mut Option<BoxFuture<'static, Result<Loaded>>> {
        self.step.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves within what is loaded.
    fn advance_loaded(&mut self) -> Result<At> {
        if let Some(entries) = &mut self.entries
            && entries.next()?
        {
            return Ok(At::Entry);
        }
        while let Some(block) = self.ahead.pop_front() {
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
        Ok(if self.walk.is_done() { At::End } else { At::Load })
    }
}

impl Sorted for Cursor {
    fn key(&self) -> &[u8] {
        self.entries.as_ref().map(BlockIter::user_key).unwrap_or_default()
    }

    fn sequence(&self) -> u64 {
        self.entries.as_ref().map(BlockIter::sequence).unwrap_or_default()
    }

    fn rank(&self) -> u32 {
        self.walk.table(self.reading).rank
    }

    fn object(&self) -> &str {
        self.walk.table(self.reading).name.as_str()
    }

    fn advance(&mut self) -> Result<At> {
        let at = self.advance_loaded();
        self.standing = matches!(at, Ok(At::Entry));
        at
    }
}
