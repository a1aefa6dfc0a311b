//! Brings decoded parts of tables: from the cache, from a load under way, or from the store.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::cache::{BlockCache, Cached, ObjectName, Part, PartKey};
use super::coalesce::coalesce;
use super::flight::{Flights, Joined};
use crate::concurrent::try_all;
use crate::error::{Error, Result};
use crate::format::sst::{Block, BlockHandle, ChunkDigests, MAX_BLOCK_BYTES, Table};
use crate::host::{CachePart, Event, Host, Requests};
use crate::maybe::BoxFuture;
use crate::signature::Trust;

/// Brings parts of tables. One for each scope: loads under way are shared by its clones, finished parts by all.
#[derive(Clone)]
pub(crate) struct Loader {
    source: Source,
    flights: Arc<Flights<PartKey, Arc<Batch>>>,
}

/// Where the bytes come from, and where decoded parts go.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) requests: Requests,
    pub(crate) cache: Arc<BlockCache>,
    pub(crate) trust: Trust,
}

/// What one load brought.
type Batch = Vec<(PartKey, Cached)>;

/// A part of an open table, with what it takes to fetch it.
#[derive(Debug, Clone)]
pub(crate) enum Want {
    /// The index partition of this number, stored there together with its filter part.
    Partition(usize, Range<u64>),
    /// The full filter.
    Filter(BlockHandle),
    /// A data block.
    Block(BlockHandle),
}

impl Want {
    fn part(&self) -> Part {
        match self {
            Want::Partition(i, _) => Part::Partition(*i as u64),
            Want::Filter(_) => Part::Filter,
            Want::Block(handle) => Part::Block(handle.offset),
        }
    }

    pub(crate) fn stored(&self) -> Range<u64> {
        match self {
            Want::Partition(_, range) => range.clone(),
            Want::Filter(handle) | Want::Block(handle) => handle.stored(),
        }
    }

    fn decode(&self, table: &Table, stored: Bytes) -> Result<Cached> {
        match self {
            Want::Partition(i, _) => table.decode_partition(*i, stored).map(Cached::Partition),
            Want::Filter(handle) => table.decode_filter(*handle, stored).map(Cached::Filter),
            Want::Block(handle) => {
                Block::decode(table.object(), *handle, stored, table.checksum(), MAX_BLOCK_BYTES)
                    .map(Cached::Block)
            }
        }
    }
}

impl Loader {
    pub(crate) fn new(source: Source) -> Loader {
        Loader { source, flights: Flights::new() }
    }

    /// The same cache, but no load under way is shared with this one.
    pub(crate) fn scoped(&self) -> Loader {
        Loader::new(self.source.clone())
    }

    /// The same source, but what it brings is kept in `cache`.
    pub(crate) fn with_cache(&self, cache: Arc<BlockCache>) -> Loader {
        Loader::new(Source { cache, ..self.source.clone() })
    }

    pub(crate) fn cache(&self) -> &Arc<BlockCache> {
        &self.source.cache
    }

    /// A part, if the cache has it.
    pub(crate) fn cached(&self, name: &ObjectName, part: Part) -> Option<Cached> {
        let found = self.source.cache.get(name, part);
        self.looked_up(part, found.is_some());
        found
    }

