//! Runs the lists of cases in one host, over the stores that this machine has. Servers are installed and started by the scripts in
//! `tests/servers`, once for all cases, and killed at the end.
//!
//! A store that this machine cannot have is skipped by name, with the reason; where `CI` is set, that is a failure.

mod named;
mod places;
mod tally;

use std::process::ExitCode;
use std::sync::Arc;

use isledb::TokioHost;
use isledb_conformance::{Case, LISTS, Place};
use isledb_core::maybe::BoxFuture;
use isledb_test_servers::{NoServer, in_ci};
use libtest_mimic::{Arguments, Failed, Trial};

use places::{Ground, STORES, Store};
use tally::Tally;

/// What brings the engine to the stores.
pub(crate) struct Host {
    /// Its name in the README's table.
    pub(crate) name: &'static str,
    /// The stores that it is tried with; none: all.
    pub(crate) stores: &'static [&'static str],
    /// Runs the case of a name, `list::case`, at a place. Fails by an error, or by a panic.
    pub(crate) run: fn(String, &'static Case, Place) -> BoxFuture<'static, Result<(), Failed>>,
}

/// The whole program of a test: its arguments are those of any test.
pub(crate) fn run(host: &Host) -> ExitCode {
    let arguments = Arguments::from_args();
    let (mut grounds, mut trials) = (Vec::new(), Vec::new());
    for (store, started) in start(host, &arguments) {
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
                let (run, passed) = (host.run, tally.case_of(name));
                let (runtime, name_of_case) = (runtime.clone(), format!("{list}::{}", case.name));
                trials.push(Trial::test(name_of(list, name, case.name), move || {
                    runtime.block_on(run(name_of_case, case, place))?;
                    passed();
                    Ok(())
                }));
            }
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if arguments.filter.is_none() && !arguments.list {
        tally.write(host.name);
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
fn start(host: &Host, arguments: &Arguments) -> Vec<(&'static Store, Result<Ground, NoServer>)> {
    std::thread::scope(|scope| {
        let of_host = |store: &&Store| host.stores.is_empty() || host.stores.contains(&store.name);
        let chosen = STORES.iter().filter(of_host).filter(|store| wanted(arguments, store));
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
