//! Tailers: each committed change once, in order.

use std::sync::Arc;

use isledb_core::error::Error;
use isledb_core::tail::{TailOptions, TailStart};
use isledb_core::{Db, DbOptions};

use super::side::{is_transient, policy};
use crate::actor::Script;
use crate::config::Actor;
use crate::desk::Desk;
use crate::fact::Fact;
use crate::names::PREFIX;

/// A tailer from the beginning that comes to the end of the feed `ends` times. With `restarts` it forgets everything but its
/// cursor after each change.
pub(crate) fn tailer(name: &'static str, ends: u8, restarts: bool) -> Actor {
    let script: Script = Box::new(move |desk, _| Box::pin(live(desk, ends, restarts)));
    Actor { name, script, may_crash: false, finishes: true }
}

async fn live(desk: Desk, ends: u8, restarts: bool) {
    let options = DbOptions { probe: false, retry: policy(), ..DbOptions::default() };
    let Ok(db) = Db::open(Arc::new(desk.clone()), Arc::new(desk.clone()), PREFIX, options) else { return };
    let mut start = TailStart::Begin;
    let (mut left, mut changes, mut from) = (ends, 0, None);
    'open: while left > 0 {
        let opened = db.tailer(TailOptions { start: start.clone(), ..TailOptions::default() }).await;
        let mut tailer = match opened {
            Ok(tailer) => tailer,
            Err(error) if is_transient(&error) || matches!(error, Error::ViewExpired { .. }) => {
                left -= 1;
                continue;
            }
            Err(Error::CursorExpired { .. }) => {
                if let TailStart::Cursor(cursor) = &start {
                    desk.tell(Fact::CursorExpired { slot: cursor.slot() });
                }
                return;
            }
            Err(error) => return desk.tell(Fact::Never(format!("open a tailer: {error}"))),
        };
        let from = *from.get_or_insert(tailer.cursor().slot());
        while left > 0 {
            match tailer.try_next().await {
                Ok(Some(change)) => {
                    let key = change.key.to_vec();
                    desk.tell(Fact::Change { from, place: changes, sequence: change.sequence, key });
                    changes += 1;
                    if restarts {
                        start = TailStart::Cursor(change.cursor);
                        desk.same_as(format_args!("tails {start:?} {left} {changes} {from}")).await;
                        continue 'open;
                    }
                }
                Ok(None) => {
                    desk.tell(Fact::FeedEnds { from, changes, slot: tailer.cursor().slot() });
                    left -= 1;
                }
                Err(error) if is_transient(&error) || matches!(error, Error::ViewExpired { .. }) => left -= 1,
                Err(Error::CursorExpired { .. }) => {
                    return desk.tell(Fact::CursorExpired { slot: tailer.cursor().slot() });
                }
                Err(error) => return desk.tell(Fact::Never(format!("tail: {error}"))),
            }
        }
    }
}
