//! The commands, one a file: its arguments, and what it does.

pub(crate) mod batch;
pub(crate) mod bench;
pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod del;
pub(crate) mod demo;
pub(crate) mod dump;
pub(crate) mod export;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod inspect;
pub(crate) mod load;
pub(crate) mod maintain;
pub(crate) mod man;
pub(crate) mod put;
pub(crate) mod retain;
pub(crate) mod scan;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod stat;
pub(crate) mod tail;
pub(crate) mod verify;
pub(crate) mod why;

use crate::args::{Command, Global};
use crate::connection::Connection;
use crate::exit::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::output::Output;

/// What every command has: the flags of all, a place to write, and an ear for Ctrl-C.
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) out: Output,
    pub(crate) interrupt: Interrupt,
    /// The store that `--cost` speaks of: the last one opened.
    pub(crate) metered: Option<crate::connection::Metering>,
}

impl Context {
    /// Connects to the store of a URL; no request is sent yet.
    pub(crate) fn connect(&mut self, url: &str) -> Outcome<Connection> {
        let connection = Connection::open(url, &self.global)?;
        self.metered = Some(connection.metering());
        Ok(connection)
    }
}

/// Runs a command to its end.
pub(crate) async fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        // These end in an orderly way of their own when they are interrupted.
        Command::Batch(args) => batch::run(args, context).await,
        Command::Load(args) => load::run(args, context).await,
        Command::Tail(args) => tail::run(args, context).await,
        Command::Bench(args) => bench::run(args, context).await,
        Command::Demo(args) => demo::run(args, context).await,
        Command::Compact(args) => compact::run(args, context).await,
        Command::Retain(args) => retain::run(args, context).await,
        Command::Gc(args) => gc::run(args, context).await,
        Command::Maintain(args) => maintain::run(args, context).await,
        Command::Serve(args) => serve::run(args, context).await,
        Command::Inspect(args) => inspect::run(args, context).await,
        other => {
            let interrupt = context.interrupt.clone();
            tokio::select! {
                outcome = brief(other, context) => outcome,
                () = interrupt.asked() => Err(Failure::interrupted()),
            }
        }
    }
}

/// The commands that may be dropped where they stand.
async fn brief(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Put(args) => put::run(args, context).await,
        Command::Del(args) => del::run(args, context).await,
        Command::Get(args) => get::run(args, context).await,
        Command::Scan(args) => scan::run(args, context).await,
        Command::Export(args) => export::run(args, context).await,
        Command::Stat(args) => stat::run(args, context).await,
        Command::Dump(args) => dump::run(args, context).await,
        Command::Why(args) => why::run(args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Sign(args) => sign::run(args, context).await,
        Command::Completions(args) => completions::run(&args, context),
        Command::Man(args) => man::run(&args, context),
        Command::Batch(_)
        | Command::Load(_)
        | Command::Tail(_)
        | Command::Bench(_)
        | Command::Demo(_)
        | Command::Compact(_)
        | Command::Retain(_)
        | Command::Gc(_)
        | Command::Maintain(_)
        | Command::Serve(_)
        | Command::Inspect(_) => Ok(()),
    }
}
