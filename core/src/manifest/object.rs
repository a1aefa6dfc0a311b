//! The manifest in an object store: the database's own, or another store or prefix.

use bytes::Bytes;

use super::storage::{CurrentRead, ManifestStorage};
use crate::error::{Error, Result};
use crate::format::ksuid::Ksuid;
use crate::format::layout::Layout;
use crate::host::{MAX_LIST_PAGE, PutCondition, Requests, Version, probe};
use crate::maybe::BoxFuture;
use crate::mutation::{Mutation, mutated};

/// A [`ManifestStorage`] under a prefix of an object store. The store must decide conditional puts (see
/// [`crate::host::probe`]).
pub struct ObjectManifest {
    requests: Requests,
    layout: Layout,
}

impl ObjectManifest {
    /// The manifest under `layout`'s prefix of the store behind `requests`.
    pub fn new(requests: Requests, layout: Layout) -> ObjectManifest {
        ObjectManifest { requests, layout }
    }

    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        for keys in keys.chunks(MAX_LIST_PAGE) {
            self.requests.delete_unique(keys).await?;
        }
        Ok(())
    }
}

impl ManifestStorage for ObjectManifest {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn prove<'a>(&'a self) -> BoxFuture<'a, Result<()>> {
        let new_name = move || {
            let mut random = [0; 16];
            self.requests.host.fill_random(&mut random);
            self.layout.probe(&Ksuid::new(self.requests.host.now_unix_ns(), random))
        };
        Box::pin(probe(&self.requests, new_name))
    }

    fn read_current<'a>(&'a self, if_none_match: Option<Version>) -> BoxFuture<'a, Result<CurrentRead>> {
        Box::pin(async move {
            let object = self.layout.current();
            let fetched = self.requests.get_if_changed(&object, if_none_match.as_ref()).await?;
            let fetched = fetched.ok_or_else(|| Error::NotModified { object: object.clone() })?;
            let version = fetched.meta.version.ok_or_else(|| Error::Unsupported {
                object,
                what: "the store gives no version (ETag, generation) with an object".to_owned(),
            })?;
            Ok(CurrentRead { bytes: fetched.body, version, last_modified_ms: fetched.meta.last_modified_ms })
        })
    }

    fn write_current<'a>(&'a self, body: Bytes, expected: Option<Version>) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            let condition = expected.map_or(PutCondition::IfAbsent, PutCondition::IfMatch);
            self.requests.put_once(&self.layout.current(), body, condition).await
        })
    }

    fn read_log<'a>(&'a self, slot: u64) -> BoxFuture<'a, Result<Bytes>> {
        Box::pin(async move { Ok(self.requests.get(&self.layout.log(slot)).await?.body) })
    }

    fn write_log<'a>(&'a self, slot: u64, body: Bytes) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let overwrites = mutated(Mutation::SlotIsOverwritten);
            let condition = if overwrites { PutCondition::None } else { PutCondition::IfAbsent };
            self.requests.put_once(&self.layout.log(slot), body, condition).await?;
            Ok(())
        })
    }

    fn list_log<'a>(&'a self, after: u64) -> BoxFuture<'a, Result<Vec<u64>>> {
        Box::pin(async move {
            let page = self.requests.list(&self.layout.log_prefix(), Some(&self.layout.log(after))).await?;
            Ok(page.objects.iter().filter_map(|object| self.layout.slot_of(&object.key)).collect())
        })
    }

    fn read_snapshot<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Bytes>> {
        Box::pin(async move { Ok(self.requests.get(&self.layout.snapshot(id)).await?.body) })
    }

    fn write_snapshot<'a>(&'a self, id: &'a str, body: Bytes) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.requests.put_unique(&self.layout.snapshot(id), body).await?;
            Ok(())
        })
    }

    /// Stores date their objects in whole seconds, so of two writes in one second it cannot be told which was first: such a
    /// snapshot counts when CURRENT was replaced once more.
    fn superseded_snapshots<'a>(&'a self) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let prefix = self.layout.snapshot_prefix();
            let mut found = Vec::new();
            let mut after: Option<String> = None;
            loop {
                let page = self.requests.list(&prefix, after.as_deref()).await?;
                after = page.objects.last().map(|object| object.key.clone());
                found.extend(page.objects.into_iter().filter_map(|object| {
                    let id = object.key.strip_prefix(&prefix)?.strip_suffix(".manifest")?.to_owned();
                    id.parse::<Ksuid>().is_ok().then_some((id, object.last_modified_ms?))
                }));
                if !page.more || after.is_none() {
                    break;
                }
            }
            if found.is_empty() {
                return Ok(Vec::new());
            }
            let current_ms = self.requests.head(&self.layout.current()).await?.last_modified_ms.unwrap_or(0);
            Ok(found.into_iter().filter(|(_, at)| *at < current_ms).map(|(id, _)| id).collect())
        })
    }

    fn delete_log<'a>(&'a self, slots: &'a [u64]) -> BoxFuture<'a, Result<()>> {
        let keys = slots.iter().map(|slot| self.layout.log(*slot)).collect();
        Box::pin(self.delete(keys))
    }

    fn delete_snapshots<'a>(&'a self, ids: &'a [String]) -> BoxFuture<'a, Result<()>> {
        let keys = ids.iter().map(|id| self.layout.snapshot(id)).collect();
        Box::pin(self.delete(keys))
    }
}
