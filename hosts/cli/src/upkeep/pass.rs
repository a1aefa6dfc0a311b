//! The maintenance role, held for as long as a command runs.

use std::sync::Arc;
use std::time::Duration;

use isledb::format::manifest::Role;
use isledb::maintain::{Maintenance, MaintenanceOptions, Report};

use super::flags::MaintenanceRole;
use super::watch::Watch;
use crate::command::Context;
use crate::connection::Connection;
use crate::exit::{Failure, Outcome};
use crate::output;
use crate::progress::Progress;
use crate::role;

/// How often progress is shown.
const EVERY: Duration = Duration::from_millis(200);

/// The owner of a database's maintenance.
pub(crate) struct Owner {
    maintenance: Maintenance,
    watch: Arc<Watch>,
}

impl Owner {
    /// Takes the role. Who holds it is said first; `--no-takeover` then refuses.
    pub(crate) async fn take(
        context: &Context,
        connection: &Connection,
        flags: &MaintenanceRole,
        options: MaintenanceOptions,
    ) -> Outcome<Owner> {
        role::take(context, connection, Role::Maintenance, flags.no_takeover).await?;
        let mut watch = Arc::new(Watch::default());
        let maintenance = connection.maintenance(!flags.no_probe, options, |observer| {
            watch = Arc::new(Watch::before(observer));
            watch.clone()
        });
        let maintenance = maintenance.await?;
        Ok(Owner { maintenance, watch })
    }

    /// One pass: what is due, or with `everything` all tables into one run. `None`: somebody wants the command to stop, and what
    /// was under way was given up; it costs its time only.
    pub(crate) async fn pass(
        &mut self,
        context: &Context,
        everything: bool,
    ) -> isledb::Result<Option<Report>> {
        let watch = self.watch.clone();
        let mut progress = Progress::bytes(context.global.progress, None);
        let mut tick = tokio::time::interval(EVERY);
        let ended = {
            let maintenance = &mut self.maintenance;
            let pass = async move {
                if everything { maintenance.merge_everything().await } else { maintenance.run_once().await }
            };
            tokio::pin!(pass);
            loop {
                tokio::select! {
                    biased;
                    () = context.interrupt.asked() => break Ok(None),
                    done = &mut pass => break done.map(Some),
                    _ = tick.tick() => progress.set(watch.done(), || format!("of {}", output::size(watch.of()))),
                }
            }
        };
        progress.finish();
        ended
    }

    /// Settles what is open, and ends as the pass of a command that is done with it.
    pub(crate) async fn end(self, ended: isledb::Result<Option<Report>>) -> Outcome {
        let closed = self.close().await;
        ended?.ok_or_else(Failure::interrupted)?;
        closed
    }

    /// Settles what is open, and ends.
    pub(crate) async fn close(self) -> Outcome {
        Ok(self.maintenance.close().await?)
    }
}
