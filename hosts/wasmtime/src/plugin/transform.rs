//! A plugin that changes values on their way to the reader.

use std::path::Path;

use bytes::Bytes;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::batch::batches;
use super::engine::PluginEngine;
use super::error::{Fault, PluginError};
use super::kind::PluginKind;
use super::loaded::{Function, Plugin, one_each};

/// A value transform from a file.
pub struct ValueTransformPlugin {
    plugin: Plugin,
    apply: Function,
}

/// What a reader gets in the place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transformed {
    /// The value as it is stored.
    Unchanged,
    /// These bytes.
    Replaced(Bytes),
    /// Nothing, as though the key were not there.
    Hidden,
}

/// `transform.entry`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Entry<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

/// `transform.outcome`.
#[derive(ComponentType, Lift)]
#[component(variant)]
enum Outcome {
    #[component(name = "unchanged")]
    Unchanged,
    #[component(name = "replaced")]
    Replaced(Bytes),
    #[component(name = "hidden")]
    Hidden,
}

type Arguments<'a> = (u64, &'a [Entry<'a>]);
type Answer = (Vec<Result<Outcome, String>>,);

impl ValueTransformPlugin {
    /// Loads the plugin in a file: reads, checks and compiles it.
    ///
    /// Errors: what is wrong with it, by its name.
    pub fn load(engine: &PluginEngine, path: impl AsRef<Path>) -> Result<ValueTransformPlugin, PluginError> {
        Plugin::load(engine, PluginKind::ValueTransform, path.as_ref())?.try_into()
    }

    /// The same from bytes; `name` is for errors.
    ///
    /// Errors: what is wrong with it, by its name.
    pub fn new(engine: &PluginEngine, name: &str, bytes: &[u8]) -> Result<ValueTransformPlugin, PluginError> {
        Plugin::compile(engine, PluginKind::ValueTransform, name, bytes)?.try_into()
    }

    /// What a reader gets for each entry (key, value), or why that one cannot be read. `now_ms` is the reader's time.
    ///
    /// Errors: what the plugin did, by its name; then nothing is known of any entry.
    pub fn apply(
        &self,
        now_ms: u64,
        entries: &[(&[u8], &[u8])],
    ) -> Result<Vec<Result<Transformed, PluginError>>, PluginError> {
        let mut outcomes = Vec::with_capacity(entries.len());
        for batch in batches(entries.iter().map(|(key, value)| key.len() + value.len())) {
            let batch: Vec<Entry<'_>> =
                entries[batch].iter().map(|(key, value)| Entry { key, value }).collect();
            let answer = self.ask(now_ms, &batch).map_err(|fault| self.plugin.error(fault))?;
            outcomes.extend(answer.into_iter().map(|outcome| self.outcome(outcome)));
        }
        Ok(outcomes)
    }

    fn ask(&self, now_ms: u64, batch: &[Entry<'_>]) -> Result<Vec<Result<Outcome, String>>, Fault> {
        let (answer,): Answer = self.plugin.call::<Arguments<'_>, _>(self.apply, (now_ms, batch))?;
        one_each(self.apply, batch.len(), answer)
    }

    fn outcome(&self, outcome: Result<Outcome, String>) -> Result<Transformed, PluginError> {
        match outcome {
            Ok(Outcome::Unchanged) => Ok(Transformed::Unchanged),
            Ok(Outcome::Replaced(value)) => Ok(Transformed::Replaced(value)),
            Ok(Outcome::Hidden) => Ok(Transformed::Hidden),
            Err(text) => Err(self.plugin.error(Fault::refused(self.apply.name, &text))),
        }
    }
}

impl TryFrom<Plugin> for ValueTransformPlugin {
    type Error = PluginError;

    fn try_from(plugin: Plugin) -> Result<ValueTransformPlugin, PluginError> {
        let apply = plugin.function::<Arguments<'_>, Answer>("apply")?;
        Ok(ValueTransformPlugin { plugin, apply })
    }
}
