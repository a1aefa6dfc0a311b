//! Write plugins for isledb: sandboxed code that its engine asks, as a WebAssembly component of a few KB.
//!
//! Implement the trait of one kind, and export it:
//!
//! ```
//! use isledb_plugin::compaction_filter::{CompactionFilter, Decision, Entry};
//!
//! struct ForgetSessions;
//!
//! impl CompactionFilter for ForgetSessions {
//!     fn filter(_now_ms: u64, entries: Vec<Entry>) -> Result<Vec<Decision>, String> {
//!         let decide = |entry: Entry| match entry.key.starts_with(b"session/") {
//!             true => Decision::Drop,
//!             false => Decision::Keep,
//!         };
//!         Ok(entries.into_iter().map(decide).collect())
//!     }
//! }
//!
//! isledb_plugin::export!(compaction-filter: ForgetSessions);
//! ```
//!
//! `isledb-plugin-build` makes a component of the crate. There are four kinds, and a plugin is of one:
//!
//! | kind | trait | asked |
//! |---|---|---|
//! | `compaction-filter` | [`compaction_filter::CompactionFilter`] | what a merge keeps, drops, rewrites |
//! | `lsn-extractor` | [`lsn_extractor::LsnExtractor`] | which number of an outside log a key stands for |
//! | `value-transform` | [`value_transform::ValueTransform`] | what a reader gets in the place of a value |
//! | `key-formatter` | [`key_formatter::KeyFormatter`] | how keys and values look to people |
//!
//! Each function has one batch of at most 4,096 entries and 256 KiB (one entry alone may be larger), and must give one answer
//! an entry, in order. A call runs in a new instance: statics begin anew. There is no clock, no randomness, no file and no
//! network; `std::time` and `std::fs` compile and panic. A panic, an endless loop, too much memory or a wrong number of answers fails
//! whatever asked, by the plugin's name, and changes nothing. To say why, return an error: a panic's text is lost.

/// Keeps, drops or rewrites entries where tables are merged.
pub mod compaction_filter {
    pub use self::bindings::exports::isledb::plugin::compaction::{
        Decision, Entry, Guest as CompactionFilter, Value,
    };

    #[doc(hidden)]
    #[allow(missing_docs, unreachable_pub, reason = "made from the WIT, which documents it")]
    pub mod bindings {
        wit_bindgen::generate!({
            path: "wit",
            world: "compaction-filter",
            pub_export_macro: true,
            export_macro_name: "export",
            default_bindings_module: "isledb_plugin::compaction_filter::bindings",
        });
    }
}

/// Reads the numbers of an outside log from keys.
pub mod lsn_extractor {
    pub use self::bindings::exports::isledb::plugin::lsn::Guest as LsnExtractor;

    #[doc(hidden)]
    #[allow(missing_docs, unreachable_pub, reason = "made from the WIT, which documents it")]
    pub mod bindings {
        wit_bindgen::generate!({
            path: "wit",
            world: "lsn-extractor",
            pub_export_macro: true,
            export_macro_name: "export",
            default_bindings_module: "isledb_plugin::lsn_extractor::bindings",
        });
    }
}

/// Changes values on their way to the reader.
pub mod value_transform {
    pub use self::bindings::exports::isledb::plugin::transform::{Entry, Guest as ValueTransform, Outcome};

    #[doc(hidden)]
    #[allow(missing_docs, unreachable_pub, reason = "made from the WIT, which documents it")]
    pub mod bindings {
        wit_bindgen::generate!({
            path: "wit",
            world: "value-transform",
            pub_export_macro: true,
            export_macro_name: "export",
            default_bindings_module: "isledb_plugin::value_transform::bindings",
        });
    }
}

/// Shows keys and values to people.
pub mod key_formatter {
    pub use self::bindings::exports::isledb::plugin::format::{Entry, Guest as KeyFormatter};

    #[doc(hidden)]
    #[allow(missing_docs, unreachable_pub, reason = "made from the WIT, which documents it")]
    pub mod bindings {
        wit_bindgen::generate!({
            path: "wit",
            world: "key-formatter",
            pub_export_macro: true,
            export_macro_name: "export",
            default_bindings_module: "isledb_plugin::key_formatter::bindings",
        });
    }
}

/// Makes the crate a plugin: `export!(KIND: TYPE)`, once, where `TYPE` implements the trait of `KIND`.
///
/// On other targets than WebAssembly it only checks the type, so that the crate's tests run there: the names that a component
/// exports are none to a linker of programs.
#[macro_export]
macro_rules! export {
    (compaction-filter: $plugin:ident) => {
        $crate::export!(@ compaction_filter, CompactionFilter, $plugin);
    };
    (lsn-extractor: $plugin:ident) => {
        $crate::export!(@ lsn_extractor, LsnExtractor, $plugin);
    };
    (value-transform: $plugin:ident) => {
        $crate::export!(@ value_transform, ValueTransform, $plugin);
    };
    (key-formatter: $plugin:ident) => {
        $crate::export!(@ key_formatter, KeyFormatter, $plugin);
    };
    (@ $kind:ident, $of:ident, $plugin:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            $crate::$kind::bindings::export!($plugin with_types_in $crate::$kind::bindings);
        };
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn is_one<T: $crate::$kind::$of>() {}
            is_one::<$plugin>();
        };
    };
}
