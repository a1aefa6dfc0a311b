//! `Send` where the target has threads, nothing where it has not.
//!
//! The engine is one source for native code and for WebAssembly. On native targets its futures must be `Send`, so
//! that a host may spawn them on any executor; a JavaScript-backed store can never be `Send`. These names follow
//! the target, so no engine code mentions `Send` itself.

use std::pin::Pin;

use futures::{Future, Stream};

#[cfg(not(target_family = "wasm"))]
mod imp {
    use super::*;

    /// `Send` on targets with threads.
    pub trait MaybeSend: Send {}
    impl<T: Send + ?Sized> MaybeSend for T {}
    /// `Sync` on targets with threads.
    pub trait MaybeSync: Sync {}
    impl<T: Sync + ?Sized> MaybeSync for T {}
    /// A boxed future, `Send` on targets with threads.
    pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
    /// A boxed stream, `Send` on targets with threads.
    pub type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + Send + 'a>>;
}

#[cfg(target_family = "wasm")]
mod imp {
    use super::*;

    /// Nothing, on targets without threads.
    pub trait MaybeSend {}
    impl<T: ?Sized> MaybeSend for T {}
    /// Nothing, on targets without threads.
    pub trait MaybeSync {}
    impl<T: ?Sized> MaybeSync for T {}
    /// A boxed future of one thread.
    pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
    /// A boxed stream of one thread.
    pub type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + 'a>>;
}

pub use imp::{BoxFuture, BoxStream, MaybeSend, MaybeSync};
