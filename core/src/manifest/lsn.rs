//! LSNs: the numbers of an outside log that a database holds, read from its keys.
//!
//! A consumer of a log (a write-ahead log, a topic) stores what it consumed under keys that contain the log's numbers. CURRENT
//! then says how far it came (`max_committed_lsn`, which never falls) and where the data begin (`low_watermark_lsn`, which rises as
//! old tables are removed), and both move in the very compare-and-swap that makes the change visible. Where keys and
//! numbers ascend together and nothing is written twice, low <= each visible LSN <= max holds in every committed CURRENT.

use crate::error::Result;
use crate::maybe::{MaybeSend, MaybeSync};

#[cfg(feature = "write")]
use super::state::State;
#[cfg(feature = "write")]
use crate::error::key_text;
#[cfg(feature = "write")]
use crate::format::manifest::{Current, Effect, Effects, Op, SstMeta};

/// Says which number of the outside log a key stands for.
///
/// Only first and last keys of tables are asked, so numbers must ascend with keys. It must give the same answer in every
/// process that writes the database, forever. Handles without an extractor leave both numbers as they are.
pub trait LsnExtractor: MaybeSend + MaybeSync + 'static {
    /// The LSN of `key`; `None` where it stands for none.
    ///
    /// An error fails the claim, the commit or the job that asked: nothing of it is committed, and both numbers stay as
    /// they are. The same flush is tried again with the next call.
    fn lsn(&self, key: &[u8]) -> Result<Option<u64>>;
}

impl std::fmt::Debug for dyn LsnExtractor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LsnExtractor")
    }
}

/// Keys of exactly 8 bytes are LSNs, the highest byte first; other keys are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BigEndianLsn;

impl LsnExtractor for BigEndianLsn {
    fn lsn(&self, key: &[u8]) -> Result<Option<u64>> {
        Ok(key.try_into().ok().map(u64::from_be_bytes))
    }
}

/// What covering `op` does to the two numbers, given CURRENT and the state just before its slot. Pure: a helper that knows
/// the extractor too would find the same.
///
/// A flush raises max to the LSN of its last key and lowers low to that of its first. A compaction or a removal sets low to the
/// LSN of the smallest key that is left, and removes it where no table is. A claim fills in what is not set, for a
/// database that has tables from before. Where the deciding key has no LSN the number stays.
///
/// Errors: `InvalidArgument` where the extractor fails.
#[cfg(feature = "write")]
pub fn lsn_effects(lsn: &dyn LsnExtractor, base: &Current, state: &State, op: &Op) -> Result<Effects> {
    let set = |number: Option<u64>| number.map_or(Effect::Unchanged, Effect::Set);
    let (mut max, mut low) = (Effect::Unchanged, Effect::Unchanged);
    match op {
        Op::AddSstable(added) => {
            let all = || state.tables().chain([added]).map(|table| &**table);
            max = set(match base.max_committed_lsn {
                Some(old) => ask(lsn, &added.max_key)?.map(|new| new.max(old)),
                None => highest(lsn, all())?,
            });
            low = set(match base.low_watermark_lsn {
                Some(old) => ask(lsn, &added.min_key)?.map(|new| new.min(old)),
                None => lowest(lsn, all())?,
            });
        }
        Op::Compaction(_) | Op::RemoveSstables(_) => {
            let mut after = state.clone();
            after.change(op);
            let empty = after.tables().next().is_none();
            low = if empty { Effect::Remove } else { set(lowest(lsn, after.tables().map(|t| &**t))?) };
        }
        Op::FenceClaim { .. } => {
            let all = || state.tables().map(|table| &**table);
            if base.max_committed_lsn.is_none() {
                max = set(highest(lsn, all())?);
            }
            if base.low_watermark_lsn.is_none() {
                low = set(lowest(lsn, all())?);
            }
        }
        Op::Checkpoint(_) | Op::Unknown(_) => {}
    }
    Ok(Effects { max_committed_lsn: max, low_watermark_lsn: low, ..Effects::default() })
}

/// The LSN of the smallest key.
#[cfg(feature = "write")]
fn lowest<'a>(lsn: &dyn LsnExtractor, tables: impl Iterator<Item = &'a SstMeta>) -> Result<Option<u64>> {
    tables.map(|table| &table.min_key).min().map_or(Ok(None), |key| ask(lsn, key))
}

/// The LSN of the largest key.
#[cfg(feature = "write")]
fn highest<'a>(lsn: &dyn LsnExtractor, tables: impl Iterator<Item = &'a SstMeta>) -> Result<Option<u64>> {
    tables.map(|table| &table.max_key).max().map_or(Ok(None), |key| ask(lsn, key))
}

/// A failure is told as what it is: no store is at fault, and trying again changes nothing.
#[cfg(feature = "write")]
fn ask(lsn: &dyn LsnExtractor, key: &[u8]) -> Result<Option<u64>> {
    lsn.lsn(key).map_err(|error| error.of_user_code(&format!("LSN extractor: key {}", key_text(key))))
}
