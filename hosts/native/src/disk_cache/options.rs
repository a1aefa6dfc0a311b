//! What a disk cache is opened with.

use std::path::PathBuf;

use isledb_core::{Error, Result};

use super::slots::Geometry;

/// Bound of a disk cache unless told otherwise: 1 GiB.
pub const DEFAULT_DISK_CACHE_BYTES: u64 = 1 << 30;
/// The smallest bound that is accepted: 2 MiB.
pub const MIN_DISK_CACHE_BYTES: u64 = 2 << 20;
/// The largest bound that is accepted: 64 TiB.
pub const MAX_DISK_CACHE_BYTES: u64 = 64 << 40;
/// Size of a chunk unless told otherwise: 64 KiB.
pub const DEFAULT_CHUNK_BYTES: u32 = 64 << 10;
/// The smallest chunk that is accepted: 4 KiB.
pub const MIN_CHUNK_BYTES: u32 = 4 << 10;
/// The largest chunk that is accepted: 1 MiB.
pub const MAX_CHUNK_BYTES: u32 = 1 << 20;

/// Where the cache lies, and how much it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskCacheOptions {
    /// A folder of this machine, made if need be and shared by all who name it. No default: without a folder there is no cache.
    pub directory: PathBuf,
    /// Bound of what lies in the folder, in bytes, over all processes and at all times. Default 1 GiB; from 2 MiB to 64 TiB,
    /// and at least 17 chunks.
    pub max_bytes: u64,
    /// What is read from the store and kept at a time, in bytes. A read of 4 KiB that misses costs this much transfer; a chunk that
    /// is shorter, the last of an object, takes this much of the bound. Default 64 KiB; a power of two from 4 KiB to 1 MiB.
    /// Processes that share a folder should agree on it: others' chunks are no hits, and make room.
    pub chunk_bytes: u32,
}

impl DiskCacheOptions {
    /// A cache in `directory`, with the defaults.
    pub fn new(directory: impl Into<PathBuf>) -> DiskCacheOptions {
        DiskCacheOptions {
            directory: directory.into(),
            max_bytes: DEFAULT_DISK_CACHE_BYTES,
            chunk_bytes: DEFAULT_CHUNK_BYTES,
        }
    }

    /// Refuses what is out of bounds, by name.
    pub(super) fn geometry(&self) -> Result<Geometry> {
        let DiskCacheOptions { directory, max_bytes, chunk_bytes } = self;
        let refuse = |what: String| Err(Error::InvalidArgument { what });
        if directory.as_os_str().is_empty() {
            return refuse("disk_cache.directory: it is empty".to_owned());
        }
        if !(MIN_CHUNK_BYTES..=MAX_CHUNK_BYTES).contains(chunk_bytes) || !chunk_bytes.is_power_of_two() {
            return refuse(format!(
                "disk_cache.chunk_bytes: {chunk_bytes} is not a power of two from {MIN_CHUNK_BYTES} to {MAX_CHUNK_BYTES}"
            ));
        }
        if !(MIN_DISK_CACHE_BYTES..=MAX_DISK_CACHE_BYTES).contains(max_bytes) {
            return refuse(format!(
                "disk_cache.max_bytes: {max_bytes} is not from {MIN_DISK_CACHE_BYTES} to {MAX_DISK_CACHE_BYTES}"
            ));
        }
        match Geometry::new(*max_bytes, *chunk_bytes) {
            Some(geometry) => Ok(geometry),
            None => {
                refuse(format!("disk_cache.max_bytes: {max_bytes} is less than 17 chunks of {chunk_bytes}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_named_and_within_the_bounds() {
        let options = DiskCacheOptions::new("somewhere");
        assert_eq!((options.max_bytes, options.chunk_bytes), (1 << 30, 64 << 10));
        options.geometry().unwrap();
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_by_name() {
        let good = DiskCacheOptions::new("somewhere");
        for (options, name) in [
            (DiskCacheOptions { directory: "".into(), ..good.clone() }, "disk_cache.directory"),
            (DiskCacheOptions { max_bytes: (2 << 20) - 1, ..good.clone() }, "disk_cache.max_bytes"),
            (DiskCacheOptions { max_bytes: (64 << 40) + 1, ..good.clone() }, "disk_cache.max_bytes"),
            (
                DiskCacheOptions { max_bytes: 16 << 20, chunk_bytes: 1 << 20, ..good.clone() },
                "disk_cache.max_bytes",
            ),
            (DiskCacheOptions { chunk_bytes: 2 << 10, ..good.clone() }, "disk_cache.chunk_bytes"),
            (DiskCacheOptions { chunk_bytes: 2 << 20, ..good.clone() }, "disk_cache.chunk_bytes"),
            (DiskCacheOptions { chunk_bytes: 65_000, ..good.clone() }, "disk_cache.chunk_bytes"),
        ] {
            let error = options.geometry().unwrap_err();
            assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
            assert!(error.to_string().contains(name), "{error}");
        }
        for (max_bytes, chunk_bytes) in [(2 << 20, 4 << 10), (64 << 40, 1 << 20), (17 << 20, 1 << 20)] {
            DiskCacheOptions { max_bytes, chunk_bytes, ..good.clone() }.geometry().unwrap();
        }
    }
}
