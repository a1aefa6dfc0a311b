//! The engine's background work as tokio tasks.
//!
//! The engine spawns nothing: flushes by size and time happen in a future that its host drives. Here that future is a task,
//! with an end that loses nothing.

use std::ops::Deref;
use std::time::Duration;

use isledb_core::read::Reader;
use isledb_core::write::Writer;
use isledb_core::{Error, Result};
use tokio::task::JoinHandle;

/// A writer whose flushes run in a task of the current tokio runtime.
///
/// Dereferences to the [`Writer`]. End it with [`BackgroundWriter::shutdown`]: when it is merely dropped the task stops, and
/// what was not committed yet is lost, as with any writer.
pub struct BackgroundWriter {
    writer: Writer,
    task: JoinHandle<Result<()>>,
}

impl BackgroundWriter {
    /// Starts the task. Panics outside a tokio runtime.
    pub fn spawn(writer: Writer) -> BackgroundWriter {
        let running = writer.clone();
        let task = tokio::spawn(async move {
            let ended = running.run().await;
            if let Err(error) = &ended {
                tracing::error!(%error, "the writer's background flushes ended");
            }
            ended
        });
        BackgroundWriter { writer, task }
    }

    /// Commits everything, closes the writer and ends the task. After an error it may be called again and goes on.
    ///
    /// Cost and errors as [`Writer::close`].
    pub async fn shutdown(&mut self) -> Result<()> {
        self.writer.close().await?;
        if self.task.is_finished() {
            return Ok(());
        }
        match (&mut self.task).await {
            Ok(ended) => ended,
            Err(died) => {
                let message = format!("the task of the writer's flushes died: {died}");
                Err(Error::Unavailable { object: "background flushes".to_owned(), message })
            }
        }
    }
}

impl Deref for BackgroundWriter {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl Drop for BackgroundWriter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps a reader's view fresh from a task of the current tokio runtime, until it is dropped.
pub struct BackgroundRefresh {
    task: JoinHandle<()>,
}

impl BackgroundRefresh {
    /// Refreshes `reader`, and so all its clones, `interval` after the last refresh ended. A failed refresh is logged; the
    /// next one is due as if it had succeeded, since reads go on with the view that is there until it is too old. Panics
    /// outside a tokio runtime.
    ///
    /// Cost: one conditional GET an interval.
    pub fn spawn(reader: Reader, interval: Duration) -> BackgroundRefresh {
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                if let Err(error) = reader.refresh().await {
                    tracing::warn!(%error, "a refresh failed and will be tried again");
                }
            }
        });
        BackgroundRefresh { task }
    }
}

impl Drop for BackgroundRefresh {
    fn drop(&mut self) {
        self.task.abort();
    }
}
