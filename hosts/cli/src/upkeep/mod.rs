//! What the maintenance commands share: taking the role, passes that show where they are and end in an orderly way, and what
//! is said of them. The work itself is the engine's ([`isledb::maintain`]).

mod dry_run;
mod flags;
mod pass;
mod report;
mod watch;

pub(crate) use dry_run::dry_run;
pub(crate) use flags::{MaintenanceRole, MergeFlags, Mode, RetentionFlags};
pub(crate) use pass::Owner;
pub(crate) use report::{debt, idle, report};
