//! Maintenance through the component.

use crate::bindings::isledb::storage::database::{MaintenanceOptions, MaintenanceReport, OpenOptions};
use crate::engine::Component;
use crate::error::{Error, Result};
use crate::instance::{Instance, Place};

/// One run of maintenance in a guest of its own: claims the role, merges and collects garbage as far as the budget goes, and
/// ends. Cost: see `wit/storage/write.wit`. The deadline of the engine holds for the whole run.
///
/// Errors: `Component` for one without the interface `maintain`; `over-budget` of the engine, with what the first merge needs;
/// what ends a guest.
pub async fn run_maintenance(
    component: &Component,
    place: Place,
    open: OpenOptions,
    options: MaintenanceOptions,
) -> Result<MaintenanceReport> {
    if component.exports.maintain.is_none() {
        return Err(Error::Component { message: "it exports no isledb:storage/maintain".to_owned() });
    }
    let prefix = place.prefix.clone();
    let instance = Instance::start(component, place).await?;
    let run = instance.send(move |accessor, guest| {
        Box::pin(async move {
            let Some(maintain) = &guest.maintain else {
                return Err(wasmtime::Error::msg("it exports no isledb:storage/maintain"));
            };
            maintain.call_run_once(accessor, prefix, open, options).await
        })
    });
    Ok(instance.within_deadline(run).await??)
}
