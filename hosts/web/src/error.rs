//! Errors on their way through the door, in both directions.

use isledb_core::Error;
use wasm_bindgen::{JsCast, JsValue};

use crate::js::Failure;
use crate::record::Record;

/// What a request for `object` failed with, as the bridge says it.
pub(crate) fn from_js(object: &str, thrown: JsValue) -> Error {
    let failure: Failure = thrown.unchecked_into();
    let (object, message) = (object.to_owned(), failure.message());
    match failure.code().as_str() {
        "not-found" => Error::NotFound { object },
        "precondition" => Error::Precondition { object },
        "not-modified" => Error::NotModified { object },
        "permission" => Error::Permission { object, message },
        "corrupt" => Error::Corrupt {
            object,
            offset: None,
            expected: "an answer that fits the request".to_owned(),
            found: message,
        },
        "unsupported" => Error::Unsupported { object, what: message },
        _ => Error::Unavailable { object, message },
    }
}

/// An error as `js/src/errors.ts` reads it: `kind` is the name of its variant.
pub(crate) fn to_js(error: &Error) -> JsValue {
    let record = Record::new().text("message", &error.to_string());
    let record = match error {
        Error::NotFound { .. } => record.text("kind", "NotFound"),
        Error::Precondition { .. } => record.text("kind", "Precondition"),
        Error::NotModified { .. } => record.text("kind", "NotModified"),
        Error::Permission { message, .. } => record.text("kind", "Permission").text("detail", message),
        Error::Unavailable { message, .. } => record.text("kind", "Unavailable").text("detail", message),
        Error::Timeout { limit_ms, .. } => record.text("kind", "Timeout").number("limitMs", *limit_ms),
        Error::Corrupt { found, .. } => record.text("kind", "Corrupt").text("detail", found),
        Error::Untrusted { reason, .. } => record.text("kind", "Untrusted").text("detail", reason),
        Error::Unsupported { what, .. } => record.text("kind", "Unsupported").text("detail", what),
        Error::InvalidArgument { what } => record.text("kind", "InvalidArgument").text("detail", what),
        Error::NoDatabase { .. } => record.text("kind", "NoDatabase"),
        Error::Fenced { role, holder, epoch } => {
            record.text("kind", "Fenced").text("role", role).text("holder", holder).number("epoch", *epoch)
        }
        Error::Backpressure { pending_bytes, .. } => {
            record.text("kind", "Backpressure").number("pendingBytes", *pending_bytes)
        }
        Error::OutcomeUnknown { first_sequence, last_sequence, retry, .. } => record
            .text("kind", "OutcomeUnknown")
            .bigint("firstSequence", *first_sequence)
            .bigint("lastSequence", *last_sequence)
            .flag("retry", *retry),
        Error::ViewExpired { .. } => record.text("kind", "ViewExpired"),
        Error::TicketExpired { expires_at_ms, .. } => {
            record.text("kind", "TicketExpired").number("expiresAtMs", *expires_at_ms)
        }
        Error::CursorExpired { oldest, .. } => record.text("kind", "CursorExpired").text("oldest", oldest),
        Error::OverBudget { what, need, limit } => {
            record.text("kind", "OverBudget").text("what", what).number("need", *need).number("limit", *limit)
        }
        Error::Closed { .. } => record.text("kind", "Closed"),
        // A variant that this host does not know yet is told by its words.
        _ => record.text("kind", "Other"),
    };
    record.maybe_text("object", error.object()).maybe_number("offset", error.offset()).into()
}
