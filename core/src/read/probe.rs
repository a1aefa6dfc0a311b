//! The newest versions of many keys, looked for together.

use std::ops::Range;
use std::sync::Arc;

use super::cache::Cached;
use super::fetch::{Loader, Want};
use super::gather::Ask;
use super::get::{MAX_AT_ONCE, in_block};
use super::table::beside_index;
use super::tables::{TableRef, Tables};
use super::version::Version;
use crate::error::Result;
use crate::format::sst::{BlockHandle, Filter, FullFilter, IndexPartition, PartitionAt, Table, filter_hash};
use crate::sort::sort_indexes;

/// So many keys are looked for at once: it bounds what is known of them.
pub(crate) const MAX_KEYS_AT_ONCE: usize = 1024;

/// A filter errs for fewer than one in so many keys that it does not hold: the small ones for one in thirty.
const ERRORS_IN: usize = 16;

/// One key in one table that may hold it.
struct Probe<'a> {
    /// Index of the key.
    key: usize,
    /// Of the key, for filters.
    hash: u32,
    table: &'a Arc<TableRef>,
    /// Number of the index partition that covers the key.
    partition: usize,
    /// The one block that can hold its newest version, when it is known.
    block: Option<BlockHandle>,
    /// A filter has said "maybe".
    filtered: bool,
    /// Index or filter have said "no".
    absent: bool,
}

/// How far the search for one key has come.
struct Search<'a> {
    /// Its probes that are left, those that can hold the highest sequence first.
    left: Range<usize>,
    best: Option<Version<'a>>,
}

/// For each of `keys` (ascending, each once, at most [`MAX_KEYS_AT_ONCE`]) its newest version in `tables`, by the rule of
/// [`super::get::newest`].
///
/// Cost with a cold cache: a round for the tails of all candidates, one for all index partitions, one for all blocks, each
/// with neighbours in one request and within the bounds of [`Loader::gather`]. A filter that errs costs a round more only
/// where keys have versions in many tables.
pub(crate) async fn newest_of_many<'a>(
    loader: &Loader,
    tables: &'a Tables,
    keys: &[&[u8]],
) -> Result<Vec<Option<Version<'a>>>> {
    let mut probes = Vec::new();
    let mut searches = Vec::with_capacity(keys.len());
    for (i, key) in keys.iter().enumerate() {
        let (begin, hash) = (probes.len(), filter_hash(key));
        probes.extend(tables.candidates(key).into_iter().map(|table| Probe {
            key: i,
            hash,
            table,
            partition: 0,
            block: None,
            filtered: false,
            absent: false,
        }));
        searches.push(Search { left: begin..probes.len(), best: None });
    }
    // Probes of one table side by side, in key order: so are the parts that they ask for.
    let mut by_table: Vec<usize> = (0..probes.len()).collect();
    sort_indexes(&mut by_table, &|a, b| probes[a].table.rank.cmp(&probes[b].table.rank));
    let of_tables: Vec<&[usize]> =
        by_table.chunk_by(|a, b| probes[*a].table.rank == probes[*b].table.rank).collect();
    let refs: Vec<&Arc<TableRef>> = of_tables.iter().map(|of_table| probes[of_table[0]].table).collect();
    let opened = loader.tables(&refs).await?;
    locate(loader, &mut probes, &of_tables, &opened, keys).await?;

    let open_of = |table: &TableRef| {
        let at = refs.binary_search_by_key(&table.rank, |other| other.rank);
        at.ok().map(|at| opened[at].clone())
    };
    loop {
        let mut now = choose(&probes, &mut searches);
        if now.is_empty() {
            return Ok(searches.into_iter().map(|search| search.best).collect());
        }
        let block_of = |i: usize| probes[i].block.map_or(0, |block| block.offset);
        let place_of = |i: usize| (probes[i].table.rank, block_of(i));
        sort_indexes(&mut now, &|a, b| place_of(a).cmp(&place_of(b)));
        let mut asks = Vec::new();
        let mut asked_by: Vec<&[usize]> = Vec::new();
        for same in now
            .chunk_by(|a, b| probes[*a].table.rank == probes[*b].table.rank && block_of(*a) == block_of(*b))
        {
            let probe = &probes[same[0]];
            if let (Some(block), Some(table)) = (probe.block, open_of(probe.table)) {
                asks.push(Ask { name: probe.table.name.clone(), table, want: Want::Block(block) });
                asked_by.push(same);
            }
        }
        let take = |i: usize, part: Cached| {
            let Cached::Block(block) = part else { return Ok(()) };
            for probe in asked_by[i].iter().map(|i| &probes[*i]) {
                let best = &mut searches[probe.key].best;
                if let Some(found) = in_block(probe.table, &block, keys[probe.key])?
                    && best.as_ref().is_none_or(|best| found.wins_over(best))
                {
                    *best = Some(found);
                }
            }
            Ok(())
        };
        loader.gather(&asks, take).await?;
    }
}

