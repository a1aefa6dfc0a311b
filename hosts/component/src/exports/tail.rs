//! The interface `tail`.

use std::cell::RefCell;

use bytes::Bytes;
use isledb_core::tail::{self as engine, ChangeOp, Cursor, TailOptions, TailStart, Tailer};

use super::exported;
use super::failure::invalid;
use super::interfaces::tail;
use super::opened::Opened;
use super::scan::{MAX_ENTRIES, bounds};
use super::turn::Turn;
use super::types::{Change, Failure, OpenOptions, TailOptions as WitTailOptions, TailStart as WitTailStart};

/// Default of `max-buffer-bytes`: a component has some 128 MiB for everything.
const BUFFER_BYTES: u64 = 16 << 20;

pub(super) struct Tail {
    tailer: Turn<Tailer>,
    /// Where it stood behind the last call.
    cursor: RefCell<Cursor>,
}

impl tail::Guest for super::Component {
    type Tail = Tail;
}

exported! {
    impl tail::GuestTail as Tail {
        async fn open(
            prefix: String,
            open: OpenOptions,
            options: WitTailOptions
        ) -> Result<tail::Tail, Failure> {
            let opened = Opened::new(&prefix, &open)?;
            let tailer = opened.db.tailer(tail_options(options)?).await?;
            let cursor = RefCell::new(tailer.cursor());
            Ok(tail::Tail::new(Tail { tailer: Turn::new("tail", tailer), cursor }))
        }

        async fn next_batch(&self, max_entries: u32, max_bytes: u64) -> Result<Vec<Change>, Failure> {
            let mut tailer = self.tailer.take()?;
            let batch = tailer.next_batch(max_entries as usize, max_bytes).await?;
            self.cursor.replace(tailer.cursor());
            Ok(batch.into_iter().map(Change::from).collect())
        }

        async fn poll(&self, max_entries: u32, max_bytes: u64) -> Result<Vec<Change>, Failure> {
            if !(1..=MAX_ENTRIES).contains(&max_entries) {
                return Err(invalid(format!("max-entries is {max_entries}, allowed are 1 to {MAX_ENTRIES}")));
            }
            let mut tailer = self.tailer.take()?;
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while batch.len() < max_entries as usize && bytes < max_bytes {
                match tailer.try_next().await {
                    Ok(Some(change)) => {
                        bytes += change.bytes();
                        batch.push(Change::from(change));
                    }
                    Ok(None) => break,
                    // It comes up again at the next call, behind what was read before it.
                    Err(_) if !batch.is_empty() => break,
                    Err(error) => return Err(error.into()),
                }
            }
            self.cursor.replace(tailer.cursor());
            Ok(batch)
        }

        fn cursor(&self) -> String {
            self.cursor.borrow().to_string()
        }
    }
}

fn tail_options(options: WitTailOptions) -> Result<TailOptions, Failure> {
    let start = match options.start {
        WitTailStart::Begin => TailStart::Begin,
        WitTailStart::Now => TailStart::Now,
        WitTailStart::Bootstrap => TailStart::Bootstrap,
        WitTailStart::Cursor(cursor) => TailStart::Cursor(cursor.parse()?),
    };
    let default = TailOptions::default();
    let (start_key, end_key) = bounds(options.start_key, options.end_key);
    let poll_ms = options.poll_ms.unwrap_or(default.poll_ms);
    Ok(TailOptions {
        start,
        prefix: options.prefix.map(Bytes::from),
        start_key,
        end_key,
        poll_ms,
        idle_poll_ms: options.idle_poll_ms.unwrap_or(default.idle_poll_ms.max(poll_ms)),
        max_buffer_bytes: options.max_buffer_bytes.unwrap_or(BUFFER_BYTES),
    })
}

impl From<engine::Change> for Change {
    fn from(change: engine::Change) -> Change {
        let (value, expires_at_ms) = match change.op {
            ChangeOp::Put { value, expires_at_ms } => (Some(value.into()), expires_at_ms),
            ChangeOp::Delete => (None, None),
        };
        let cursor = change.cursor.to_string();
        Change { cursor, sequence: change.sequence, key: change.key.into(), value, expires_at_ms }
    }
}
