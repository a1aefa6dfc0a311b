//! The file of slots. Everything here blocks.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::counters::Counters;
use super::entry::{self, ChunkId, ENTRY_BYTES, Facts};
use super::slots::{Geometry, PAGE_BYTES};
use crate::positioned::{read_exact_at, write_all_at};

/// The only file in the folder.
const NAME: &str = "isledb.chunks";
/// How long to leave a file system alone that refused to open or to write.
const PAUSE: Duration = Duration::from_secs(10);
/// A hit is noted only if the last one is older: recency needs no more, and disks do not like to be written.
const TOUCH_MS: u64 = 1_000;
/// A last use that lies this far ahead is a clock that was wrong, and counts as none.
const AHEAD_MS: u64 = 60_000;

pub(super) struct ChunkFile {
    directory: PathBuf,
    geometry: Geometry,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<Arc<File>>,
    no_open_before: Option<Instant>,
    no_write_before: Option<Instant>,
}

impl ChunkFile {
    /// Touches nothing yet.
    pub(super) fn new(directory: PathBuf, geometry: Geometry) -> ChunkFile {
        ChunkFile { directory, geometry, state: Mutex::default() }
    }

    pub(super) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// A chunk, if it is there and is what it was when it was written.
    pub(super) fn read(&self, id: &ChunkId, counters: &Counters) -> Option<(Facts, Vec<u8>)> {
        let file = self.open(counters)?;
        let set = self.geometry.set_of(&id.object, id.number);
        let page = counted(read_page(&file, self.geometry.page(set)), counters)?;
        for (way, entry) in entries(&page) {
            let Some(length) = entry::length_if(entry, id) else { continue };
            let mut chunk = vec![0; length];
            match read_exact_at(&file, &mut chunk, self.geometry.slot(set, way)) {
                Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => counters.error(),
                _ => {}
            }
            // Whatever was read, or not: the checksum tells.
            match entry::check(entry, id, &chunk) {
                Some(facts) => {
                    self.touch(&file, set, way, entry, counters);
                    return Some((facts, chunk));
                }
                None => counters.rejected(),
            }
        }
        None
    }

    /// Writes a chunk over its older self, into a free slot, or over the chunk of its set that was used least recently.
    pub(super) fn write(&self, id: &ChunkId, facts: &Facts, chunk: &[u8], counters: &Counters) {
        let now_ms = now_ms();
        let Some(entry) = entry::encode(id, facts, chunk, now_ms) else { return };
        let Some(file) = self.open_to_write(counters) else { return };
        let set = self.geometry.set_of(&id.object, id.number);
        let put = || -> io::Result<Option<u64>> {
            let page = read_page(&file, self.geometry.page(set))?;
            let (way, evicted) = victim(&page, id, now_ms);
            write_all_at(&file, chunk, self.geometry.slot(set, way))?;
            write_all_at(&file, &entry, self.geometry.entry(set, way))?;
            Ok(evicted)
        };
        match put() {
            Ok(evicted) => {
                counters.written(chunk.len() as u64);
                if evicted.is_some() {
                    counters.eviction();
                }
            }
            Err(_) => {
                counters.error();
                self.state().no_write_before = Some(Instant::now() + PAUSE);
            }
        }
    }

    fn touch(&self, file: &File, set: u64, way: usize, entry: &[u8; ENTRY_BYTES], counters: &Counters) {
        let now_ms = now_ms();
        let used_ms = entry::used_ms(entry).unwrap_or_default();
        if now_ms.abs_diff(used_ms) < TOUCH_MS
            || self.state().no_write_before.is_some_and(|at| Instant::now() < at)
        {
            return;
        }
        counted(write_all_at(file, &now_ms.to_le_bytes(), self.geometry.entry(set, way)), counters);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, counters: &Counters) -> Option<Arc<File>> {
        let mut state = self.state();
        if let Some(open) = &state.open {
            return Some(open.clone());
        }
        if state.no_open_before.is_some_and(|at| Instant::now() < at) {
            return None;
        }
        match open(&self.directory, self.geometry.file_bytes()) {
            Ok(file) => state.open = Some(Arc::new(file)),
            Err(error) => {
                counters.error();
                tracing::warn!(directory = %self.directory.display(), %error, "the disk cache stands aside");
                state.no_open_before = Some(Instant::now() + PAUSE);
            }
        }
        state.open.clone()
    }

