//! `isledb retain`.

use clap::Args as Flags;

use super::Context;
use crate::args::Database;
use crate::exit::Outcome;
use crate::upkeep::{self, MaintenanceRole, Mode, Owner, RetentionFlags};

/// Remove tables whose data is old
#[derive(Debug, Flags)]
#[command(after_help = "\
A table goes whole, with keys whose newest version is in it: meant for data whose keys are not
written again for ever. It goes only together with, or after, every table that overlaps its keys and
has older versions, so nothing that was deleted or overwritten comes back; --dry-run says what stays
for that. fifo takes the oldest tables, window all tables of a segment of time at once. `gc` deletes
the tables once no view and no change feed needs them.

Examples:
  isledb retain ./db --mode fifo --period 7d --count 10 --dry-run
  isledb retain s3://bucket/events --mode window --period 30d --segment 1d --count 100
  isledb retain ./db --mode fifo --period 1h --count 0 --yes")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// How to choose
    #[arg(long, value_name = "MODE")]
    mode: Mode,
    #[command(flatten)]
    retention: RetentionFlags,
    #[command(flatten)]
    role: MaintenanceRole,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let mut options = args.role.options(&context.global);
    options.retention = Some(args.retention.options(args.mode));
    let connection = context.connect(args.database.url())?;
    if args.role.dry_run {
        return upkeep::dry_run(context, &connection, &options).await;
    }
    let mut owner = Owner::take(context, &connection, &args.role, options).await?;
    let ended = owner.pass(context, false).await;
    if let Ok(Some(report)) = &ended {
        upkeep::report(report, &mut context.out)?;
        if upkeep::idle(report) && !context.out.is_json() {
            context.out.line("nothing is old enough to go")?;
        }
    }
    owner.end(ended).await
}
