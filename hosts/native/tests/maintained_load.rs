//! Merges beside a load that is read and tailed all along. The benchmark of the same name does it with a million keys.

mod maintained;

use maintained::Load;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merges_beside_a_load_show_no_reader_anything_wrong() {
    let load = Load { keys: 50_000, writes: 110_000, memtable_size: 256 << 10, table_size: 1 << 20 };
    let outcome = maintained::run(load).await;
    println!("{outcome:?}: write amplification {:.2}", outcome.write_amplification());
    assert_eq!(outcome.changes, 110_000);
    assert!(outcome.merges >= 4 && outcome.scans >= 4, "{outcome:?}");
    assert!((30_000..50_000).contains(&outcome.live_keys), "{outcome:?}");
    let space = outcome.space_amplification();
    assert!(space < 1.2, "{space:.3} bytes of tables for a byte that is live: {outcome:?}");
}
