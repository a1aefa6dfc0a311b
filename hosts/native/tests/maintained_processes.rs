//! Writers and maintenance owners as processes on real servers, some behind proxies that make faults, killed at random, while this process reads
//! pinned views and tails: nothing that was acknowledged is lost, no view breaks, and in the end no garbage is left that is old enough to go.
//! Time passes 240 times faster for all of them, so that garbage collection deletes within seconds; the clocks of the
//! maintenance owners are days apart. A child is this test binary again, told by an environment variable.
//!
//! `ISLEDB_KILLED_SECONDS`, `ISLEDB_KILLED_SEED` and `ISLEDB_KILLED_SPEED` make it longer or another one: `tests/killed.sh`.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // functions of tests, which clippy does not take for tests

#[path = "killed/children.rs"]
mod children;
#[path = "killed/garbage.rs"]
mod garbage;
#[path = "killed/place.rs"]
mod place;
#[path = "killed/storm.rs"]
mod storm;
#[path = "killed/time.rs"]
mod time;
#[path = "killed/writes.rs"]
mod writes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use isledb::Error;
use isledb::read::{Reader, ReaderOptions, ScanOptions, View};
use isledb::tail::{TailOptions, TailStart, Tailer};
use isledb_test_servers::{Kind, NoServer, Proxy, Server, in_ci};

use children::{AHEAD_MS, Running, Said};
use place::Place;
use storm::Storm;
use time::Pace;
use writes::{History, mixed};

