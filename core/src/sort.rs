//! Sorting.

use std::cmp::Ordering;

/// Sorts indexes by what they stand for; equal ones keep their order.
///
/// All callers share one sort: one for each type and order was a twentieth of what a browser downloads.
pub(crate) fn sort_indexes(indexes: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    indexes.sort_by(|a, b| compare(*a, *b));
}

/// Sorts what `compare` is told of by its places in `items`; equal ones keep their order.
pub(crate) fn sorted<T>(items: Vec<T>, compare: &dyn Fn(&T, &T) -> Ordering) -> Vec<T> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    sort_indexes(&mut order, &|a, b| compare(&items[a], &items[b]));
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    order.into_iter().filter_map(|i| items[i].take()).collect()
}
