//! Databases of random tables, and what a reader of them must show.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use isledb_core::format::manifest::SstMeta;
use isledb_core::format::sst::{TableLayout, TableOptions};
use isledb_core::format::value;
use isledb_core::host::MemoryStore;
use proptest::prelude::*;

use super::made::Made;
use super::{NOW_MS, TestClock};

/// What a version of a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Does {
    Put,
    /// A put whose time has passed.
    PutExpired,
    /// A put whose time is to come.
    PutExpiring,
    PutBlob,
    Delete,
}

/// The versions of one table: key, sequence, and what it does.
pub(crate) type Versions = Vec<(Vec<u8>, u64, Does)>;

/// Live keys with sequence and value.
pub(crate) type Model = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;

/// The value of a version says which one it is.
pub(crate) fn value(rank: usize, sequence: u64) -> Vec<u8> {
    format!("{sequence} of table {rank}").repeat(1 + (sequence as usize * 7 + rank) % 30).into_bytes()
}

fn options(shape: u8) -> TableOptions {
    TableOptions {
        block_size: [64, 200, 4096][shape as usize % 3],
        filter_bits_per_key: if shape.is_multiple_of(2) { 10 } else { 0 },
        layout: if shape % 5 < 3 { TableLayout::Edge } else { TableLayout::Original },
        ..TableOptions::default()
    }
}

/// What a reader must show: by key the newest version of all tables, live puts only.
pub(crate) fn model(tables: &[Versions]) -> Model {
    let mut newest: BTreeMap<&[u8], (u64, Reverse<usize>, Does)> = BTreeMap::new();
    for (rank, versions) in tables.iter().enumerate() {
        for (key, sequence, does) in versions {
            let version = (*sequence, Reverse(rank), *does);
            let best = newest.entry(key).or_insert(version);
            *best = (*best).max(version);
        }
    }
    let live = newest.into_iter().filter(|(_, (.., does))| !matches!(does, Does::Delete | Does::PutExpired));
    live.map(|(key, (sequence, rank, _))| (key.to_vec(), (sequence, value(rank.0, sequence)))).collect()
}

/// A database whose level 0 and runs hold these tables, in the order of the state.
pub(crate) fn database(tables: &[Versions], shapes: &[u8], l0: usize, run_length: usize) -> Made {
    let mut made = Made::new(MemoryStore::new(TestClock::new()));
    let metas: Vec<Arc<SstMeta>> = tables
        .iter()
        .enumerate()
        .map(|(rank, versions)| {
            let stored: Vec<_> = versions.iter().map(|version| stored(&made, rank, version)).collect();
            made.build_stored(options(shapes[rank % shapes.len()]), |add| {
                for ((key, sequence, _), stored) in versions.iter().zip(&stored) {
                    add(key, *sequence, stored);
                }
            })
        })
        .collect();
    let l0 = l0.min(metas.len());
    // What is added last stands first.
    for run in metas[l0..].chunks(run_length).rev() {
        made.add_run(run.to_vec());
    }
    made.snapshot();
    for meta in metas[..l0].iter().rev() {
        made.add(meta);
    }
    made.publish();
    made
}

fn stored(made: &Made, rank: usize, (_, sequence, does): &(Vec<u8>, u64, Does)) -> Vec<u8> {
    let mut stored = Vec::new();
    let value = value(rank, *sequence);
    match does {
        Does::Put => value::encode_inline_into(&mut stored, &value, None),
        Does::PutExpired => value::encode_inline_into(&mut stored, &value, Some(NOW_MS)),
        Does::PutExpiring => value::encode_inline_into(&mut stored, &value, Some(NOW_MS + 1)),
        Does::PutBlob => value::encode_blob_into(&mut stored, &made.blob(&value), None),
        Does::Delete => value::encode_delete_into(&mut stored),
    }
    stored
}

/// Tables of which some overlap, and others follow each other so that they can be read as one source.
pub(crate) fn tables(most: usize) -> impl Strategy<Value = Vec<Versions>> {
    let overlapping = prop::collection::vec(versions(), 1..most);
    // One list cut in pieces between keys is a run that is read as one source.
    let disjoint = (versions(), 1..most).prop_map(|(versions, pieces)| {
        let length = versions.len().div_ceil(pieces);
        let mut tables: Vec<Versions> = vec![vec![]];
        for version in versions {
            let last = tables.last_mut().unwrap();
            match last.last() {
                Some((key, ..)) if last.len() >= length && *key != version.0 => tables.push(vec![version]),
                _ => last.push(version),
            }
        }
        tables
    });
    (overlapping, disjoint, any::<bool>()).prop_map(|(mut overlapping, disjoint, both)| {
        if both {
            overlapping.extend(disjoint);
        }
        overlapping
    })
}

fn versions() -> impl Strategy<Value = Versions> {
    let does = prop_oneof![
        5 => Just(Does::Put),
        2 => Just(Does::Delete),
        1 => Just(Does::PutExpired),
        1 => Just(Does::PutExpiring),
        1 => Just(Does::PutBlob),
    ];
    let version = (prop::collection::vec(0u8..4, 1..4), 1u64..40, does);
    prop::collection::vec(version, 1..60).prop_map(|mut versions| {
        versions.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        versions.dedup_by(|a, b| (&a.0, a.1) == (&b.0, b.1));
        versions
    })
}

/// Every key that a random table can have.
pub(crate) fn all_keys() -> Vec<Vec<u8>> {
    let mut keys = vec![];
    for a in 0..4u8 {
        keys.push(vec![a]);
        for b in 0..4u8 {
            keys.push(vec![a, b]);
            keys.extend((0..4u8).map(|c| vec![a, b, c]));
        }
    }
    keys
}
