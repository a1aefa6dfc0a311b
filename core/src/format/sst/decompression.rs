//! Undoes block compression: snappy and zstd. What other codecs wrote is refused by their name.

use bytes::Bytes;

use super::varint;
use crate::{Error, Result};

/// Block types, the first byte of a trailer.
pub(super) const NONE: u8 = 0;
pub(super) const SNAPPY: u8 = 1;
pub(super) const ZSTD: u8 = 7;
const MINLZ: u8 = 8;

/// Every snappy element gives at most 64 bytes for three of its own; a zstd block gives 128 KiB for four.
const SNAPPY_EXPANSION: u64 = 22;
const ZSTD_EXPANSION: u64 = 32 * 1024;

/// What is reserved before the first byte of a zstd frame is decoded; beyond it memory follows what was decoded.
const ZSTD_FIRST_RESERVE: u64 = 1 << 20;

/// Largest window that a frame may ask for: that of `zstd -19`, and `--long` up to 2^27.
const ZSTD_WINDOW: u64 = 1 << 27;

/// Undoes the compression of a stored body. Uncompressed bodies are not copied. The decoded length is checked against
/// `limit`, and against what the stored bytes can expand to, before anything is allocated.
pub(super) fn decompress(object: &str, at: u64, block_type: u8, stored: Bytes, limit: u64) -> Result<Bytes> {
    let corrupt = |expected: String, found: String| Error::corrupt(object, at, expected, found);
    let check = |length: u64, expansion: u64| {
        let most = limit.min((stored.len() as u64).saturating_mul(expansion));
        if length > most {
            return Err(corrupt(format!("a block of {most} bytes at most"), format!("{length} bytes")));
        }
        Ok(())
    };
    match block_type {
        NONE => {
            check(stored.len() as u64, 1)?;
            Ok(stored)
        }
        SNAPPY => {
            let Some((length, _)) = varint::read_u32(&stored) else {
                return Err(corrupt("a snappy length".into(), "none".into()));
            };
            check(u64::from(length), SNAPPY_EXPANSION)?;
            snap::raw::Decoder::new()
                .decompress_vec(&stored)
                .map(Bytes::from)
                .map_err(|error| corrupt("a snappy block".into(), error.to_string()))
        }
        ZSTD => {
            let Some((length, header)) = varint::read(&stored) else {
                return Err(corrupt("a length before the zstd frame".into(), "none".into()));
            };
            check(length, ZSTD_EXPANSION)?;
            let frame = stored.get(header as usize..).unwrap_or_default();
            unzstd(frame, length).map_err(|found| corrupt(format!("a zstd frame of {length} bytes"), found))
        }
        MINLZ => Err(Error::Unsupported {
            object: object.to_owned(),
            what: "block compression MinLZ (type 8)".into(),
        }),
        other => {
            let name = match other {
                2 => "zlib",
                3 => "bzip2",
                4 | 5 => "LZ4",
                6 => "Xpress",
                _ => return Err(corrupt("a block type (0, 1 or 7)".into(), other.to_string())),
            };
            let what = format!("block compression {name} (type {other})");
            Err(Error::Unsupported { object: object.to_owned(), what })
        }
    }
}

/// Decodes one frame that must give exactly `length` bytes. Never holds more than a window and a block beyond them.
fn unzstd(frame: &[u8], length: u64) -> Result<Bytes, String> {
    use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

    let mut source = frame;
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(ZSTD_WINDOW);
    decoder.init(&mut source).map_err(|error| error.to_string())?;
    let mut out = Vec::with_capacity(length.min(ZSTD_FIRST_RESERVE) as usize);
    loop {
        // A zstd block is 128 KiB at most, so a frame that lies about its size is found out early.
        let last = decoder
            .decode_blocks(&mut source, BlockDecodingStrategy::UptoBlocks(1))
            .map_err(|error| error.to_string())?;
        if (out.len() + decoder.can_collect()) as u64 > length {
            return Err(format!("more than {length} bytes"));
        }
        decoder.collect_to_writer(&mut out).map_err(|error| error.to_string())?;
        if last {
            break;
        }
    }
    if !source.is_empty() {
        return Err(format!("{} bytes behind the frame", source.len()));
    }
    if out.len() as u64 != length {
        return Err(format!("{} bytes", out.len()));
    }
    Ok(Bytes::from(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1 << 20;

    #[test]
    fn bombs_are_refused_before_they_are_decoded() {
        // A snappy header that claims 4 GiB, and one within the limit that its few bytes cannot give.
        for header in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0x80, 0x80, 0x20, 0, 0]] {
            let error = decompress("t", 7, SNAPPY, Bytes::copy_from_slice(header), LIMIT).unwrap_err();
            assert_eq!(error.offset(), Some(7), "{error}");
        }
        let error =
            decompress("t", 7, ZSTD, Bytes::from_static(&[0xff, 0xff, 0xff, 0x7f, 1, 2, 3, 4]), LIMIT);
        assert!(error.unwrap_err().to_string().contains("at most"));
    }

    #[test]
    fn a_zstd_frame_that_lies_about_its_size_is_refused() {
        // Single segment, content size 0: a run of 128 KiB in an RLE block, declared as 10 bytes.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x70, 0x03, 0x00, 0x10, 0x61];
        let mut body = vec![10];
        body.extend_from_slice(&frame);
        let error = decompress("t", 0, ZSTD, Bytes::from(body), LIMIT).unwrap_err();
        assert!(error.to_string().contains("more than 10 bytes"), "{error}");
        let mut body = vec![0x80, 0x80, 0x08];
        body.extend_from_slice(&frame);
        let whole = decompress("t", 0, ZSTD, Bytes::from(body), LIMIT).unwrap();
        assert_eq!(whole, vec![0x61; 128 * 1024]);
    }

    #[test]
    fn foreign_codecs_are_named() {
        for (block_type, name) in [(8, "MinLZ"), (4, "LZ4"), (2, "zlib")] {
            let error = decompress("t", 0, block_type, Bytes::new(), LIMIT).unwrap_err();
            assert!(matches!(&error, Error::Unsupported { what, .. } if what.contains(name)), "{error}");
        }
        assert!(matches!(decompress("t", 0, 99, Bytes::new(), LIMIT), Err(Error::Corrupt { .. })));
    }
}
