//! IsleDB on a machine: the engine of [`isledb_core`] with S3, Google Cloud Storage, Azure, folders and memory as stores, on
//! tokio.
//!
//! A database is a URL. [`open_store`] turns it into a store and a prefix, [`TokioHost`] brings clock and randomness, and the
//! engine does the rest:
//!
//! ```
//! use std::sync::Arc;
//! use isledb::host::{Metered, ObjectStore, PriceList, PutCondition};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> isledb::Result<()> {
//! let opened = isledb::open_store("memory:", &isledb::StoreOptions::default())?;
//! let store = Metered::new(opened.store);
//! let key = format!("{}greeting", opened.prefix);
//! let version = store.put(&key, "hello".into(), PutCondition::IfAbsent).await?;
//! store.put(&key, "hello, world".into(), PutCondition::IfMatch(version)).await?;
//!
//! let cost = store.meter().cost();
//! assert_eq!((cost.put, cost.bytes_written), (2, 17));
//! println!("on S3 this would have cost ${}", cost.usd(&PriceList::S3));
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_code)]

mod cloud;
mod compression;
mod file;
mod observed;
mod tokio_host;
mod url;

pub use cloud::CloudStore;
pub use compression::zstd;
pub use file::FileStore;
pub use isledb_core::*;
pub use observed::Observed;
pub use tokio_host::TokioHost;
pub use url::{OpenedStore, Provider, StoreOptions, open_store};
