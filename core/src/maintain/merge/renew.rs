//! Tables that grew old before they could be committed.

use std::sync::Arc;

use super::leftovers::Leftovers;
use super::work::{Surroundings, Uploaded, new_id};
use crate::error::{Error, Result};
use crate::format::manifest::SstMeta;
use crate::host::Moment;
use crate::write::upload::Upload;

/// An upload that began longer ago is made again under a new name: half an hour before the publisher refuses it (12 h), since
/// from a day on garbage collection may take it for an orphan. That it is still there proves nothing.
const MAX_UPLOAD_AGE_MS: u64 = 23 * 30 * 60_000;

/// Copies the tables of a long merge that are too old to be relied on, part by part, until none is.
///
/// Cost: one GET and one put for each part of such a table. Memory: four times `part_size`.
pub(super) async fn renew(
    around: &Surroundings<'_>,
    tables: &mut [Uploaded],
    leftovers: &mut Leftovers,
) -> Result<()> {
    let host = around.source.requests.host.as_ref();
    for (i, table) in tables.iter_mut().enumerate() {
        if table.began.elapsed_ms(host) < MAX_UPLOAD_AGE_MS {
            continue;
        }
        let began = Moment::now(host);
        let (id, _) = new_id(around, i);
        leftovers.tables.push(id.clone());
        copy(around, &table.meta, &id, leftovers).await?;
        *table = Uploaded { meta: Arc::new(SstMeta { id, ..(*table.meta).clone() }), began };
    }
    Ok(())
}

/// The whole object, the bloom container behind the table too.
async fn copy(around: &Surroundings<'_>, from: &SstMeta, to: &str, leftovers: &mut Leftovers) -> Result<()> {
    let Surroundings { source, layout, options, .. } = around;
    let bloom = if from.bloom.length > 0 { from.bloom.length + BLOOM_TRAILER } else { 0 };
    let (size, name) = (from.size + bloom, layout.sst(&from.id));
    leftovers.upload = Some(Upload::new(source.requests.clone(), layout.sst(to), options.part_size));
    let mut at = 0;
    while at < size {
        let end = size.min(at + options.part_size);
        let part = source.requests.get_range(&name, at..end).await?;
        let Some(upload) = &mut leftovers.upload else {
            return Err(Error::invalid("a table without its upload"));
        };
        upload.write(part).await?;
        at = end;
    }
    if let Some(upload) = &mut leftovers.upload {
        upload.finish().await?;
    }
    leftovers.upload = None;
    Ok(())
}

/// Bytes behind the JSON of a bloom container.
const BLOOM_TRAILER: u64 = 16;
