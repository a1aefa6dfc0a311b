//! A plugin that shows keys and values to people.

use std::path::Path;

use wasmtime::component::{ComponentType, Lower};

use super::batch::batches;
use super::engine::PluginEngine;
use super::error::{Fault, PluginError};
use super::kind::PluginKind;
use super::loaded::{Function, Plugin, one_each};

/// A value is shown to a formatter up to here, in bytes.
const MAX_VALUE_BYTES: usize = 64 << 10;

/// A formatter of keys and values from a file.
pub struct KeyFormatterPlugin {
    plugin: Plugin,
    keys: Function,
    values: Function,
}

/// `format.entry`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Entry<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

type Keys<'a> = (&'a [&'a [u8]],);
type Values<'a> = (&'a [Entry<'a>],);
type Answer = (Vec<Option<String>>,);

impl KeyFormatterPlugin {
    /// Loads the plugin in a file: reads, checks and compiles it.
    ///
    /// Errors: what is wrong with it, by its name.
    pub fn load(engine: &PluginEngine, path: impl AsRef<Path>) -> Result<KeyFormatterPlugin, PluginError> {
        Plugin::load(engine, PluginKind::KeyFormatter, path.as_ref())?.try_into()
    }

    /// The same from bytes; `name` is for errors.
    ///
    /// Errors: what is wrong with it, by its name.
    pub fn new(engine: &PluginEngine, name: &str, bytes: &[u8]) -> Result<KeyFormatterPlugin, PluginError> {
        Plugin::compile(engine, PluginKind::KeyFormatter, name, bytes)?.try_into()
    }

    /// The text of each key; `None` where the plugin has none for it. Control characters are the caller's to escape.
    ///
    /// Errors: what the plugin did, by its name.
    pub fn keys(&self, keys: &[&[u8]]) -> Result<Vec<Option<String>>, PluginError> {
        let mut texts = Vec::with_capacity(keys.len());
        for batch in batches(keys.iter().map(|key| key.len())) {
            texts.extend(self.ask::<Keys<'_>>(self.keys, batch.len(), (&keys[batch],))?);
        }
        Ok(texts)
    }

    /// The text of the value of each entry (key, value); a plugin sees at most the first 64 KiB of a value.
    ///
    /// Errors: what the plugin did, by its name.
    pub fn values(&self, entries: &[(&[u8], &[u8])]) -> Result<Vec<Option<String>>, PluginError> {
        let seen = |value: &'_ [u8]| value.len().min(MAX_VALUE_BYTES);
        let mut texts = Vec::with_capacity(entries.len());
        for batch in batches(entries.iter().map(|(key, value)| key.len() + seen(value))) {
            let batch: Vec<Entry<'_>> = entries[batch]
                .iter()
                .map(|(key, value)| Entry { key, value: &value[..seen(value)] })
                .collect();
            texts.extend(self.ask::<Values<'_>>(self.values, batch.len(), (&batch,))?);
        }
        Ok(texts)
    }

    fn ask<P>(
        &self,
        function: Function,
        entries: usize,
        arguments: P,
    ) -> Result<Vec<Option<String>>, PluginError>
    where
        P: wasmtime::component::ComponentNamedList + Lower,
    {
        let answer: Result<Answer, Fault> = self.plugin.call(function, arguments);
        let texts = answer.and_then(|(texts,)| one_each(function, entries, texts));
        texts.map_err(|fault| self.plugin.error(fault))
    }
}

impl TryFrom<Plugin> for KeyFormatterPlugin {
    type Error = PluginError;

    fn try_from(plugin: Plugin) -> Result<KeyFormatterPlugin, PluginError> {
        let keys = plugin.function::<Keys<'_>, Answer>("keys")?;
        let values = plugin.function::<Values<'_>, Answer>("values")?;
        Ok(KeyFormatterPlugin { plugin, keys, values })
    }
}
