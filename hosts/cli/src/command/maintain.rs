//! `isledb maintain`.

use std::time::Duration;

use clap::Args as Flags;
use isledb::Error;
use isledb::maintain::gc::GcOptions;

use super::Context;
use crate::args::Database;
use crate::exit::{Failure, Outcome};
use crate::output;
use crate::upkeep::{self, MaintenanceRole, MergeFlags, Mode, Owner, RetentionFlags};

/// Keep a database small and quick: merge, retire, delete, for as long as it runs
#[derive(Debug, Flags)]
#[command(after_help = "\
A service; with --once a single pass, for cron. Merging and deleting are on, retention only with
--retain. One owner a database: a second one fences the first, which then ends with exit code 4.
SIGTERM or Ctrl-C ends it in an orderly way, exit code 0: what was under way costs its time only. A
pass that fails for want of the store is said on standard error, and tried again.

Examples:
  isledb maintain s3://bucket/db --metrics-addr 127.0.0.1:9464
  isledb maintain ./db --once --json
  isledb maintain s3://bucket/events --retain window --period 30d --segment 1d
  isledb maintain ./db --dry-run")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// One pass, then end
    #[arg(long)]
    once: bool,
    /// How long to wait between two passes
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = crate::duration::parse)]
    every: Duration,
    /// Leave tables as they are
    #[arg(long)]
    no_merge: bool,
    /// Delete nothing
    #[arg(long)]
    no_gc: bool,
    /// Also remove tables whose data is old, choosing so
    #[arg(long, value_name = "MODE", help_heading = "Retention")]
    retain: Option<Mode>,
    #[command(flatten)]
    retention: RetentionFlags,
    #[command(flatten)]
    merge: MergeFlags,
    #[command(flatten)]
    role: MaintenanceRole,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let mut options = args.role.options(&context.global);
    options.check_interval = args.every;
    options.merge = if args.no_merge { None } else { Some(args.merge.options()?) };
    options.gc = (!args.no_gc).then(GcOptions::default);
    options.retention = args.retain.map(|mode| args.retention.options(mode));
    let connection = context.connect(args.database.url())?;
    if args.role.dry_run {
        return upkeep::dry_run(context, &connection, &options).await;
    }
    let mut owner = Owner::take(context, &connection, &args.role, options).await?;
    let ended = if args.once {
        match owner.pass(context, false).await {
            Ok(Some(report)) => upkeep::report(&report, &mut context.out),
            Ok(None) => Err(Failure::interrupted()),
            Err(error) => Err(error.into()),
        }
    } else {
        serve(&mut owner, args.every, context).await
    };
    let closed = owner.close().await;
    ended.and(closed)
}

/// Passes, until somebody wants it to stop or the role is lost.
async fn serve(owner: &mut Owner, every: Duration, context: &mut Context) -> Outcome {
    loop {
        match owner.pass(context, false).await {
            Ok(Some(report)) => {
                upkeep::report(&report, &mut context.out)?;
                // Whoever reads a pipe wants to see it now.
                context.out.flush()?;
            }
            Ok(None) => return Ok(()),
            Err(error) if ends(&error) => return Err(error.into()),
            Err(error) => output::note(&format!("a pass failed, the next one tries again: {error}")),
        }
        tokio::select! {
            () = context.interrupt.asked() => return Ok(()),
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// What the next pass would end with too, or what somebody has to decide.
fn ends(error: &Error) -> bool {
    matches!(
        error,
        Error::Fenced { .. }
            | Error::OutcomeUnknown { retry: false, .. }
            | Error::InvalidArgument { .. }
            | Error::Permission { .. }
            | Error::Unsupported { .. }
    )
}
