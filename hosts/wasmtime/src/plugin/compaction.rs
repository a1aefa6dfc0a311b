//! A plugin that judges entries while tables are merged.

use std::path::Path;

use bytes::Bytes;
use isledb::maintain::{CompactionFilter, FilterEntry, FilterValue, Verdict};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::engine::PluginEngine;
use super::error::{Fault, PluginError};
use super::kind::PluginKind;
use super::loaded::{Function, Plugin, one_each};

/// A compaction filter from a file: give it to [`MergeOptions::filter`](isledb::maintain::MergeOptions::filter).
///
/// The merge waits while a batch is judged, on the thread that drives it, at most as long as the fuel lasts.
pub struct CompactionFilterPlugin {
    plugin: Plugin,
    filter: Function,
}

/// `compaction.entry`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Entry<'a> {
    key: &'a [u8],
    value: Value<'a>,
    sequence: u64,
    #[component(name = "expires-at-ms")]
    expires_at_ms: Option<u64>,
}

/// `compaction.value`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum Value<'a> {
    #[component(name = "inline")]
    Inline(&'a [u8]),
    #[component(name = "blob")]
    Blob(&'a [u8]),
}

/// `compaction.decision`.
#[derive(ComponentType, Lift)]
#[component(variant)]
enum Decision {
    #[component(name = "keep")]
    Keep,
    #[component(name = "drop")]
    Drop,
    #[component(name = "replace")]
    Replace(Bytes),
}

type Arguments<'a> = (u64, &'a [Entry<'a>]);
type Answer = (Result<Vec<Decision>, String>,);

impl CompactionFilterPlugin {
    /// Loads the plugin in a file: reads, checks and compiles it.
    ///
    /// Errors: what is wrong with it, by its name.
    pub fn load(
        engine: &PluginEngine,
        path: impl AsRef<Path>,
    ) -> Result<CompactionFilterPlugin, PluginError> {
        Plugin::load(engine, PluginKind::CompactionFilter, path.as_ref())?.try_into()
    }

    /// The same from bytes; `name` is for errors.
    ///
    /// Errors: what is wrong with it, by its name.
    pub fn new(
        engine: &PluginEngine,
        name: &str,
        bytes: &[u8],
    ) -> Result<CompactionFilterPlugin, PluginError> {
        Plugin::compile(engine, PluginKind::CompactionFilter, name, bytes)?.try_into()
    }

    fn judge(&self, now_ms: u64, batch: &[FilterEntry<'_>]) -> Result<Vec<Verdict>, Fault> {
        let entries: Vec<Entry<'_>> = batch.iter().map(entry).collect();
        let (answer,): Answer = self.plugin.call::<Arguments<'_>, _>(self.filter, (now_ms, &entries))?;
        let decisions = answer.map_err(|text| Fault::refused(self.filter.name, &text))?;
        Ok(one_each(self.filter, batch.len(), decisions)?.into_iter().map(verdict).collect())
    }
}

impl TryFrom<Plugin> for CompactionFilterPlugin {
    type Error = PluginError;

    fn try_from(plugin: Plugin) -> Result<CompactionFilterPlugin, PluginError> {
        let filter = plugin.function::<Arguments<'_>, Answer>("filter")?;
        Ok(CompactionFilterPlugin { plugin, filter })
    }
}

impl CompactionFilter for CompactionFilterPlugin {
    /// Its file's name, and the first digits of its content's SHA-256.
    fn name(&self) -> &str {
        self.plugin.name()
    }

    /// Errors: `InvalidArgument` with what the plugin did, without its name: the merge says that.
    fn filter(&self, now_ms: u64, batch: &[FilterEntry<'_>]) -> isledb::Result<Vec<Verdict>> {
        self.judge(now_ms, batch).map_err(|fault| isledb::Error::InvalidArgument { what: fault.to_string() })
    }
}

fn entry<'a>(entry: &'a FilterEntry<'_>) -> Entry<'a> {
    let value = match &entry.value {
        FilterValue::Inline(value) => Value::Inline(value),
        FilterValue::Blob(id) => Value::Blob(id.as_bytes()),
    };
    Entry { key: entry.key, value, sequence: entry.sequence, expires_at_ms: entry.expires_at_ms }
}

fn verdict(decision: Decision) -> Verdict {
    match decision {
        Decision::Keep => Verdict::Keep,
        Decision::Drop => Verdict::Drop,
        Decision::Replace(value) => Verdict::Replace(value),
    }
}
