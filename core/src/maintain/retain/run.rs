//! One pass of retention.

use super::policy::Retention;
use crate::error::{Error, Result};
use crate::format::layout::Layout;
use crate::host::{Event, Requests};
use crate::maintain::gc::store_time_ms;
use crate::manifest::{Attempt, Draft, Publisher};

/// So often a pass plans anew because an input went meanwhile.
const MAX_TRIES: u32 = 4;

/// What one pass did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionReport {
    /// Ids of the tables that went.
    pub removed: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// Tables that are old enough and stay, since older versions behind them would come back.
    pub held: u64,
    /// The slot of the entry; `None`: nothing was to be removed.
    pub slot: Option<u64>,
}

/// Removes what `retention` says, in one entry. Plans from the publisher's base, which should have been read just now.
///
/// `now_ms`: the store's time as far as it is known. What would go by it is looked at again by the store's own time, so that a
/// clock that runs ahead removes nothing too early.
///
/// Cost: four requests in series; none where nothing goes.
///
/// Errors: `InvalidArgument` where everything would go; those of [`Publisher::publish`].
pub async fn retain(
    (requests, layout): (&Requests, &Layout),
    publisher: &mut Publisher,
    retention: &Retention,
    now_ms: u64,
) -> Result<RetentionReport> {
    for _ in 0..MAX_TRIES {
        let mut plan = retention.plan(publisher.view().state(), now_ms)?;
        if !plan.remove.is_empty() {
            let now_ms = now_ms.min(store_time_ms(requests, layout).await?);
            plan = retention.plan(publisher.view().state(), now_ms)?;
        }
        let mut report = RetentionReport { held: plan.stays.len() as u64, ..RetentionReport::default() };
        if plan.remove.is_empty() {
            return Ok(report);
        }
        report.bytes = plan.remove.iter().map(|removal| removal.table.size).sum();
        report.removed = plan.remove.iter().map(|removal| removal.table.id.clone()).collect();
        match publisher.publish(Draft::removal(report.removed.clone())).await {
            Ok(Attempt::Committed(published)) => {
                report.slot = Some(published.slot);
                let tables = report.removed.len() as u64;
                requests.observe(|| Event::Retired { tables, bytes: report.bytes });
                return Ok(report);
            }
            // Planned from a base that is no longer true: once more from the new one.
            Ok(Attempt::Stale) | Err(Error::Precondition { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(RetentionReport::default())
}
