//! Plugins in their sandbox. Whatever is wrong with one is a wrong argument (exit code 2) that names its file.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use isledb::maintain::CompactionFilter;
use isledb::read::Entry;
use isledb_wasmtime::plugin::{
    CompactionFilterPlugin, KeyFormatterPlugin, PluginEngine, PluginError, PluginLimits, Transformed,
    ValueTransformPlugin,
};

use crate::exit::{Failure, Outcome};

fn engine() -> Outcome<PluginEngine> {
    Ok(PluginEngine::new(PluginLimits::default())?)
}

fn wrong(error: PluginError) -> Failure {
    Failure::usage(error.to_string())
}

pub(crate) fn compaction_filter(path: &Path) -> Outcome<Arc<dyn CompactionFilter>> {
    Ok(Arc::new(CompactionFilterPlugin::load(&engine()?, path).map_err(wrong)?))
}

/// Changes what is read.
pub(crate) struct Transform(ValueTransformPlugin);

impl Transform {
    pub(crate) fn load(path: &Path) -> Outcome<Transform> {
        ValueTransformPlugin::load(&engine()?, path).map(Transform).map_err(wrong)
    }

    /// The entries as the reader sees them; `None` where one is hidden, or was not there.
    pub(crate) fn apply(&self, entries: Vec<Option<Entry>>) -> Outcome<Vec<Option<Entry>>> {
        let there: Vec<(&[u8], &[u8])> =
            entries.iter().flatten().map(|entry| (&entry.key[..], &entry.value[..])).collect();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut outcomes = self.0.apply(now_ms, &there).map_err(wrong)?.into_iter();
        let mut change = |entry: Entry| match outcomes.next() {
            Some(Ok(Transformed::Replaced(value))) => Ok(Some(Entry { value, ..entry })),
            Some(Ok(Transformed::Unchanged)) => Ok(Some(entry)),
            Some(Ok(Transformed::Hidden)) | None => Ok(None),
            Some(Err(error)) => Err(wrong(error)),
        };
        entries.into_iter().map(|entry| entry.map_or(Ok(None), &mut change)).collect()
    }
}

/// Shows keys and values.
pub(crate) struct Formatter(KeyFormatterPlugin);

impl Formatter {
    pub(crate) fn load(path: &Path) -> Outcome<Formatter> {
        KeyFormatterPlugin::load(&engine()?, path).map(Formatter).map_err(wrong)
    }

    /// The text of each key, where the plugin has one.
    pub(crate) fn keys(&self, keys: &[&[u8]]) -> Outcome<Vec<Option<String>>> {
        self.0.keys(keys).map_err(wrong)
    }

    /// The text of each value, where the plugin has one.
    pub(crate) fn values(&self, entries: &[Entry]) -> Outcome<Vec<Option<String>>> {
        let entries: Vec<(&[u8], &[u8])> =
            entries.iter().map(|entry| (&entry.key[..], &entry.value[..])).collect();
        self.0.values(&entries).map_err(wrong)
    }
}
