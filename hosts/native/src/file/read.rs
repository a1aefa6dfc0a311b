//! Reading objects, and their versions.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use futures::stream;
use isledb_core::host::{Body, GetOptions, GetResult, ObjectMeta, Version};
use isledb_core::{Error, Result};
use sha2::{Digest, Sha256};

use super::blocking::{io_error, run_with};
use crate::positioned::read_exact_at;

/// Objects up to this size carry a hash of their content as version, wherever they lie.
const MAX_HASHED_BYTES: u64 = 64 << 10;
/// Bodies are read in pieces of this size.
const PIECE_BYTES: u64 = 4 << 20;

/// An object that is open for reading. A rename over its name does not touch what is read here.
struct Opened {
    file: File,
    metadata: Metadata,
}

fn open(key: &str, path: &Path) -> Result<Opened> {
    let open = || {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    };
    let (file, metadata) = open().map_err(|error: io::Error| io_error(key, &error))?;
    if !metadata.is_file() {
        return Err(Error::NotFound { object: key.to_owned() });
    }
    Ok(Opened { file, metadata })
}

/// Meta data with the version, which may take reading the object.
pub(super) fn head(key: &str, path: &Path) -> Result<ObjectMeta> {
    let opened = open(key, path)?;
    let (meta, _) = meta_and_content(key, &opened)?;
    Ok(meta)
}

/// The version of an object, `None` where there is none.
pub(super) fn version(key: &str, path: &Path) -> Result<Option<Version>> {
    match head(key, path) {
        Ok(meta) => Ok(meta.version),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Room for the body that is asked for; none where its length is not known yet.
pub(super) fn room_for(asked: Option<Range<u64>>) -> Vec<u8> {
    let asked = asked.map_or(0, |range| range.end.saturating_sub(range.start));
    if asked <= PIECE_BYTES { room(asked) } else { Vec::new() }
}

fn room(bytes: u64) -> Vec<u8> {
    // At most a piece.
    Vec::with_capacity(bytes as usize)
}

/// A get. The version belongs to exactly the bytes that are read: both come from one open file. A body goes into `room` where it
/// fits.
pub(super) fn get(key: Arc<str>, path: &Path, options: GetOptions, room: Vec<u8>) -> Result<GetResult> {
    let opened = open(&key, path)?;
    let (meta, content) = meta_and_content(&key, &opened)?;
    if options.if_none_match.is_some() && options.if_none_match == meta.version {
        return Err(Error::NotModified { object: key.to_string() });
    }
    let range = options.range.unwrap_or(0..meta.size);
    if range.start > range.end || range.end > meta.size {
        return Err(Error::Corrupt {
            object: key.to_string(),
            offset: Some(range.start),
            expected: format!("bytes {range:?}"),
            found: format!("an object of {} bytes", meta.size),
        });
    }
    let body = match content {
        // Within the content, whose length is a usize.
        Some(content) => Body::once(content.slice(range.start as usize..range.end as usize)),
        None if range.end - range.start <= PIECE_BYTES => {
            let piece =
                read_range(&opened.file, range.clone(), room).map_err(|error| io_error(&key, &error))?;
            Body::once(piece)
        }
        None => pieces(key, opened.file, range.clone()),
    };
    Ok(GetResult { meta, range, body })
}

/// The version that a file will have as an object.
pub(super) fn version_of_file(key: &str, file: &File) -> io::Result<Version> {
    let metadata = file.metadata()?;
    if has_hashed_version(key, metadata.len()) {
        return Ok(hash(&read_range(file, 0..metadata.len(), Vec::new())?));
    }
    Ok(identity(&metadata))
}

/// Meta data, and the content where its version took reading it.
fn meta_and_content(key: &str, opened: &Opened) -> Result<(ObjectMeta, Option<Bytes>)> {
    let size = opened.metadata.len();
    let (version, content) = if has_hashed_version(key, size) {
        let content = read_range(&opened.file, 0..size, Vec::new()).map_err(|error| io_error(key, &error))?;
        (hash(&content), Some(content))
    } else {
        (identity(&opened.metadata), None)
    };
    let meta = ObjectMeta {
        key: key.to_owned(),
        size,
        version: Some(version),
        last_modified_ms: modified_ms(&opened.metadata),
    };
    Ok((meta, content))
}

/// The manifest's objects, which are replaced, and small ones, for which it costs nothing, are hashed. The others are
/// written once, so that what the file system knows of them (inode, size, time) tells one from another.
fn has_hashed_version(key: &str, size: u64) -> bool {
    size <= MAX_HASHED_BYTES || key.split('/').any(|segment| segment == "manifest")
}

fn hash(content: &[u8]) -> Version {
    let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    Version::new(hash)
}

/// A version that tells files apart without reading them.
fn identity(metadata: &Metadata) -> Version {
    let modified_ns = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let modified_ns = modified_ns.map_or(0, |since| since.as_nanos());
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Version::new(format!("{}-{modified_ns}-{inode}", metadata.len()))
}

pub(super) fn modified_ms(metadata: &Metadata) -> Option<u64> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

fn pieces(key: Arc<str>, file: File, range: Range<u64>) -> Body {
    let file = Arc::new(file);
    Body::stream(Box::pin(stream::try_unfold(range, move |rest| {
        let (file, key) = (file.clone(), key.clone());
        async move {
            if rest.is_empty() {
                return Ok(None);
            }
            let end = rest.end.min(rest.start + PIECE_BYTES);
            let piece = rest.start..end;
            let make_room = || room(end - rest.start);
            let read = move |room| read_range(&file, piece, room).map_err(|error| io_error(&key, &error));
            let read = run_with(make_room, read).await?;
            Ok(Some((read, end..rest.end)))
        }
    })))
}

/// All bytes of a range that lies within the file, else an error.
fn read_range(file: &File, range: Range<u64>, room: Vec<u8>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut buffer = if room.capacity() < length { Vec::with_capacity(length) } else { room };
    buffer.resize(length, 0);
    read_exact_at(file, &mut buffer, range.start)?;
    Ok(buffer.into())
}
