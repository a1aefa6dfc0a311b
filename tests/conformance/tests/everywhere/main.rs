//! The lists of cases over every store that this machine has: memory, a folder, S3, Azure, Google Cloud Storage. Servers are
//! installed and started by the scripts in `tests/servers`, once for all cases, and killed at the end.
//!
//! A store that this machine cannot have is skipped by name, with the reason; where `CI` is set, that is a failure.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by a panic")]

mod named;
mod places;
mod tally;

use std::process::ExitCode;
use std::sync::Arc;

use isledb::TokioHost;
use isledb_conformance::{Case, Place, engine, store};
use isledb_core::maybe::BoxFuture;
use isledb_test_servers::{NoServer, in_ci};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use places::{Ground, STORES, Store};
use tally::Tally;

/// Lists of cases, by name.
const LISTS: &[(&str, &[Case])] = &[("store", store::CASES), ("engine", engine::CASES)];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let (mut grounds, mut trials) = (Vec::new(), Vec::new());
    for (store, started) in start(&arguments) {
        match started {
            Ok(ground) => grounds.push((store.name, ground)),
            Err(missing) => trials.push(without(store, missing)),
        }
    }
    for (_, ground) in &grounds {
        for (name, value) in ground.variables() {
            // SAFETY: no thread of this process reads or writes the environment: the executor and the cases start later.
            unsafe { std::env::set_var(name, value) };
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let runtime = Arc::new(runtime);
    let tally = Tally::default();
    for (name, ground) in &grounds {
        let _inside = runtime.enter();
        let (store, prefix) = ground.open().unwrap_or_else(|error| panic!("{name}: {error}"));
        for (list, cases) in LISTS {
            for case in cases.iter().filter(|case| ground.serves(case)) {
                // Each its own prefix: they run beside one another, and list what is below it.
                let place = Place {
                    store: store.clone(),
                    prefix: format!("{prefix}/{list}-{}", case.name),
                    host: Arc::new(TokioHost::new()),
                    spawn: Arc::new(spawn),
                };
                let passed = tally.case_of(name);
                trials.push(trial(&runtime, name_of(list, name, case.name), *case, place, passed));
            }
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if arguments.filter.is_none() && !arguments.list {
        tally.write();
    }
    if conclusion.has_failed() {
        for (name, server) in grounds.iter().filter_map(|(name, ground)| Some((name, ground.server()?))) {
            let log = server.log();
            let end: Vec<_> = log.lines().skip(log.lines().count().saturating_sub(10)).collect();
            eprintln!("the end of the log of {name}:\n{}", end.join("\n"));
        }
    }
    // The servers die here, before the process says that it is done.
    drop(grounds);
    conclusion.exit_code()
}

/// Starts what the chosen cases need, all beside one another: Azurite alone takes seconds.
fn start(arguments: &Arguments) -> Vec<(&'static Store, Result<Ground, NoServer>)> {
    std::thread::scope(|scope| {
        let chosen = STORES.iter().filter(|store| wanted(arguments, store));
        let starting: Vec<_> = chosen.map(|store| (store, scope.spawn(|| store.start()))).collect();
        let end = |started: std::thread::ScopedJoinHandle<'_, _>| match started.join() {
            Ok(started) => started,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        starting.into_iter().map(|(store, started)| (store, end(started))).collect()
    })
}

fn name_of(list: &str, store: &str, case: &str) -> String {
    format!("{list}::{store}::{case}")
}

/// A filter that no case of a store passes needs no server.
fn wanted(arguments: &Arguments, store: &Store) -> bool {
    if !store.is_wanted(arguments.filter.as_deref()) {
        return false;
    }
    let Some(filter) = &arguments.filter else { return !arguments.list };
    let named = |(list, cases): &(&str, &[Case])| {
        cases.iter().any(|case| name_of(list, store.name, case.name).contains(filter))
    };
    !arguments.list && LISTS.iter().any(named)
}

fn trial(
    runtime: &Arc<Runtime>,
    name: String,
    case: Case,
    place: Place,
    passed: impl FnOnce() + Send + 'static,
) -> Trial {
    let runtime = runtime.clone();
    Trial::test(name, move || {
        runtime.block_on((case.run)(place));
        passed();
        Ok(())
    })
}

fn spawn(future: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    let task = tokio::spawn(future);
    // A panic of the task is the case's own.
    Box::pin(async move { task.await.unwrap_or_else(|gone| std::panic::resume_unwind(gone.into_panic())) })
}

/// One line for a store that is not there: ignored with its reason, or failed where nothing may be skipped.
fn without(store: &Store, missing: NoServer) -> Trial {
    let skip = matches!(missing, NoServer::Cannot(_)) && !(store.required() && in_ci());
    if skip {
        eprintln!("skipped: {}: {missing}", store.name);
    }
    let name = format!("{}::is_there", store.name);
    Trial::test(name, move || Err(Failed::from(missing.to_string()))).with_ignored_flag(skip)
}
