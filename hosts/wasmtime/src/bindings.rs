//! What wasmtime makes of `wit/storage`.

#![allow(clippy::all, missing_docs, unreachable_pub, rust_2018_idioms, reason = "generated from wit/storage")]

wasmtime::component::bindgen!({
    path: "wit/storage",
    world: "full",
    imports: {
        "isledb:storage/host": trappable,
        "isledb:storage/object-store.get-stream": trappable,
        "isledb:storage/object-store.put-multipart": trappable,
        "isledb:storage/object-store.[method]multipart-upload.put-part": store | trappable,
        "isledb:storage/object-store.[static]multipart-upload.complete": trappable,
        "isledb:storage/object-store.[static]multipart-upload.abort": trappable,
    },
    exports: { default: async | store },
    with: { "isledb:storage/object-store.multipart-upload": crate::store::Upload },
    additional_derives: [PartialEq],
    require_store_data_send: true,
});
