//! The change feed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use isledb_core::maybe::BoxFuture;
use isledb_core::tail::{Change, ChangeOp, TailOptions, TailStart, Tailer};

use super::model::{Model, Numbers};
use super::options;
use crate::Place;

pub(super) fn tail_options(start: TailStart) -> TailOptions {
    TailOptions { start, poll_ms: 5, idle_poll_ms: 50, ..TailOptions::default() }
}

/// All that is there to read without waiting.
pub(super) async fn drain(tailer: &mut Tailer) -> Vec<Change> {
    let mut changes = Vec::new();
    while let Some(change) = tailer.try_next().await.unwrap() {
        changes.push(change);
    }
    changes
}

fn ascending(changes: &[Change]) {
    for pair in changes.windows(2) {
        assert!(pair[0].sequence < pair[1].sequence, "{} after {}", pair[1].sequence, pair[0].sequence);
    }
}

pub(super) fn apply(model: &mut BTreeMap<Vec<u8>, Vec<u8>>, changes: &[Change]) {
    for change in changes {
        match &change.op {
            ChangeOp::Put { value, .. } => drop(model.insert(change.key.to_vec(), value.to_vec())),
            ChangeOp::Delete => drop(model.remove(&change.key[..])),
        }
    }
}

/// While one process writes, another follows: it gets each write once, in order.
pub(super) async fn every_change_once_in_commit_order(at: Place) {
    const FLUSHES: u64 = 30;
    const ROWS: u64 = 4;
    at.db().writer(options()).await.unwrap().close().await.unwrap();
    let followed = Arc::new(Mutex::new(Vec::new()));
    let follow: BoxFuture<'static, ()> = {
        let (at, followed) = (at.clone(), followed.clone());
        Box::pin(async move {
            let mut tailer = at.db().tailer(tail_options(TailStart::Begin)).await.unwrap();
            for _ in 0..FLUSHES * ROWS {
                let change = tailer.next().await.unwrap();
                followed.lock().unwrap().push(change);
            }
            assert_eq!(drain(&mut tailer).await, [], "more than was written");
        })
    };
    let write: BoxFuture<'static, ()> = {
        let at = at.clone();
        Box::pin(async move {
            let mut writer = at.db().writer(options()).await.unwrap();
            for flush in 0..FLUSHES {
                if flush % 11 == 10 {
                    // Another process takes over in the middle.
                    writer = at.db().writer(options()).await.unwrap();
                }
                for row in 0..ROWS {
                    writer.put(format!("{flush:03}/{row}").as_bytes(), &row.to_le_bytes()).await.unwrap();
                }
                writer.flush().await.unwrap();
            }
        })
    };
    at.together([follow, write]).await;
    let changes = std::mem::take(&mut *followed.lock().unwrap());
    ascending(&changes);
    let expected = (0..FLUSHES).flat_map(|flush| (0..ROWS).map(move |row| format!("{flush:03}/{row}")));
    assert!(
        changes.iter().map(|change| change.key.to_vec()).eq(expected.map(String::into_bytes)),
        "a gap or a repeat"
    );
}

pub(super) async fn cursor_goes_on_where_it_stood(at: Place) {
    let mut numbers = Numbers::new(6);
    let mut model = Model::default();
    let writer = at.db().writer(options()).await.unwrap();
    for _ in 0..10 {
        model.write(&writer, &mut numbers, 7).await;
        writer.flush().await.unwrap();
    }
    let all = drain(&mut at.db().tailer(tail_options(TailStart::Begin)).await.unwrap()).await;
    ascending(&all);
    assert_eq!(all.last().map(|change| change.sequence), Some(writer.committed_sequence()));
    let mut seen = BTreeMap::new();
    apply(&mut seen, &all);
    assert_eq!(seen, model.0, "the changes make the state");
    for at_change in [0, 1, all.len() / 2, all.len() - 1] {
        let start = TailStart::Cursor(all[at_change].cursor.clone());
        let rest = drain(&mut at.db().tailer(tail_options(start)).await.unwrap()).await;
        let sequences = |changes: &[Change]| changes.iter().map(|change| change.sequence).collect::<Vec<_>>();
        assert_eq!(sequences(&rest), sequences(&all[at_change + 1..]), "behind change {at_change}");
    }
    let mut now = at.db().tailer(tail_options(TailStart::Now)).await.unwrap();
    assert_eq!(drain(&mut now).await, []);
    writer.delete(b"key/none").await.unwrap();
    writer.flush().await.unwrap();
    let change = now.next().await.unwrap();
    assert_eq!((&change.key[..], change.op), (&b"key/none"[..], ChangeOp::Delete));
}

pub(super) async fn bootstrap_then_changes(at: Place) {
    let (mut model, mut numbers) = (Model::default(), Numbers::new(8));
    let writer = at.db().writer(options()).await.unwrap();
    for _ in 0..5 {
        model.write(&writer, &mut numbers, 40).await;
        writer.flush().await.unwrap();
    }
    let mut tailer = at.db().tailer(tail_options(TailStart::Bootstrap)).await.unwrap();
    let mut seen = BTreeMap::new();
    for _ in 0..model.0.len() / 2 {
        apply(&mut seen, &[tailer.next().await.unwrap()]);
    }
    // The state changes while it is being read.
    model.write(&writer, &mut numbers, 60).await;
    writer.flush().await.unwrap();
    apply(&mut seen, &drain(&mut tailer).await);
    assert_eq!(seen, model.0);
    model.write(&writer, &mut numbers, 20).await;
    writer.flush().await.unwrap();
    let changes = drain(&mut tailer).await;
    ascending(&changes);
    apply(&mut seen, &changes);
    assert_eq!(seen, model.0);
}
