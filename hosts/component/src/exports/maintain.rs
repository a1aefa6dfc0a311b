//! The interface `maintain`.

use isledb_core::maintain::gc::GcOptions;
use isledb_core::maintain::plan::merge::MergePolicy;
use isledb_core::maintain::{MaintenanceOptions, MergeOptions};

use super::exported;
use super::interfaces::maintain;
use super::opened::Opened;
use super::types::{Failure, MaintenanceOptions as WitMaintenanceOptions, MaintenanceReport, OpenOptions};

/// What a merge may hold by default: a component has some 128 MiB for everything.
const MEMORY_BYTES: u64 = 64 << 20;

/// Smaller than natively, for the same reason: tables, what each input holds ahead, parts of uploads.
const TABLE_BYTES: u64 = 16 << 20;
const READ_AHEAD_BYTES: u64 = 512 << 10;
const PART_BYTES: u64 = 5 << 20;

exported! {
    impl maintain::Guest as super::Component {
        async fn run_once(
            prefix: String,
            open: OpenOptions,
            options: WitMaintenanceOptions
        ) -> Result<MaintenanceReport, Failure> {
            let opened = Opened::new(&prefix, &open)?;
            let mut owner = opened.db.maintenance(maintenance_options(options)).await?;
            let result = owner.run_once().await;
            owner.close().await?;
            let report = result?;
            let merges = &report.merges;
            Ok(MaintenanceReport {
                merges: merges.len() as u32,
                tables_read: merges.iter().map(|merge| merge.tables_read).sum(),
                tables_written: merges.iter().map(|merge| merge.tables_written).sum(),
                bytes_read: merges.iter().map(|merge| merge.bytes_read).sum(),
                bytes_written: merges.iter().map(|merge| merge.bytes_written).sum(),
                objects_deleted: report.gc.as_ref().map_or(0, |gc| gc.objects()),
                requests: opened.meter.cost().requests(),
                merges_left: report.debt.jobs,
                over_budget: report.over_budget.as_ref().map(ToString::to_string),
            })
        }
    }
}

fn maintenance_options(options: WitMaintenanceOptions) -> MaintenanceOptions {
    let default = MaintenanceOptions::default();
    MaintenanceOptions {
        merge: options.merge.unwrap_or(true).then(|| MergeOptions {
            policy: MergePolicy { table_size: TABLE_BYTES, ..MergePolicy::default() },
            read_ahead: READ_AHEAD_BYTES,
            part_size: PART_BYTES,
            ..MergeOptions::default()
        }),
        gc: options.gc.unwrap_or(true).then(GcOptions::default),
        owner: options.owner.unwrap_or(default.owner),
        max_requests: options.max_requests,
        max_memory_bytes: Some(options.max_memory_bytes.unwrap_or(MEMORY_BYTES)),
        ..MaintenanceOptions::default()
    }
}
