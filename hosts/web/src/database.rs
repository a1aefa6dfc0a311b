//! A database, about to be opened.

use std::sync::Arc;

use isledb_core::Db;
use js_sys::Promise;
use wasm_bindgen::prelude::*;

use crate::call::{self, promise};
use crate::error;
use crate::js::Bridge;
use crate::options::OpenOptions;
use crate::reader::Reader;
use crate::store::JsStore;

/// A database: a store, a prefix, and how to open what is in it.
#[wasm_bindgen]
pub struct Database {
    db: Db,
    options: OpenOptions,
    timeout_ms: u64,
}

#[wasm_bindgen]
impl Database {
    /// A handle on the database under `prefix`. No request.
    ///
    /// Errors: `InvalidArgument`.
    #[wasm_bindgen(constructor)]
    pub fn new(bridge: Bridge, prefix: &str, options: OpenOptions) -> Result<Database, JsValue> {
        let open = || {
            let store = Arc::new(JsStore::new(bridge));
            let db = Db::open(store, call::host(), prefix, options.database()?)?;
            Ok((db, options.timeout()?))
        };
        let (db, timeout_ms) = open().map_err(|error| error::to_js(&error))?;
        Ok(Database { db, options, timeout_ms })
    }

    /// The clean form of the prefix.
    pub fn prefix(&self) -> String {
        self.db.layout().prefix().to_owned()
    }

    /// Opens a [`Reader`]. Cost: as core's `Reader::open`.
    pub fn reader(&self, cancel: Option<Promise>) -> Promise {
        let (db, options, timeout_ms) = (self.db.clone(), self.options.reader(), self.timeout_ms);
        promise(timeout_ms, cancel, async move {
            let coordinator = db.coordinator(options?).await?;
            Ok(Reader::new(db, coordinator, timeout_ms).into())
        })
    }
}

#[cfg(feature = "full")]
#[wasm_bindgen]
impl Database {
    /// Claims the writer role. Cost: as core's `Db::writer`.
    pub fn writer(&self, options: &crate::writer::WriterOptions) -> Promise {
        let (db, options) = (self.db.clone(), options.read());
        promise(self.timeout_ms, None, async move {
            Ok(crate::writer::Writer::new(db.writer(options?).await?).into())
        })
    }

    /// Claims the maintenance role. Cost: as core's `Db::maintenance`.
    pub fn maintenance(&self, options: &crate::maintenance::MaintenanceOptions) -> Promise {
        let (db, options) = (self.db.clone(), options.read());
        promise(self.timeout_ms, None, async move {
            Ok(crate::maintenance::Maintenance::new(db.maintenance(options?).await?).into())
        })
    }
}
