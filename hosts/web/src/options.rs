//! Options as JavaScript says them.

use std::ops::Bound;

use bytes::Bytes;
use isledb_core::host::RetryPolicy;
use isledb_core::read::{ReaderOptions, ScanOptions};
use isledb_core::tail::{Cursor, TailOptions, TailStart};
use isledb_core::{DbOptions, Error, Result};
use wasm_bindgen::prelude::*;

/// The default of `timeoutMs`, in milliseconds; core repeats a request for as long.
const TIMEOUT_MS: u64 = 60_000;

/// The default of `cacheBytes`: half of the engine's own, since an edge worker has 128 MiB for everything.
const CACHE_BYTES: u64 = 32 << 20;

#[wasm_bindgen]
extern "C" {
    /// `js/src/engine.ts`: the options of a database, of which all numbers are whole.
    pub type OpenOptions;
    #[wasm_bindgen(method, getter, js_name = timeoutMs)]
    fn timeout_ms(this: &OpenOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = attemptTimeoutMs)]
    fn attempt_timeout_ms(this: &OpenOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = cacheBytes)]
    fn cache_bytes(this: &OpenOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = refreshAfterMs)]
    fn refresh_after_ms(this: &OpenOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = readAheadBytes)]
    fn read_ahead_bytes(this: &OpenOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = verifyChecksums)]
    fn verify_checksums(this: &OpenOptions) -> Option<bool>;
    /// Ed25519 public keys, of 32 bytes each.
    #[cfg(feature = "verify")]
    #[wasm_bindgen(method, getter, js_name = trustedKeys)]
    fn trusted_keys(this: &OpenOptions) -> Option<Vec<js_sys::Uint8Array>>;
    #[cfg(feature = "full")]
    #[wasm_bindgen(method, getter)]
    fn probe(this: &OpenOptions) -> Option<bool>;

    /// A range of keys, with a direction for scans.
    pub type RangeOptions;
    #[wasm_bindgen(method, getter)]
    fn prefix(this: &RangeOptions) -> Option<Vec<u8>>;
    #[wasm_bindgen(method, getter)]
    fn start(this: &RangeOptions) -> Option<Vec<u8>>;
    #[wasm_bindgen(method, getter)]
    fn end(this: &RangeOptions) -> Option<Vec<u8>>;
    #[wasm_bindgen(method, getter)]
    fn limit(this: &RangeOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter)]
    fn reverse(this: &RangeOptions) -> Option<bool>;

    /// A range of keys, and where and how to follow it.
    #[wasm_bindgen(extends = RangeOptions)]
    pub type FollowOptions;
    #[wasm_bindgen(method, getter)]
    fn from(this: &FollowOptions) -> Option<String>;
    #[wasm_bindgen(method, getter, js_name = pollMs)]
    fn poll_ms(this: &FollowOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = idlePollMs)]
    fn idle_poll_ms(this: &FollowOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = maxBufferBytes)]
    fn max_buffer_bytes(this: &FollowOptions) -> Option<f64>;
}

/// A number as JavaScript has it; what is no whole number is refused by name.
pub(crate) fn whole(name: &str, number: Option<f64>) -> Result<Option<u64>> {
    let Some(number) = number else { return Ok(None) };
    if number < 0.0 || number.fract() != 0.0 || number > 9_007_199_254_740_991.0 {
        return Err(Error::InvalidArgument { what: format!("{name} is {number}, a whole number is wanted") });
    }
    Ok(Some(number as u64))
}

impl OpenOptions {
    /// Within what time a call must end, in milliseconds.
    pub(crate) fn timeout(&self) -> Result<u64> {
        Ok(whole("timeoutMs", self.timeout_ms())?.unwrap_or(TIMEOUT_MS))
    }

    pub(crate) fn database(&self) -> Result<DbOptions> {
        let deadline_ms = self.timeout()?;
        let default = RetryPolicy::default();
        let attempt =
            whole("attemptTimeoutMs", self.attempt_timeout_ms())?.unwrap_or(default.attempt_timeout_ms);
        let retry =
            RetryPolicy { deadline_ms, attempt_timeout_ms: attempt.min(deadline_ms.max(1)), ..default };
        Ok(DbOptions {
            retry,
            cache_bytes: whole("cacheBytes", self.cache_bytes())?.unwrap_or(CACHE_BYTES),
            verify_checksums: self.verify_checksums().unwrap_or(false),
            #[cfg(feature = "verify")]
            verifier: self.verifier()?,
            #[cfg(feature = "full")]
            probe: self.probe().unwrap_or(true),
            ..DbOptions::default()
        })
    }

    #[cfg(feature = "verify")]
    fn verifier(&self) -> Result<Option<std::sync::Arc<dyn isledb_core::signature::TableVerifier>>> {
        let Some(keys) = self.trusted_keys() else { return Ok(None) };
        let key = |key: js_sys::Uint8Array| {
            <[u8; 32]>::try_from(key.to_vec()).map_err(|key| Error::InvalidArgument {
                what: format!("a key of {} bytes in trustedKeys, an Ed25519 public key has 32", key.len()),
            })
        };
        let keys = keys.into_iter().map(key).collect::<Result<Vec<_>>>()?;
        Ok(Some(std::sync::Arc::new(isledb_core::signature::Ed25519Verifier::new(&keys)?)))
    }

    pub(crate) fn reader(&self) -> Result<ReaderOptions> {
        let default = ReaderOptions::default();
        Ok(ReaderOptions {
            refresh_after_ms: whole("refreshAfterMs", self.refresh_after_ms())?,
            read_ahead_bytes: whole("readAheadBytes", self.read_ahead_bytes())?
                .unwrap_or(default.read_ahead_bytes),
        })
    }
}

/// A half-open range: `start` inclusive, `end` exclusive.
fn bounds(options: &RangeOptions) -> (Option<Bytes>, Bound<Bytes>, Bound<Bytes>) {
    let start = options.start().map_or(Bound::Unbounded, |key| Bound::Included(key.into()));
    let end = options.end().map_or(Bound::Unbounded, |key| Bound::Excluded(key.into()));
    (options.prefix().map(Bytes::from), start, end)
}

impl RangeOptions {
    pub(crate) fn scan(&self) -> Result<ScanOptions> {
        let (prefix, start, end) = bounds(self);
        let limit = whole("limit", self.limit())?;
        Ok(ScanOptions { start, end, prefix, limit, reverse: self.reverse().unwrap_or(false) })
    }
}

impl FollowOptions {
    pub(crate) fn tail(&self) -> Result<TailOptions> {
        let default = TailOptions::default();
        let (prefix, start_key, end_key) = bounds(self);
        let start = match self.from().as_deref() {
            None | Some("now") => TailStart::Now,
            Some("begin") => TailStart::Begin,
            Some("bootstrap") => TailStart::Bootstrap,
            Some(cursor) => TailStart::Cursor(cursor.parse::<Cursor>()?),
        };
        let poll_ms = whole("pollMs", self.poll_ms())?.unwrap_or(default.poll_ms);
        let idle_poll_ms =
            whole("idlePollMs", self.idle_poll_ms())?.unwrap_or(default.idle_poll_ms.max(poll_ms));
        let max_buffer_bytes =
            whole("maxBufferBytes", self.max_buffer_bytes())?.unwrap_or(default.max_buffer_bytes);
        Ok(TailOptions { start, prefix, start_key, end_key, poll_ms, idle_poll_ms, max_buffer_bytes })
    }
}
