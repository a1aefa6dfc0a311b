//! The manifest in an object store: the database's own, or another store or prefix.

use bytes::Bytes;

use super::storage::{CurrentRead, ManifestStorage};
use crate::error::{Error, Result};
use crate::format::ksuid::Ksuid;
use crate::format::layout::Layout;
use crate::host::{PutCondition, Requests, Version, probe};
use crate::maybe::BoxFuture;

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
            self.requests.put_once(&self.layout.log(slot), body, PutCondition::IfAbsent).await?;
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
}
