//! Writers whose values are blobs: the whole writer, since the rules about blobs are a part of its flush.

use std::sync::Arc;
use std::time::Duration;

use isledb_core::error::Error;
use isledb_core::format::sst::TableOptions;
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions};

use super::side::{is_transient, key_of, policy};
use crate::actor::Script;
use crate::config::Actor;
use crate::desk::Desk;
use crate::fact::Fact;
use crate::names::{BLOB, PREFIX};

/// Calls of one flush, the first included.
const CALLS: u32 = 3;

/// A writer that flushes the one blob `flushes` times.
pub(crate) fn blob_writer(name: &'static str, first: u8, flushes: u8) -> Actor {
    let script: Script = Box::new(move |desk, _| Box::pin(live(desk, name, first, flushes)));
    Actor { name, script, may_crash: true, finishes: true }
}

async fn live(desk: Desk, name: &'static str, first: u8, flushes: u8) {
    let options = DbOptions { probe: false, retry: policy(), ..DbOptions::default() };
    let Ok(db) = Db::open(Arc::new(desk.clone()), Arc::new(desk.clone()), PREFIX, options) else { return };
    let options = WriterOptions {
        owner: name.to_owned(),
        blob_threshold: 1,
        bloom_container: false,
        table: TableOptions { filter_bits_per_key: 0, ..TableOptions::default() },
        flush_interval: Duration::ZERO,
        flush_deadline: Duration::from_millis(1),
        ..WriterOptions::default()
    };
    let writer = match db.writer(options).await {
        Ok(writer) => writer,
        Err(error) if is_transient(&error) => return,
        Err(error) => return desk.tell(Fact::Never(format!("open a writer: {error}"))),
    };
    for begun in desk.progress()..flushes {
        desk.set_progress(begun + 1);
        let flush = first + begun;
        if let Err(error) = writer.put(&key_of(flush), BLOB).await {
            return desk.tell(Fact::Never(format!("put: {error}")));
        }
        for _ in 0..CALLS {
            match writer.flush().await {
                Ok(_) => {
                    desk.tell(Fact::Acknowledged(flush));
                    break;
                }
                Err(Error::Fenced { .. }) => return desk.tell(Fact::NotCommitted(flush)),
                Err(Error::OutcomeUnknown { retry: false, .. }) => return,
                Err(error) if is_transient(&error) => {}
                Err(error) => return desk.tell(Fact::Never(format!("flush: {error}"))),
            }
        }
    }
}
