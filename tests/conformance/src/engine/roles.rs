//! Several processes that write.

use std::sync::{Arc, Mutex};

use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, ErrorKind};

use super::model::{Model, Numbers};
use super::options;
use crate::Place;

pub(super) async fn takeover_fences_the_older_writer(at: Place) {
    let old = at.db().writer(options()).await.unwrap();
    old.put(b"k", b"acknowledged").await.unwrap();
    old.flush().await.unwrap();
    old.put(b"k", b"never flushed").await.unwrap();
    let new = at.db().writer(options()).await.unwrap();
    assert!(new.previous_owner().is_some());
    let error = old.flush().await.unwrap_err();
    assert!(matches!(error, Error::Fenced { .. }), "{error:?}");
    let error = old.put(b"k", b"again").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "it is told for good");
    new.put(b"other", b"new").await.unwrap();
    new.close().await.unwrap();
    let model = Model(
        [(&b"k"[..], &b"acknowledged"[..]), (b"other", b"new")].map(|(k, v)| (k.into(), v.into())).into(),
    );
    model.must_be_in(&at.db()).await;
}

/// Neither ever closes: each is fenced while it holds what it did not flush.
pub(super) async fn taking_turns_loses_nothing(at: Place) {
    let (mut model, mut numbers) = (Model::default(), Numbers::new(5));
    let handles = [at.db(), at.db()];
    for turn in 0..8 {
        let writer = handles[turn % 2].writer(options()).await.unwrap();
        model.write(&writer, &mut numbers, 30).await;
        writer.flush().await.unwrap();
        writer.put(b"lost", b"not acknowledged").await.unwrap();
        drop(writer);
    }
    model.must_be_in(&at.db()).await;
}

/// Several at once take the role from one another, again and again. What a flush acknowledged is there at the end; of what
/// was not, a row is there whole or not at all.
pub(super) async fn contenders_lose_nothing_that_was_acknowledged(at: Place) {
    const CONTENDERS: u64 = 4;
    const ROUNDS: u64 = 6;
    let acknowledged = Arc::new(Mutex::new(Model::default()));
    let contend = |contender: u64| -> BoxFuture<'static, ()> {
        let (at, acknowledged) = (at.clone(), acknowledged.clone());
        Box::pin(async move {
            let (db, mut numbers) = (at.db(), Numbers::new(100 + contender));
            for round in 0..ROUNDS {
                let writer = match db.writer(options()).await {
                    Ok(writer) => writer,
                    Err(error) => {
                        let kind = error.kind();
                        assert!(matches!(kind, ErrorKind::Fenced | ErrorKind::Unknown), "claim: {error:?}");
                        continue;
                    }
                };
                for flush in 0..3 {
                    // Keys of this flush alone: nobody overwrites them.
                    let rows: Vec<_> = (0..5)
                        .map(|row| {
                            (format!("{contender}/{round}/{flush}/{row}").into_bytes(), numbers.value())
                        })
                        .collect();
                    let mut written = Ok(());
                    for (key, value) in &rows {
                        written = written.and(writer.put(key, value).await.map(drop));
                    }
                    match written.and(writer.flush().await.map(drop)) {
                        Ok(()) => acknowledged.lock().unwrap().0.extend(rows),
                        Err(error) => {
                            let kind = error.kind();
                            assert!(
                                matches!(kind, ErrorKind::Fenced | ErrorKind::Unknown),
                                "flush: {error:?}"
                            );
                            break;
                        }
                    }
                }
            }
        })
    };
    at.together((0..CONTENDERS).map(contend)).await;
    let acknowledged = std::mem::take(&mut *acknowledged.lock().unwrap());
    assert!(!acknowledged.0.is_empty(), "nobody ever wrote anything");
    let reader = at.db().reader(Default::default()).await.unwrap();
    for (key, value) in &acknowledged.0 {
        let found = reader.get(key).await.unwrap();
        assert!(found.as_deref() == Some(&value[..]), "{} was acknowledged: {found:?}", key.escape_ascii());
    }
    let found = super::model::scan(&reader, Default::default()).await;
    let mut flushes = std::collections::BTreeMap::<Vec<u8>, usize>::new();
    for (key, _) in &found {
        *flushes.entry(key[..key.len() - 2].to_vec()).or_default() += 1;
    }
    assert!(flushes.values().all(|rows| *rows == 5), "a flush is there in part: {flushes:?}");
}
