//! `isledb gc`.

use std::time::Duration;

use clap::Args as Flags;
use isledb::maintain::gc::GcOptions;

use super::Context;
use crate::args::Database;
use crate::exit::Outcome;
use crate::upkeep::{self, MaintenanceRole, Owner};

/// Delete objects that nothing needs any more
#[derive(Debug, Flags)]
#[command(after_help = "\
Tables that were merged or retired are marked first, and deleted once no view may read them and the
change feed has passed them: a run by hand does what is due now, and says what waits. Uploads that
were never committed, and values that no table refers to, go when they are a day old; all objects are
listed for them once a day, or at once with --orphans.

Examples:
  isledb gc ./db --dry-run
  isledb gc s3://bucket/db --orphans
  isledb gc ./db --grace 1h --json")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// List all tables and blobs now for what nothing refers to
    #[arg(long)]
    orphans: bool,
    /// A table stays at least so long after it was seen out of use: 10m or more
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = crate::duration::parse)]
    grace: Duration,
    /// Most objects of one kind that are deleted; the rest waits for the next run
    #[arg(long, value_name = "N", default_value_t = GcOptions::default().max_deletes)]
    max_deletes: u32,
    #[command(flatten)]
    role: MaintenanceRole,
}

/// The shortest time between two listings.
const AT_ONCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let default = GcOptions::default();
    let scan_interval = if args.orphans { AT_ONCE } else { default.scan_interval };
    let gc = GcOptions {
        interval: Duration::ZERO,
        grace: args.grace,
        scan_interval,
        max_deletes: args.max_deletes,
    };
    let mut options = args.role.options(&context.global);
    options.gc = Some(gc);
    let connection = context.connect(args.database.url())?;
    if args.role.dry_run {
        return upkeep::dry_run(context, &connection, &options).await;
    }
    let mut owner = Owner::take(context, &connection, &args.role, options).await?;
    let ended = owner.pass(context, false).await;
    if let Ok(Some(report)) = &ended {
        upkeep::report(report, &mut context.out)?;
        if upkeep::idle(report) && !context.out.is_json() {
            let waiting = report.gc.as_ref().map_or(0, |done| done.waiting + done.doomed_blobs);
            context.out.line(format!("nothing to delete; {waiting} wait for their time"))?;
        }
    }
    owner.end(ended).await
}
