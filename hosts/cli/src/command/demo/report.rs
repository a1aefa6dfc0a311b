//! The closing table, and what lies in the folder.

use std::path::Path;
use std::time::Duration;

use isledb::host::{Cost, PriceList};

use super::faint;
use crate::command::Context;
use crate::cost;
use crate::exit::{Failure, Outcome};
use crate::json::Line;
use crate::output::{self, KEY};

/// One part of the tour, measured.
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) rows: u64,
    /// Of keys and values.
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) cost: Cost,
}

impl Phase {
    fn what(&self) -> &'static str {
        match self.name {
            "load" => "load",
            "tail" => "tail, meanwhile",
            _ => "export, other process",
        }
    }

    fn usd_s3(&self) -> f64 {
        self.cost.usd(&PriceList::S3.in_region())
    }
}

/// The table; with `--json` a line a phase.
pub(super) fn phases(phases: &[Phase], context: &mut Context) -> Outcome {
    let out = &mut context.out;
    if out.is_json() {
        for phase in phases {
            out.json(
                Line::new()
                    .field("phase", phase.name)
                    .field("rows", phase.rows)
                    .field("bytes", phase.bytes)
                    .field("seconds", phase.seconds)
                    .raw("requests", &cost::requests(&phase.cost))
                    .field("round_trips", phase.cost.round_trips)
                    .field("usd_s3", phase.usd_s3()),
            )?;
        }
        return Ok(());
    }
    let mut table = output::table(&[
        "",
        "rows",
        "seconds",
        "rows/s",
        "MB/s",
        "get",
        "put",
        "other",
        "round trips",
        "on S3",
    ]);
    for phase in phases {
        let Phase { rows, bytes, seconds, cost, .. } = phase;
        table.add_row([
            phase.what().to_owned(),
            output::count(*rows),
            format!("{seconds:.2}"),
            output::count((*rows as f64 / seconds.max(1e-3)) as u64),
            format!("{:.1}", *bytes as f64 / 1e6 / seconds.max(1e-3)),
            output::count(cost.get),
            output::count(cost.put),
            output::count(cost.head + cost.list + cost.delete),
            output::count(cost.round_trips),
            cost::usd(phase.usd_s3()),
        ]);
    }
    out.line(output::table_text(table, &[1, 2, 3, 4, 5, 6, 7, 8, 9]))?;
    out.line(faint(out, "A folder costs nothing: \"on S3\" is what these requests cost there, at the list price of us-east-1."))?;
    Ok(())
}

/// What lies in the folder, and what to do next.
pub(super) fn folder(dir: &Path, context: &mut Context) -> Outcome {
    if context.out.is_json() {
        return Ok(());
    }
    let shown = dir.display();
    let parts = [
        ("manifest/CURRENT", "how far readers look; carries the newest log entries"),
        ("manifest/log", "a slot a commit: decided once, never changed"),
        ("manifest/snapshots", "the list of tables, so that the log stays short"),
        ("sstable", "the rows, as sorted tables"),
        ("blobs", "values of 256 KiB and more"),
    ];
    let mut table = output::table(&[]);
    for (name, what) in parts {
        let found = measure(&dir.join(name)).map_err(|error| Failure::file(name, &error))?;
        if found.files > 0 {
            table.add_row([
                format!("{shown}/{name}"),
                if found.files == 1 {
                    "1 object".into()
                } else {
                    format!("{} objects", output::count(found.files))
                },
                output::size(found.bytes),
                what.to_owned(),
            ]);
        }
    }
    let out = &mut context.out;
    out.line("")?;
    out.line("The folder stays. It is laid out as a bucket is:")?;
    out.line(output::table_text(table, &[1, 2]))?;
    out.line("")?;
    out.line(format!("Go on with{}", where_it_is()))?;
    for call in [
        format!("isledb tail {shown} --from begin --limit 3"),
        format!("isledb scan {shown} --prefix flight/EWR/2013-01-15/ --reverse --limit 3"),
        format!("isledb dump {shown} CURRENT"),
        "isledb help load".to_owned(),
    ] {
        out.line(format!("  {}", out.paint(KEY, &call)))?;
    }
    Ok(())
}

/// Where the command is, for those who cannot call it by its name alone.
fn where_it_is() -> String {
    let Ok(own) = std::env::current_exe() else { return String::new() };
    let on_path = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path)
            .filter_map(|folder| folder.join("isledb").canonicalize().ok())
            .any(|found| own.canonicalize().is_ok_and(|own| own == found))
    });
    if on_path {
        return String::new();
    }
    let here = std::env::current_dir().unwrap_or_default();
    format!(" (isledb is {} here)", own.strip_prefix(here).unwrap_or(&own).display())
}

/// `8 ms`, `1.2 s`.
pub(super) fn milliseconds(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 1000.0 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1e3) }
}

#[derive(Default)]
struct Measured {
    files: u64,
    bytes: u64,
}

/// Sidecars, and hidden files such as its lock.
fn is_private(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "attrs")
        || path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Objects under a path. What the folder store keeps for itself beside them is not counted.
fn measure(path: &Path) -> std::io::Result<Measured> {
    let mut measured = Measured::default();
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(measured),
        Err(error) => return Err(error),
    };
    if meta.is_dir() {
        for entry in std::fs::read_dir(path)? {
            let inner = measure(&entry?.path())?;
            measured.files += inner.files;
            measured.bytes += inner.bytes;
        }
    } else if !is_private(path) {
        measured.files += 1;
        measured.bytes += meta.len();
    }
    Ok(measured)
}
