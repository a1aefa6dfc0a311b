//! One sorted source of a scan: the entries of tables that are read one behind the other, forwards or backwards.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::direction::Direction;
use super::fetch::Loader;
use super::merge::{At, Sorted};
use super::range::KeyRange;
use super::tables::TableRef;
use super::walk::{Loaded, Passed, Walk};
use crate::error::Result;
use crate::format::sst::{Block, BlockIter, Kind};
use crate::maybe::BoxFuture;

/// What a source fetches first, in stored bytes, and at least one block. Two blocks of the default size: a short scan
/// that begins in the middle of a block still ends within one round.
pub(crate) const FIRST_READ_AHEAD: u64 = 8 * 1024;

/// What a source fetches at once when it has been read for a while.
pub(crate) const MAX_READ_AHEAD: u64 = 1024 * 1024;

/// From this read-ahead on the next blocks are asked for as soon as the last ones have come, so that the time of the
/// round passes while the reader is busy with these.
const OVERLAP_FROM: u64 = 128 * 1024;

/// The entries of some tables in order, from a key on. Fetches little at first, then doubles.
///
/// Forwards it shows every version of a key, the newest first. Backwards the oldest would come first, so it goes on to the
/// newest version of a key and shows that one alone.
pub(crate) struct Cursor {
    direction: Direction,
    /// The way behind what is loaded.
    walk: Walk,
    /// The step that is under way from there. Never locked: a future alone would keep the cursor from being shared
    /// between threads.
    step: Mutex<Option<BoxFuture<'static, Result<Loaded>>>>,
    /// Blocks that are loaded and follow the current one.
    ahead: VecDeque<Passed>,
    /// The current block; kept from block to block for its buffers, and without a position where none is current.
    /// Backwards it stands on the entry in front of `newest`.
    entries: Option<BlockIter>,
    /// Backwards, where the current block stops to be the first with versions of a key.
    floor: Option<Bytes>,
    /// Backwards, the newest version seen of the present key.
    newest: Newest,
    /// The table that the current block belongs to.
    reading: usize,
    /// The gap to begin at, until it is reached.
    seek: Option<Bytes>,
    /// What the next step may bring, in stored bytes.
    read_ahead: u64,
    max_read_ahead: u64,
    /// It stands on an entry.
    standing: bool,
}

/// A version of a key, of which the block may be gone.
struct Newest {
    /// There is one.
    seen: bool,
    key: Vec<u8>,
    sequence: u64,
    kind: Kind,
    value: Bytes,
}

impl Newest {
    fn none() -> Newest {
        Newest { seen: false, key: Vec::new(), sequence: 0, kind: Kind::Delete, value: Bytes::new() }
    }
}

impl Cursor {
    /// A source over `tables` (disjoint, ascending, not empty) within `range`, forwards from its start. It must be loaded
    /// before its first entry. It holds up to twice `max_read_ahead` stored bytes, and at least two blocks.
    pub(crate) fn new(tables: Vec<Arc<TableRef>>, range: &KeyRange, max_read_ahead: u64) -> Cursor {
        let mut cursor = Cursor {
            direction: Direction::Forward,
            walk: Walk::new(tables, range),
            step: Mutex::new(None),
            ahead: VecDeque::new(),
            entries: None,
            floor: None,
            newest: Newest::none(),
            reading: 0,
            seek: None,
            read_ahead: 0,
            max_read_ahead,
            standing: false,
        };
        cursor.seek(Direction::Forward, Some(range.start.clone()));
        cursor
    }

    /// Forgets its place: the next load brings the first entry that way from the place in front of the key `gap`, or from
    /// behind everything.
    pub(crate) fn seek(&mut self, direction: Direction, gap: Option<Bytes>) {
        self.direction = direction;
        self.walk.seek(direction, gap.clone());
        *self.step() = None;
        self.ahead.clear();
        self.entries = None;
        self.floor = None;
        self.newest.seen = false;
        self.standing = false;
        self.read_ahead = FIRST_READ_AHEAD.min(self.max_read_ahead);
        self.seek = gap;
    }

