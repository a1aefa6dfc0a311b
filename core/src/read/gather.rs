//! Brings many parts of many tables in as few rounds as a bound of memory allows.

use std::sync::Arc;

use super::cache::{Cached, ObjectName};
use super::coalesce::coalesce;
use super::fetch::{Loader, Want};
use super::tables::TableRef;
use crate::concurrent::try_all;
use crate::error::Result;
use crate::format::sst::Table;

/// What one round brings at most, in stored bytes; at least one request.
pub(crate) const MAX_BYTES_AT_ONCE: u64 = 32 * 1024 * 1024;

/// So many requests are made at once.
pub(crate) const MAX_REQUESTS_AT_ONCE: usize = 256;

/// A part of an open table that is asked for.
pub(crate) struct Ask {
    pub(crate) name: ObjectName,
    pub(crate) table: Arc<Table>,
    pub(crate) want: Want,
}

impl Loader {
    /// Brings each of `asks` and hands it to `take` with its index, in no order. They are distinct, and those of one table
    /// stand side by side. What `take` does not keep is gone after its round.
    ///
    /// Cost: nothing for what is cached; one round for the others, with neighbours in one request, as long as they are
    /// [`MAX_BYTES_AT_ONCE`] and [`MAX_REQUESTS_AT_ONCE`]; else one more for each further such lot.
    pub(crate) async fn gather(
        &self,
        asks: &[Ask],
        mut take: impl FnMut(usize, Cached) -> Result<()>,
    ) -> Result<()> {
        let mut missing = Vec::new();
        for (i, ask) in asks.iter().enumerate() {
            match self.at_hand(&ask.name, &ask.table, &ask.want)? {
                Some(part) => take(i, part)?,
                None => missing.push(i),
            }
        }
        for round in rounds(groups(asks, &missing)) {
            let mut loads = Vec::with_capacity(round.len());
            for group in round {
                loads.push(bring(self, asks, group));
            }
            for (group, parts) in try_all(MAX_REQUESTS_AT_ONCE, loads).await? {
                for (i, part) in group.into_iter().zip(parts) {
                    take(i, part)?;
                }
            }
        }
        Ok(())
    }

    /// Opens tables, in the order asked. Cost: as [`Loader::table`] for one of them, and one more round for each further
    /// [`MAX_REQUESTS_AT_ONCE`] tables or [`MAX_BYTES_AT_ONCE`] of tails.
    pub(crate) async fn tables(&self, tables: &[&Arc<TableRef>]) -> Result<Vec<Arc<Table>>> {
        let mut opened = Vec::with_capacity(tables.len());
        let sized = tables.iter().map(|table| {
            let tail = Table::tail_range(table.meta.meta_offset, table.meta.size);
            (*table, tail.end - tail.start)
        });
        for round in rounds(sized.collect()) {
            let mut loads = Vec::with_capacity(round.len());
            for table in round {
                loads.push(self.table(table));
            }
            opened.extend(try_all(MAX_REQUESTS_AT_ONCE, loads).await?);
        }
        Ok(opened)
    }
}

async fn bring(loader: &Loader, asks: &[Ask], group: Vec<usize>) -> Result<(Vec<usize>, Vec<Cached>)> {
    let Some(first) = group.first().map(|i| &asks[*i]) else { return Ok((group, Vec::new())) };
    let wants: Vec<Want> = group.iter().map(|i| asks[*i].want.clone()).collect();
    let parts = loader.bring(&first.name, &first.table, &wants).await?;
    Ok((group, parts))
}

/// What is missing, by the requests that bring it, with the bytes of each.
fn groups(asks: &[Ask], missing: &[usize]) -> Vec<(Vec<usize>, u64)> {
    let mut groups = Vec::new();
    for of_table in missing.chunk_by(|a, b| asks[*a].name == asks[*b].name) {
        let ranges: Vec<_> = of_table.iter().map(|i| asks[*i].want.stored()).collect();
        groups.extend(coalesce(&ranges).into_iter().map(|request| {
            let brings = request.brings.into_iter().map(|i| of_table[i]).collect();
            (brings, request.range.end - request.range.start)
        }));
    }
    groups
}

/// Cuts requests (with their bytes) into rounds.
fn rounds<T>(requests: Vec<(T, u64)>) -> Vec<Vec<T>> {
    let mut rounds: Vec<Vec<T>> = Vec::new();
    let mut room = 0;
    for (request, bytes) in requests {
        match rounds.last_mut() {
            Some(round) if bytes <= room && round.len() < MAX_REQUESTS_AT_ONCE => {
                room -= bytes;
                round.push(request);
            }
            _ => {
                room = MAX_BYTES_AT_ONCE.saturating_sub(bytes);
                rounds.push(vec![request]);
            }
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_has_a_bound_of_bytes_and_of_requests() {
        const MIB: u64 = 1024 * 1024;
        let sizes = |round: &Vec<u64>| round.iter().sum::<u64>();
        let requests: Vec<(u64, u64)> = (0..100).map(|i| (i % 7 * MIB, i % 7 * MIB)).collect();
        let cut = rounds(requests.clone());
        assert_eq!(cut.concat(), requests.iter().map(|(request, _)| *request).collect::<Vec<_>>());
        assert!(cut.iter().all(|round| sizes(round) <= MAX_BYTES_AT_ONCE));
        assert!(cut.windows(2).all(|pair| sizes(&pair[0]) + pair[1][0] > MAX_BYTES_AT_ONCE));
        let many = rounds(vec![((), 1); 2 * MAX_REQUESTS_AT_ONCE + 1]);
        assert_eq!(
            many.iter().map(Vec::len).collect::<Vec<_>>(),
            [MAX_REQUESTS_AT_ONCE, MAX_REQUESTS_AT_ONCE, 1]
        );
        assert_eq!(rounds(vec![('a', u64::MAX), ('b', 1)]), [['a'], ['b']].map(Vec::from));
    }
}
