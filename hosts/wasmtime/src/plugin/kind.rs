//! The kinds of plugins: which world, which interface, which functions.

use std::fmt;

/// What a plugin is for. Each kind is a world of `isledb:plugin@0.1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PluginKind {
    /// Drops or rewrites entries where tables are merged.
    CompactionFilter,
    /// Reads the numbers of an outside log from keys.
    LsnExtractor,
    /// Changes values on their way to the reader.
    ValueTransform,
    /// Shows keys and values to people.
    KeyFormatter,
}

impl PluginKind {
    /// Every kind.
    pub const ALL: [PluginKind; 4] = [
        PluginKind::CompactionFilter,
        PluginKind::LsnExtractor,
        PluginKind::ValueTransform,
        PluginKind::KeyFormatter,
    ];

    /// The world's name.
    pub fn world(self) -> &'static str {
        match self {
            PluginKind::CompactionFilter => "compaction-filter",
            PluginKind::LsnExtractor => "lsn-extractor",
            PluginKind::ValueTransform => "value-transform",
            PluginKind::KeyFormatter => "key-formatter",
        }
    }

    /// The interface that a plugin of this kind exports, with its version.
    pub fn interface(self) -> &'static str {
        match self {
            PluginKind::CompactionFilter => "isledb:plugin/compaction@0.1.0",
            PluginKind::LsnExtractor => "isledb:plugin/lsn@0.1.0",
            PluginKind::ValueTransform => "isledb:plugin/transform@0.1.0",
            PluginKind::KeyFormatter => "isledb:plugin/format@0.1.0",
        }
    }
}

impl fmt::Display for PluginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.world())
    }
}
