//! What a pass would do, and why: the same lines as of one that did it, with `dry_run` and the reasons.

use isledb::maintain::gc::GcDryRun;
use isledb::maintain::plan::merge::Job;
use isledb::maintain::plan::removal::RetentionPlan;
use isledb::maintain::plan::sweep::WaitsFor;
use isledb::maintain::{DryRun, MaintenanceOptions};
use serde_json::{Value, json};

use super::report;
use crate::command::Context;
use crate::connection::Connection;
use crate::duration;
use crate::exit::Outcome;
use crate::json::Line;
use crate::output::{self, FAINT, Output};

/// Asks the planners and prints what they say. Claims and writes nothing.
pub(crate) async fn dry_run(
    context: &mut Context,
    connection: &Connection,
    options: &MaintenanceOptions,
) -> Outcome {
    let would = connection.maintenance_dry_run(options).await?;
    let out = &mut context.out;
    if options.merge.is_some() {
        merge(&would, out)?;
    }
    if let Some(plan) = would.retention {
        retention(&plan?, out)?;
    }
    if let Some(plan) = &would.gc {
        gc(plan, out)?;
    }
    Ok(())
}

fn merge(would: &DryRun, out: &mut Output) -> Outcome {
    if let Some(job) = &would.merge {
        if out.is_json() {
            out.json(merge_line(job))?;
        } else {
            let tables = output::counted(job.inputs.len() as u64, "table");
            out.line(format!("would merge {tables} ({}): {}", output::size(job.bytes()), job.reason))?;
            for table in &job.inputs {
                out.line(format!("  {}  {}", table.id, out.paint(FAINT, &output::size(table.size))))?;
            }
            for table in &job.moved {
                out.line(format!("  {}  {}", table.id, out.paint(FAINT, "moves as it is")))?;
            }
        }
    }
    report::debt(&would.debt, out)
}

fn merge_line(job: &Job) -> Line {
    Line::new()
        .field("job", "merge")
        .field("dry_run", true)
        .field("inputs", job.inputs.len())
        .field("outputs", Value::Null)
        .field("bytes", job.bytes())
        .field("kind", job.kind.name())
        .field("why", &job.reason)
        .field("tables", job.inputs.iter().map(|table| &table.id).collect::<Vec<_>>())
        .field("moved", job.moved.iter().map(|table| &table.id).collect::<Vec<_>>())
}

fn retention(plan: &RetentionPlan, out: &mut Output) -> Outcome {
    let bytes = plan.remove.iter().map(|removal| removal.table.size).sum::<u64>();
    if out.is_json() {
        let remove = plan.remove.iter().map(|removal| {
            let (table, bytes) = (&removal.table.id, removal.table.size);
            json!({"table": table, "bytes": bytes, "data_time_ms": removal.data_time_ms, "why": removal.why})
        });
        let stays =
            plan.stays.iter().map(|stays| json!({"table": stays.table.id, "behind": stays.behind.id}));
        let line = Line::new()
            .field("job", "retain")
            .field("dry_run", true)
            .field("inputs", plan.remove.len())
            .field("outputs", 0)
            .field("bytes", bytes)
            .field("remove", remove.collect::<Vec<_>>())
            .field("stays", stays.collect::<Vec<_>>());
        return Ok(out.json(line)?);
    }
    let tables = output::counted(plan.remove.len() as u64, "table");
    out.line(format!("would retire {tables} ({})", output::size(bytes)))?;
    for removal in &plan.remove {
        let size = output::size(removal.table.size);
        out.line(format!("  {}  {size}  {}", removal.table.id, out.paint(FAINT, &removal.why)))?;
    }
    for stays in &plan.stays {
        let why = format!("stays: else what is older in {} would come back", stays.behind.id);
        out.line(format!("  {}  {}", stays.table.id, out.paint(FAINT, &why)))?;
    }
    Ok(())
}

fn gc(plan: &GcDryRun, out: &mut Output) -> Outcome {
    let sweep = &plan.sweep;
    let waits = |waits_for: &WaitsFor| match waits_for {
        WaitsFor::Views { until_ms } => format!("views may read it until {}", duration::date_ms(*until_ms)),
        WaitsFor::Feed { slot } => format!("the change feed still has slot {slot}"),
    };
    if out.is_json() {
        let due = sweep.due.iter().map(|mark| json!({"table": mark.sst_id, "why": mark.first_reason}));
        let held = sweep
            .held
            .iter()
            .map(|held| json!({"table": held.id, "why": held.reason, "waits_for": waits(&held.waits_for)}));
        let blobs =
            plan.blobs.condemned.iter().map(|blob| json!({"blob": blob.id.to_string(), "bytes": blob.size}));
        let objects = sweep.due.len()
            + plan.blobs.condemned.len()
            + plan.log_entries.len()
            + sweep.snapshots.len()
            + plan.probes.len();
        let line = Line::new()
            .field("job", "gc")
            .field("dry_run", true)
            .field("inputs", objects)
            .field("outputs", 0)
            .field("bytes", plan.blobs.condemned.iter().filter_map(|blob| blob.size).sum::<u64>())
            .field("tables", due.collect::<Vec<_>>())
            .field("blobs", blobs.collect::<Vec<_>>())
            .field("log_entries", &plan.log_entries)
            .field("snapshots", &sweep.snapshots)
            .field("probes", &plan.probes)
            .field("would_mark", sweep.marked)
            .field("feed_floor_seq", sweep.floor)
            .field("held", held.collect::<Vec<_>>());
        return Ok(out.json(line)?);
    }
    out.line(format!(
        "would delete {}, {}, {}, {}",
        output::counted(sweep.due.len() as u64, "table"),
        output::counted(plan.blobs.condemned.len() as u64, "blob"),
        match plan.log_entries.len() {
            1 => "1 log entry".to_owned(),
            n => format!("{} log entries", output::count(n as u64)),
        },
        output::counted(sweep.snapshots.len() as u64, "snapshot"),
    ))?;
    for mark in &sweep.due {
        out.line(format!("  {}  {}", mark.sst_id, out.paint(FAINT, &mark.first_reason)))?;
    }
    for held in &sweep.held {
        let why = format!("waits ({}): {}", held.reason, waits(&held.waits_for));
        out.line(format!("  {}  {}", held.id, out.paint(FAINT, &why)))?;
    }
    Ok(())
}
