//! Which of the tables that are old enough may go without bringing an older version of a key back. Pure.

use std::sync::Arc;

use crate::format::manifest::SstMeta;
use crate::manifest::State;

/// What retention would do, and what it would leave although it is old enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetentionPlan {
    /// The tables that go, oldest data first.
    pub remove: Vec<Removal>,
    /// Tables that are old enough and have to stay.
    pub stays: Vec<Stays>,
    /// All tables of the state go.
    pub everything: bool,
}

/// A table that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The table.
    pub table: Arc<SstMeta>,
    /// When the newest of its data was written, in milliseconds since the Unix epoch.
    pub data_time_ms: i64,
    /// Why, in words: what its age was compared with.
    pub why: String,
}

/// A table that is old enough and stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stays {
    /// The table.
    pub table: Arc<SstMeta>,
    /// The table that stays too, overlaps its keys and has older versions: without this one they would come back.
    pub behind: Arc<SstMeta>,
}

/// Of a table, the time that retention goes by: that of its newest data where the table carries it, since a merge does not
/// make data younger; its creation elsewhere.
pub fn data_time_ms(table: &SstMeta) -> i64 {
    let carried = table.max_data_time.map(|at| i64::try_from(at).unwrap_or(i64::MAX));
    carried.unwrap_or_else(|| table.created_at.unix_ms())
}

/// Removes what `chosen` names (in the order of [`State::tables`], each with the reason), except what has to stay.
///
/// A table goes only together with, or after, every table that overlaps its key range and holds a lower sequence number. So
/// the newest version of a key never goes before the older ones: a deleted key does not come back, an overwritten value
/// neither.
pub(super) fn plan(state: &State, chosen: Vec<Option<String>>) -> RetentionPlan {
    let tables: Vec<&Arc<SstMeta>> = state.tables().collect();
    let mut behind: Vec<Option<usize>> = vec![None; tables.len()];
    let (mut going, mut staying): (Vec<usize>, Vec<usize>) =
        (0..tables.len()).partition(|at| chosen.get(*at).is_some_and(Option::is_some));
    going.sort_by(|a, b| tables[*a].min_key.cmp(&tables[*b].min_key));
    while let Some(stays) = staying.pop() {
        let older = tables[stays];
        let end = going.partition_point(|at| tables[*at].min_key <= older.max_key);
        let held = |at: &usize| {
            let newer = tables[*at];
            newer.max_key >= older.min_key && older.seq_lo <= highest_sequence(newer)
        };
        let kept: Vec<usize> = going[..end].iter().copied().filter(held).collect();
        if kept.is_empty() {
            continue;
        }
        for at in &kept {
            behind[*at] = Some(stays);
        }
        going.retain(|at| behind[*at].is_none());
        staying.extend(kept);
    }
    going.sort_by_key(|at| data_time_ms(tables[*at]));
    let remove = going.iter().map(|at| Removal {
        table: tables[*at].clone(),
        data_time_ms: data_time_ms(tables[*at]),
        why: chosen[*at].clone().unwrap_or_default(),
    });
    let stays = behind
        .iter()
        .enumerate()
        .filter_map(|(at, by)| Some(Stays { table: tables[at].clone(), behind: tables[(*by)?].clone() }));
    RetentionPlan {
        everything: !tables.is_empty() && going.len() == tables.len(),
        remove: remove.collect(),
        stays: stays.collect(),
    }
}

/// The format leaves 0 for "unknown".
fn highest_sequence(table: &SstMeta) -> u64 {
    if table.seq_hi == 0 { u64::MAX } else { table.seq_hi }
}
