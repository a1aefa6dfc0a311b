//! The same rows in eight overlapping tables, merged into one run by isledb, SlateDB and RocksDB, one after the other.
//!
//! `cargo bench --bench merge [-- ROWS]`. RocksDB takes part where `ldb` is installed (Debian's `rocksdb-tools`); its tables lie
//! in `/dev/shm`, those of the others in the memory of this process.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::path::PathBuf;

use isledb_peers::merge::{Took, measured};
use isledb_peers::{isle, rocks, rows, slate};

const TABLES: u64 = 8;
/// The best of so many.
const RUNS: u32 = 3;

fn main() {
    let total = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(2_000_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bytes = rows::bytes_of(total);
    println!("{total} rows of {} bytes in {TABLES} tables", rows::KEY + rows::VALUE);
    let mut best: [Option<Took>; 3] = [None; 3];
    for _ in 0..RUNS {
        let ours = runtime.block_on(async {
            let db = isle::load_rows(total, TABLES).await.unwrap();
            measured(isle::merge(&db)).await
        });
        assert_eq!(ours.0.unwrap(), total);
        note("isledb", bytes, ours.1, &mut best[0]);
        let theirs = runtime.block_on(async {
            let store = slate::load_rows(total, TABLES).await.unwrap();
            measured(slate::merge(store)).await
        });
        theirs.0.unwrap();
        note("slatedb", bytes, theirs.1, &mut best[1]);
        let folder = PathBuf::from("/dev/shm").join(format!("isledb-peers-{}", std::process::id()));
        let merged = rocks::merge(&folder, total, TABLES);
        drop(std::fs::remove_dir_all(&folder));
        match merged {
            Ok((took, records)) => {
                assert_eq!(records, total);
                note("rocksdb", bytes, took, &mut best[2]);
            }
            Err(error) => println!("rocksdb: {error}"),
        }
    }
    let [Some(ours), slate, rocks] = best else { return };
    for (name, peer) in [("slatedb", slate), ("rocksdb", rocks)] {
        let Some(peer) = peer else { continue };
        println!("isledb merges {:.2} times as fast as {name}", ours.rate(bytes) / peer.rate(bytes));
    }
}

fn note(name: &str, bytes: u64, took: Took, best: &mut Option<Took>) {
    println!("{name}: {took}, {:.0} MB/s", took.rate(bytes));
    if best.is_none_or(|best| took.cpu < best.cpu) {
        *best = Some(took);
    }
}
