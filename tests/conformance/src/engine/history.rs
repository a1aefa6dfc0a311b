//! A database over a longer life.

use isledb_core::host::PutCondition;

use super::model::{Model, Numbers};
use super::options;
use crate::Place;
use crate::place::body_of;

pub(super) async fn reopening_goes_on(at: Place) {
    let (mut model, mut numbers) = (Model::default(), Numbers::new(2));
    let mut last = 0;
    for _ in 0..5 {
        let writer = at.db().writer(options()).await.unwrap();
        model.write(&writer, &mut numbers, 60).await;
        writer.flush().await.unwrap();
        assert!(writer.last_sequence() > last, "sequences go on");
        model.write(&writer, &mut numbers, 60).await;
        writer.close().await.unwrap();
        last = writer.committed_sequence();
        model.must_be_in(&at.db()).await;
    }
}

pub(super) async fn many_flushes_and_a_snapshot(at: Place) {
    let (mut model, mut numbers) = (Model::default(), Numbers::new(3));
    let writer = at.db().writer(options()).await.unwrap();
    let reader = at.db().reader(Default::default()).await.unwrap();
    for round in 0..80 {
        model.write(&writer, &mut numbers, 3).await;
        writer.put(b"round", format!("{round}").as_bytes()).await.unwrap();
        model.0.insert(b"round".to_vec(), format!("{round}").into_bytes());
        writer.flush().await.unwrap();
        if round % 7 == 0 {
            reader.refresh().await.unwrap();
            assert_eq!(reader.get(b"round").await.unwrap().unwrap(), format!("{round}"));
        }
    }
    let view = at.db().load_view().await.unwrap();
    assert!(!view.current.snapshot.is_empty(), "80 commits and no snapshot");
    // A reader that followed step by step and one that opens now see the same.
    reader.refresh().await.unwrap();
    model.must_be_seen_by(&reader).await;
    model.must_be_in(&at.db()).await;
}

/// Every object elsewhere under another prefix: the names inside are relative, so it is a database there.
pub(super) async fn copy_under_another_prefix_goes_on(at: Place) {
    let (mut model, mut numbers) = (Model::default(), Numbers::new(4));
    let original = Place { prefix: at.key("original"), ..at.clone() };
    let copy = Place { prefix: at.key("else/where"), ..at.clone() };
    let writer = original.db().writer(options()).await.unwrap();
    for _ in 0..40 {
        model.write(&writer, &mut numbers, 5).await;
        writer.flush().await.unwrap();
    }
    writer.close().await.unwrap();
    for key in at.keys(&format!("{}/", original.prefix), None).await {
        let body = body_of(&key, at.get(&key, None).await.unwrap()).await;
        let to = key.replacen(&original.prefix, &copy.prefix, 1);
        at.put_if(&to, body, PutCondition::IfAbsent).await.unwrap();
    }
    let at_copy = model.clone();
    model.must_be_in(&copy.db()).await;
    let writer = copy.db().writer(options()).await.unwrap();
    model.write(&writer, &mut numbers, 100).await;
    writer.close().await.unwrap();
    model.must_be_in(&copy.db()).await;
    at_copy.must_be_in(&original.db()).await;
}
