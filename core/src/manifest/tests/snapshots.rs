use super::*;

#[test]
fn a_snapshot_is_due_after_32_entries_and_the_window_stays_inline() {
    let bench = Bench::new();
    let mut writer = bench.claim("w");
    let mut snapshots = 0;
    for i in 1..=100 {
        committed(block_on(writer.publish(bench.flush(i, i))));
        let current = block_on(bench.storage.current());
        assert_eq!(current.window().count(), current.inline_log.len(), "all of the window is inline");
        if writer.snapshot_due() {
            assert!(block_on(writer.write_snapshot()).unwrap());
            snapshots += 1;
            assert!(!writer.snapshot_due());
            assert!(block_on(bench.storage.current()).window().is_empty());
        }
    }
    assert!((3..=5).contains(&snapshots), "{snapshots}");
    assert_eq!(bench.ids().len(), 100);
}

#[test]
fn a_database_with_snapshot_opens_with_two_requests() {
    let bench = Bench::new();
    let mut writer = bench.claim("w");
    committed(block_on(writer.publish(bench.flush(1, 1))));
    assert!(block_on(writer.write_snapshot()).unwrap());
    committed(block_on(writer.publish(bench.flush(2, 2))));
    bench.storage.take_requests();
    assert_eq!(bench.view().state().l0.len(), 2);
    let requests = bench.storage.take_requests();
    assert_eq!(requests.into_iter().collect::<Vec<_>>(), [("get current", 1), ("get snapshot", 1)]);
}

#[test]
fn a_refresh_across_a_new_snapshot_is_one_request() {
    let bench = Bench::new();
    let mut writer = bench.claim("w");
    committed(block_on(writer.publish(bench.flush(1, 1))));
    let view = bench.view();
    committed(block_on(writer.publish(bench.flush(2, 2))));
    let (view, changed) = block_on(view.refresh(bench.storage.as_ref(), &bench.clock)).unwrap();
    assert!(changed);
    assert!(block_on(writer.write_snapshot()).unwrap());
    committed(block_on(writer.publish(bench.flush(3, 3))));
    bench.storage.take_requests();
    let (view, changed) = block_on(view.refresh(bench.storage.as_ref(), &bench.clock)).unwrap();
    assert!(changed);
    assert_eq!(view.state().l0.len(), 3);
    let (_, changed) = block_on(view.refresh(bench.storage.as_ref(), &bench.clock)).unwrap();
    assert!(!changed);
    let requests = bench.storage.take_requests();
    assert_eq!(requests.into_iter().collect::<Vec<_>>(), [("get current", 2)]);
}

#[test]
fn a_snapshot_behind_somebody_elses_entry_is_given_up() {
    let bench = Bench::new();
    let mut writer = bench.claim("w");
    committed(block_on(writer.publish(bench.flush(1, 1))));
    let storage: Arc<dyn ManifestStorage> = bench.storage.clone();
    let options = ClaimOptions::default();
    let claim = Publisher::claim(storage, bench.host(), Role::Maintenance, &options, bench.view());
    drop(block_on(claim).unwrap());
    assert!(!block_on(writer.write_snapshot()).unwrap(), "its base is old");
    assert!(block_on(bench.storage.current()).snapshot.is_empty());
    assert!(block_on(writer.write_snapshot()).unwrap(), "now it is not");
    committed(block_on(writer.publish(bench.flush(2, 2))));
    assert_eq!(bench.ids(), ["1-2-2-1.sst", "1-1-1-1.sst"]);
}
