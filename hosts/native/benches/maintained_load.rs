//! A million keys, put, overwritten and deleted while they are merged, read and tailed.
//!
//! `cargo bench -p isledb --bench maintained_load [-- KEYS WRITES]`

#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark is read by people")]

#[path = "../tests/maintained/mod.rs"]
mod maintained;

use maintained::{Load, Outcome};

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let keys = numbers.next().unwrap_or(1_000_000).max(1);
    let writes = numbers.next().unwrap_or(keys.saturating_mul(5) / 2);
    let load = Load { keys, writes, memtable_size: 4 << 20, table_size: 64 << 20 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    print(&load, &runtime.unwrap_or_else(|error| panic!("{error}")).block_on(maintained::run(load)));
}

fn print(load: &Load, outcome: &Outcome) {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let Load { keys, writes, .. } = load;
    println!("{writes} writes of {keys} keys, committed after {:.1} s", outcome.loaded.as_secs_f64());
    println!("{} flushes: {:.0} MiB", outcome.flushes, mib(outcome.flushed_bytes));
    println!("{} merges beside them: {:.0} MiB", outcome.merges, mib(outcome.merged_bytes));
    println!("write amplification {:.2}", outcome.write_amplification());
    println!("{} whole scans and {} gets as the model says", outcome.scans, outcome.gets);
    println!("{} changes tailed, every write once and in order", outcome.changes);
    println!("a merge of everything: {:.1} s", outcome.full_merge.as_secs_f64());
    println!(
        "{} live keys of {:.0} MiB in tables of {:.0} MiB: {:.3} times",
        outcome.live_keys,
        mib(outcome.live_bytes),
        mib(outcome.table_bytes),
        outcome.space_amplification()
    );
}
