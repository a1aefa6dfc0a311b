//! Following the change feed through the component.

use wasmtime::component::ResourceAny;

use crate::bindings::exports::isledb::storage::tail;
use crate::bindings::isledb::storage::database::{Change, Failure, OpenOptions, TailOptions};
use crate::engine::Component;
use crate::error::{Error, Result};
use crate::instance::{Answer, Guest, Instance, Place};

/// A place in the change feed of a database. Costs are those of `wit/storage/read.wit`.
pub struct Tail {
    instance: Instance,
    tail: ResourceAny,
    /// A batch on its way whose call was dropped.
    batch: Option<Answer<Result<Vec<Change>, Failure>>>,
}

/// The interface `tail` of a guest.
fn tail(guest: &Guest) -> wasmtime::Result<&tail::Guest> {
    guest.tail.as_ref().ok_or_else(|| wasmtime::Error::msg("it exports no isledb:storage/tail"))
}

impl Tail {
    /// Starts the component on a place, and opens the feed of the database under its prefix.
    ///
    /// Errors: `Component` for one without the interface `tail`; those of the engine; what ends a guest.
    pub async fn open(
        component: &Component,
        place: Place,
        open: OpenOptions,
        options: TailOptions,
    ) -> Result<Tail> {
        if component.exports.tail.is_none() {
            return Err(Error::Component { message: "it exports no isledb:storage/tail".to_owned() });
        }
        let prefix = place.prefix.clone();
        let instance = Instance::start(component, place).await?;
        let opened = instance.send(move |accessor, guest| {
            Box::pin(async move { tail(guest)?.tail().call_open(accessor, prefix, open, options).await })
        });
        let tail = instance.within_deadline(opened).await??;
        Ok(Tail { instance, tail, batch: None })
    }

    /// The guest behind it.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The next changes, at least one; waits until there is one, without a deadline. May be dropped and called again: nothing
    /// is lost. (The bounds are then those of the call that was dropped.)
    pub async fn next_batch(&mut self, max_entries: u32, max_bytes: u64) -> Result<Vec<Change>> {
        let tail_ = self.tail;
        let instance = &self.instance;
        let answer = self.batch.get_or_insert_with(|| {
            instance.send(move |accessor, guest| {
                Box::pin(async move {
                    tail(guest)?.tail().call_next_batch(accessor, tail_, max_entries, max_bytes).await
                })
            })
        });
        let changes = answer.arrive().await;
        self.batch = None;
        Ok(changes??)
    }

    /// What is committed already, without waiting; empty: nothing new.
    pub async fn poll(&mut self, max_entries: u32, max_bytes: u64) -> Result<Vec<Change>> {
        if self.batch.is_some() {
            return self.next_batch(max_entries, max_bytes).await;
        }
        let tail_ = self.tail;
        let answer = self.instance.send(move |accessor, guest| {
            Box::pin(
                async move { tail(guest)?.tail().call_poll(accessor, tail_, max_entries, max_bytes).await },
            )
        });
        self.batch = Some(answer);
        self.next_batch(max_entries, max_bytes).await
    }

    /// Where it stands: behind the last change that was returned.
    pub async fn cursor(&self) -> Result<String> {
        let tail_ = self.tail;
        let cursor = self.instance.send(move |accessor, guest| {
            Box::pin(async move { tail(guest)?.tail().call_cursor(accessor, tail_).await })
        });
        self.instance.within_deadline(cursor).await
    }
}
