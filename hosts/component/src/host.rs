//! Time, sleep and randomness through the imports.

use std::sync::Once;
use std::time::Duration;

use isledb_core::host::Host;
use isledb_core::maybe::BoxFuture;

use crate::imports::isledb::storage::host;
use crate::store;

/// Most bytes that `fill-random` gives at once.
const RANDOM_AT_ONCE: usize = 65_536;

/// The host of this component. The first one to be made tells it of panics from then on.
#[derive(Debug)]
pub struct WitHost(());

impl WitHost {
    /// The only one there is.
    #[expect(clippy::new_without_default, reason = "it changes what a panic does")]
    pub fn new() -> WitHost {
        static TELL_PANICS: Once = Once::new();
        TELL_PANICS.call_once(|| {
            std::panic::set_hook(Box::new(|panic| host::panicked(&panic.to_string())));
        });
        WitHost(())
    }
}

impl Host for WitHost {
    fn now_unix_ns(&self) -> u64 {
        host::now_unix_ns()
    }

    fn monotonic_ns(&self) -> u64 {
        host::monotonic_ns()
    }

    fn fill_random(&self, buf: &mut [u8]) {
        for piece in buf.chunks_mut(RANDOM_AT_ONCE) {
            // Another length is the host's fault, and a panic says so.
            piece.copy_from_slice(&host::fill_random(piece.len() as u32));
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(store::sleep(duration))
    }
}
