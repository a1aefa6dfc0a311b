//! A store of real tables that are too large to be kept: nearly all their bytes are one filler, which is not stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use isledb_core::Result;
use isledb_core::format::manifest::SstMeta;
use isledb_core::format::sst::TableOptions;
use isledb_core::host::{
    Body, GetOptions, GetResult, ListPage, MemoryStore, MultipartUpload, ObjectMeta, ObjectStore,
    PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;

use super::made::Made;

/// The byte that values should consist of.
pub(crate) const FILLER: u8 = b'.';

/// What is compared with the filler at once.
const CHUNK: usize = 256;

/// The bytes of one object: chunks by their offset, and filler between them.
#[derive(Default)]
struct Sparse {
    chunks: BTreeMap<u64, Vec<u8>>,
    len: u64,
    /// What does not make a chunk yet.
    rest: Vec<u8>,
}

impl Sparse {
    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.rest.is_empty() && bytes.starts_with(&[FILLER; CHUNK]) {
                self.len += CHUNK as u64;
                bytes = &bytes[CHUNK..];
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.rest.len()));
            self.rest.extend_from_slice(now);
            bytes = later;
            if self.rest.len() == CHUNK {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        if self.rest != [FILLER; CHUNK] {
            self.chunks.insert(self.len, self.rest.clone());
        }
        self.len += self.rest.len() as u64;
        self.rest.clear();
    }

    fn read(&self, range: std::ops::Range<u64>) -> Vec<u8> {
        let mut bytes = vec![FILLER; (range.end - range.start) as usize];
        for (at, chunk) in self.chunks.range(range.start.saturating_sub(CHUNK as u64)..range.end) {
            for (i, byte) in chunk.iter().enumerate() {
                if let Some(place) = (at + i as u64).checked_sub(range.start)
                    && let Some(target) = bytes.get_mut(place as usize)
                {
                    *target = *byte;
                }
            }
        }
        bytes
    }
}

/// Tables by their key; everything else lies in memory.
pub(crate) struct SparseStore {
    memory: MemoryStore,
    tables: BTreeMap<String, Sparse>,
}

impl SparseStore {
    pub(crate) fn new(memory: MemoryStore) -> SparseStore {
        SparseStore { memory, tables: BTreeMap::new() }
    }

    /// Builds a table of the entries that `fill` adds, with values in their stored form.
    pub(crate) fn build(
        &mut self,
        made: &mut Made,
        options: TableOptions,
        fill: impl FnOnce(&mut dyn FnMut(&[u8], u64, &[u8])),
    ) -> Arc<SstMeta> {
        let mut sparse = Sparse::default();
        let meta = made.build_into(options, |bytes| sparse.push(bytes), fill);
        sparse.cut();
        assert_eq!(sparse.len, meta.size);
        self.tables.insert(made.layout.sst(&meta.id), sparse);
        meta
    }
}

impl ObjectStore for SparseStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let Some(table) = self.tables.get(key) else { return self.memory.get(key, options).await };
            // As long a way as the memory's, so that what is asked together overlaps.
            let _ = self.memory.get("not there", GetOptions::default()).await;
            let range = options.range.unwrap_or(0..table.len);
            assert!(range.start <= range.end && range.end <= table.len, "{key}: {range:?} of {}", table.len);
            let meta = ObjectMeta {
                key: key.to_owned(),
                size: table.len,
                version: Some(Version::new("1")),
                last_modified_ms: None,
            };
            let body = Body::once(Bytes::from(table.read(range.clone())));
            Ok(GetResult { meta, range, body })
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        self.memory.head(key)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        self.memory.put(key, body, condition)
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        self.memory.put_multipart(key)
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        self.memory.list(prefix, start_after)
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.memory.delete(keys)
    }
}
