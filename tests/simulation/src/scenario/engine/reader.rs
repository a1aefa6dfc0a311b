//! A life of a reader: every view is exactly what was committed below it, by get and by scan.

use std::collections::BTreeMap;

use bytes::Bytes;
use isledb_core::error::Error;
use isledb_core::read::{Entry, Reader, ReaderOptions, ScanOptions, View};

use super::{Plot, Workload, bank, key, may_come_again, now_ms, open};
use crate::executor::SECOND;
use crate::oracle::{Check, Committed};
use crate::rng::Rng;
use crate::scenario::Actor;

/// Keys without expiry that a view did not show, with the sequence number that retention took: it never comes back.
type Gone = BTreeMap<Bytes, u64>;

/// True: it wants another life.
pub(super) async fn live(actor: Actor, plot: Plot) -> bool {
    let Some(db) = open(&actor, &plot) else { return false };
    let mut rng = actor.rng("reads");
    let reader = loop {
        let options = ReaderOptions {
            refresh_after_ms: rng.chance(300).then(|| rng.magnitude(1, 60_000)),
            ..ReaderOptions::default()
        };
        match db.reader(options).await {
            Ok(reader) => break reader,
            Err(error) if may_come_again(&actor, &error) => actor.sleep(SECOND).await,
            Err(error) => {
                failed(&actor, "open a reader", &error);
                return false;
            }
        }
    };
    let (mut rounds, mut gone, mut pinned) = (0, Gone::new(), None);
    while actor.world.is_changing() && rounds < plot.size.min(30) {
        rounds += 1;
        actor.sleep(rng.magnitude(1_000_000, plot.rest_ns)).await;
        let outcome = match round(&actor, &reader, &mut rng, &plot, &mut gone).await {
            Ok(()) => again(&actor, &reader, &mut rng, &plot, &mut pinned).await,
            failed => failed,
        };
        match outcome {
            Ok(()) | Err(Error::ViewExpired { .. }) => {}
            Err(error) if may_come_again(&actor, &error) => {}
            Err(error) => {
                failed(&actor, "read", &error);
                return false;
            }
        }
    }
    false
}

fn failed(actor: &Actor, call: &str, error: &Error) {
    let check = match error {
        Error::Corrupt { .. } | Error::NotFound { .. } => Check::ReaderMissesObject,
        _ => Check::UnexpectedError,
    };
    actor.world.oracle.fail(check, format!("{}: {call}: {error}", actor.name));
}

fn wrong(actor: &Actor, detail: String) {
    actor.world.oracle.fail(Check::ReaderShowsWrongState, format!("{}: {detail}", actor.name));
}

async fn round(
    actor: &Actor,
    reader: &Reader,
    rng: &mut Rng,
    plot: &Plot,
    gone: &mut Gone,
) -> Result<(), Error> {
    let oracle = &actor.world.oracle;
    let before = reader.view().manifest().current.next_seq;
    if rng.chance(600) {
        let committed = oracle.look(|history| history.next_seq());
        reader.refresh().await?;
        let seen = reader.view().manifest().current.next_seq.max(1);
        if seen < committed {
            wrong(actor, format!("refreshed to next_seq {seen}, {committed} was there before"));
        }
    }
    let view = reader.view();
    let manifest = view.manifest();
    if manifest.current.next_seq < before {
        wrong(actor, format!("its view went from {before} back to {}", manifest.current.next_seq));
    }
    if !view.exists() {
        return Ok(());
    }
    oracle.engine_state(&actor.name, manifest.current.next_seq, manifest.state());
    let asked: Vec<Bytes> = (0..rng.between(1, 4)).map(|_| key(rng, plot)).collect();
    check_view(actor, &view, &asked, gone, plot).await?;
    let key = key(rng, plot);
    check_latest(actor, reader, &key).await
}

/// A view that is kept shows the same as long as its age allows, whatever was committed and collected since.
async fn again(
    actor: &Actor,
    reader: &Reader,
    rng: &mut Rng,
    plot: &Plot,
    pinned: &mut Option<View>,
) -> Result<(), Error> {
    let view = pinned.get_or_insert_with(|| reader.view()).clone();
    let asked: Vec<Bytes> = (0..rng.between(1, 4)).map(|_| key(rng, plot)).collect();
    let checked =
        if view.exists() { check_view(actor, &view, &asked, &mut Gone::new(), plot).await } else { Ok(()) };
    if matches!(checked, Err(Error::ViewExpired { .. })) || rng.chance(150) {
        *pinned = None;
    }
    checked
}

