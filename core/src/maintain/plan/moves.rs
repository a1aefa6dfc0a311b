//! Which tables of a job need not be rewritten, and whether groups of tables overlap.

use std::sync::Arc;

use crate::format::manifest::SstMeta;

/// True where some key may be in a table of both lists.
pub(super) fn overlap<'a>(
    one: impl Iterator<Item = &'a Arc<SstMeta>>,
    other: impl Iterator<Item = &'a Arc<SstMeta>>,
) -> bool {
    let mut all: Vec<(&[u8], &[u8], usize)> = Vec::new();
    all.extend(one.map(|sst| (&sst.min_key[..], &sst.max_key[..], 0)));
    all.extend(other.map(|sst| (&sst.min_key[..], &sst.max_key[..], 1)));
    all.sort_unstable();
    // The furthest end of each list among the tables that begin no later.
    let mut ends: [Option<&[u8]>; 2] = [None, None];
    for (min, max, list) in all {
        if ends[1 - list].is_some_and(|end| end >= min) {
            return true;
        }
        ends[list] = ends[list].max(Some(max));
    }
    false
}

/// Splits the tables of a job (in any order) into those to rewrite and those that overlap no other one and `may_move`.
pub(super) fn split(
    tables: &[Arc<SstMeta>],
    may_move: impl Fn(&SstMeta) -> bool,
) -> (Vec<Arc<SstMeta>>, Vec<Arc<SstMeta>>) {
    let mut by_key: Vec<&Arc<SstMeta>> = tables.iter().collect();
    by_key.sort_by(|a, b| (&a.min_key, &a.max_key).cmp(&(&b.min_key, &b.max_key)));
    let mut alone = hashbrown::HashSet::new();
    let mut end: Option<&[u8]> = None;
    for (i, sst) in by_key.iter().enumerate() {
        let before = end.is_none_or(|end| end < &sst.min_key[..]);
        let behind = by_key.get(i + 1).is_none_or(|next| next.min_key > sst.max_key);
        if before && behind && may_move(sst) {
            alone.insert(sst.id.as_str());
        }
        end = end.max(Some(&sst.max_key));
    }
    tables.iter().cloned().partition(|sst| !alone.contains(sst.id.as_str()))
}
