//! The manifest in a SQLite file.

use bytes::Bytes;
use isledb_core::format::layout::Layout;
use isledb_core::host::Version;
use isledb_core::manifest::{CurrentRead, ManifestStorage};
use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, Result};

use super::documents::{SqliteFile, When};

/// Names of one page.
const PAGE: u32 = 1000;

/// A [`ManifestStorage`] in a SQLite file; its documents have the names that they have in an object store.
pub struct SqliteManifest {
    file: SqliteFile,
    layout: Layout,
}

impl SqliteManifest {
    /// The manifest of the database with this layout.
    pub fn new(file: SqliteFile, layout: Layout) -> SqliteManifest {
        SqliteManifest { file, layout }
    }

    async fn find(&self, object: String) -> Result<(Bytes, Version)> {
        self.file.read(object.clone()).await?.ok_or(Error::NotFound { object })
    }
}

impl ManifestStorage for SqliteManifest {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Every write is a transaction.
    fn prove<'a>(&'a self) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn read_current<'a>(&'a self, if_none_match: Option<Version>) -> BoxFuture<'a, Result<CurrentRead>> {
        Box::pin(async move {
            let object = self.layout.current();
            let (bytes, version) = self.find(object.clone()).await?;
            if if_none_match.as_ref() == Some(&version) {
                return Err(Error::NotModified { object });
            }
            Ok(CurrentRead { bytes, version, last_modified_ms: None })
        })
    }

    fn write_current<'a>(&'a self, body: Bytes, expected: Option<Version>) -> BoxFuture<'a, Result<Version>> {
        let when = expected.map_or(When::Absent, When::Has);
        Box::pin(self.file.write(self.layout.current(), body, when))
    }

    fn read_log<'a>(&'a self, slot: u64) -> BoxFuture<'a, Result<Bytes>> {
        Box::pin(async move { Ok(self.find(self.layout.log(slot)).await?.0) })
    }

    fn write_log<'a>(&'a self, slot: u64, body: Bytes) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.file.write(self.layout.log(slot), body, When::Absent).await.map(drop) })
    }

    fn list_log<'a>(&'a self, after: u64) -> BoxFuture<'a, Result<Vec<u64>>> {
        Box::pin(async move {
            let (prefix, after) = (self.layout.log_prefix(), self.layout.log(after));
            let names = self.file.names(prefix, after, None, PAGE).await?;
            Ok(names.iter().filter_map(|name| self.layout.slot_of(name)).collect())
        })
    }

    fn read_snapshot<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Bytes>> {
        Box::pin(async move { Ok(self.find(self.layout.snapshot(id)).await?.0) })
    }

    fn write_snapshot<'a>(&'a self, id: &'a str, body: Bytes) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.file.write(self.layout.snapshot(id), body, When::Always).await.map(drop) })
    }

    fn superseded_snapshots<'a>(&'a self) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let (prefix, current) = (self.layout.snapshot_prefix(), self.layout.current());
            let names = self.file.names(prefix.clone(), String::new(), Some(current), u32::MAX).await?;
            let id = |name: &String| Some(name.strip_prefix(&prefix)?.strip_suffix(".manifest")?.to_owned());
            Ok(names.iter().filter_map(id).collect())
        })
    }

    fn delete_log<'a>(&'a self, slots: &'a [u64]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.file.delete(slots.iter().map(|slot| self.layout.log(*slot)).collect()))
    }

    fn delete_snapshots<'a>(&'a self, ids: &'a [String]) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.file.delete(ids.iter().map(|id| self.layout.snapshot(id)).collect()))
    }
}
