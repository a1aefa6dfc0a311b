//! What a pass did: `{job, inputs, outputs, bytes}` a line with `--json`, a sentence for people.

use isledb::maintain::gc::GcReport;
use isledb::maintain::plan::debt::Debt;
use isledb::maintain::retain::RetentionReport;
use isledb::maintain::{MergeReport, Report};

use crate::exit::Outcome;
use crate::json::Line;
use crate::output::{self, FAINT, Output};

/// All that a pass did; nothing where it did nothing.
pub(crate) fn report(report: &Report, out: &mut Output) -> Outcome {
    for done in &report.merges {
        merge(done, out)?;
    }
    if let Some(done) = report.retention.as_ref().filter(|done| done.slot.is_some()) {
        retention(done, out)?;
    }
    if let Some(done) = report.gc.as_ref().filter(|done| is_worth_a_line(done)) {
        gc(done, out)?;
    }
    Ok(())
}

/// True if [`report`] says nothing of it.
pub(crate) fn idle(report: &Report) -> bool {
    report.merges.is_empty()
        && report.retention.as_ref().is_none_or(|done| done.slot.is_none())
        && report.gc.as_ref().is_none_or(|done| !is_worth_a_line(done))
}

fn is_worth_a_line(done: &GcReport) -> bool {
    done.objects() + done.marked + done.unmarked > 0 || done.floor.is_some()
}

fn merge(done: &MergeReport, out: &mut Output) -> Outcome {
    if out.is_json() {
        let line = Line::new()
            .field("job", "merge")
            .field("inputs", done.tables_read)
            .field("outputs", done.tables_written)
            .field("bytes", done.bytes_read)
            .field("kind", done.kind.name())
            .field("moved", done.tables_moved)
            .field("bytes_written", done.bytes_written)
            .field("entries_read", done.entries_read)
            .field("entries_written", done.entries_written)
            .field("slot", done.slot);
        return Ok(out.json(line)?);
    }
    let moved = match done.tables_moved {
        0 => String::new(),
        n => format!(", {} moved as they were", output::count(n)),
    };
    let text = format!(
        "merged {} ({}) into {} ({}){moved}",
        output::counted(done.tables_read, "table"),
        output::size(done.bytes_read),
        output::counted(done.tables_written, "table"),
        output::size(done.bytes_written),
    );
    let dropped = done.entries_read.saturating_sub(done.entries_written);
    let note = format!("{}, {} dropped, slot {}", done.kind.name(), output::count(dropped), done.slot);
    Ok(out.line(format!("{text} {}", out.paint(FAINT, &note)))?)
}

fn retention(done: &RetentionReport, out: &mut Output) -> Outcome {
    let removed = done.removed.len() as u64;
    if out.is_json() {
        let line = Line::new()
            .field("job", "retain")
            .field("inputs", removed)
            .field("outputs", 0)
            .field("bytes", done.bytes)
            .field("removed", &done.removed)
            .field("held", done.held)
            .field("slot", done.slot);
        return Ok(out.json(line)?);
    }
    let held = match done.held {
        0 => String::new(),
        n => format!("; {} stay, since older versions behind them would come back", output::count(n)),
    };
    let (tables, bytes) = (output::counted(removed, "table"), output::size(done.bytes));
    Ok(out.line(format!("retired {tables} ({bytes}){held}"))?)
}

fn gc(done: &GcReport, out: &mut Output) -> Outcome {
    if out.is_json() {
        let line = Line::new()
            .field("job", "gc")
            .field("inputs", done.objects())
            .field("outputs", 0)
            .field("bytes", done.bytes)
            .field("tables", done.tables)
            .field("blobs", done.blobs)
            .field("log_entries", done.log_entries)
            .field("snapshots", done.snapshots)
            .field("probes", done.probes)
            .field("marked", done.marked)
            .field("unmarked", done.unmarked)
            .field("waiting", done.waiting)
            .field("doomed_blobs", done.doomed_blobs)
            .field("feed_floor_seq", done.floor)
            .field("scanned", done.scanned);
        return Ok(out.json(line)?);
    }
    let parts =
        [(done.tables, "table"), (done.blobs, "blob"), (done.snapshots, "snapshot"), (done.probes, "probe")];
    let mut parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| output::counted(*n, word)).collect();
    if done.log_entries > 0 {
        let entries = if done.log_entries == 1 { "log entry" } else { "log entries" };
        parts.push(format!("{} {entries}", output::count(done.log_entries)));
    }
    let deleted = if parts.is_empty() {
        "deleted nothing yet".to_owned()
    } else {
        format!("deleted {} ({})", parts.join(", "), output::size(done.bytes))
    };
    let wait = done.waiting + done.doomed_blobs;
    Ok(out.line(format!("{deleted}; {} wait for their time", output::count(wait)))?)
}

/// What still waits to be merged.
pub(crate) fn debt(debt: &Debt, out: &mut Output) -> Outcome {
    if out.is_json() {
        return Ok(());
    }
    let (tables, runs) = (output::counted(debt.l0_tables, "table"), output::counted(debt.runs, "run"));
    let shape = format!("{tables} in level 0, {runs}");
    if debt.jobs == 0 {
        return Ok(out.line(format!("nothing waits to be merged: {shape}"))?);
    }
    let (jobs, bytes) = (output::counted(debt.jobs.into(), "merge"), output::size(debt.bytes));
    let wait = if debt.jobs == 1 { "waits" } else { "wait" };
    Ok(out.line(format!("{jobs} of {bytes} {wait}: {shape}"))?)
}
