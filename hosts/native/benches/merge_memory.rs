//! The memory of a merge of 4 GiB of tables in a folder: every byte that is allocated, counted, and what the system says.
//!
//! `cargo bench -p isledb --bench merge_memory [-- MIB TABLES]`; 4096 and 32 by default. It needs twice that much disk for a
//! while. The tables are made by one process and merged by another, so that the system's peak is that of the merge.

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark is read by people")]
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use isledb::format::sst::{Compression, TableOptions};
use isledb::maintain::{MaintenanceOptions, MergeOptions};
use isledb::write::WriterOptions;
use isledb::{Db, DbOptions, FileStore, TokioHost};

/// Bytes that are allocated now, and the most so far.
struct Counting;

static NOW: AtomicU64 = AtomicU64::new(0);
static MOST: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size() as u64, Ordering::Relaxed) + layout.size() as u64;
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size() as u64, Ordering::Relaxed) + layout.size() as u64;
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let before = NOW.fetch_add(size as u64, Ordering::Relaxed);
        MOST.fetch_max(before + size as u64, Ordering::Relaxed);
        NOW.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const VALUE: usize = 1_000;

fn table() -> TableOptions {
    TableOptions { compression: Compression::None, ..TableOptions::default() }
}

fn open(folder: &Path) -> Db {
    let options = DbOptions { probe: false, ..DbOptions::default() };
    Db::open(Arc::new(FileStore::new(folder)), Arc::new(TokioHost::new()), "db", options).unwrap()
}

/// So many tables that all overlap.
async fn load(folder: &Path, mib: u64, tables: u64) {
    let options = WriterOptions {
        table: table(),
        memtable_size: 1 << 30,
        bloom_container: true,
        ..WriterOptions::default()
    };
    let writer = open(folder).writer(options).await.unwrap();
    let entries = (mib << 20) / tables / (VALUE as u64 + 20);
    for round in 0..tables {
        for n in 0..entries {
            let key = format!("key{:013}", n * tables + round);
            writer.put(key.as_bytes(), &[round as u8; VALUE]).await.unwrap();
        }
        writer.flush().await.unwrap();
    }
    writer.close().await.unwrap();
}

async fn merge(folder: &Path) {
    let merge = MergeOptions { table: table(), ..MergeOptions::default() };
    let options = MaintenanceOptions { merge: Some(merge), gc: None, ..MaintenanceOptions::default() };
    let mut owner = open(folder).maintenance(options).await.unwrap();
    // From here on the system notes a new peak.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (began, before) = (Instant::now(), NOW.load(Ordering::Relaxed));
    MOST.store(before, Ordering::Relaxed);
    let report = owner.merge_everything().await.unwrap();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let read: u64 = report.merges.iter().map(|merge| merge.bytes_read).sum();
    let (tables, written) = report.merges.iter().fold((0, 0), |(tables, written), merge| {
        (tables + merge.tables_read, written + merge.tables_written)
    });
    println!(
        "{} merges: {tables} tables of {:.0} MiB into {written} in {:.1} s",
        report.merges.len(),
        mib(read),
        began.elapsed().as_secs_f64()
    );
    println!("allocated at most {:.1} MiB", mib(MOST.load(Ordering::Relaxed)));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    if let Some(kib) = resident.and_then(|kib| kib.parse::<u64>().ok()) {
        println!("resident at most {:.1} MiB", mib(kib << 10));
    }
}

fn main() {
    // As the command has it.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [task, folder, ..] = &arguments[..]
        && task == "merge"
    {
        return runtime.block_on(merge(Path::new(folder)));
    }
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u64>().ok());
    let (mib, tables) = (numbers.next().unwrap_or(4096), numbers.next().unwrap_or(32).max(1));
    let folder = tempfile::tempdir().unwrap();
    println!("{mib} MiB in {tables} tables that all overlap, uncompressed, default options");
    runtime.block_on(load(folder.path(), mib, tables));
    let merged = Command::new(std::env::current_exe().unwrap()).arg("merge").arg(folder.path()).status();
    assert!(merged.unwrap().success());
}
