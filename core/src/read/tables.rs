//! The tables of a state, made ready for reading: which of them a key or a range needs.
//!
//! This is the one door between the state and everything that reads tables.

use std::cmp::Reverse;
use std::sync::Arc;

use super::cache::ObjectName;
use super::range::KeyRange;
use crate::format::layout::Layout;
use crate::format::manifest::SstMeta;
use crate::manifest::State;

/// One table of a state.
#[derive(Debug)]
pub(crate) struct TableRef {
    /// What the manifest says of it.
    pub(crate) meta: Arc<SstMeta>,
    /// Its object.
    pub(crate) name: ObjectName,
    /// Its place in the list of the state. At equal sequence numbers the lower rank wins: it was published later.
    pub(crate) rank: u32,
}

impl TableRef {
    /// The highest sequence number that it can hold. The format leaves 0 for "unknown".
    pub(crate) fn seq_hi(&self) -> u64 {
        if self.meta.seq_hi == 0 { u64::MAX } else { self.meta.seq_hi }
    }
}

/// Tables that are read one behind the other, as one sorted source.
#[derive(Debug)]
struct Run {
    tables: Vec<Arc<TableRef>>,
    /// Sorted by key and without overlap. Not taken on trust: where it does not hold, each table is a source of its own.
    disjoint: bool,
}

/// The tables of one state.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    l0: Vec<Arc<TableRef>>,
    runs: Vec<Run>,
}

impl Tables {
    /// Names and ranks every table of `state`.
    pub(crate) fn new(state: &State, layout: &Layout) -> Tables {
        let mut rank = 0;
        let mut table = |meta: &Arc<SstMeta>| {
            let named = TableRef { meta: meta.clone(), name: ObjectName::new(&layout.sst(&meta.id)), rank };
            rank += 1;
            Arc::new(named)
        };
        let l0 = state.l0.iter().map(&mut table).collect();
        let runs = state.runs.iter().map(|run| {
            let tables: Vec<_> = run.ssts.iter().map(&mut table).collect();
            Run { tables, disjoint: run.is_disjoint() }
        });
        Tables { l0, runs: runs.collect() }
    }

    /// The tables that may hold `key`, in the order in which they are worth asking: highest sequence first.
    pub(crate) fn candidates(&self, key: &[u8]) -> Vec<&Arc<TableRef>> {
        let mut found: Vec<_> = self.l0.iter().filter(|table| table.meta.covers(key)).collect();
        for run in &self.runs {
            if run.disjoint {
                let at = run.tables.partition_point(|table| &table.meta.max_key[..] < key);
                found.extend(run.tables.get(at).filter(|table| table.meta.covers(key)));
            } else {
                found.extend(run.tables.iter().filter(|table| table.meta.covers(key)));
            }
        }
        found.sort_by_key(|table| (Reverse(table.seq_hi()), table.rank));
        found
    }

    /// The sorted sources whose merge shows every key of `range`; each is a list of tables to be read one behind the
    /// other, and none is empty.
    pub(crate) fn sources(&self, range: &KeyRange) -> Vec<Vec<Arc<TableRef>>> {
        let within = |table: &&Arc<TableRef>| range.overlaps(&table.meta.min_key, &table.meta.max_key);
        let mut sources: Vec<Vec<_>> =
            self.l0.iter().filter(within).map(|table| vec![table.clone()]).collect();
        for run in &self.runs {
            let tables = run.tables.iter().filter(within).cloned();
            if run.disjoint {
                sources.push(tables.collect());
            } else {
                sources.extend(tables.map(|table| vec![table]));
            }
        }
        sources.retain(|tables| !tables.is_empty());
        sources
    }

    /// Every table, by rank.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<TableRef>> {
        self.l0.iter().chain(self.runs.iter().flat_map(|run| &run.tables))
    }

    /// True if one of the tables is the object `name`.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.all().any(|table| table.name.as_str() == name)
    }
}
