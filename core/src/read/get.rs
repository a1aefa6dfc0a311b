//! The newest version of one key.

use futures::future::try_join_all;

use super::cache::{Cached, Part, PartKey};
use super::fetch::{Loader, Want};
use super::table::{Located, Place, Wanted};
use super::tables::{TableRef, Tables};
use super::version::Version;
use crate::error::{Error, Result};
use crate::format::sst::Block;

/// No more blocks than this are fetched at once for one key. A browser has six connections.
const MAX_AT_ONCE: usize = 6;

/// The newest version of `key` in `tables`, be it a put or a delete.
///
/// The order of runs is not trusted: the highest sequence number wins, and of equal ones the table that was published
/// later. Cost with a cold cache: a round for the tails of all candidates, one for their partitions, one for the block of
/// the newest candidate whose filter says "maybe"; further blocks only while an older table could still win.
pub(crate) async fn newest(loader: &Loader, tables: &Tables, key: &[u8]) -> Result<Option<Version>> {
    let candidates = tables.candidates(key);
    let mut places: Vec<(&TableRef, Place)> = Vec::with_capacity(candidates.len());
    let mut unknown = Vec::new();
    let wanted = Wanted::new(key);
    for table in &candidates {
        match loader.locate_cached(table, &wanted) {
            Located::Absent => {}
            Located::At(place) => places.push((table, place)),
            Located::Unknown => unknown.push(&***table),
        }
    }
    if !unknown.is_empty() {
        let located = try_join_all(unknown.iter().map(|table| loader.locate(table, &wanted))).await?;
        places.extend(unknown.into_iter().zip(located).filter_map(|(table, place)| Some((table, place?))));
        places.sort_by_key(|(table, _)| (std::cmp::Reverse(table.seq_hi()), table.rank));
    }

    let mut best: Option<Version> = None;
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
        let mut consider = |found: Option<Version>| {
            if let Some(version) = found
                && best.as_ref().is_none_or(|best| version.wins_over(best))
            {
                best = Some(version);
            }
        };
        match now {
            [(table, place)] => consider(find(loader, table, place, key).await?),
            _ => {
                let finds = now.iter().map(|(table, place)| find(loader, table, place, key));
                try_join_all(finds).await?.into_iter().for_each(consider);
            }
        }
        rest = later;
    }
}

/// The newest version of `key` in one table, whose block is cached or fetched.
async fn find(loader: &Loader, table: &TableRef, place: &Place, key: &[u8]) -> Result<Option<Version>> {
    let part = PartKey { object: table.name.clone(), part: Part::Block(place.block.offset) };
    let block = match loader.cached(&part) {
        Some(Cached::Block(block)) => block,
        _ => match loader.parts(&table.name, &place.table, &[Want::Block(place.block)]).await?.pop() {
            Some(Cached::Block(block)) => block,
            _ => {
                return Err(Error::corrupt(
                    table.name.as_str(),
                    place.block.offset,
                    "a data block",
                    "another part",
                ));
            }
        },
    };
    in_block(table, &block, key)
}

/// The newest version of `key` in a block. Versions of one key may go on in the next block, but those are older.
fn in_block(table: &TableRef, block: &Block, key: &[u8]) -> Result<Option<Version>> {
    let mut entries = block.iter();
    if !entries.seek_ge(key)? || entries.user_key() != key {
        return Ok(None);
    }
    Ok(Some(Version::read(table, &entries)))
}