    /// Tells the observer of a look-up in the cache.
    pub(crate) fn looked_up(&self, part: Part, hit: bool) {
        self.source.requests.observe(|| {
            let part = match part {
                Part::Tail => CachePart::Tail,
                Part::Partition(_) | Part::Filter => CachePart::Index,
                Part::Block(_) => CachePart::Block,
            };
            Event::CacheLookup { part, hit }
        });
    }

    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        &self.source.requests.host
    }

    pub(crate) fn requests(&self) -> &Requests {
        &self.source.requests
    }

    /// The parts of `table`, in the order asked. Cost: nothing where all are cached; else one round, with neighbours
    /// coalesced into one request.
    pub(crate) async fn parts(
        &self,
        name: &ObjectName,
        table: &Arc<Table>,
        wants: &[Want],
    ) -> Result<Vec<Cached>> {
        let mut found: Vec<Option<Cached>> = Vec::with_capacity(wants.len());
        let mut missing = Vec::new();
        for want in wants {
            let part = self.at_hand(name, table, want)?;
            if part.is_none() {
                missing.push(want.clone());
            }
            found.push(part);
        }
        if !missing.is_empty() {
            let mut brought = self.bring(name, table, &missing).await?.into_iter();
            for slot in found.iter_mut().filter(|slot| slot.is_none()) {
                *slot = brought.next();
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// A part of `table` that need not be fetched.
    pub(crate) fn at_hand(&self, name: &ObjectName, table: &Table, want: &Want) -> Result<Option<Cached>> {
        match self.cached(name, want.part()) {
            Some(cached) => Ok(Some(cached)),
            None => self.resident(name, table, want),
        }
    }

    /// Parts of `table` that are not at hand, each asked once, in that order. Cost: one round, with neighbours coalesced
    /// into one request; what is being loaded already is waited for.
    pub(crate) async fn bring(
        &self,
        name: &ObjectName,
        table: &Arc<Table>,
        wants: &[Want],
    ) -> Result<Vec<Cached>> {
        let keys = wants.iter().map(|want| PartKey { object: name.clone(), part: want.part() }).collect();
        let brought = self.load(keys, |keys| {
            let wants = keys.iter().filter_map(|key| wants.iter().find(|want| want.part() == key.part));
            let wants: Vec<Want> = wants.cloned().collect();
            Box::pin(load_parts(self.source.clone(), name.clone(), table.clone(), wants))
        });
        brought.await
    }

    /// One part that `load` makes, joined with whoever is loading it already. It is kept in the cache.
    pub(crate) async fn one(
        &self,
        key: PartKey,
        load: impl FnOnce(Source) -> BoxFuture<'static, Result<Cached>>,
    ) -> Result<Option<Cached>> {
        let source = self.source.clone();
        let held = key.clone();
        let loaded = self.load(vec![key], move |_| {
            let part = load(source.clone());
            Box::pin(async move {
                let part = part.await?;
                source.cache.insert(held.clone(), part.clone());
                Ok(Arc::new(vec![(held, part)]))
            })
        });
        Ok(loaded.await?.pop())
    }

    /// Waits for the loads under way that bring some of `keys`, and for a new one that brings the others. Answers in the
    /// order of `keys`.
    async fn load(
        &self,
        keys: Vec<PartKey>,
        make: impl FnOnce(&[PartKey]) -> BoxFuture<'static, Result<Arc<Batch>>>,
    ) -> Result<Vec<Cached>> {
        let Joined { under_way, started } = self.flights.join(keys.clone(), make);
        if under_way.is_empty()
            && let Some((_, flight)) = started
        {
            // The usual case: everything is new, and comes in the order asked.
            return Ok(flight.await?.iter().map(|(_, part)| part.clone()).collect());
        }
        let fresh =
            started.into_iter().flat_map(|(keys, flight)| keys.into_iter().map(move |k| (k, flight.clone())));
        let waits: Vec<_> = under_way
            .into_iter()
            .chain(fresh)
            .map(|(key, flight)| async move {
                let batch = flight.await?;
                let part = batch.iter().find(|(k, _)| *k == key).map(|(_, part)| part.clone());
                Ok::<_, Error>((key, part))
            })
            .collect();
        let mut parts = try_all(usize::MAX, waits).await?;
        let in_order = keys.iter().filter_map(|key| {
            let (_, part) = parts.iter_mut().find(|(k, part)| k == key && part.is_some())?;
            part.take()
        });
        Ok(in_order.collect())
    }

    /// A part that the tail already brought: small tables are fetched whole.
    fn resident(&self, name: &ObjectName, table: &Table, want: &Want) -> Result<Option<Cached>> {
        let Want::Block(handle) = want else { return Ok(None) };
        let Some(stored) = table.resident_data(*handle) else { return Ok(None) };
        let block = want.decode(table, stored)?;
        let key = PartKey { object: name.clone(), part: want.part() };
        self.source.cache.insert(key, block.clone());
        Ok(Some(block))
    }
}

/// Fetches, verifies and decodes; everything is in the cache before this ends.
async fn load_parts(
    source: Source,
    name: ObjectName,
    table: Arc<Table>,
    wants: Vec<Want>,
) -> Result<Arc<Batch>> {
    let ranges: Vec<Range<u64>> = wants.iter().map(Want::stored).collect();
    let stored = source.fetch(name.as_str(), table.chunks(), &ranges).await?;
    let mut batch = Vec::with_capacity(wants.len());
    for (want, mut stored) in wants.iter().zip(stored) {
        // A part that decodes without a copy must not keep its neighbours of the same answer in memory.
        if wants.len() > 1 && !is_compressed_block(want, &stored) {
            stored = Bytes::copy_from_slice(&stored);
        }
        let part = want.decode(&table, stored)?;
        let key = PartKey { object: name.clone(), part: want.part() };
        source.cache.insert(key.clone(), part.clone());
        batch.push((key, part));
    }
    Ok(Arc::new(batch))
}

/// The type byte in front of the checksum says whether decoding makes bytes of its own.
fn is_compressed_block(want: &Want, stored: &[u8]) -> bool {
    matches!(want, Want::Block(_)) && stored.len().checked_sub(5).is_some_and(|at| stored[at] != 0)
}

impl Source {
    /// The bytes of each of `wanted`, in that order. One round; neighbours come by one request and share its memory. Where
    /// there are digests of the table's `chunks`, whole chunks are fetched and compared first.
    pub(crate) async fn fetch(
        &self,
        object: &str,
        chunks: Option<&ChunkDigests>,
        wanted: &[Range<u64>],
    ) -> Result<Vec<Bytes>> {
        if let Some(range) =
            wanted.iter().find(|range| range.end.saturating_sub(range.start) > MAX_BLOCK_BYTES)
        {
            return Err(Error::corrupt(
                object,
                range.start,
                format!("a part of at most {MAX_BLOCK_BYTES} bytes"),
                format!("one of {} bytes", range.end - range.start),
            ));
        }
        let Some(chunks) = chunks else { return self.fetch_unchecked(object, wanted).await };
        let wide: Vec<Range<u64>> = wanted.iter().map(|range| chunks.widen(range)).collect();
        let mut parts = self.fetch_unchecked(object, &wide).await?;
        for ((part, wide), wanted) in parts.iter_mut().zip(&wide).zip(wanted) {
            if let Err(error) = chunks.check(object, wide.start, part) {
                self.mistrust(error)?;
            }
            let inner = wanted.start.checked_sub(wide.start).zip(wanted.end.checked_sub(wide.start));
            let inner = inner.filter(|(start, end)| start <= end && *end <= part.len() as u64);
            let Some((start, end)) = inner else {
                return Err(Error::corrupt(
                    object,
                    wanted.start,
                    "a part within the table",
                    format!("{wanted:?}"),
                ));
            };
            *part = part.slice(start as usize..end as usize);
        }
        Ok(parts)
    }

    async fn fetch_unchecked(&self, object: &str, wanted: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let requests = coalesce(wanted);
        let ranges: Vec<Range<u64>> = requests.iter().map(|request| request.range.clone()).collect();
        let begun = self.requests.begin();
        let bodies = self.requests.get_ranges(object, &ranges).await;
        self.requests.ended(begun, |elapsed| Event::RangeRead {
            object,
            requests: ranges.len() as u64,
            result: bodies.as_ref().map(|bodies| bodies.iter().map(|body| body.len() as u64).sum()),
            elapsed,
        });
        let bodies = bodies?;
        let mut parts = vec![Bytes::new(); wanted.len()];
        for (request, body) in requests.iter().zip(bodies) {
            let Range { start, end } = request.range;
            if body.len() as u64 != end - start {
                let found = format!("{} bytes", body.len());
                return Err(Error::corrupt(object, start, format!("{} bytes", end - start), found));
            }
            for i in &request.brings {
                // Both ends lie within a body that is in memory, so they fit a usize.
                parts[*i] =
                    body.slice((wanted[*i].start - start) as usize..(wanted[*i].end - start) as usize);
            }
        }
        Ok(parts)
    }
}
