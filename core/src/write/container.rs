//! The bloom container that the original's readers use, behind a table.

use bytes::Bytes;

use super::upload::Upload;
use crate::error::Result;
use crate::format::bloom::{self, BloomContainer, Sizing};
use crate::format::manifest::BloomMeta;
use crate::format::sst::TableSummary;

/// Appends the container to a finished table, unless it is not `wanted`, and says where it is. `bits` a key; 0 means that the
/// table has no filter.
pub(crate) async fn append_bloom(
    upload: &mut Upload,
    summary: &TableSummary,
    bits: u32,
    wanted: bool,
) -> Result<BloomMeta> {
    let mut meta = BloomMeta { bits_per_key: i64::from(bits), k: 0, offset: summary.size, length: 0 };
    if bits == 0 {
        // As the original writes it where the filter is off.
        meta.bits_per_key = -1;
    } else if wanted {
        let json = BloomContainer::build(&summary.key_hashes, bits, Sizing::Right);
        meta.k = bloom::probes(bits) as i64;
        meta.length = json.len() as u64;
        let trailer = BloomContainer::trailer(meta.length);
        upload.write(Bytes::from(json)).await?;
        upload.write(Bytes::copy_from_slice(&trailer)).await?;
    }
    Ok(meta)
}
