//! Maintenance, pass by pass.

use isledb_core::Result;
use isledb_core::maintain::{Maintenance as CoreMaintenance, MaintenanceOptions as CoreOptions, Report};
use js_sys::Promise;
use wasm_bindgen::prelude::*;

use crate::call::promise;
use crate::options::whole;
use crate::record::Record;
use crate::turn::Turn;

#[wasm_bindgen]
extern "C" {
    /// `js/src/maintenance.ts`: what to do.
    pub type MaintenanceOptions;
    #[wasm_bindgen(method, getter)]
    fn owner(this: &MaintenanceOptions) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    fn takeover(this: &MaintenanceOptions) -> Option<bool>;
    #[wasm_bindgen(method, getter)]
    fn merge(this: &MaintenanceOptions) -> Option<bool>;
    #[wasm_bindgen(method, getter)]
    fn gc(this: &MaintenanceOptions) -> Option<bool>;
    #[wasm_bindgen(method, getter, js_name = l0Tables)]
    fn l0_tables(this: &MaintenanceOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = maxInputs)]
    fn max_inputs(this: &MaintenanceOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = maxRequests)]
    fn max_requests(this: &MaintenanceOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = maxMemoryBytes)]
    fn max_memory_bytes(this: &MaintenanceOptions) -> Option<f64>;
}

/// Stored bytes that one input of a merge holds ahead: an eighth of the engine's own default.
const READ_AHEAD_BYTES: u64 = 256 << 10;

/// Bytes at which an output table ends. It is whole in memory, and once more in JavaScript while it is put: of the engine's own
/// default two would be all that an edge worker has.
const TABLE_BYTES: u64 = 16 << 20;

/// The default of `maxMemoryBytes`: half of what an edge worker has for everything.
const MEMORY_BYTES: u64 = 64 << 20;

impl MaintenanceOptions {
    pub(crate) fn read(&self) -> Result<CoreOptions> {
        let mut options = CoreOptions {
            max_requests: whole("maxRequests", self.max_requests())?,
            max_memory_bytes: Some(whole("maxMemoryBytes", self.max_memory_bytes())?.unwrap_or(MEMORY_BYTES)),
            ..CoreOptions::default()
        };
        options.owner = self.owner().unwrap_or(options.owner);
        options.takeover = self.takeover().unwrap_or(options.takeover);
        if self.gc() == Some(false) {
            options.gc = None;
        }
        if self.merge() == Some(false) {
            options.merge = None;
        }
        if let Some(merge) = &mut options.merge {
            merge.read_ahead = READ_AHEAD_BYTES;
            merge.policy.table_size = TABLE_BYTES;
            merge.part_size = TABLE_BYTES;
            let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            if let Some(tables) = whole("l0Tables", self.l0_tables())? {
                merge.policy.l0_tables = small(tables);
            }
            if let Some(inputs) = whole("maxInputs", self.max_inputs())? {
                merge.policy.max_inputs = small(inputs);
            }
        }
        Ok(options)
    }
}

/// Merges, and collects garbage, as the one owner of the maintenance role.
#[wasm_bindgen]
pub struct Maintenance(Turn<CoreMaintenance>);

impl Maintenance {
    pub(crate) fn new(maintenance: CoreMaintenance) -> Maintenance {
        Maintenance(Turn::new(maintenance))
    }
}

#[wasm_bindgen]
impl Maintenance {
    /// One pass: what is due. `everything`: all tables into one run.
    #[wasm_bindgen(js_name = runOnce)]
    pub fn run_once(&self, everything: bool, cancel: Option<Promise>) -> Promise {
        let taken = self.0.take();
        promise(None, cancel, async move {
            let mut taken = taken?;
            let report = match everything {
                true => taken.inner.merge_everything().await,
                false => taken.inner.run_once().await,
            };
            taken.put_back();
            Ok(record(&report?))
        })
    }

    /// Settles what is open and ends the owner.
    pub fn close(&self) -> Promise {
        let taken = self.0.take();
        promise(None, None, async move {
            taken?.inner.close().await?;
            Ok(JsValue::UNDEFINED)
        })
    }
}

fn record(report: &Report) -> JsValue {
    let merges = report.merges.iter().map(|merge| {
        Record::new()
            .text("kind", merge.kind.name())
            .number("slot", merge.slot)
            .number("tablesRead", merge.tables_read)
            .number("tablesMoved", merge.tables_moved)
            .number("tablesWritten", merge.tables_written)
            .number("bytesRead", merge.bytes_read)
            .number("bytesWritten", merge.bytes_written)
            .number("entriesRead", merge.entries_read)
            .number("entriesWritten", merge.entries_written)
            .into()
    });
    let debt = Record::new()
        .number("jobs", report.debt.jobs.into())
        .number("tables", report.debt.tables)
        .number("bytes", report.debt.bytes)
        .number("l0Tables", report.debt.l0_tables)
        .number("runs", report.debt.runs);
    let gc = report.gc.as_ref().map_or(JsValue::UNDEFINED, |gc| {
        Record::new()
            .number("marked", gc.marked)
            .number("waiting", gc.waiting)
            .number("tables", gc.tables)
            .number("logEntries", gc.log_entries)
            .number("snapshots", gc.snapshots)
            .number("blobs", gc.blobs)
            .number("bytes", gc.bytes)
            .into()
    });
    Record::new()
        .list("merges", merges)
        .value("debt", debt)
        .value("gc", gc)
        .flag("waitsForWriter", report.waits_for_writer)
        .maybe_text("overBudget", report.over_budget.as_ref().map(ToString::to_string).as_deref())
        .into()
}
