//! What is in the bucket, held against what the manifest names.

use super::finding::{Finding, FindingKind};
use super::manifest::{Named, NamedTable, still_names};
use super::report::Report;
use crate::error::Result;
use crate::host::{Moment, ObjectMeta, Requests};
use crate::read::ReadSource;

/// What was listed so far.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

impl Listed {
    fn count(&mut self, page: &[ObjectMeta]) {
        self.objects += page.len() as u64;
        self.bytes += page.iter().map(|object| object.size).sum::<u64>();
    }
}

/// A listing of one prefix, page by page. Each page is one request.
pub(super) struct Pages<'a> {
    requests: &'a Requests,
    prefix: String,
    last: Option<String>,
    done: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn new(requests: &'a Requests, prefix: String) -> Pages<'a> {
        Pages { requests, prefix, last: None, done: false }
    }

    /// The next objects, in order of their names; `None` behind the last.
    pub(super) async fn next(&mut self, listed: &mut Listed) -> Result<Option<Vec<ObjectMeta>>> {
        if self.done {
            return Ok(None);
        }
        let page = self.requests.list(&self.prefix, self.last.as_deref()).await?;
        self.done = !page.more || page.objects.is_empty();
        self.last = page.objects.last().map(|object| object.key.clone());
        listed.count(&page.objects);
        Ok(Some(page.objects))
    }
}

/// An object that nothing names.
pub(super) fn orphan(requests: &Requests, object: &ObjectMeta, message: &str) -> Finding {
    let now_ms = Moment::now(&*requests.host).unix_ms();
    let age_ms = object.last_modified_ms.map(|at| now_ms.saturating_sub(at));
    let bytes = Some(object.size);
    Finding { bytes, age_ms, ..Finding::new(&object.key, FindingKind::Orphan, message) }
}

/// Lists the tables. Returns those that the manifest names, with whether each is there and has its size.
pub(super) async fn tables(
    source: &ReadSource,
    named: &Named,
    report: &Report,
) -> Result<(Listed, Vec<NamedTable>)> {
    let ReadSource { requests, layout, .. } = source;
    let mut listed = Listed::default();
    let mut found = named.tables.clone();
    let mut seen = hashbrown::HashSet::new();
    let mut pages = Pages::new(requests, layout.sst_prefix());
    while let Some(page) = pages.next(&mut listed).await? {
        for object in page {
            let Some(table) = found.get_mut(&object.key) else {
                let id = object.key.strip_prefix(&layout.sst_prefix()).unwrap_or_default();
                let message = match named.doomed.tables.contains(id) {
                    true => "nothing names this table; maintenance has marked it for deletion",
                    false => "nothing names this table",
                };
                report.tell(orphan(requests, &object, message));
                continue;
            };
            seen.insert(object.key.clone());
            table.sized = object.size == table.object_size();
            if !table.sized {
                let message = format!("{} bytes, the manifest says {}", object.size, table.object_size());
                report.tell(Finding::new(&object.key, FindingKind::Size, message));
            }
        }
    }
    for (object, table) in &found {
        if !seen.contains(object) && still_names(source, object).await? {
            let who = if table.live { "the present state" } else { "the change feed" };
            let message = format!("{who} needs this table, and it is not there");
            report.tell(Finding::new(object, FindingKind::Missing, message));
        }
    }
    Ok((listed, found.into_values().collect()))
}

/// Lists what lies under `manifest/`, and tells what nothing names.
pub(super) async fn manifest(
    source: &ReadSource,
    named: &Named,
    listed: &mut Listed,
    report: &Report,
) -> Result<()> {
    let ReadSource { requests, layout, .. } = source;
    let known = [layout.current(), layout.pending_marks(), layout.gc_checkpoint(), layout.gc_blobs()];
    let mut pages = Pages::new(requests, layout.manifest_prefix());
    while let Some(page) = pages.next(listed).await? {
        for object in page {
            let key = &object.key;
            let message = if let Some(slot) = layout.slot_of(key) {
                match slot {
                    slot if named.slots.contains(&slot) => continue,
                    slot if slot < named.slots.start => "a log entry below the window and the change feed",
                    _ => {
                        "a log entry that CURRENT does not cover: of a commit under way, or of one that broke off"
                    }
                }
            } else if known.contains(key) || named.snapshot.as_ref() == Some(key) {
                continue;
            } else if key.starts_with(&layout.snapshot_prefix()) {
                "CURRENT does not name this snapshot"
            } else if key.starts_with(&layout.probe_prefix()) {
                "a leftover of a capability probe"
            } else {
                "no object of a database has this name"
            };
            report.tell(orphan(requests, &object, message));
        }
    }
    Ok(())
}
