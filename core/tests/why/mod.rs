//! What `why` says of a key, held against what `get` returns.

#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

use isledb_core::read::{Answer, Held, Skip, View, Why};

/// The version that `why` names is the one that `get` returns, and what it says of the tables hangs together.
pub(crate) async fn agrees_with_get(view: &View, key: &[u8]) -> Why {
    let why = view.why(key).await.unwrap();
    let got = view.get_entry(key).await.unwrap();
    assert_eq!(why.key, key);
    assert_eq!(why.sources.len(), view.manifest().state().tables().count(), "every table is a source");
    let winner = why.winner.map(|i| &why.sources[i]);
    let newest = winner.map(|source| &source.versions[0]);
    match got {
        Some(entry) => {
            let newest = newest.unwrap_or_else(|| panic!("get finds {key:?}, why nothing: {why:?}"));
            assert_eq!(why.answer, Answer::Value, "{why:?}");
            assert_eq!(
                (newest.sequence, newest.expires_at_ms),
                (entry.sequence, entry.expires_at_ms),
                "{key:?}"
            );
            if let Held::Value { bytes } = newest.held {
                assert_eq!(bytes, entry.value.len() as u64);
            }
        }
        None => assert_ne!(why.answer, Answer::Value, "get finds no {key:?}, why does: {why:?}"),
    }
    assert_eq!(newest.is_none(), why.answer == Answer::Nothing);
    for (i, source) in why.sources.iter().enumerate() {
        match source.skipped {
            Some(Skip::Range) => assert!(!source.meta.covers(key) && source.versions.is_empty()),
            Some(Skip::Filter) => assert!(source.versions.is_empty(), "a filter hides a version: {source:?}"),
            Some(Skip::Sequence) => {
                let best = newest.unwrap().sequence;
                assert!(source.versions.iter().all(|version| version.sequence <= best));
            }
            None => {}
        }
        assert!(source.versions.is_sorted_by(|a, b| a.sequence > b.sequence), "{source:?}");
        if let (Some(newest), Some(other)) = (newest, source.versions.first()) {
            let place = |i: usize| std::cmp::Reverse(i);
            let (best, here) = ((newest.sequence, place(why.winner.unwrap())), (other.sequence, place(i)));
            assert!(here <= best, "{source:?} beats the winner");
        }
    }
    why
}
