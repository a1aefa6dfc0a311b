//! What `wit-bindgen` makes of `wit/storage`.

/// What the engine imports.
#[allow(clippy::all, missing_docs, unreachable_pub, rust_2018_idioms, reason = "generated from wit/storage")]
pub mod imports {
    #[cfg(not(feature = "blocking"))]
    wit_bindgen::generate!({ path: "wit/storage", world: "engine", generate_all });
    #[cfg(feature = "blocking")]
    wit_bindgen::generate!({ path: "wit/storage", world: "engine-blocking", generate_all });
}

/// What it exports, over the types of `imports`.
#[cfg(feature = "exports")]
#[allow(clippy::all, missing_docs, unreachable_pub, rust_2018_idioms, reason = "generated from wit/storage")]
pub(crate) mod worlds {
    #[cfg(all(not(feature = "blocking"), not(feature = "full")))]
    wit_bindgen::generate!({
        path: "wit/storage",
        world: "reader",
        default_bindings_module: "crate::bindings::worlds",
        with: {
            "isledb:storage/types@0.1.0": crate::bindings::imports::isledb::storage::types,
            "isledb:storage/host@0.1.0": crate::bindings::imports::isledb::storage::host,
            "isledb:storage/object-store@0.1.0": crate::bindings::imports::isledb::storage::object_store,
        },
        generate_all,
    });
    #[cfg(all(not(feature = "blocking"), feature = "full"))]
    wit_bindgen::generate!({
        path: "wit/storage",
        world: "full",
        default_bindings_module: "crate::bindings::worlds",
        with: {
            "isledb:storage/types@0.1.0": crate::bindings::imports::isledb::storage::types,
            "isledb:storage/host@0.1.0": crate::bindings::imports::isledb::storage::host,
            "isledb:storage/object-store@0.1.0": crate::bindings::imports::isledb::storage::object_store,
        },
        generate_all,
    });
    #[cfg(all(feature = "blocking", not(feature = "full")))]
    wit_bindgen::generate!({
        path: "wit/storage",
        world: "reader-blocking",
        default_bindings_module: "crate::bindings::worlds",
        with: {
            "isledb:storage/types@0.1.0": crate::bindings::imports::isledb::storage::types,
            "isledb:storage/host@0.1.0": crate::bindings::imports::isledb::storage::host,
            "isledb:storage/object-store-blocking@0.1.0": crate::bindings::imports::isledb::storage::object_store_blocking,
        },
        generate_all,
    });
    #[cfg(all(feature = "blocking", feature = "full"))]
    wit_bindgen::generate!({
        path: "wit/storage",
        world: "full-blocking",
        default_bindings_module: "crate::bindings::worlds",
        with: {
            "isledb:storage/types@0.1.0": crate::bindings::imports::isledb::storage::types,
            "isledb:storage/host@0.1.0": crate::bindings::imports::isledb::storage::host,
            "isledb:storage/object-store-blocking@0.1.0": crate::bindings::imports::isledb::storage::object_store_blocking,
        },
        generate_all,
    });
}
