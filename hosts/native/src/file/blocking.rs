//! Where the blocking calls run.

use isledb_core::{Error, Result};

/// Runs file work on tokio's pool of blocking threads, or right here where no runtime is entered.
///
/// Everything goes there, small reads too. Measured on a busy two-core machine, a warm read of 4 KiB takes 20 us here and 40 to
/// 85 us by way of the pool; but a cold one takes milliseconds on some disks and seconds on some networks, in which no other
/// task of this thread would run, and the ranges of one read would be fetched one after the other. A put of 20 kB takes
/// 11 ms, for its two syncs, so that the pool does not matter.
///
/// On a dropped future the work goes on to its end: a write that is not waited for has an open outcome, as everywhere.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    run_with(|| (), move |()| work()).await
}

/// As [`run`], with something that the caller's thread makes when the work begins. Room for what is read is such a thing: an
/// allocator that keeps an arena for each thread would end with as much again in dozens of them.
pub(super) async fn run_with<M: Send + 'static, T: Send + 'static>(
    make: impl FnOnce() -> M,
    work: impl FnOnce(M) -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => {
            // Requests that are sent together begin together, as over a network. A file is so fast that the first would be
            // done before the second begins, and a meter would count round trips that nobody waits for.
            tokio::task::yield_now().await;
            let made = make();
            runtime.spawn_blocking(move || work(made)).await.unwrap_or_else(|died| {
                let message = format!("the file work did not end: {died}");
                Err(Error::Unavailable { object: "folder".to_owned(), message })
            })
        }
        Err(_) => work(make()),
    }
}

/// What an error of the file system means to the caller.
pub(super) fn io_error(key: &str, error: &std::io::Error) -> Error {
    use std::io::ErrorKind;
    let object = key.to_owned();
    match error.kind() {
        // A path that goes through a file, or ends at a folder, names no object.
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            Error::NotFound { object }
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Error::Permission { object, message: error.to_string() }
        }
        ErrorKind::InvalidFilename | ErrorKind::InvalidInput => {
            Error::InvalidArgument { what: format!("object name {key:?}: {error}") }
        }
        ErrorKind::Unsupported => Error::Unsupported { object, what: error.to_string() },
        _ => Error::Unavailable { object, message: error.to_string() },
    }
}
