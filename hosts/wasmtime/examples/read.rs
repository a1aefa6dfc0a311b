//! Reads a key of a bucket through the component, which cannot do more than read below that prefix.
//!
//! ```sh
//! cargo run -p isledb-component-build -- reader
//! cargo run -p isledb-wasmtime --example read -- target/isledb-component/reader.wasm ./isledb-demo KEY
//! ```

use isledb_wasmtime::{Database, Engine, EngineOptions, OpenOptions, Place};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [component, url, key] = &arguments[..] else { return Err("usage: read COMPONENT URL KEY".into()) };
    let engine = Engine::new(EngineOptions { memory_bytes: 64 << 20, ..EngineOptions::default() })?;
    let component = engine.load_file(component)?;

    let opened = isledb::open_store(url, &isledb::StoreOptions::default())?;
    let options = OpenOptions {
        cache_bytes: Some(16 << 20),
        refresh_after_ms: None,
        read_ahead_bytes: None,
        attempt_timeout_ms: None,
        retry_deadline_ms: None,
    };
    let database = Database::open(&component, Place::new(opened.store, opened.prefix), options).await?;
    match database.get(key.as_str()).await? {
        Some(value) => println!("{}", String::from_utf8_lossy(&value)),
        None => println!("{}", database.why(key.as_str()).await?),
    }
    let stats = database.stats().await?;
    println!("{} gets in {} rounds, {} bytes", stats.get, stats.round_trips, stats.bytes_read);
    Ok(())
}
