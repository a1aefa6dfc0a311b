//! The engine's store over the imports: the asynchronous ones, with everything in flight at once, or the blocking ones.

#[cfg(not(feature = "blocking"))]
mod asynchronous;
#[cfg(feature = "blocking")]
mod blocking;
#[cfg(feature = "blocking")]
mod queue;

#[cfg(not(feature = "blocking"))]
pub use asynchronous::WitStore;
#[cfg(not(feature = "blocking"))]
pub(crate) use asynchronous::sleep;
#[cfg(feature = "blocking")]
pub use blocking::WitStore;
#[cfg(all(feature = "blocking", feature = "exports"))]
pub(crate) use queue::block_on;
#[cfg(feature = "blocking")]
pub(crate) use queue::sleep;

use std::ops::Range;

use bytes::Bytes;
use isledb_core::host::{Body, GetOptions, GetResult, ListPage, ObjectMeta, PutCondition, Version};
use isledb_core::{Error, Result};

use crate::imports::isledb::storage::types;

fn error(key: &str, error: types::Error) -> Error {
    Error::of_store(&error.code, key, error.message)
}

fn meta(meta: types::ObjectMeta) -> ObjectMeta {
    let types::ObjectMeta { key, size, version, last_modified_ms } = meta;
    ObjectMeta { key, size, version: version.map(Version::new), last_modified_ms }
}

fn get_result(object: types::Object) -> GetResult {
    let types::Object { meta: of, range, body } = object;
    GetResult { meta: meta(of), range: range.start..range.end, body: Body::once(Bytes::from(body)) }
}

fn list_page(page: types::ListPage) -> ListPage {
    ListPage { objects: page.objects.into_iter().map(meta).collect(), more: page.more }
}

fn get_options(options: &GetOptions) -> types::GetOptions {
    types::GetOptions {
        range: options.range.clone().map(byte_range),
        if_none_match: options.if_none_match.as_ref().map(|version| version.as_str().to_owned()),
    }
}

fn put_condition(condition: &PutCondition) -> types::PutCondition {
    match condition {
        PutCondition::None => types::PutCondition::None,
        PutCondition::IfAbsent => types::PutCondition::IfAbsent,
        PutCondition::IfMatch(version) => types::PutCondition::IfMatch(version.as_str().to_owned()),
    }
}

fn byte_range(range: Range<u64>) -> types::ByteRange {
    types::ByteRange { start: range.start, end: range.end }
}

fn deleted(keys: &[String], answers: Vec<Result<(), types::Error>>) -> Result<Vec<Result<()>>> {
    if answers.len() != keys.len() {
        let (keys, answers) = (keys.len(), answers.len());
        let message = format!("{answers} answers to the delete of {keys} keys");
        return Err(Error::Unavailable { object: "delete".to_owned(), message });
    }
    Ok(keys.iter().zip(answers).map(|(key, answer)| answer.map_err(|e| error(key, e))).collect())
}
