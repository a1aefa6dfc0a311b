//! Which objects a version consists of: what a ticket has to sign.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use hashbrown::HashSet;

use super::document::{Follow, MAX_OBJECTS, Ticket, TicketCurrent};
use super::range::TicketRange;
use crate::error::{Error, Result};
use crate::format::layout::Layout;
use crate::format::manifest::{Current, SstMeta};
use crate::host::{Moment, Version};
use crate::manifest::{ManifestView, State};
use crate::read::ReadSource;
use crate::read::cache::ObjectName;
use crate::read::fetch::{Loader, Source};
use crate::read::tables::TableRef;

/// Tables whose blobs are read at once.
const TABLES_AT_ONCE: usize = 16;

/// So often CURRENT is read anew because an object of its version went while it was looked at.
const MAX_READS: u32 = 8;

/// One version of a database, about to become a [`Ticket`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketDraft {
    prefix: String,
    current: TicketCurrent,
    max_view_age_ms: u64,
    range: TicketRange,
    keys: Vec<String>,
}

impl TicketDraft {
    /// The full names of its objects, ascending: what a signer has to give URLs for.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// How long the version may be used in all, in milliseconds.
    pub fn max_view_age_ms(&self) -> u64 {
        self.max_view_age_ms
    }

    /// Until when the version may be used, Unix milliseconds: no ticket of it may be good for longer.
    pub fn good_until_ms(&self) -> u64 {
        self.current.read_at_ms.saturating_add(self.max_view_age_ms)
    }

    /// When CURRENT was read, Unix milliseconds.
    pub fn read_at_ms(&self) -> u64 {
        self.current.read_at_ms
    }

    /// The ticket: `urls` are those of [`TicketDraft::keys`], in that order.
    ///
    /// Errors: `InvalidArgument` where there are more or fewer URLs than keys. What else is wrong with it shows when it is
    /// encoded.
    pub fn ticket(
        self,
        issued_at_ms: u64,
        expires_at_ms: u64,
        urls: Vec<String>,
        follow: Option<Follow>,
    ) -> Result<Ticket> {
        if urls.len() != self.keys.len() {
            return Err(Error::invalid(format!("{} URLs for {} objects", urls.len(), self.keys.len())));
        }
        let layout = Layout::new(&self.prefix)?;
        let relative = |key: String| layout.relative(&key).map(str::to_owned).unwrap_or(key);
        let objects: BTreeMap<String, String> = self.keys.into_iter().map(relative).zip(urls).collect();
        Ok(Ticket {
            prefix: self.prefix,
            issued_at_ms,
            expires_at_ms,
            current: self.current,
            max_view_age_ms: self.max_view_age_ms,
            range: self.range,
            objects,
            follow,
        })
    }
}

/// Reads CURRENT, and finds out which objects its version consists of.
///
/// Cost: one GET of CURRENT, one round more for its snapshot and its log, then [`objects_of`].
///
/// Errors: `NoDatabase`; those of [`objects_of`].
pub async fn draft(source: &ReadSource, range: &TicketRange) -> Result<TicketDraft> {
    range.validate()?;
    let ReadSource { manifest, requests, layout, .. } = source;
    let mut missing: Option<(Version, Error)> = None;
    for _ in 0..MAX_READS {
        let read_at = Moment::now(&*requests.host);
        let read = manifest.read_current(None).await.map_err(|error| match error {
            Error::NotFound { .. } => Error::NoDatabase { prefix: layout.prefix().to_owned() },
            other => other,
        })?;
        if let Some((version, error)) = missing.take()
            && version == read.version
        {
            return Err(gone(error));
        }
        let current = Current::decode(&layout.current(), &read.bytes)?;
        bounded(manifest_objects(layout, &current)?.len())?;
        let objects = async {
            let view = ManifestView::of(&**manifest, &read, read_at).await?;
            Ok((objects_of(source, &view, range).await?, view.max_age_ms()))
        };
        match objects.await {
            Ok((keys, max_view_age_ms)) => {
                let current = TicketCurrent {
                    version: read.version.as_str().to_owned(),
                    body: read.bytes,
                    read_at_ms: read_at.unix_ms(),
                    last_modified_ms: read.last_modified_ms,
                };
                let prefix = layout.prefix().to_owned();
                return Ok(TicketDraft { prefix, current, max_view_age_ms, range: range.clone(), keys });
            }
            Err(error @ (Error::NotFound { .. } | Error::Permission { .. })) => {
                missing = Some((read.version, error));
            }
            Err(error) => return Err(error),
        }
    }
    Err(missing.map_or_else(|| Error::invalid("no attempt"), |(_, error)| gone(error)))
}

