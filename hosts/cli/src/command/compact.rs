//! `isledb compact`.

use clap::Args as Flags;

use super::Context;
use crate::args::Database;
use crate::exit::Outcome;
use crate::upkeep::{self, MaintenanceRole, MergeFlags, Owner};

/// Merge tables, so that reads ask fewer of them and deletes take up no room
#[derive(Debug, Flags)]
#[command(after_help = "\
Merges what the policy says until nothing is due: level 0 at 8 tables, then runs of similar size.
With --full everything goes into one run. Inputs stay in the bucket until `gc` deletes them, so views
that are open go on reading. Takes the maintenance role; whoever held it is fenced and ends. When it
is interrupted, the merge under way costs its time and nothing else.

A plugin sees what is merged, so use it with --full to let it see everything. Where it fails, nothing
is changed.

Examples:
  isledb compact ./db --dry-run
  isledb compact s3://bucket/db --throttle 50MiB
  isledb compact ./db --full --json
  isledb compact ./db --full --plugin expire.wasm")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    /// Merge everything into one run, whatever the policy says
    #[arg(long, conflicts_with = "dry_run")]
    full: bool,
    #[command(flatten)]
    merge: MergeFlags,
    #[command(flatten)]
    role: MaintenanceRole,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let mut options = args.role.options(&context.global);
    options.merge = Some(args.merge.options()?);
    let connection = context.connect(args.database.url())?;
    if args.role.dry_run {
        return upkeep::dry_run(context, &connection, &options).await;
    }
    let mut owner = Owner::take(context, &connection, &args.role, options).await?;
    let ended = owner.pass(context, args.full).await;
    if let Ok(Some(report)) = &ended {
        upkeep::report(report, &mut context.out)?;
        upkeep::debt(&report.debt, &mut context.out)?;
    }
    owner.end(ended).await
}