    /// The current entry of a source that goes forwards.
    pub(crate) fn entries(&self) -> Option<&BlockIter> {
        self.entries.as_ref()
    }

    /// What the current entry does.
    pub(crate) fn kind(&self) -> Kind {
        match self.direction {
            Direction::Forward => self.entries.as_ref().map_or(Kind::Delete, BlockIter::kind),
            Direction::Backward => self.newest.kind,
        }
    }

    /// The stored value of the current entry.
    pub(crate) fn value(&self) -> Bytes {
        match self.direction {
            Direction::Forward => self.entries.as_ref().map(BlockIter::value).unwrap_or_default(),
            Direction::Backward => self.newest.value.clone(),
        }
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
            let Loaded { rest, table, blocks, .. } = loaded?;
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

    /// Moves to the next entry within what is loaded.
    fn advance_loaded(&mut self) -> Result<At> {
        if let Some(entries) = &mut self.entries
            && entries.next()?
        {
            return Ok(At::Entry);
        }
        while let Some(Passed { block, .. }) = self.ahead.pop_front() {
            let entries = enter(&mut self.entries, block);
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

    /// Moves to the newest version of the key below, within what is loaded. What was seen of a key stays when a load
    /// comes between its versions.
    fn retreat_loaded(&mut self) -> Result<At> {
        if self.standing {
            self.newest.seen = false;
        }
        loop {
            if let Some(entries) = &mut self.entries
                && entries.valid()
            {
                let newest = &mut self.newest;
                if !newest.seen {
                    newest.seen = true;
                    newest.key.clear();
                    newest.key.extend_from_slice(entries.user_key());
                } else if newest.key != entries.user_key() {
                    return Ok(At::Entry);
                }
                newest.sequence = entries.sequence();
                newest.kind = entries.kind();
                newest.value = entries.value();
                entries.prev()?;
                continue;
            }
            let seen = self.newest.seen;
            if seen && self.floor.as_ref().is_none_or(|floor| self.newest.key[..] > floor[..]) {
                return Ok(At::Entry);
            }
            let Some(Passed { block, floor }) = self.ahead.pop_front() else {
                return Ok(match self.walk.is_done() {
                    true if seen => At::Entry,
                    true => At::End,
                    false => At::Load,
                });
            };
            let entries = enter(&mut self.entries, block);
            let found = match &self.seek {
                Some(key) => entries.seek_lt(key)?,
                None => entries.seek_to_last()?,
            };
            if found {
                self.seek = None;
            }
            self.floor = floor;
        }
    }
}

/// Takes the next block, in the buffers of the last one.
fn enter(entries: &mut Option<BlockIter>, block: Block) -> &mut BlockIter {
    match entries {
        Some(entries) => {
            entries.reset(block);
            entries
        }
        none => none.insert(block.iter()),
    }
}

impl Sorted for Cursor {
    fn key(&self) -> &[u8] {
        match self.direction {
            Direction::Forward => self.entries.as_ref().map(BlockIter::user_key).unwrap_or_default(),
            Direction::Backward => &self.newest.key,
        }
    }

    fn sequence(&self) -> u64 {
        match self.direction {
            Direction::Forward => self.entries.as_ref().map(BlockIter::sequence).unwrap_or_default(),
            Direction::Backward => self.newest.sequence,
        }
    }

    fn rank(&self) -> u32 {
        self.walk.table(self.reading).rank
    }

    fn object(&self) -> &str {
        self.walk.table(self.reading).name.as_str()
    }

    fn advance(&mut self) -> Result<At> {
        let at = match self.direction {
            Direction::Forward => self.advance_loaded(),
            Direction::Backward => self.retreat_loaded(),
        };
        self.standing = matches!(at, Ok(At::Entry));
        at
    }
}
