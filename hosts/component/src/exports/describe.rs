//! A view, and why a key reads as it does, as JSON with the names of the command line's `--json`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use isledb_core::format::manifest::{FenceToken, Role, SstMeta};
use isledb_core::read::{Answer, FilterVerdict, Held, KeyVersion, Skip, Source, View, Why};
use serde::Serialize;

/// As `isledb stat --json`; what would need a request is `null`.
pub(super) fn view(view: &View) -> String {
    let manifest = view.manifest();
    let (current, state) = (&manifest.current, manifest.state());
    let tables: Vec<&SstMeta> = state.tables().map(|table| &**table).collect();
    // One table that does not say makes the sum unknown.
    let sum = |of: fn(&SstMeta) -> Option<u64>| tables.iter().map(|table| of(table)).sum::<Option<u64>>();
    let runs = state.runs.iter().map(|run| RunInfo {
        id: run.id,
        tables: run.ssts.len() as u64,
        bytes: run.ssts.iter().map(|table| table.size).sum(),
    });
    json(&ViewInfo {
        exists: view.exists(),
        version: view.version(),
        age_ms: view.age_ms(),
        expires_in_ms: view.expires_in_ms(),
        next_seq: current.next_seq,
        log_seq_start: current.log_seq_start,
        snapshot: Some(&*current.snapshot).filter(|name| !name.is_empty()),
        current_bytes: None,
        l0_tables: state.l0.len() as u64,
        runs: runs.collect(),
        tables: tables.len() as u64,
        bytes: tables.iter().map(|table| table.size).sum(),
        entries: sum(|table| table.entry_count),
        deletes: sum(|table| table.delete_count),
        writer: current.fence(Role::Writer).map(owner),
        maintenance: current.fence(Role::Maintenance).map(owner),
        max_committed_lsn: current.max_committed_lsn,
        low_watermark_lsn: current.low_watermark_lsn,
        next_sequence: manifest.next_sequence(),
        feed_floor_seq: current.feed_floor_seq,
        max_view_age_ms: current.max_view_age_ms,
        pending_deletes: None,
        extensions: None,
    })
}

#[derive(Serialize)]
struct ViewInfo<'a> {
    exists: bool,
    version: String,
    age_ms: u64,
    expires_in_ms: u64,
    next_seq: u64,
    log_seq_start: u64,
    snapshot: Option<&'a str>,
    current_bytes: Option<u64>,
    l0_tables: u64,
    runs: Vec<RunInfo>,
    tables: u64,
    bytes: u64,
    entries: Option<u64>,
    deletes: Option<u64>,
    writer: Option<Owner<'a>>,
    maintenance: Option<Owner<'a>>,
    max_committed_lsn: Option<u64>,
    low_watermark_lsn: Option<u64>,
    next_sequence: u64,
    feed_floor_seq: Option<u64>,
    max_view_age_ms: Option<u64>,
    pending_deletes: Option<u64>,
    extensions: Option<()>,
}

#[derive(Serialize)]
struct RunInfo {
    id: u32,
    tables: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Owner<'a> {
    owner: &'a str,
    epoch: u64,
    claimed_at_ms: i64,
}

fn owner(fence: &FenceToken) -> Owner<'_> {
    Owner { owner: &fence.owner, epoch: fence.epoch, claimed_at_ms: fence.claimed_at.unix_ms() }
}

/// As `isledb why --json`, its lines as a list.
pub(super) fn why(why: &Why) -> String {
    let sources = why.sources.iter().enumerate();
    let sources =
        sources.map(|(i, source)| source_info(source, (why.winner == Some(i)).then_some(why.answer)));
    json(&sources.collect::<Vec<_>>())
}

#[derive(Serialize)]
struct SourceInfo<'a> {
    table: &'a str,
    object: &'a str,
    run: Option<u32>,
    #[serde(flatten)]
    min_key: KeyText<'a>,
    #[serde(flatten)]
    max_key: KeyText<'a>,
    seq_lo: u64,
    seq_hi: u64,
    in_range: bool,
    filter: Option<&'static str>,
    partition: Option<u64>,
    block_offset: Option<u64>,
    block_length: Option<u64>,
    versions: Vec<VersionInfo>,
    more_versions: bool,
    skipped: Option<&'static str>,
    winner: bool,
    answer: Option<&'static str>,
}

/// `answer`: it is the winner, and what `get` makes of it.
fn source_info(source: &Source, answer: Option<Answer>) -> SourceInfo<'_> {
    SourceInfo {
        table: &source.meta.id,
        object: &source.object,
        run: source.run,
        min_key: KeyText { name: ["min_key", "min_key_b64"], key: &source.meta.min_key },
        max_key: KeyText { name: ["max_key", "max_key_b64"], key: &source.meta.max_key },
        seq_lo: source.meta.seq_lo,
        seq_hi: source.meta.seq_hi,
        in_range: source.skipped != Some(Skip::Range),
        filter: match source.filter {
            FilterVerdict::Unasked => None,
            FilterVerdict::Maybe => Some("maybe"),
            FilterVerdict::Absent => Some("absent"),
        },
        partition: source.place.map(|place| place.partition),
        block_offset: source.place.map(|place| place.block.offset),
        block_length: source.place.map(|place| place.block.length),
        versions: source.versions.iter().map(version_info).collect(),
        more_versions: source.more,
        skipped: source.skipped.map(|skip| match skip {
            Skip::Range => "range",
            Skip::Filter => "filter",
            Skip::Sequence => "sequence",
        }),
        winner: answer.is_some(),
        answer: answer.map(|answer| match answer {
            Answer::Nothing => "nothing",
            Answer::Value => "value",
            Answer::Deleted => "deleted",
            Answer::Expired { .. } => "expired",
        }),
    }
}

#[derive(Serialize)]
struct VersionInfo {
    sequence: u64,
    op: &'static str,
    bytes: Option<u64>,
    blob: Option<String>,
    expires_at_ms: Option<u64>,
    block_offset: u64,
}

fn version_info(version: &KeyVersion) -> VersionInfo {
    let (op, bytes, blob) = match version.held {
        Held::Value { bytes } => ("put", Some(bytes), None),
        Held::Blob { id } => ("put", None, Some(id.to_string())),
        Held::Delete => ("del", None, None),
    };
    let block_offset = version.block.offset;
    VersionInfo {
        sequence: version.sequence,
        op,
        bytes,
        blob,
        expires_at_ms: version.expires_at_ms,
        block_offset,
    }
}

/// A key: by its name where it is UTF-8, else by the other one in base64.
struct KeyText<'a> {
    name: [&'static str; 2],
    key: &'a [u8],
}

impl Serialize for KeyText<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [text, base64] = self.name;
        match std::str::from_utf8(self.key) {
            Ok(key) => serializer.collect_map([(text, key)]),
            Err(_) => serializer.collect_map([(base64, STANDARD.encode(self.key))]),
        }
    }
}

/// Numbers, texts and lists of them: nothing here can fail to be JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
