//! Why a get answers as it does.

use isledb_core::read::{Answer, FilterVerdict, Held, KeyVersion, Skip, Source, Why};
use wasm_bindgen::JsValue;

use crate::record::Record;

/// `WhyInfo` of the TypeScript package: the fields of `isledb why --json` in camelCase.
pub(crate) fn record(why: &Why) -> JsValue {
    let (answer, expired_at_ms) = match why.answer {
        Answer::Nothing => ("nothing", None),
        Answer::Value => ("value", None),
        Answer::Deleted => ("deleted", None),
        Answer::Expired { at_ms } => ("expired", Some(at_ms)),
    };
    let sources =
        why.sources.iter().enumerate().map(|(number, found)| source(found, why.winner == Some(number)));
    Record::new()
        .bytes("key", &why.key)
        .text("answer", answer)
        .maybe_number("expiredAtMs", expired_at_ms)
        .list("sources", sources)
        .into()
}

fn source(source: &Source, winner: bool) -> JsValue {
    let filter = match source.filter {
        FilterVerdict::Unasked => None,
        FilterVerdict::Maybe => Some("maybe"),
        FilterVerdict::Absent => Some("absent"),
    };
    let skipped = source.skipped.map(|skip| match skip {
        Skip::Range => "range",
        Skip::Filter => "filter",
        Skip::Sequence => "sequence",
    });
    Record::new()
        .text("table", &source.meta.id)
        .text("object", &source.object)
        .maybe_number("run", source.run.map(u64::from))
        .bytes("minKey", &source.meta.min_key)
        .bytes("maxKey", &source.meta.max_key)
        .bigint("seqLo", source.meta.seq_lo)
        .bigint("seqHi", source.meta.seq_hi)
        .flag("inRange", source.skipped != Some(Skip::Range))
        .maybe_text("filter", filter)
        .maybe_number("partition", source.place.map(|place| place.partition))
        .maybe_number("blockOffset", source.place.map(|place| place.block.offset))
        .maybe_number("blockLength", source.place.map(|place| place.block.length))
        .list("versions", source.versions.iter().map(version))
        .flag("moreVersions", source.more)
        .maybe_text("skipped", skipped)
        .flag("winner", winner)
        .into()
}

fn version(version: &KeyVersion) -> JsValue {
    let record = match version.held {
        Held::Value { bytes } => Record::new().text("op", "put").number("bytes", bytes),
        Held::Blob { id } => Record::new().text("op", "put").text("blob", &id.to_string()),
        Held::Delete => Record::new().text("op", "delete"),
    };
    record
        .bigint("sequence", version.sequence)
        .maybe_number("expiresAtMs", version.expires_at_ms)
        .number("blockOffset", version.block.offset)
        .into()
}
