//! Conditional puts beside one another: exactly one wins, and nothing is lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use isledb_core::host::{PutCondition, Version};
use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, Result};

use crate::Place;

const CONTENDERS: usize = 20;

/// A body of one contender, which no other one has.
fn body(contender: usize, bytes: usize) -> Bytes {
    let mut body = format!("contender {contender} ").into_bytes();
    body.resize(bytes, b'a' + contender as u8);
    Bytes::from(body)
}

/// All put the same key on the same condition at once; one must win, no other may be told so, the winner's body stays. Losers
/// are refused, or not served: Ceph answers some of them by 500.
async fn race(at: &Place, key: &str, condition: PutCondition, bytes: usize) -> Version {
    let answers = Arc::new(Mutex::new(Vec::<(usize, Result<Version>)>::new()));
    let contend = |contender: usize| -> BoxFuture<'static, ()> {
        let (at, key, condition, answers) = (at.clone(), key.to_owned(), condition.clone(), answers.clone());
        Box::pin(async move {
            let answer = at.put_if(&key, body(contender, bytes), condition).await;
            answers.lock().unwrap().push((contender, answer));
        })
    };
    at.together((0..CONTENDERS).map(contend)).await;
    let answers = std::mem::take(&mut *answers.lock().unwrap());
    assert_eq!(answers.len(), CONTENDERS);
    let mut winners = Vec::new();
    for (contender, answer) in answers {
        match answer {
            Ok(version) => winners.push((contender, version)),
            Err(Error::Precondition { object } | Error::Unavailable { object, .. }) => {
                assert_eq!(object, key)
            }
            Err(error) => panic!("contender {contender}: {error:?}"),
        }
    }
    let [(winner, version)] = &winners[..] else { panic!("{key}: {} winners: {winners:?}", winners.len()) };
    let (found, found_version) = at.read(key).await;
    assert!(found == body(*winner, bytes), "{key}: {winner} was told that it won, another body is there");
    assert_eq!(found_version, *version, "{key}: the version of the winner");
    version.clone()
}

pub(super) async fn if_absent_has_one_winner(at: Place) {
    for round in 0..15 {
        race(&at, &at.key(&format!("round-{round}")), PutCondition::IfAbsent, 100).await;
    }
}

pub(super) async fn if_match_has_one_winner(at: Place) {
    let key = at.key("object");
    let mut version = at.put(&key, "start").await;
    for round in 0..15 {
        version = race(&at, &key, PutCondition::IfMatch(version), 100 + round).await;
    }
}

pub(super) async fn large_bodies_have_one_winner(at: Place) {
    let key = at.key("object");
    let mut version = race(&at, &key, PutCondition::IfAbsent, 200_000).await;
    for round in 1..5 {
        version = race(&at, &key, PutCondition::IfMatch(version), 200_000 + round).await;
    }
}

/// What a commit is made of: read, add, write back if it is still the same.
pub(super) async fn counter_loses_nothing(at: Place) {
    const TASKS: usize = 8;
    const STEPS: usize = 10;
    let key = at.key("counter");
    at.put_if(&key, "0", PutCondition::IfAbsent).await.unwrap();
    let count = |_| -> BoxFuture<'static, ()> {
        let (at, key) = (at.clone(), key.clone());
        Box::pin(async move {
            for _ in 0..STEPS {
                loop {
                    let (body, version) = at.read(&key).await;
                    let next = 1 + std::str::from_utf8(&body).unwrap().parse::<usize>().unwrap();
                    match at.put_if(&key, next.to_string(), PutCondition::IfMatch(version)).await {
                        Ok(_) => break,
                        // Not served is not counted either: a store that applies what it does not acknowledge counts too far.
                        Err(Error::Precondition { .. } | Error::Unavailable { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }
        })
    };
    at.together((0..TASKS).map(count)).await;
    assert_eq!(at.read(&key).await.0, (TASKS * STEPS).to_string());
}

/// Every body is whole, and no version comes with content older than its own: whoever writes back on the condition of that
/// version would undo what was written in between. Newer content is harmless, the condition then fails; versitygw gives it,
/// since it reads the version first and opens the file after.
pub(super) async fn readers_see_the_old_object_or_the_new_one(at: Place) {
    const WRITES: usize = 20;
    let key = at.key("object");
    let whole = |write: usize| body(write, 150_000 + write);
    let written = Arc::new(Mutex::new(HashMap::from([(at.put(&key, whole(0)).await, 0)])));
    let seen = Arc::new(Mutex::new(Vec::<(Version, usize)>::new()));
    let write: BoxFuture<'static, ()> = {
        let (at, key, written) = (at.clone(), key.clone(), written.clone());
        Box::pin(async move {
            for write in 1..=WRITES {
                let version = at.put(&key, whole(write)).await;
                written.lock().unwrap().insert(version, write);
            }
        })
    };
    let read = |_| -> BoxFuture<'static, ()> {
        let (at, key, seen) = (at.clone(), key.clone(), seen.clone());
        Box::pin(async move {
            for _ in 0..WRITES {
                let (found, version) = at.read(&key).await;
                let write = found.len().wrapping_sub(150_000);
                assert!(write <= WRITES && found == whole(write), "{} bytes of no single write", found.len());
                seen.lock().unwrap().push((version, write));
            }
        })
    };
    at.together((0..4).map(read).chain([write])).await;
    assert!(at.read(&key).await.0 == whole(WRITES));
    let (written, seen) = (written.lock().unwrap(), seen.lock().unwrap());
    assert_eq!(written.len(), WRITES + 1, "two contents under one version");
    for (version, found) in seen.iter() {
        let of = written.get(version).unwrap_or_else(|| panic!("{version:?} is of no put"));
        assert!(found >= of, "the version of write {of} came with write {found}");
    }
}