    fn open_to_write(&self, counters: &Counters) -> Option<Arc<File>> {
        {
            let mut state = self.state();
            if state.no_write_before.is_some_and(|at| Instant::now() < at) {
                return None;
            }
            // Somebody removed the file: what is written there takes room that nobody sees.
            if state.open.as_deref().is_some_and(is_removed) {
                state.open = None;
            }
        }
        self.open(counters)
    }
}

fn open(directory: &Path, file_bytes: u64) -> io::Result<File> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // Who may not read the bucket may not read it here.
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        folder.mode(0o700);
        options.mode(0o600);
    }
    folder.create(directory)?;
    let file = options.open(directory.join(NAME))?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other(format!("{NAME} is no file")));
    }
    if metadata.len() > file_bytes {
        file.set_len(file_bytes)?;
    }
    Ok(file)
}

#[cfg(unix)]
fn is_removed(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

/// An open file cannot be removed.
#[cfg(not(unix))]
fn is_removed(_: &File) -> bool {
    false
}

/// The index entries of a set. Behind the end of the file there are none.
fn read_page(file: &File, at: u64) -> io::Result<[u8; PAGE_BYTES]> {
    let mut page = [0; PAGE_BYTES];
    match read_exact_at(file, &mut page, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok([0; PAGE_BYTES]),
        read => read.map(|()| page),
    }
}

fn entries(page: &[u8; PAGE_BYTES]) -> impl Iterator<Item = (usize, &[u8; ENTRY_BYTES])> {
    page.as_chunks::<ENTRY_BYTES>().0.iter().enumerate()
}

/// Where to write a chunk, and when what is there was used last, if it has to go.
fn victim(page: &[u8; PAGE_BYTES], id: &ChunkId, now_ms: u64) -> (usize, Option<u64>) {
    let (mut oldest, mut oldest_ms) = (0, u64::MAX);
    let mut free = None;
    for (way, entry) in entries(page) {
        if entry::length_if(entry, id).is_some() {
            return (way, None);
        }
        match entry::used_ms(entry) {
            None => free = free.or(Some(way)),
            Some(used_ms) => {
                let used_ms = if used_ms > now_ms.saturating_add(AHEAD_MS) { 0 } else { used_ms };
                if used_ms < oldest_ms {
                    (oldest, oldest_ms) = (way, used_ms);
                }
            }
        }
    }
    free.map_or((oldest, Some(oldest_ms)), |way| (way, None))
}

fn counted<T>(done: io::Result<T>, counters: &Counters) -> Option<T> {
    if done.is_err() {
        counters.error();
    }
    done.ok()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use isledb_core::host::Version;

    use super::super::slots::WAYS;
    use super::*;

    fn id(number: u64) -> ChunkId {
        ChunkId { object: [9; 32], number, chunk_bytes: 4096 }
    }

    fn page(used: &[u64]) -> [u8; PAGE_BYTES] {
        let facts = Facts { size: 1 << 30, version: Version::new("v"), last_modified_ms: None };
        let mut page = [0; PAGE_BYTES];
        for (way, used_ms) in used.iter().enumerate() {
            let entry = entry::encode(&id(way as u64), &facts, &[1; 4096], *used_ms).unwrap();
            page[way * ENTRY_BYTES..(way + 1) * ENTRY_BYTES].copy_from_slice(&entry);
        }
        page
    }

    #[test]
    fn room_is_made_by_the_chunk_used_least_recently() {
        let mut used: Vec<u64> = (0..WAYS as u64).map(|way| 1_000 + (way + 5) % 16).collect();
        assert_eq!(victim(&page(&used[..3]), &id(100), 2_000), (3, None), "a free one first");
        assert_eq!(victim(&page(&used), &id(100), 2_000), (11, Some(1_000)));
        assert_eq!(victim(&page(&used), &id(4), 2_000), (4, None), "its own older self");
        used[2] = 2_000 + AHEAD_MS + 1;
        assert_eq!(victim(&page(&used), &id(100), 2_000), (2, Some(0)), "a use in the future is none");
    }

    #[test]
    fn a_file_of_a_larger_bound_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        std::fs::write(&path, vec![0; 3 << 20]).unwrap();
        open(folder.path(), 1 << 20).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 1 << 20);
        open(folder.path(), 2 << 20).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 1 << 20, "and not grown beforehand");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("new/cache");
        open(&folder, 1 << 20).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(NAME))), (0o700, 0o600));
    }
}
