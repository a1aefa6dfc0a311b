//! The disk cache on bad days: damage to its file, a full disk, a folder that is not to be used or goes away. Never a wrong
//! answer, never an error that the store did not give.

#![allow(clippy::unwrap_used)] // functions of tests, which clippy does not take for tests

mod cached;

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use cached::{Cached, Random, bytes_in, file, get, table};

const CHUNK: u64 = 4096;
const SIZE: u64 = 300_000;

/// Two tables, in the cache as a whole.
async fn filled(folder: &Path) -> (Cached, [Bytes; 2]) {
    let at = Cached::over_new_store(folder, CHUNK).await;
    let bodies = [at.put_table(0, SIZE).await, at.put_table(1, SIZE).await];
    for number in 0..2 {
        get(&at.store, &table(number), Some(0..SIZE)).await.unwrap();
    }
    at.cache.settled().await;
    assert_eq!(at.cache.counters().written_bytes, 2 * SIZE);
    (at, bodies)
}

async fn reads_are_right(at: &Cached, bodies: &[Bytes; 2]) {
    for (number, body) in (0..).zip(bodies) {
        for range in [0..SIZE, 100_000..100_100, 4_000..9_000, SIZE - 1..SIZE] {
            let got = get(&at.store, &table(number), Some(range.clone())).await.unwrap();
            assert!(got == body[range.start as usize..range.end as usize], "table {number}, {range:?}");
            // Else the next read may be answered by bytes that are still on their way to the folder.
            at.cache.settled().await;
        }
    }
}

#[tokio::test]
async fn flipped_bytes_are_misses() {
    for seed in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        let (at, bodies) = filled(folder.path()).await;
        let mut bytes = std::fs::read(file(folder.path())).unwrap();
        let mut random = Random(seed);
        // From a few flips to a file of noise.
        for _ in 0..1_usize << (2 * seed) {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << random.below(8);
        }
        std::fs::write(file(folder.path()), &bytes).unwrap();
        reads_are_right(&at, &bodies).await;
        if seed > 3 {
            assert!(at.cache.counters().rejected > 0, "{:?}", at.cache.counters());
        }
        reads_are_right(&at.reopened(folder.path(), CHUNK), &bodies).await;
    }
}

/// Chunks, entries and whole sets change places: each is as it was written, but not where.
#[tokio::test]
async fn swapped_bytes_are_misses() {
    for length in [256, 4096, 4096 + 16 * 4096] {
        let folder = tempfile::tempdir().unwrap();
        let (at, bodies) = filled(folder.path()).await;
        let mut bytes = std::fs::read(file(folder.path())).unwrap();
        let (pieces, mut random) = (bytes.len() / length, Random(9));
        for _ in 0..1_000 {
            let [one, other] = [(); 2].map(|()| random.below(pieces as u64) as usize * length);
            let piece = bytes[one..one + length].to_vec();
            bytes.copy_within(other..other + length, one);
            bytes[other..other + length].copy_from_slice(&piece);
        }
        std::fs::write(file(folder.path()), &bytes).unwrap();
        reads_are_right(&at, &bodies).await;
    }
}

#[tokio::test]
async fn truncated_files_are_misses_and_fill_again() {
    for length in [0, 1, 255, 4096, 5000, 100_000, 400_000] {
        let folder = tempfile::tempdir().unwrap();
        let (at, bodies) = filled(folder.path()).await;
        let cut = std::fs::OpenOptions::new().write(true).open(file(folder.path())).unwrap();
        cut.set_len(length).unwrap();
        reads_are_right(&at, &bodies).await;
        let before = at.meter.cost();
        reads_are_right(&at, &bodies).await;
        assert_eq!(at.since(&before).0, 0, "it is full again");
    }
}

/// The file of another database, of another store: nothing in it is ours.
#[tokio::test]
async fn swapped_files_are_misses() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (at, bodies) = filled(here.path()).await;
    let (other, other_bodies) = filled(there.path()).await;
    let files = [std::fs::read(file(here.path())).unwrap(), std::fs::read(file(there.path())).unwrap()];
    std::fs::write(file(here.path()), &files[1]).unwrap();
    std::fs::write(file(there.path()), &files[0]).unwrap();
    let before = at.meter.cost();
    reads_are_right(&at, &bodies).await;
    reads_are_right(&other, &other_bodies).await;
    assert!(at.since(&before).0 > 0);
}

