//! The codec that the engine cannot bring itself: encoding Zstandard is C.

use std::sync::Arc;

use isledb_core::format::sst::Compression;

/// Zstandard at `level`, 1 (fast) to 22 (small); 0 is the default, 3; levels beyond are brought into this range. Reading
/// needs no such provider: the engine decodes by itself, on every host.
pub fn zstd(level: i32) -> Compression {
    let range = zstd::compression_level_range();
    let level = level.clamp(*range.start(), *range.end());
    Compression::Zstd(Arc::new(move |block| {
        // Fails for lack of memory alone, where other allocations would abort the process too. The table writer keeps a
        // block as it is when the result is not smaller, so this only costs space.
        zstd::bulk::compress(block, level).unwrap_or_else(|_| block.to_vec())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_writes_is_zstandard() {
        let Compression::Zstd(encode) = zstd(1) else { panic!("another codec") };
        let block = b"island ".repeat(600);
        let encoded = encode(&block);
        assert!(encoded.len() < block.len() / 10);
        assert_eq!(zstd::bulk::decompress(&encoded, block.len()).unwrap(), block);
        assert!(matches!(zstd(1000), Compression::Zstd(_)), "a level beyond the range is no panic");
    }
}
