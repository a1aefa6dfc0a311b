//! `isledb stat`.

use clap::Args as Flags;
use isledb::Error;
use isledb::format::gc::PendingMarks;
use isledb::format::manifest::{Current, FenceToken, Role, SstMeta};
use isledb::manifest::{CurrentRead, ManifestView};

use super::Context;
use crate::args::Database;
use crate::connection::Connection;
use crate::duration;
use crate::exit::Outcome;
use crate::json::Line;
use crate::output::{self, Output, STRONG};

/// Show what a database holds: tables, bytes, keys, owners, and how far the feed reaches
#[derive(Debug, Flags)]
#[command(after_help = "\
Examples:
  isledb stat ./db
  isledb stat s3://bucket/db --json | jq .tables")]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
}

pub(crate) async fn run(args: Args, context: &mut Context) -> Outcome {
    let connection = context.connect(args.database.url())?;
    let ((read, view), pending_deletes) =
        futures::future::try_join(connection.manifest_view(), pending_deletes(&connection)).await?;
    let stat = Stat::new(&read, &view, pending_deletes);
    if context.out.is_json() {
        context.out.json(stat.json(&view))?;
    } else {
        let text = stat.text(&view, args.database.url(), &context.out);
        context.out.line(text)?;
    }
    Ok(())
}

