//! Reading a database through the component.

use futures::future::BoxFuture;
use wasmtime::component::{Accessor, ResourceAny};

use crate::bindings::exports::isledb::storage::read;
use crate::bindings::isledb::storage::database::{Entry, Failure, OpenOptions, ScanOptions, Stats};
use crate::engine::Component;
use crate::error::{Error, Result};
use crate::instance::{Answer, Guest, Instance, Place, State};

/// A database that a component reads. Clones are one database, and any number of calls may be under way at once.
///
/// Costs are those of `wit/storage/read.wit`, which is where each call is described.
#[derive(Clone)]
pub struct Database {
    instance: Instance,
    database: ResourceAny,
}

/// The interface `read` of a guest.
fn read(guest: &Guest) -> wasmtime::Result<&read::Guest> {
    guest.read.as_ref().ok_or_else(|| wasmtime::Error::msg("it exports no isledb:storage/read"))
}

impl Database {
    /// Starts the component on a place, and opens the database under its prefix, which need not exist.
    ///
    /// Errors: `Component` for one without the interface `read`; those of the engine; what ends a guest.
    pub async fn open(component: &Component, place: Place, options: OpenOptions) -> Result<Database> {
        if component.exports.read.is_none() {
            return Err(Error::Component { message: "it exports no isledb:storage/read".to_owned() });
        }
        let prefix = place.prefix.clone();
        let instance = Instance::start(component, place).await?;
        let opened = instance.send(move |accessor, guest| {
            Box::pin(async move { read(guest)?.database().call_open(accessor, prefix, options).await })
        });
        let database = instance.within_deadline(opened).await??;
        Ok(Database { instance, database })
    }

    /// The guest behind it.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// True if there was a database when the view was read.
    pub async fn exists(&self) -> Result<bool> {
        let database = self.database;
        self.plain(move |accessor, guest| {
            Box::pin(async move { read(guest)?.database().call_exists(accessor, database).await })
        })
        .await
    }

    /// Reads CURRENT again; true if it changed.
    pub async fn refresh(&self) -> Result<bool> {
        let database = self.database;
        self.ask(move |accessor, guest| {
            Box::pin(async move { read(guest)?.database().call_refresh(accessor, database).await })
        })
        .await
    }

    /// Returns when everything up to `sequence` is visible.
    pub async fn wait_for(&self, sequence: u64) -> Result<()> {
        let database = self.database;
        self.ask(move |accessor, guest| {
            Box::pin(async move { read(guest)?.database().call_wait_for(accessor, database, sequence).await })
        })
        .await
    }

    /// The live value of a key.
    pub async fn get(&self, key: impl Into<Vec<u8>>) -> Result<Option<Vec<u8>>> {
        let (database, key) = (self.database, key.into());
        self.ask(move |accessor, guest| {
            Box::pin(async move { read(guest)?.database().call_get(accessor, database, key).await })
        })
        .await
    }

    /// The same with sequence number and expiry.
    pub async fn get_entry(&self, key: impl Into<Vec<u8>>) -> Result<Option<Entry>> {
        let (database, key) = (self.database, key.into());
        self.ask(move |accessor, guest| {
            Box::pin(async move { read(guest)?.database().call_get_entry(accessor, database, key).await })
        })
        .await
    }

    /// The live value of each key, all of one view, in their order.
    pub async fn get_many(&self, keys: Vec<Vec<u8>>) -> Result<Vec<Option<Vec<u8>>>> {
        let database = self.database;
        self.ask(move |accessor, guest| {
            Box::pin(async move { read(guest)?.database().call_get_many(accessor, database, keys).await })
        })
        .await
    }

    /// A scan of one view.
    pub async fn scan(&self, options: ScanOptions) -> Result<Scan> {
        let database = self.database;
        let scan = self.ask(move |accessor, guest| {
            Box::pin(async move { read(guest)?.database().call_scan(accessor, database, options).await })
        });
        Ok(Scan { database: self.clone(), scan: scan.await?, page: None })
    }

    /// Why [`Database::get`] answers as it does, as JSON.
    pub async fn why(&self, key: impl Into<Vec<u8>>) -> Result<String> {
        let (database, key) = (self.database, key.into());
        self.ask(move |accessor, guest| {
            Box::pin(async move { read(guest)?.database().call_why(accessor, database, key).await })
        })
        .await
    }

    /// The view as JSON, with the names of `isledb stat --json`.
    pub async fn view_info(&self) -> Result<String> {
        let database = self.database;
        self.plain(move |accessor, guest| {
            Box::pin(async move { read(guest)?.database().call_view_info(accessor, database).await })
        })
        .await
    }

    /// What was asked of the store so far.
    pub async fn stats(&self) -> Result<Stats> {
        let database = self.database;
        self.plain(move |accessor, guest| {
            Box::pin(async move { read(guest)?.database().call_stats(accessor, database).await })
        })
        .await
    }

    /// A call that cannot fail in the engine.
    async fn plain<R, F>(&self, call: F) -> Result<R>
    where
        R: Send + 'static,
        F: for<'a> FnOnce(&'a Accessor<State>, &'a Guest) -> BoxFuture<'a, wasmtime::Result<R>>
            + Send
            + 'static,
    {
        self.instance.within_deadline(self.instance.send(call)).await
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
        Ok(self.plain(call).await??)
    }
}

/// Entries in key order, a page at a time.
pub struct Scan {
    database: Database,
    scan: ResourceAny,
    /// A page on its way whose call was dropped.
    page: Option<Answer<Result<Vec<Entry>, Failure>>>,
}

impl Scan {
    /// The next entries, up to `max_entries` and up to the one that brings keys and values to `max_bytes` or above; empty: the
    /// end. May be dropped and called again: nothing is lost.
    pub async fn next_page(&mut self, max_entries: u32, max_bytes: u64) -> Result<Vec<Entry>> {
        let Scan { database, scan, page } = self;
        let scan = *scan;
        let answer = page.get_or_insert_with(|| {
            database.instance.send(move |accessor, guest| {
                Box::pin(async move {
                    read(guest)?.scan().call_next_page(accessor, scan, max_entries, max_bytes).await
                })
            })
        });
        let entries = answer.arrive().await;
        *page = None;
        Ok(entries??)
    }
}