/// The file is removed while it is in use, with its folder: the next write begins a new one, and the room of the old is free.
#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_is_removed_comes_again() {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("cache");
    let (at, bodies) = filled(&folder).await;
    std::fs::remove_dir_all(&folder).unwrap();
    reads_are_right(&at, &bodies).await;
    at.put_table(2, SIZE).await;
    get(&at.store, &table(2), Some(0..SIZE)).await.unwrap();
    at.cache.settled().await;
    assert!(bytes_in(&folder) > SIZE / 2, "a new file, which everybody sees");
    reads_are_right(&at, &bodies).await;
    assert_eq!(at.cache.counters().errors, 0);
}

#[tokio::test]
async fn without_a_folder_it_stands_aside() {
    let above = tempfile::tempdir().unwrap();
    let in_the_way = above.path().join("file");
    std::fs::write(&in_the_way, "not a folder").unwrap();
    std::fs::create_dir_all(above.path().join("taken/isledb.chunks")).unwrap();
    let mut places = vec![in_the_way.clone(), in_the_way.join("below"), above.path().join("taken")];
    // Nobody may make a folder here, whoever asks.
    if cfg!(target_os = "linux") {
        places.push("/proc/isledb-cache".into());
    }
    for folder in places {
        let at = Cached::over_new_store(&folder, CHUNK).await;
        let bodies = [at.put_table(0, SIZE).await, at.put_table(1, SIZE).await];
        reads_are_right(&at, &bodies).await;
        let counters = at.cache.counters();
        assert_eq!((counters.hits, counters.errors), (0, 1), "asked once, then left alone: {folder:?}");
        assert_eq!(at.requests(), 8, "as many as without a cache");
    }
    assert_eq!(std::fs::read_to_string(&in_the_way).unwrap(), "not a folder");
}

const FOLDER: &str = "ISLEDB_TEST_CACHE_ON_FULL_DISK";

/// Does nothing unless a test started it as a process of its own, with a disk that fills up.
#[tokio::test]
async fn child_on_a_full_disk() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let at = Cached::over_new_store(folder, CHUNK).await;
    let bodies = [at.put_table(0, SIZE).await, at.put_table(1, SIZE).await];
    for _ in 0..3 {
        reads_are_right(&at, &bodies).await;
    }
    let counters = at.cache.counters();
    assert!(counters.errors > 0, "the disk was never full: {counters:?}");
    reads_are_right(&at.reopened(folder, CHUNK), &bodies).await;
    println!("stood aside: {counters:?}");
}

/// The shell prepares the disk, then becomes the child. Returns what the child said.
#[cfg(unix)]
fn child_after(prepare: &str, folder: &Path) -> std::process::Output {
    let script = format!("{prepare} && exec \"$0\" --exact child_on_a_full_disk --nocapture");
    let test = std::env::current_exe().unwrap();
    Command::new("sh").args(["-c", &script]).arg(test).env(FOLDER, folder).output().unwrap()
}

/// The system refuses every write behind 256 KiB of a file: the limit of a process, so everybody may set it.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_may_not_grow_is_used_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let child = child_after("trap '' XFSZ && ulimit -f 512", folder.path());
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("stood aside"), "{said}");
    assert!(bytes_in(folder.path()) <= 512 << 10);
}

/// A real full disk, 256 KiB in memory, in a namespace of the child's own. Where the system permits none, the limit of the test
/// above has to do.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_costs_requests_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=256k none '{}'", folder.path().display());
    let permitted = Command::new("unshare").args(["-rm", "sh", "-c", &mount]).output();
    if !permitted.is_ok_and(|tried| tried.status.success()) {
        println!("not on this machine: it permits no file systems of one's own");
        return;
    }
    let script = format!("{mount} && exec \"$0\" --exact child_on_a_full_disk --nocapture");
    let test = std::env::current_exe().unwrap();
    let child = Command::new("unshare")
        .args(["-rm", "sh", "-c", &script])
        .arg(test)
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("stood aside"), "{said}");
}