/// Tables that wait for their deletion. `None` where it cannot be read.
async fn pending_deletes(connection: &Connection) -> Outcome<Option<u64>> {
    let name = connection.layout().pending_marks();
    match connection.requests().get(&name).await {
        Ok(fetched) => Ok(Some(PendingMarks::decode(&name, &fetched.body)?.marks.len() as u64)),
        Err(Error::NotFound { .. }) => Ok(Some(0)),
        Err(Error::Permission { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What is added up from the manifest.
struct Stat {
    current_bytes: u64,
    tables: u64,
    bytes: u64,
    entries: Option<u64>,
    deletes: Option<u64>,
    pending_deletes: Option<u64>,
    extensions: Vec<&'static str>,
}

impl Stat {
    fn new(read: &CurrentRead, view: &ManifestView, pending_deletes: Option<u64>) -> Stat {
        let tables: Vec<&SstMeta> = view.state().tables().map(|table| &**table).collect();
        // One table that does not say makes the sum unknown.
        let sum = |of: fn(&SstMeta) -> Option<u64>| tables.iter().map(|table| of(table)).sum::<Option<u64>>();
        Stat {
            current_bytes: read.bytes.len() as u64,
            tables: tables.len() as u64,
            bytes: tables.iter().map(|table| table.size).sum(),
            entries: sum(|table| table.entry_count),
            deletes: sum(|table| table.delete_count),
            pending_deletes,
            extensions: extensions(read, &view.current, &tables),
        }
    }

    fn json(&self, view: &ManifestView) -> Line {
        let (current, state) = (&view.current, view.state());
        let runs = state.runs.iter().map(|run| {
            let bytes: u64 = run.ssts.iter().map(|table| table.size).sum();
            Line::new().field("id", run.id).field("tables", run.ssts.len()).field("bytes", bytes).end()
        });
        let runs = format!("[{}]", runs.collect::<Vec<_>>().join(","));
        Line::new()
            .field("next_seq", current.next_seq)
            .field("log_seq_start", current.log_seq_start)
            .field("snapshot", Some(&current.snapshot).filter(|name| !name.is_empty()))
            .field("current_bytes", self.current_bytes)
            .field("l0_tables", state.l0.len())
            .raw("runs", &runs)
            .field("tables", self.tables)
            .field("bytes", self.bytes)
            .field("entries", self.entries)
            .field("deletes", self.deletes)
            .raw("writer", &owner_json(current.fence(Role::Writer)))
            .raw("maintenance", &owner_json(current.fence(Role::Maintenance)))
            .field("max_committed_lsn", current.max_committed_lsn)
            .field("low_watermark_lsn", current.low_watermark_lsn)
            .field("next_sequence", view.next_sequence())
            .field("feed_floor_seq", current.feed_floor_seq)
            .field("max_view_age_ms", current.max_view_age_ms)
            .field("pending_deletes", self.pending_deletes)
            .field("extensions", &self.extensions)
    }

    fn text(&self, view: &ManifestView, url: &str, out: &Output) -> String {
        let (current, state) = (&view.current, view.state());
        let known = |n: Option<u64>| n.map_or("unknown".to_owned(), output::count);
        let run_tables: usize = state.runs.iter().map(|run| run.ssts.len()).sum();
        let mut table = output::table(&[]);
        let mut row = |name: &str, text: String| {
            table.add_row([name.to_owned(), text]);
        };
        row(
            "tables",
            format!(
                "{} ({} in L0, {} in {} runs), {}",
                output::count(self.tables),
                state.l0.len(),
                run_tables,
                state.runs.len(),
                output::size(self.bytes)
            ),
        );
        row("entries", format!("{}, {} of them deletes", known(self.entries), known(self.deletes)));
        row("sequences", format!("the next one is {}", output::count(view.next_sequence())));
        row(
            "log",
            format!(
                "slots {} to {} in the window, CURRENT has {}",
                current.log_seq_start.max(1),
                current.next_slot() - 1,
                output::size(self.current_bytes)
            ),
        );
        let snapshot = current.snapshot.rsplit('/').next().unwrap_or_default();
        row("snapshot", if snapshot.is_empty() { "none".into() } else { snapshot.to_owned() });
        row("feed", current.feed_floor_seq.map_or("unknown".into(), |slot| format!("from slot {slot} on")));
        row("writer", owner_text(current.fence(Role::Writer)));
        row("maintenance", owner_text(current.fence(Role::Maintenance)));
        row(
            "view age",
            current
                .max_view_age_ms
                .map_or("unknown".into(), |ms| format!("at most {}", duration::text_ms(ms))),
        );
        if current.max_committed_lsn.is_some() || current.low_watermark_lsn.is_some() {
            row(
                "LSN",
                format!(
                    "committed up to {}, low watermark {}",
                    known(current.max_committed_lsn),
                    known(current.low_watermark_lsn)
                ),
            );
        }
        row("deletions", format!("{} tables wait", known(self.pending_deletes)));
        row("extensions", if self.extensions.is_empty() { "none".into() } else { self.extensions.join(" ") });
        format!("{}\n{}", out.paint(STRONG, url), output::table_text(table, &[]))
    }
}

/// Names of the extensions of the format that this database uses.
fn extensions(read: &CurrentRead, current: &Current, tables: &[&SstMeta]) -> Vec<&'static str> {
    let sealed = read.bytes.windows(10).rev().take(24).any(|window| window == b",\"crc32c\":");
    let any = |has: fn(&SstMeta) -> bool| tables.iter().any(|table| has(table));
    [
        ("inline_log", !current.inline_log.is_empty()),
        ("next_sequence", current.next_sequence.is_some()),
        ("feed_floor_seq", current.feed_floor_seq.is_some()),
        ("max_view_age_ms", current.max_view_age_ms.is_some()),
        ("change_retention_ms", current.change_retention_ms.is_some()),
        ("crc32c", sealed),
        ("MetaOffset", any(|table| table.meta_offset.is_some())),
        ("EntryCount", any(|table| table.entry_count.is_some())),
        ("DeleteCount", any(|table| table.delete_count.is_some())),
        ("MinExpireAt", any(|table| table.min_expire_at.is_some())),
        ("MaxExpireAt", any(|table| table.max_expire_at.is_some())),
        ("MaxDataTime", any(|table| table.max_data_time.is_some())),
    ]
    .into_iter()
    .filter_map(|(name, found)| found.then_some(name))
    .collect()
}

fn owner_json(fence: Option<&FenceToken>) -> String {
    match fence {
        None => "null".into(),
        Some(fence) => Line::new()
            .field("owner", &fence.owner)
            .field("epoch", fence.epoch)
            .field("claimed_at_ms", fence.claimed_at.unix_ms())
            .end(),
    }
}

fn owner_text(fence: Option<&FenceToken>) -> String {
    match fence {
        None => "nobody".into(),
        Some(fence) => format!(
            "{}, epoch {}, claimed {}",
            fence.owner,
            fence.epoch,
            duration::date_ms(u64::try_from(fence.claimed_at.unix_ms()).unwrap_or(0))
        ),
    }
}
