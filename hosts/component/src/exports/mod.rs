//! The engine over the exported interfaces.
//!
//! Written once, as asynchronous functions: [`exported`] runs them to their end where the world is a blocking one.

mod describe;
mod failure;
#[cfg(feature = "full")]
mod maintain;
mod opened;
mod read;
mod scan;
#[cfg(not(feature = "blocking"))]
mod stream;
mod tail;
mod turn;
#[cfg(feature = "full")]
mod write;

pub(crate) use crate::bindings::worlds::isledb::storage::database as types;

/// The exported interfaces of this world, by the same names in each.
mod interfaces {
    use crate::bindings::worlds::exports::isledb::storage;

    #[cfg(all(feature = "full", not(feature = "blocking")))]
    pub(super) use storage::{maintain, write};
    #[cfg(all(feature = "full", feature = "blocking"))]
    pub(super) use storage::{maintain_blocking as maintain, write_blocking as write};
    #[cfg(not(feature = "blocking"))]
    pub(super) use storage::{read, tail};
    #[cfg(feature = "blocking")]
    pub(super) use storage::{read_blocking as read, tail_blocking as tail};
}

/// Functions of an exported interface, as this world wants them.
macro_rules! exported {
    ($(#[$meta:meta])* impl $trait:path as $name:ty { $($body:tt)* }) => {
        $(#[$meta])*
        impl $trait for $name {
            $crate::exports::functions!($($body)*);
        }
    };
}

/// Asynchronous functions as they are.
#[cfg(not(feature = "blocking"))]
macro_rules! functions {
    ($($function:tt)*) => { $($function)* };
}

/// Asynchronous functions as functions that return when all is done.
#[cfg(feature = "blocking")]
macro_rules! functions {
    () => {};
    (type $name:ident = $type:ty; $($rest:tt)*) => {
        type $name = $type;
        $crate::exports::functions!($($rest)*);
    };
    // Functions of the asynchronous worlds alone.
    (#[$only:meta] async fn $name:ident($($args:tt)*) -> $result:ty $body:block $($rest:tt)*) => {
        $crate::exports::functions!($($rest)*);
    };
    (async fn $name:ident($($args:tt)*) -> $result:ty $body:block $($rest:tt)*) => {
        fn $name($($args)*) -> $result {
            $crate::store::block_on(async move $body)
        }
        $crate::exports::functions!($($rest)*);
    };
    (fn $name:ident($($args:tt)*) -> $result:ty $body:block $($rest:tt)*) => {
        fn $name($($args)*) -> $result $body
        $crate::exports::functions!($($rest)*);
    };
}

pub(crate) use {exported, functions};

struct Component;

crate::bindings::worlds::export!(Component);
