//! The newest version of one key.

use std::sync::Arc;

use super::cache::{Cached, Part};
use super::fetch::{Loader, Want};
use super::table::{Located, Place, Wanted, locate_cached};
use super::tables::{TableRef, Tables};
use super::version::Version;
use crate::concurrent::try_all;
use crate::error::{Error, Result};
use crate::format::sst::Block;
use crate::sort::sorted;

/// No more blocks than this are fetched at once for one key. A browser has six connections.
pub(super) const MAX_AT_ONCE: usize = 6;

/// The newest version of `key` in `tables`, be it a put or a delete.
///
/// The order of runs is not trusted: the highest sequence number wins, and of equal ones the table that was published
/// later. Cost with a cold cache: a round for the tails of all candidates, one for their partitions, one for the block of
/// the newest candidate whose filter says "maybe"; further blocks only while an older table could still win.
pub(crate) async fn newest<'a>(
    loader: &Loader,
    tables: &'a Tables,
    key: &[u8],
) -> Result<Option<Version<'a>>> {
    let candidates = tables.candidates(key);
    let wanted = Wanted::new(key);
    match newest_cached(loader, &candidates, &wanted)? {
        Some(newest) => Ok(newest),
        None => newest_fetched(loader, &candidates, &wanted).await,
    }
}

/// The newest version, where the cache alone can tell it; `None` where something must be fetched. This is the way of a
/// warm get: one candidate after the other, and nothing is kept of them.
///
/// Look-ups are counted only where they answer: the others are made again.
fn newest_cached<'a>(
    loader: &Loader,
    candidates: &[&'a Arc<TableRef>],
    wanted: &Wanted<'_>,
) -> Result<Option<Option<Version<'a>>>> {
    let mut best: Option<Version<'a>> = None;
    let (mut tails, mut indexes, mut blocks) = (0, 0, 0);
    for table in candidates.iter().copied() {
        if best.as_ref().is_some_and(|best| !best.may_lose_to(table)) {
            break;
        }
        let located = locate_cached(wanted, |part| {
            let found = loader.cache().look(&table.name, part);
            match part {
                Part::Tail => tails += 1,
                _ if found.is_some() => indexes += 1,
                _ => {}
            }
            found
        });
        let place = match located {
            Located::Absent => continue,
            Located::At(place) => place,
            Located::Unknown => return Ok(None),
        };
        blocks += 1;
        let Some(Cached::Block(block)) = loader.cache().look(&table.name, Part::Block(place.block.offset))
        else {
            return Ok(None);
        };
        consider(&mut best, in_block(table, &block, wanted.key)?);
    }
    loader.cache().count_hits(tails + indexes + blocks);
    if loader.requests().observer.is_some() {
        for (part, hits) in [(Part::Tail, tails), (Part::Filter, indexes), (Part::Block(0), blocks)] {
            (0..hits).for_each(|_| loader.looked_up(part, true));
        }
    }
    Ok(Some(best))
}

/// The newest version, with everything fetched that is missing.
async fn newest_fetched<'a>(
    loader: &Loader,
    candidates: &[&'a Arc<TableRef>],
    wanted: &Wanted<'_>,
) -> Result<Option<Version<'a>>> {
    let mut places: Vec<(&'a TableRef, Place)> = Vec::with_capacity(candidates.len());
    let mut unknown: Vec<&'a TableRef> = Vec::new();
    for table in candidates.iter().copied() {
        match locate_cached(wanted, |part| loader.cached(&table.name, part)) {
            Located::Absent => {}
            Located::At(place) => places.push((table, place)),
            Located::Unknown => unknown.push(table),
        }
    }
    if !unknown.is_empty() {
        let finds = unknown.iter().map(|table| loader.locate(table, wanted)).collect();
        let located = try_all(usize::MAX, finds).await?;
        places.extend(unknown.into_iter().zip(located).filter_map(|(table, place)| Some((table, place?))));
        places = sorted(places, &|(a, _), (b, _)| b.seq_hi().cmp(&a.seq_hi()).then(a.rank.cmp(&b.rank)));
    }

    let mut best: Option<Version<'a>> = None;
    let mut rest = &places[..];
    loop {
        // Sorted by the highest sequence that each can hold, so the first that cannot win ends the search.
        let could_win = |table: &TableRef| best.as_ref().is_none_or(|best| best.may_lose_to(table));
        rest = &rest[..rest.iter().take_while(|(table, _)| could_win(table)).count()];
        // One block at a time where filters say "maybe", which is nearly always true. Tables without a filter say
        // nothing, so they are asked together.
        let at_once = rest
            .iter()
            .take(MAX_AT_ONCE)
            .position(|(_, place)| place.filtered)
            .map_or(MAX_AT_ONCE, |i| i + 1);
        let (now, later) = rest.split_at(at_once.min(rest.len()));
        if now.is_empty() {
            return Ok(best);
        }
        match now {
            [(table, place)] => consider(&mut best, find(loader, table, place, wanted.key).await?),
            _ => {
                let finds = now.iter().map(|(table, place)| find(loader, table, place, wanted.key)).collect();
                try_all(MAX_AT_ONCE, finds).await?.into_iter().for_each(|found| consider(&mut best, found));
            }
        }
        rest = later;
    }
}

/// Takes what was found, where it wins.
fn consider<'a>(best: &mut Option<Version<'a>>, found: Option<Version<'a>>) {
    if let Some(version) = found
        && best.as_ref().is_none_or(|best| version.wins_over(best))
    {
        *best = Some(version);
    }
}

/// The newest version of `key` in one table, whose block is cached or fetched.
async fn find<'a>(
    loader: &Loader,
    table: &'a TableRef,
    place: &Place,
    key: &[u8],
) -> Result<Option<Version<'a>>> {
    match loader.parts(&table.name, &place.table, &[Want::Block(place.block)]).await?.pop() {
        Some(Cached::Block(block)) => in_block(table, &block, key),
        _ => {
            let at = place.block.offset;
            Err(Error::corrupt(table.name.as_str(), at, "a data block", "another part"))
        }
    }
}

/// The newest version of `key` in a block. Versions of one key may go on in the next block, but those are older.
pub(super) fn in_block<'a>(table: &'a TableRef, block: &Block, key: &[u8]) -> Result<Option<Version<'a>>> {
    Ok(block.find(key)?.map(|found| Version::new(table, found)))
}
