//! A bucket as one input: `name length u8 | name | body length u24 LE | body`, over and over. A cut archive is read as far as it goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_conformance::InstantHost;
use isledb_core::host::{MemoryStore, ObjectStore, PutCondition};

use crate::reseal;

/// Now, whenever that matters: behind every expiry of the fixtures that is meant to have passed.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// The prefix of every database. Names in an archive are relative to it.
pub(crate) const PREFIX: &str = "db";

pub(crate) type Objects = BTreeMap<String, Bytes>;

pub(crate) fn pack(objects: &Objects) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, body) in objects {
        out.push(u8::try_from(name.len()).unwrap());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&(body.len() as u32).to_le_bytes()[..3]);
        out.extend_from_slice(body);
    }
    out
}

/// The objects, with their checksums put right.
pub(crate) fn unpack(mut input: &[u8]) -> Objects {
    let mut objects = Objects::new();
    while let Some(length) = input.split_off_first() {
        let name = input.split_off(..usize::from(*length).min(input.len())).unwrap_or_default();
        let Some((low, rest)) = input.split_first_chunk::<3>() else { break };
        input = rest;
        let length = u32::from_le_bytes([low[0], low[1], low[2], 0]) as usize;
        let body = input.split_off(..length.min(input.len())).unwrap_or_default();
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let body = match name {
            name if name.starts_with("sstable/") => table_object(body),
            name if name.starts_with("manifest/") => reseal::document(body),
            _ => body.to_vec(),
        };
        objects.insert(name.to_owned(), body.into());
    }
    objects
}

/// A table, and the bloom container that may follow it.
fn table_object(body: &[u8]) -> Vec<u8> {
    let container = body.last_chunk::<16>().and_then(|trailer| {
        let length = trailer.strip_prefix(b"ISLEBLM1")?.as_array::<8>()?;
        usize::try_from(u64::from_le_bytes(*length)).ok()?.checked_add(16)
    });
    let (table, rest) = body.split_at(body.len().saturating_sub(container.unwrap_or(0)));
    [&reseal::table(table), rest].concat()
}

/// A store that holds them.
pub(crate) fn store_of(objects: &Objects) -> Arc<MemoryStore> {
    let store = MemoryStore::new(Arc::new(InstantHost::new(NOW_MS, 0)));
    block_on(async {
        for (name, body) in objects {
            store.put(&format!("{PREFIX}/{name}"), body.clone(), PutCondition::None).await.unwrap();
        }
    });
    Arc::new(store)
}