/// An object is missing from the version that is still the present one.
fn gone(error: Error) -> Error {
    match error {
        Error::NotFound { object } => {
            Error::corrupt(&object, None, "an object that CURRENT refers to", "no such object")
        }
        other => other,
    }
}

/// The full names of exactly the objects that reading `view` within `range` can ask for, ascending: the snapshot, the log
/// entries that CURRENT does not carry, the tables that overlap, and the blobs that these refer to.
///
/// Cost: none for a database without blobs. Each table that overlaps and refers to blobs takes two GETs in two rounds (its
/// tail, and the list of its blobs), at most 16 tables at once; one of the original, which has no list, is read from end to end.
///
/// Errors: `InvalidArgument` where they are more than [`MAX_OBJECTS`], as soon as that shows; those of reading tables.
pub async fn objects_of(
    source: &ReadSource,
    view: &ManifestView,
    range: &TicketRange,
) -> Result<Vec<String>> {
    let ReadSource { requests, layout, cache, trust, .. } = source;
    let mut names: BTreeSet<String> = manifest_objects(layout, &view.current)?.into_iter().collect();
    let tables = tables(view.state(), range);
    names.extend(tables.iter().map(|table| layout.sst(&table.id)));
    bounded(names.len())?;
    let loader =
        Loader::new(Source { requests: requests.clone(), cache: cache.clone(), trust: trust.clone() });
    let looks = tables.into_iter().filter(|table| table.has_blob_refs).map(|meta| {
        let (loader, name) = (loader.clone(), ObjectName::new(&layout.sst(&meta.id)));
        async move { loader.blobs_of(Arc::new(TableRef { meta, name, rank: 0 })).await }
    });
    let mut looks = stream::iter(looks).buffer_unordered(TABLES_AT_ONCE);
    while let Some(blobs) = looks.next().await {
        names.extend(blobs?.iter().map(|id| layout.blob(id)));
        bounded(names.len())?;
    }
    Ok(names.into_iter().collect())
}

/// The documents that a replay of `current` asks for. Those of the window are counted before they are named.
fn manifest_objects(layout: &Layout, current: &Current) -> Result<Vec<String>> {
    let window = current.window();
    let inline = current.inline_log.len() as u64;
    let left = window.end.saturating_sub(window.start).saturating_sub(inline);
    bounded(usize::try_from(left).unwrap_or(usize::MAX))?;
    let inline: HashSet<u64> = current.inline_log.iter().map(|entry| entry.seq).collect();
    let mut names: Vec<String> =
        window.filter(|slot| !inline.contains(slot)).map(|slot| layout.log(slot)).collect();
    if !current.snapshot.is_empty() {
        names.push(layout.snapshot(&layout.snapshot_id_of(&current.snapshot)?));
    }
    Ok(names)
}

/// The tables that may hold a key of the range.
fn tables(state: &State, range: &TicketRange) -> Vec<Arc<SstMeta>> {
    state.tables().filter(|table| range.overlaps(table)).cloned().collect()
}

fn bounded(objects: usize) -> Result<()> {
    if objects > MAX_OBJECTS {
        return Err(Error::invalid(format!(
            "this version has more than {MAX_OBJECTS} objects (at least {objects}), too many for a view ticket: a smaller \
             range, or compaction, leaves fewer; a signer (`isledb serve`) has no such bound"
        )));
    }
    Ok(())
}