/// `get` and `scan` of one view show the same, and what the model says.
async fn check_view(
    actor: &Actor,
    view: &View,
    asked: &[Bytes],
    gone: &mut Gone,
    plot: &Plot,
) -> Result<(), Error> {
    let next_seq = view.manifest().current.next_seq;
    let before_ms = now_ms(actor);
    let mut scan = view.scan(&ScanOptions::default());
    let mut scanned = BTreeMap::new();
    while let Some(entry) = scan.next().await? {
        let last = scanned.last_key_value().map(|(key, _): (&Bytes, &Entry)| key.clone());
        if last.is_some_and(|last| last >= entry.key) {
            wrong(actor, format!("a scan came to {:?} again", entry.key));
        }
        scanned.insert(entry.key.clone(), entry);
    }
    if plot.workload == Workload::Bank && !bank::is_balanced(&scanned, plot) {
        wrong(actor, format!("the sum differs: {scanned:?}"));
    }
    let mut got = Vec::new();
    for key in asked {
        got.push((key, view.get_entry(key).await?));
    }
    let after_ms = now_ms(actor);
    let span = (before_ms.min(after_ms), before_ms.max(after_ms));
    for (key, entry) in got {
        let model = actor.world.oracle.look_at_data(|model| model.latest(key, next_seq).cloned());
        let steady = model.as_ref().is_none_or(|model| model.shows(span).0 == model.shows(span).1);
        if steady && scanned.get(key) != entry.as_ref() {
            let detail = format!("{}: get {entry:?}, scan {:?}", actor.name, scanned.get(key));
            actor.world.oracle.fail(Check::GetAndScanDisagree, detail);
        }
        compare(actor, next_seq, key, model.as_ref(), entry.as_ref(), span);
    }
    let state: Vec<Committed> =
        actor.world.oracle.look_at_data(|model| model.state(next_seq).cloned().collect());
    for model in &state {
        let key = &model.written.key;
        let shown = scanned.remove(key);
        compare(actor, next_seq, key, Some(model), shown.as_ref(), span);
        if shown.is_none() && model.shows(span).1 && model.written.expires_at_ms.is_none() {
            gone.insert(key.clone(), model.sequence);
        } else if shown.is_some_and(|entry| gone.get(key) == Some(&entry.sequence)) {
            wrong(actor, format!("{key:?} at sequence {} was gone and came back", model.sequence));
        }
    }
    for (key, entry) in &scanned {
        compare(actor, next_seq, key, None, Some(entry), span);
    }
    Ok(())
}

fn is_shown(model: &Committed, entry: &Entry) -> bool {
    Some(&entry.value) == model.written.value.as_ref()
        && (entry.sequence, entry.expires_at_ms) == (model.sequence, model.written.expires_at_ms)
}

fn agrees(
    actor: &Actor,
    next_seq: u64,
    model: Option<&Committed>,
    entry: Option<&Entry>,
    span_ms: (u64, u64),
) -> bool {
    let (may, must) = model.map_or((false, false), |model| model.shows(span_ms));
    // A merge drops what has expired by the store's clock, whatever the reader's says.
    let expires = model.is_some_and(|model| model.written.expires_at_ms.is_some());
    let must = must && !(expires && actor.world.oracle.look(|history| history.is_maintained()));
    match (model, entry) {
        (None, None) => true,
        (Some(model), None) => {
            !must || actor.world.oracle.look_at_data(|data| data.may_be_gone(model, next_seq))
        }
        (Some(model), Some(entry)) => may && is_shown(model, entry),
        (None, Some(_)) => false,
    }
}

fn compare(
    actor: &Actor,
    next_seq: u64,
    key: &[u8],
    model: Option<&Committed>,
    entry: Option<&Entry>,
    span_ms: (u64, u64),
) {
    if !agrees(actor, next_seq, model, entry, span_ms) {
        let key = String::from_utf8_lossy(key);
        wrong(
            actor,
            format!("next_seq {next_seq}, {key:?} at {span_ms:?}: shown {entry:?}, committed {model:?}"),
        );
    }
}

/// A read without a pinned view shows a state that was the latest at some moment since that of its view.
async fn check_latest(actor: &Actor, reader: &Reader, key: &[u8]) -> Result<(), Error> {
    let oldest = reader.view().manifest().current.next_seq;
    let before_ms = now_ms(actor);
    let entry = reader.get_entry(key).await?;
    let after_ms = now_ms(actor);
    let span = (before_ms.min(after_ms), before_ms.max(after_ms));
    let newest = actor.world.oracle.look(|history| history.next_seq());
    let versions: Vec<Option<Committed>> = actor.world.oracle.look_at_data(|model| {
        let mut versions: Vec<_> =
            (oldest..=newest).map(|next_seq| model.latest(key, next_seq).cloned()).collect();
        versions.dedup();
        versions
    });
    let agrees = versions.iter().any(|model| agrees(actor, newest, model.as_ref(), entry.as_ref(), span));
    if !agrees {
        let key = String::from_utf8_lossy(key);
        wrong(actor, format!("{key:?} shows {entry:?}, never so between {oldest} and {newest}"));
    }
    Ok(())
}
