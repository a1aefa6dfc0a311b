//! The executor: order from the seed, virtual time, crashes and pauses at any await point, deadlock, livelock.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it expects")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use isledb_core::host::Host;
use isledb_simulation::executor::{End, Executor, Incident, MINUTE, OUTSIDE, SECOND, Stop};
use isledb_simulation::host::SimHost;
use isledb_simulation::trace::Trace;

fn executor(seed: u64) -> Executor {
    Executor::new(seed, Arc::new(Trace::new(false)))
}

/// Two tasks that note their steps; the notes and the trace's hash.
fn interleaving(seed: u64) -> (Vec<u32>, u64) {
    let mut executor = executor(seed);
    let notes = Arc::new(Mutex::new(Vec::new()));
    for task in 0..2 {
        let (handle, notes) = (executor.handle(), notes.clone());
        executor.handle().spawn(OUTSIDE, "notes", async move {
            for _ in 0..8 {
                handle.sleep(0).await;
                notes.lock().unwrap().push(task);
            }
        });
    }
    assert_eq!(executor.run(MINUTE, 1000), Stop::Finished);
    let notes = notes.lock().unwrap().clone();
    (notes, executor.handle().trace().hash())
}

#[test]
fn the_seed_decides_the_order() {
    assert_eq!(interleaving(1), interleaving(1));
    let orders: std::collections::BTreeSet<Vec<u32>> = (0..20).map(|seed| interleaving(seed).0).collect();
    assert!(orders.len() > 5, "only {} orders in 20 seeds", orders.len());
}

#[test]
fn time_is_virtual_and_a_dropped_sleep_is_cancelled() {
    let mut executor = executor(1);
    let handle = executor.handle();
    executor.handle().spawn(OUTSIDE, "sleeper", async move {
        drop(handle.sleep(1000 * MINUTE));
        let mut long = handle.sleep(100 * MINUTE);
        let short = handle.sleep(SECOND);
        futures::future::select(&mut long, short).await;
        assert_eq!(handle.now_ns(), SECOND);
    });
    assert_eq!(executor.run(MINUTE, 1000), Stop::Finished);
    assert_eq!(executor.handle().now_ns(), SECOND, "nothing waited for the cancelled timers");
}

#[test]
fn a_process_dies_at_every_await_point() {
    for polls in 1..10 {
        let mut executor = executor(polls);
        let handle = executor.handle();
        let process = handle.process("victim", 0, vec![(polls, Incident::Crash)]);
        let held = Arc::new(());
        let (inside, steps, count) = (held.clone(), Arc::new(Mutex::new(0)), handle.clone());
        let noted = steps.clone();
        handle.spawn(process, "steps", async move {
            let _held = inside;
            for _ in 0..20 {
                count.sleep(SECOND).await;
                *noted.lock().unwrap() += 1;
            }
        });
        let ended = handle.join(process);
        handle.spawn(OUTSIDE, "supervisor", async move { assert_eq!(ended.await, End::Killed) });
        assert_eq!(executor.run(MINUTE, 1000), Stop::Finished);
        assert_eq!(*steps.lock().unwrap(), polls - 1, "a poll a step, the first one only starts the timer");
        assert_eq!(Arc::strong_count(&held), 1, "its futures are dropped");
    }
}

#[test]
fn a_task_dies_with_its_process_also_when_it_was_just_started() {
    let mut executor = executor(1);
    let handle = executor.handle();
    let process = handle.process("victim", 0, vec![(1, Incident::Crash)]);
    let second = handle.clone();
    handle.spawn(process, "first", async move {
        second.spawn(process, "second", std::future::pending());
        std::future::pending().await
    });
    assert_eq!(executor.run(MINUTE, 1000), Stop::Finished);
}

#[test]
fn a_paused_process_stands_still_while_time_goes_on() {
    for asleep in [false, true] {
        let mut executor = executor(1);
        let handle = executor.handle();
        let pause = Incident::Pause { ns: 30 * MINUTE, asleep };
        let process = handle.process("paused", 5 * SECOND as i64, vec![(1, pause)]);
        let host = SimHost::new(&handle, 1, process);
        handle.spawn(process, "sleeper", async move {
            let (wall, monotonic) = (host.now_unix_ns(), host.monotonic_ns());
            host.sleep(Duration::from_secs(1)).await;
            assert_eq!(host.now_unix_ns() - wall, 30 * MINUTE);
            let elapsed = host.monotonic_ns() - monotonic;
            assert_eq!(elapsed, if asleep { 0 } else { 30 * MINUTE });
        });
        assert_eq!(executor.run(60 * MINUTE, 1000), Stop::Finished);
    }
}

#[test]
fn waiting_for_nobody_is_a_deadlock() {
    let mut executor = executor(1);
    executor.handle().spawn(OUTSIDE, "waits for nobody", std::future::pending());
    assert_eq!(executor.run(MINUTE, 1000), Stop::Deadlock(vec!["waits for nobody".to_owned()]));
}

#[test]
fn running_for_ever_is_noticed() {
    let mut executor = executor(1);
    let handle = executor.handle();
    executor.handle().spawn(OUTSIDE, "spins", async move {
        loop {
            handle.sleep(0).await;
        }
    });
    assert_eq!(executor.run(MINUTE, 1000), Stop::StepLimit(vec!["spins".to_owned()]));
    let mut executor = self::executor(1);
    let handle = executor.handle();
    executor.handle().spawn(OUTSIDE, "waits long", async move { handle.sleep(2 * MINUTE).await });
    assert_eq!(executor.run(MINUTE, 1000), Stop::TimeLimit(vec!["waits long".to_owned()]));
}
