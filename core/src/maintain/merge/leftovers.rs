//! What a merge has put into the store that no manifest names yet.

use crate::error::Result;
use crate::format::layout::Layout;
use crate::format::manifest::Compaction;
use crate::host::Requests;
use crate::manifest::State;
use crate::write::upload::Upload;

/// The upload under way and the tables uploaded. It lies with the owner and not in the future that merges, so what a dropped
/// future leaves behind is found again and taken back.
#[derive(Default)]
pub(in crate::maintain) struct Leftovers {
    pub(super) upload: Option<Upload>,
    /// Ids, noted before the first request for each.
    pub(super) tables: Vec<String>,
}

impl Leftovers {
    /// Tables of this merge have become the manifest's.
    pub(in crate::maintain) fn committed(&mut self, merge: &Compaction) {
        self.tables.retain(|id| !merge.added().any(|added| added.id == *id));
    }

    /// Takes back what no entry names or ever will: the caller has settled what it published. One request for what is
    /// under way and one for the tables, none where there is nothing.
    ///
    /// Errors: of the delete; the next call tries again. (Garbage collection would find the tables after a day.)
    pub(in crate::maintain) async fn take_back(
        &mut self,
        requests: &Requests,
        layout: &Layout,
        state: &State,
    ) -> Result<()> {
        if let Some(upload) = &mut self.upload {
            upload.abort().await;
            self.upload = None;
        }
        let unnamed = self.tables.iter().filter(|id| state.table(id).is_none());
        let keys: Vec<String> = unnamed.map(|id| layout.sst(id)).collect();
        for keys in keys.chunks(1_000) {
            requests.delete_unique(keys).await?;
        }
        self.tables.clear();
        Ok(())
    }
}