/// Does nothing unless a test started it as a process of its own.
#[tokio::test]
async fn child_process() {
    children::live().await;
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_behind_haproxy() {
    run(Kind::Versitygw, Some(Kind::Haproxy)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_behind_toxiproxy() {
    run(Kind::Versitygw, Some(Kind::Toxiproxy)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_azurite() {
    run(Kind::Azurite, None).await;
}

/// Faults or none, the database is the same: without a proxy only for who asks for it by `tests/killed.sh`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_versitygw() {
    run_by_script_alone(Kind::Versitygw).await;
}

/// A hundred megabytes to install.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_ceph() {
    run_by_script_alone(Kind::Ceph).await;
}

async fn run_by_script_alone(kind: Kind) {
    match number("ISLEDB_KILLED_SECONDS") {
        Some(_) => run(kind, None).await,
        None => eprintln!("skipped: {kind:?} is for who asks for it by tests/killed.sh"),
    }
}

fn there<T>(server: Result<T, NoServer>) -> Option<T> {
    match server {
        Ok(server) => Some(server),
        Err(NoServer::Cannot(reason)) if !in_ci() => {
            eprintln!("skipped: the server is not on this machine: {reason}");
            None
        }
        Err(missing) => panic!("{missing}"),
    }
}

/// Kills writers and maintenance owners on a server, maybe with faults between them and it, and checks what is left.
async fn run(kind: Kind, before_it: Option<Kind>) {
    let Some(server) = there(Server::start(kind)) else { return };
    let proxy = match before_it.map(|proxy| there(Proxy::start(proxy, &server))) {
        Some(None) => return,
        proxy => proxy.flatten(),
    };
    let speed = number("ISLEDB_KILLED_SPEED").unwrap_or(240);
    let seed = number("ISLEDB_KILLED_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let seconds = number("ISLEDB_KILLED_SECONDS").unwrap_or(12);
    println!("{kind:?} {before_it:?}: seed {seed}, {seconds} s of kills, time passes {speed} times faster");
    let pace = Pace::new(u32::try_from(speed).unwrap());
    let variables = proxy.as_ref().map_or(server.variables(), Proxy::variables).clone();
    let place = Place { variables, pace, seed };
    let storm = proxy.map(|proxy| Storm::begin(proxy, seed));
    let until = Instant::now() + Duration::from_secs(seconds);
    let (lives, watched) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(true)));
    let said: [Arc<Said>; 2] = Default::default();

    let writers = std::thread::spawn({
        let (place, lives, said) = (place.clone(), lives.clone(), said[0].clone());
        move || kill_writers(&place, until, &lives, &said)
    });
    let owners = std::thread::spawn({
        let (place, said) = (place.clone(), said[1].clone());
        move || kill_owners(&place, until, &said)
    });
    let watching = tokio::spawn(watch(place.clone(), lives.clone(), watched.clone()));
    let committed = tokio::task::spawn_blocking(|| writers.join().unwrap()).await.unwrap();
    let last_owner = tokio::task::spawn_blocking(|| owners.join().unwrap()).await.unwrap();

    // Hours without kills and faults: what can go then must go.
    let _calm = storm.map(Storm::end);
    let before = garbage::Before::of(&place).await;
    let calm = garbage::calm(seconds * speed * 1_000);
    tokio::time::sleep(calm / pace.speed + Duration::from_millis(500)).await;
    watched.store(false, Ordering::Release);
    let (history, checks) = watching.await.unwrap();
    last_owner.kill_living();

    for (life, committed) in &committed {
        let found = history.lives.get(life).copied().unwrap_or(0);
        assert!(found >= *committed, "life {life}: {committed} writes were acknowledged, {found} are there");
    }
    let left = before.check(&place).await;
    let [begun, owners] = said.each_ref().map(|said| said.begun.load(Ordering::Relaxed));
    let (merged, deleted) = (&said[1].merged, &said[1].deleted);
    let (merged, deleted) = (merged.load(Ordering::Relaxed), deleted.load(Ordering::Relaxed));
    println!(
        "{kind:?} {before_it:?}: {begun} writers of {} and {owners} owners began; {} changes of {} lives, {checks} looks at views; {merged} merges, \
         {deleted} objects deleted, {left} left",
        lives.load(Ordering::Relaxed),
        history.len(),
        history.lives.len(),
    );
    assert!(history.lives.len() >= 3 && owners >= 3, "they were killed before they did anything");
    assert!(merged >= 5 && deleted >= 10 && checks >= 10, "there was little to see");
}

/// Kills one writer after the other; now and then the next one takes the role from one that lives. What each life had
/// reported as committed.
fn kill_writers(place: &Place, until: Instant, lives: &AtomicU64, said: &Arc<Said>) -> BTreeMap<u64, u64> {
    let (mut committed, mut rivals) = (BTreeMap::new(), None);
    while Instant::now() < until {
        let life = lives.fetch_add(1, Ordering::AcqRel) + 1;
        let writer = Running::start(place, &format!("write {life}"), said);
        let random = mixed(place.seed ^ (life << 16));
        std::thread::sleep(Duration::from_millis(100 + random % 1_400));
        if let Some((life, rival)) = rivals.take() {
            committed.insert(life, Running::kill(rival));
        }
        if (random >> 32).is_multiple_of(3) {
            rivals = Some((life, writer));
        } else {
            committed.insert(life, writer.kill());
        }
    }
    committed.extend(rivals.map(|(life, rival)| (life, rival.kill())));
    committed
}

/// Kills one maintenance owner after the other, as [`kill_writers`]. The last one lives.
fn kill_owners(place: &Place, until: Instant, said: &Arc<Said>) -> Running {
    let mut rival: Option<Running> = None;
    for life in 1.. {
        let random = mixed(place.seed ^ (life << 40));
        let task = format!("maintain {}", AHEAD_MS[(random >> 48) as usize % AHEAD_MS.len()]);
        if Instant::now() >= until {
            // One that still claims would fence the last.
            rival.map(Running::kill);
            return Running::start(place, &task, said);
        }
        let owner = Running::start(place, &task, said);
        std::thread::sleep(Duration::from_millis(100 + random % 2_400));
        rival.take().map(Running::kill);
        if (random >> 32).is_multiple_of(3) {
            rival = Some(owner);
        } else {
            owner.kill();
        }
    }
    unreachable!("it returns when it is time")
}

/// Follows the feed and reads views, new ones and some that are kept as long as they may be used.
async fn watch(place: Place, lives: Arc<AtomicU64>, goes_on: Arc<AtomicBool>) -> (History, u64) {
    let reader = loop {
        match place.db(0, None).reader(ReaderOptions::default()).await {
            Ok(reader) => break reader,
            Err(error) => assert!(may_come_again(&error), "{error}"),
        }
    };
    let start = TailStart::Begin;
    let mut tailer = loop {
        match place.db(0, None).tailer(TailOptions { start: start.clone(), ..TailOptions::default() }).await {
            Ok(tailer) => break tailer,
            Err(error) => assert!(may_come_again(&error), "{error}"),
        }
    };
    let (mut history, mut checks, mut kept) = (History::new(place.seed), 0, Vec::<View>::new());
    loop {
        let last = !goes_on.load(Ordering::Acquire);
        if let Some(view) = refreshed(&reader).await {
            catch_up(&mut tailer, &mut history, &lives).await;
            kept.push(view);
        }
        for view in &kept {
            check(view, &history, checks).await;
            checks += 1;
        }
        // The newest, and those that still have some minutes.
        kept.retain(|view| view.expires_in_ms() > 5 * 60_000);
        if kept.len() > 4 {
            kept.remove(1 + checks as usize % 3);
        }
        if last {
            return (history, checks);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A store that answers too late for this fast time.
fn may_come_again(error: &Error) -> bool {
    matches!(error, Error::Unavailable { .. } | Error::Timeout { .. } | Error::NoDatabase { .. })
}

async fn refreshed(reader: &Reader) -> Option<View> {
    match reader.refresh().await {
        Ok(_) => Some(reader.view()).filter(View::exists),
        Err(error) => {
            assert!(may_come_again(&error), "{error}");
            None
        }
    }
}

async fn catch_up(tailer: &mut Tailer, history: &mut History, lives: &AtomicU64) {
    loop {
        match tailer.try_next().await {
            Ok(Some(change)) => history.apply(&change, lives.load(Ordering::Acquire)),
            Ok(None) => return,
            Err(error) => assert!(may_come_again(&error), "{error}"),
        }
    }
}

/// The view shows what the feed brought before it, by scan and by get. One that has meanwhile expired shows nothing.
async fn check(view: &View, history: &History, random: u64) {
    let expected = history.content(view.manifest().next_sequence());
    let key: Bytes = format!("key{:03}", random * 7 % 400).into();
    match (scanned(view).await, view.get(&key).await) {
        (Ok(scanned), Ok(got)) => {
            assert_eq!(got.as_ref(), expected.get(&key), "{key:?} in {}", view.version());
            let differs = scanned.iter().zip(&expected).find(|(shown, expected)| shown != expected);
            assert!(scanned == expected, "{}: {differs:?}", view.version());
        }
        (Err(error), _) | (_, Err(error)) => {
            let expired = matches!(error, Error::ViewExpired { .. }) && view.expires_in_ms() == 0;
            assert!(expired || may_come_again(&error), "{error}");
        }
    }
}

async fn scanned(view: &View) -> Result<BTreeMap<Bytes, Bytes>, Error> {
    let mut scan = view.scan(&ScanOptions::default());
    let mut shown = BTreeMap::new();
    while let Some(entry) = scan.next().await? {
        shown.insert(entry.key, entry.value);
    }
    Ok(shown)
}
