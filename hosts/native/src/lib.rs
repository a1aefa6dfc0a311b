//! IsleDB on a machine: the engine of [`isledb_core`] with S3, Google Cloud Storage, Azure, folders and memory as stores, on
//! tokio.
//!
//! A database is a URL: [`open`] takes one, and hands out a writer and readers.
//!
//! ```
//! use isledb::BackgroundWriter;
//! use isledb::read::ReaderOptions;
//! use isledb::write::WriterOptions;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> isledb::Result<()> {
//! let db = isledb::open("memory:")?; // or s3://bucket/prefix, gs://..., az://..., ./folder
//! let mut writer = BackgroundWriter::spawn(db.writer(WriterOptions::default()).await?);
//! writer.put(b"greeting", b"hello").await?;
//! writer.flush().await?; // committed: visible to every reader, in every process
//!
//! let reader = db.reader(ReaderOptions::default()).await?;
//! assert_eq!(reader.get(b"greeting").await?.as_deref(), Some(&b"hello"[..]));
//! writer.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! What it costs can be counted at the door, and told to a metrics recorder:
//!
//! ```
//! use std::sync::Arc;
//! use isledb::host::{Metered, ObjectStore, PutCondition};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> isledb::Result<()> {
//! let opened = isledb::open_store("memory:", &isledb::StoreOptions::default())?;
//! let store = Metered::new(Arc::new(isledb::Observed::new(opened.store)));
//! let version = store.put("greeting", "hello".into(), PutCondition::IfAbsent).await?;
//! store.put("greeting", "hello, world".into(), PutCondition::IfMatch(version)).await?;
//!
//! let cost = store.meter().cost();
//! assert_eq!((cost.put, cost.bytes_written), (2, 17));
//! println!("${}", cost.usd(&opened.provider.prices()));
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_code)]

mod background;
mod cloud;
mod compression;
pub mod disk_cache;
mod file;
pub mod keys;
mod metrics;
mod observed;
mod positioned;
mod presign;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tokio_host;
mod url;
mod view_ticket;

pub use self::metrics::Metrics;
pub use background::{BackgroundRefresh, BackgroundWriter};
pub use cloud::CloudStore;
pub use compression::zstd;
pub use disk_cache::{CachedStore, DiskCache, DiskCacheCounters, DiskCacheOptions};
pub use file::FileStore;
pub use isledb_core::*;
pub use observed::Observed;
pub use presign::{PresignedMethod, Presigner};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteFile, SqliteManifest, SqliteMarks};
pub use tokio_host::TokioHost;
pub use url::{OpenedStore, Provider, StoreOptions, open_store};
pub use view_ticket::{SignerToken, TicketStore, read_ticket};

use std::sync::Arc;

/// The database at a URL (see [`open_store`] for what there is), by the usual environment variables, with default options.
/// Sends no request: whether there is a database is found out by what is opened from it.
///
/// Errors: as [`open_store`].
pub fn open(url: &str) -> Result<Db> {
    open_with(url, &StoreOptions::default(), DbOptions::default())
}

/// The database at a URL, with options.
///
/// Errors: as [`open_store`].
pub fn open_with(url: &str, store: &StoreOptions, options: DbOptions) -> Result<Db> {
    let cache = store.disk_cache.as_ref().map(DiskCache::open).transpose()?;
    let opened = open_store(url, store)?;
    let store = match (cache, &opened.address) {
        (Some(cache), Some(address)) => Arc::new(cache.over(opened.store, address)),
        _ => opened.store,
    };
    Db::open(store, Arc::new(TokioHost::new()), &opened.prefix, options)
}

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
