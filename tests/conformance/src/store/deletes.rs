//! Deleting.

use crate::Place;

pub(super) async fn one_answer_a_key_also_for_missing_ones(at: Place) {
    for name in ["a/1", "a/2", "a/3", "b/1"] {
        at.put(&at.key(name), "x").await;
    }
    let keys = ["a/3", "absent", "a/1", "none/such/folder"].map(|name| at.key(name));
    let answers = at.store.delete(&keys).await.unwrap();
    assert_eq!(answers.len(), keys.len());
    for (key, answer) in keys.iter().zip(answers) {
        answer.unwrap_or_else(|error| panic!("{key}: {error}"));
    }
    assert_eq!(at.keys(&at.prefix, None).await, [at.key("a/2"), at.key("b/1")]);
    // And once more: they are missing now.
    assert!(at.store.delete(&keys).await.unwrap().iter().all(Result::is_ok));
}

pub(super) async fn nothing_to_delete(at: Place) {
    assert!(at.store.delete(&[]).await.unwrap().is_empty());
}

/// More than S3 takes in one request.
pub(super) async fn more_than_a_thousand(at: Place) {
    let keys: Vec<_> = (0..1_050).map(|i| at.key(&format!("many/{i:05}"))).collect();
    for i in [0, 1, 999, 1_000, 1_049] {
        at.put(&keys[i], "x").await;
    }
    let answers = at.store.delete(&keys).await.unwrap();
    assert_eq!(answers.len(), keys.len());
    assert!(answers.iter().all(Result::is_ok), "{:?}", answers.iter().find(|answer| answer.is_err()));
    assert!(at.keys(&at.key("many/"), None).await.is_empty());
}
