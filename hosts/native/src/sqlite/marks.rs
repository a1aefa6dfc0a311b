//! The marks of garbage collection in a SQLite file.

use bytes::Bytes;
use isledb_core::Result;
use isledb_core::format::layout::Layout;
use isledb_core::host::Version;
use isledb_core::maintain::gc::{LoadedMarks, MarkDocument, MarkStorage};
use isledb_core::maybe::BoxFuture;

use super::documents::{SqliteFile, When};

/// A [`MarkStorage`] in a SQLite file; its documents have the names that they have in an object store.
pub struct SqliteMarks {
    file: SqliteFile,
    layout: Layout,
}

impl SqliteMarks {
    /// The marks of the database with this layout.
    pub fn new(file: SqliteFile, layout: Layout) -> SqliteMarks {
        SqliteMarks { file, layout }
    }
}

impl MarkStorage for SqliteMarks {
    fn name(&self, document: MarkDocument) -> String {
        document.object(&self.layout)
    }

    fn load<'a>(&'a self, document: MarkDocument) -> BoxFuture<'a, Result<Option<LoadedMarks>>> {
        Box::pin(async move {
            let read = self.file.read(self.name(document)).await?;
            Ok(read.map(|(bytes, version)| LoadedMarks { bytes, version }))
        })
    }

    fn store<'a>(
        &'a self,
        document: MarkDocument,
        body: Bytes,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Version>> {
        let when = expected.map_or(When::Absent, When::Has);
        Box::pin(self.file.write(self.name(document), body, when))
    }
}
