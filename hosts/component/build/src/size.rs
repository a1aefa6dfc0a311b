//! What a component weighs on its way to a user.

use std::io::Write;

/// Bytes after brotli at its best.
pub fn brotli_bytes(bytes: &[u8]) -> std::io::Result<u64> {
    let mut packed = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 11, 22);
    packed.write_all(bytes)?;
    packed.flush()?;
    Ok(packed.into_inner().len() as u64)
}