/// Asks index and filters of each table for its keys.
async fn locate(
    loader: &Loader,
    probes: &mut [Probe<'_>],
    of_tables: &[&[usize]],
    opened: &[Arc<Table>],
    keys: &[&[u8]],
) -> Result<()> {
    let mut asks: Vec<Ask> = Vec::new();
    let mut asked_by: Vec<&[usize]> = Vec::new();
    for (of_table, open) in of_tables.iter().copied().zip(opened) {
        for i in of_table {
            let probe = &mut probes[*i];
            match open.find_partition(keys[probe.key]) {
                Some(partition) => probe.partition = partition,
                None => probe.absent = true,
            }
        }
        let Some(first) = of_table.first().map(|i| probes[*i].table) else { continue };
        // Keys ascend, so those behind the whole table are the last ones, and those of one partition stand side by side.
        let there = &of_table[..of_table.partition_point(|i| !probes[*i].absent)];
        let mut ask = |want, by| {
            asks.push(Ask { name: first.name.clone(), table: open.clone(), want });
            asked_by.push(by);
        };
        match beside_index(open) {
            Some(FullFilter::Resident(filter)) => of_table.iter().for_each(|i| probes[*i].filter(&filter)),
            Some(FullFilter::Stored(handle)) => ask(Want::Filter(handle), of_table),
            None => {}
        }
        let same_partition = |a: &usize, b: &usize| probes[*a].partition == probes[*b].partition;
        let by_partition: Vec<&[usize]> = there.chunk_by(same_partition).collect();
        for same in by_partition {
            let partition = probes[same[0]].partition;
            match open.partition(partition) {
                PartitionAt::Resident(partition) => {
                    same.iter().for_each(|i| probes[*i].partition(&partition, keys));
                }
                PartitionAt::Stored(range) => ask(Want::Partition(partition, range), same),
            }
        }
    }
    let take = |i: usize, part: Cached| {
        for probe in asked_by[i] {
            match &part {
                Cached::Partition(partition) => probes[*probe].partition(partition, keys),
                Cached::Filter(filter) => probes[*probe].filter(filter),
                Cached::Table(_) | Cached::Block(_) => {}
            }
        }
        Ok(())
    };
    loader.gather(&asks, take).await
}

impl Probe<'_> {
    fn filter(&mut self, filter: &Filter) {
        self.filtered = true;
        self.absent |= !filter.may_contain_hash(self.hash);
    }

    fn partition(&mut self, partition: &IndexPartition, keys: &[&[u8]]) {
        if let Some(filter) = partition.filter() {
            self.filter(filter);
        }
        match partition.find_block(keys[self.key]) {
            Some(i) => self.block = Some(partition.handle(i)),
            None => self.absent = true,
        }
    }
}

/// The probes whose blocks are fetched next; they are taken off the searches.
///
/// Of each key the newest candidate that a filter lets pass, like for a single key. But filters err, and with many keys and
/// tables some always do, which would cost a round more: so where keys have no more further candidates than such errors
/// explain, these are fetched in the same round. Where they have more, these are older versions, which nobody needs.
fn choose(probes: &[Probe<'_>], searches: &mut [Search<'_>]) -> Vec<usize> {
    let mut now = Vec::new();
    let mut more = Vec::new();
    let mut asked = 0;
    for search in searches.iter_mut() {
        asked += search.left.len();
        let could_win = |i: &usize| {
            let table = probes[*i].table;
            search.best.as_ref().is_none_or(|best| best.may_lose_to(table))
        };
        let left: Vec<usize> = search
            .left
            .clone()
            .take_while(could_win)
            .filter(|i| !probes[*i].absent && probes[*i].block.is_some())
            .take(MAX_AT_ONCE)
            .collect();
        let first = left.iter().position(|i| probes[*i].filtered).map_or(left.len(), |i| i + 1);
        now.extend_from_slice(&left[..first]);
        more.extend_from_slice(&left[first..]);
        search.left.start = left[..first].last().map_or(search.left.end, |last| last + 1);
    }
    if more.len() <= asked / ERRORS_IN {
        for i in more {
            searches[probes[i].key].left.start = i + 1;
            now.push(i);
        }
    }
    now
}
