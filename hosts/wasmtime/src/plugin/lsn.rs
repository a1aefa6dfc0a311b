//! A plugin that reads the numbers of an outside log from keys.

use std::path::Path;

use isledb::manifest::LsnExtractor;

use super::engine::PluginEngine;
use super::error::{Fault, PluginError};
use super::kind::PluginKind;
use super::loaded::{Function, Plugin, one_each};

/// An LSN extractor from a file: give it to [`DbOptions::lsn`](isledb::DbOptions::lsn).
pub struct LsnPlugin {
    plugin: Plugin,
    extract: Function,
}

type Arguments<'a> = (&'a [&'a [u8]],);
type Answer = (Result<Vec<Option<u64>>, String>,);

impl LsnPlugin {
    /// Loads the plugin in a file: reads, checks and compiles it.
    ///
    /// Errors: what is wrong with it, by its name.
    pub fn load(engine: &PluginEngine, path: impl AsRef<Path>) -> Result<LsnPlugin, PluginError> {
        Plugin::load(engine, PluginKind::LsnExtractor, path.as_ref())?.try_into()
    }

    /// The same from bytes; `name` is for errors.
    ///
    /// Errors: what is wrong with it, by its name.
    pub fn new(engine: &PluginEngine, name: &str, bytes: &[u8]) -> Result<LsnPlugin, PluginError> {
        Plugin::compile(engine, PluginKind::LsnExtractor, name, bytes)?.try_into()
    }

    /// The number of each key, in one call: at most 4,096 keys.
    ///
    /// Errors: what the plugin did, by its name.
    pub fn extract(&self, keys: &[&[u8]]) -> Result<Vec<Option<u64>>, PluginError> {
        self.ask(keys).map_err(|fault| self.plugin.error(fault))
    }

    fn ask(&self, keys: &[&[u8]]) -> Result<Vec<Option<u64>>, Fault> {
        let (answer,): Answer = self.plugin.call::<Arguments<'_>, _>(self.extract, (keys,))?;
        let numbers = answer.map_err(|text| Fault::refused(self.extract.name, &text))?;
        one_each(self.extract, keys.len(), numbers)
    }
}

impl TryFrom<Plugin> for LsnPlugin {
    type Error = PluginError;

    fn try_from(plugin: Plugin) -> Result<LsnPlugin, PluginError> {
        let extract = plugin.function::<Arguments<'_>, Answer>("extract")?;
        Ok(LsnPlugin { plugin, extract })
    }
}

impl LsnExtractor for LsnPlugin {
    /// Errors: `InvalidArgument` with the plugin's name and what it did.
    fn lsn(&self, key: &[u8]) -> isledb::Result<Option<u64>> {
        Ok(self.extract(&[key])?.into_iter().next().flatten())
    }
}
