//! Tables that can be read one behind the other, as one sorted source.

/// Sorts tables into as few chains as possible: within one, tables ascend and do not overlap. `keys` gives the first and last key
/// of a table, both inclusive.
///
/// A sorted run is one chain, flushes of ascending keys are one too; so the number of open inputs follows from how much
/// really overlaps, and nobody need trust that a run is in order.
pub(crate) fn chains<T>(mut tables: Vec<T>, keys: impl Fn(&T) -> (&[u8], &[u8])) -> Vec<Vec<T>> {
    tables.sort_by(|a, b| keys(a).cmp(&keys(b)));
    let mut chains: Vec<Vec<T>> = Vec::new();
    for table in tables {
        let first = keys(&table).0;
        let ends_before = |chain: &&mut Vec<T>| chain.last().is_some_and(|last| keys(last).1 < first);
        match chains.iter_mut().find(ends_before) {
            Some(chain) => chain.push(table),
            None => chains.push(vec![table]),
        }
    }
    chains
}
