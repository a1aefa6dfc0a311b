//! The lists of cases over every store that this machine has: memory, a folder, S3, Azure, Google Cloud Storage. Servers are
//! installed and started by the scripts in `tests/servers`, once for all cases, and killed at the end.
//!
//! A store that this machine cannot have is skipped by name, with the reason; where `CI` is set, that is a failure.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by a panic")]

mod host;
mod places;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use isledb_conformance::{Case, Place, Spawn, store};
use isledb_test_servers::NoServer;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use places::{Opened, STORES, Store};

/// Lists of cases, by name.
const LISTS: &[(&str, &[Case])] = &[("store", store::CASES)];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let runtime =
        Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap());
    let mut opened = Vec::new();
    let mut trials = Vec::new();
    // Servers start beside one another: Azurite alone takes seconds.
    std::thread::scope(|scope| {
        let starting: Vec<_> = STORES
            .iter()
            .filter(|store| wanted(&arguments, store))
            .map(|store| (store, scope.spawn(|| (store.open)())))
            .collect();
        for (store, starting) in starting {
            match starting.join().unwrap_or_else(|_| Err(NoServer::Failed("panicked".to_owned()))) {
                Ok(place) => opened.push((store.name, Arc::new(place))),
                Err(missing) => trials.push(without(store, missing)),
            }
        }
    });
    for (name, place) in &opened {
        for (list, cases) in LISTS {
            trials.extend(cases.iter().map(|case| trial(&runtime, list, name, place, *case)));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if conclusion.has_failed() {
        for (name, place) in &opened {
            let log = place.log();
            if !log.is_empty() {
                eprintln!(
                    "-- the end of the log of {name}:\n{}",
                    log.lines().rev().take(10).collect::<Vec<_>>().join("\n")
                );
            }
        }
    }
    // The servers die here, before the process says that it is done.
    drop(opened);
    conclusion.exit_code()
}

fn name_of(list: &str, store: &str, case: &str) -> String {
    format!("{list}::{store}::{case}")
}

/// A filter that no case of a store passes needs no server.
fn wanted(arguments: &Arguments, store: &Store) -> bool {
    let Some(filter) = &arguments.filter else { return !arguments.list };
    let named = |(list, cases): &(&str, &[Case])| {
        cases.iter().any(|case| name_of(list, store.name, case.name).contains(filter))
    };
    !arguments.list && LISTS.iter().any(named)
}

fn trial(runtime: &Arc<Runtime>, list: &str, store: &str, opened: &Arc<Opened>, case: Case) -> Trial {
    static PLACES: AtomicU64 = AtomicU64::new(0);
    let (runtime, opened) = (runtime.clone(), opened.clone());
    let name = name_of(list, store, case.name);
    Trial::test(name, move || {
        let spawn: Spawn = Arc::new(|future| {
            let task = tokio::spawn(future);
            // A panic of the task is the case's own.
            Box::pin(
                async move { task.await.unwrap_or_else(|gone| std::panic::resume_unwind(gone.into_panic())) },
            )
        });
        let number = PLACES.fetch_add(1, Ordering::Relaxed);
        let place = Place { store: opened.store(), prefix: format!("places/{number}-{}", case.name), spawn };
        runtime.block_on((case.run)(place));
        Ok(())
    })
}

/// One line for a store that is not there: ignored with its reason, or failed where nothing may be skipped.
fn without(store: &Store, missing: NoServer) -> Trial {
    let must = store.required && isledb_test_servers::in_ci();
    let (skip, reason) = match missing {
        NoServer::Cannot(reason) => (!must, reason),
        NoServer::Failed(reason) => (false, reason),
    };
    if skip {
        eprintln!("skipped: {}: {reason}", store.name);
    }
    Trial::test(format!("{}::is_there", store.name), move || Err(Failed::from(reason)))
        .with_ignored_flag(skip)
}
