//! Writing through the component.

use futures::future::BoxFuture;
use wasmtime::component::{Accessor, ResourceAny};

use crate::bindings::exports::isledb::storage::write;
use crate::bindings::isledb::storage::database::{Failure, OpenOptions, Write, WriterOptions};
use crate::engine::Component;
use crate::error::{Error, Result};
use crate::instance::{Guest, Instance, Place, State};

/// The one writer of a database. Clones are one writer. Costs are those of `wit/storage/write.wit`.
#[derive(Clone)]
pub struct Writer {
    instance: Instance,
    writer: ResourceAny,
}

/// The interface `write` of a guest.
fn write(guest: &Guest) -> wasmtime::Result<&write::Guest> {
    guest.write.as_ref().ok_or_else(|| wasmtime::Error::msg("it exports no isledb:storage/write"))
}

impl Writer {
    /// Starts the component on a place, and claims the writer role of the database under its prefix.
    ///
    /// Errors: `Component` for one without the interface `write`; those of the engine; what ends a guest.
    pub async fn open(
        component: &Component,
        place: Place,
        open: OpenOptions,
        options: WriterOptions,
    ) -> Result<Writer> {
        if component.exports.write.is_none() {
            return Err(Error::Component { message: "it exports no isledb:storage/write".to_owned() });
        }
        let prefix = place.prefix.clone();
        let instance = Instance::start(component, place).await?;
        let opened = instance.send(move |accessor, guest| {
            Box::pin(async move { write(guest)?.writer().call_open(accessor, prefix, open, options).await })
        });
        let writer = instance.within_deadline(opened).await??;
        Ok(Writer { instance, writer })
    }

    /// The guest behind it.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Sets a key; returns the sequence number of the write, which is in memory then.
    pub async fn put(&self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Result<u64> {
        self.put_for(key, value, None).await
    }

    /// Sets a key that is gone after `ttl_ms` milliseconds; `None`: never.
    pub async fn put_for(
        &self,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
        ttl_ms: Option<u64>,
    ) -> Result<u64> {
        let (writer, key, value) = (self.writer, key.into(), value.into());
        self.ask(move |accessor, guest| {
            Box::pin(
                async move { write(guest)?.writer().call_put(accessor, writer, key, value, ttl_ms).await },
            )
        })
        .await
    }

    /// Deletes a key, whether it exists or not.
    pub async fn delete(&self, key: impl Into<Vec<u8>>) -> Result<u64> {
        let (writer, key) = (self.writer, key.into());
        self.ask(move |accessor, guest| {
            Box::pin(async move { write(guest)?.writer().call_delete(accessor, writer, key).await })
        })
        .await
    }

    /// Writes a batch: readers see all of it or nothing.
    pub async fn apply(&self, batch: Vec<Write>) -> Result<u64> {
        let writer = self.writer;
        self.ask(move |accessor, guest| {
            Box::pin(async move { write(guest)?.writer().call_apply(accessor, writer, batch).await })
        })
        .await
    }

    /// Commits everything written so far; returns the sequence number up to which all is committed.
    pub async fn flush(&self) -> Result<u64> {
        let writer = self.writer;
        self.ask(move |accessor, guest| {
            Box::pin(async move { write(guest)?.writer().call_flush(accessor, writer).await })
        })
        .await
    }

    /// Returns when that write is committed.
    pub async fn wait_committed(&self, sequence: u64) -> Result<()> {
        let writer = self.writer;
        self.ask(move |accessor, guest| {
            Box::pin(
                async move { write(guest)?.writer().call_wait_committed(accessor, writer, sequence).await },
            )
        })
        .await
    }

    /// Everything up to this sequence number is committed.
    pub async fn committed_sequence(&self) -> Result<u64> {
        let writer = self.writer;
        let committed = self.instance.send(move |accessor, guest| {
            Box::pin(async move { write(guest)?.writer().call_committed_sequence(accessor, writer).await })
        });
        self.instance.within_deadline(committed).await
    }

    /// Commits everything and ends the writer.
    pub async fn close(&self) -> Result<()> {
        let writer = self.writer;
        self.ask(move |accessor, guest| {
            Box::pin(async move { write(guest)?.writer().call_close(accessor, writer).await })
        })
        .await
    }

    async fn ask<R, F>(&self, call: F) -> Result<R>
    where
        R: Send + 'static,
        F: for<'a> FnOnce(
                &'a Accessor<State>,
                &'a Guest,
            ) -> BoxFuture<'a, wasmtime::Result<Result<R, Failure>>>
            + Send
            + 'static,
    {
        Ok(self.instance.within_deadline(self.instance.send(call)).await??)
    }
}
