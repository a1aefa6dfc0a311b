//! The interface `write`.

use std::time::Duration;

use isledb_core::write::{self as engine, WriteBatch, WriterOptions};

use super::exported;
use super::failure::invalid;
use super::interfaces::write;
use super::opened::Opened;
use super::types::{Failure, OpenOptions, Write, WriterOptions as WitWriterOptions};

/// Default of `memtable-bytes`: a component has some 128 MiB for everything, and five memtables may wait.
const MEMTABLE_BYTES: u64 = 4 << 20;

pub(super) struct Writer(engine::Writer);

impl write::Guest for super::Component {
    type Writer = Writer;
}

exported! {
    impl write::GuestWriter as Writer {
        async fn open(
            prefix: String,
            open: OpenOptions,
            options: WitWriterOptions
        ) -> Result<write::Writer, Failure> {
            let opened = Opened::new(&prefix, &open)?;
            Ok(write::Writer::new(Writer(opened.db.writer(writer_options(options)).await?)))
        }

        async fn put(&self, key: Vec<u8>, value: Vec<u8>, ttl_ms: Option<u64>) -> Result<u64, Failure> {
            Ok(match ttl_ms {
                None => self.0.put(&key, &value).await?,
                Some(ms) => self.0.put_with_ttl(&key, &value, Duration::from_millis(ms)).await?,
            })
        }

        async fn delete(&self, key: Vec<u8>) -> Result<u64, Failure> {
            Ok(self.0.delete(&key).await?)
        }

        async fn apply(&self, batch: Vec<Write>) -> Result<u64, Failure> {
            Ok(self.0.write(batch_of(batch)?).await?)
        }

        async fn flush(&self) -> Result<u64, Failure> {
            Ok(self.0.flush().await?)
        }

        async fn wait_committed(&self, sequence: u64) -> Result<(), Failure> {
            Ok(self.0.wait_committed(sequence).await?)
        }

        fn last_sequence(&self) -> u64 {
            self.0.last_sequence()
        }

        fn committed_sequence(&self) -> u64 {
            self.0.committed_sequence()
        }

        async fn close(&self) -> Result<(), Failure> {
            Ok(self.0.close().await?)
        }
    }
}

fn writer_options(options: WitWriterOptions) -> WriterOptions {
    let default = WriterOptions::default();
    WriterOptions {
        owner: options.owner.unwrap_or(default.owner),
        takeover: options.takeover.unwrap_or(default.takeover),
        memtable_size: options.memtable_bytes.unwrap_or(MEMTABLE_BYTES),
        blob_threshold: options.blob_threshold_bytes.unwrap_or(default.blob_threshold),
        ..WriterOptions::default()
    }
}

fn batch_of(writes: Vec<Write>) -> Result<WriteBatch, Failure> {
    let mut batch = WriteBatch::new();
    for (i, write) in writes.into_iter().enumerate() {
        match (write.value, write.ttl_ms) {
            (Some(value), None) => batch.put(&write.key, &value),
            (Some(value), Some(ms)) => batch.put_with_ttl(&write.key, &value, Duration::from_millis(ms)),
            (None, None) => batch.delete(&write.key),
            (None, Some(_)) => {
                return Err(invalid(format!("write {i} of the batch is a delete with a ttl-ms")));
            }
        };
    }
    Ok(batch)
}
