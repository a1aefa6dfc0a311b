//! A value as a stream, which goes on behind the call that returned it.

use isledb_core::read::ValueStream;
use wit_bindgen::{FutureReader, StreamReader};

use super::types::Failure;
use crate::bindings::worlds::{wit_future, wit_stream};

/// Length, bytes, and how they ended.
pub(super) type Value = (u64, StreamReader<u8>, FutureReader<Result<(), Failure>>);

/// Pieces are read from the store as the host takes them.
pub(super) fn value(mut value: ValueStream) -> Value {
    let (mut bytes, taken) = wit_stream::new::<u8>();
    let (end, ended) = wit_future::new::<Result<(), Failure>>(|| Ok(()));
    let length = value.len();
    wit_bindgen::spawn_local(async move {
        let result = loop {
            match value.next().await {
                Ok(Some(piece)) => {
                    // What is left was not wanted any more.
                    if !bytes.write_all(piece.into()).await.is_empty() {
                        break Ok(());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(Failure::from(error)),
            }
        };
        drop(bytes);
        // Nobody may listen, and that is no error.
        let _ = end.write(result).await;
    });
    (length, taken, ended)
}
