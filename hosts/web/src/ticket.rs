//! View tickets: read by the engine's own decoder, since they come from anybody.

use js_sys::Map;
use wasm_bindgen::prelude::*;

use crate::error;
use crate::js;
use crate::record::Record;

/// Reads a ticket. `objects` is a map from keys, relative to the prefix, to URLs.
///
/// Errors: those of core's `ticket::decode`.
#[wasm_bindgen(js_name = decodeTicket)]
pub fn decode_ticket(text: &str) -> Result<JsValue, JsValue> {
    let ticket =
        isledb_core::ticket::decode(text, js::unix_ms() as u64).map_err(|error| error::to_js(&error))?;
    let objects = Map::new();
    for (key, url) in &ticket.objects {
        objects.set(&JsValue::from_str(key), &JsValue::from_str(url));
    }
    let record = Record::new()
        .text("prefix", &ticket.prefix)
        .number("expiresAtMs", ticket.expires_at_ms)
        .text("version", &ticket.current.version)
        .bytes("current", &ticket.current.body)
        .number("readAtMs", ticket.current.read_at_ms)
        .maybe_number("lastModifiedMs", ticket.current.last_modified_ms)
        .value("objects", objects);
    let follow = ticket.follow.as_ref();
    Ok(record
        .maybe_text("followCurrent", follow.map(|follow| follow.current.as_str()))
        .maybe_text("followSigner", follow.map(|follow| follow.signer.as_str()))
        .into())
}
