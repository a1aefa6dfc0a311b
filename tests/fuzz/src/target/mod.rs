//! The targets, by name.

mod block;
mod bloom;
mod bucket;
mod compressed;
mod cursor;
mod documents;
mod filter;
mod footer;
mod index;
mod properties;
mod table;
mod takeover;
mod ticket;
mod value;

/// One function under test.
#[derive(Debug)]
pub struct Target {
    /// Its name, that of the libFuzzer binary, and of the folders with its inputs.
    pub name: &'static str,
    /// Panics where something does not hold. True where the input was decoded, false where it was refused.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to begin with; each is decoded.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The longest input that is worth trying, in bytes.
    pub max_length: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "block", run: block::run, seeds: block::seeds, max_length: 4 << 10 },
    Target { name: "snappy", run: compressed::snappy, seeds: compressed::snappy_seeds, max_length: 4 << 10 },
    Target { name: "zstd", run: compressed::zstd, seeds: compressed::zstd_seeds, max_length: 4 << 10 },
    Target { name: "index", run: index::run, seeds: index::seeds, max_length: 4 << 10 },
    Target { name: "filter", run: filter::run, seeds: filter::seeds, max_length: 4 << 10 },
    Target { name: "bloom", run: bloom::run, seeds: bloom::seeds, max_length: 4 << 10 },
    Target { name: "properties", run: properties::run, seeds: properties::seeds, max_length: 4 << 10 },
    Target { name: "footer", run: footer::run, seeds: footer::seeds, max_length: 1 << 10 },
    Target { name: "value", run: value::run, seeds: value::seeds, max_length: 256 },
    Target { name: "table", run: table::run, seeds: table::seeds, max_length: 16 << 10 },
    Target {
        name: "current",
        run: documents::current,
        seeds: documents::current_seeds,
        max_length: 16 << 10,
    },
    Target { name: "log_entry", run: documents::log_entry, seeds: documents::log_seeds, max_length: 4 << 10 },
    Target {
        name: "snapshot",
        run: documents::snapshot,
        seeds: documents::snapshot_seeds,
        max_length: 16 << 10,
    },
    Target { name: "marks", run: documents::marks, seeds: documents::marks_seeds, max_length: 4 << 10 },
    Target {
        name: "checkpoint",
        run: documents::checkpoint,
        seeds: documents::checkpoint_seeds,
        max_length: 4 << 10,
    },
    Target {
        name: "doomed_blobs",
        run: documents::doomed,
        seeds: documents::doomed_seeds,
        max_length: 4 << 10,
    },
    Target { name: "cursor", run: cursor::run, seeds: cursor::seeds, max_length: 1 << 10 },
    Target { name: "ticket", run: ticket::run, seeds: ticket::seeds, max_length: 4 << 10 },
    Target { name: "bucket", run: bucket::run, seeds: bucket::seeds, max_length: 64 << 10 },
    Target { name: "takeover", run: takeover::run, seeds: takeover::seeds, max_length: 64 << 10 },
];

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
