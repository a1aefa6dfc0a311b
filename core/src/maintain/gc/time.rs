//! The store's time.

use bytes::Bytes;

use crate::error::Result;
use crate::format::layout::Layout;
use crate::host::Requests;

/// The store's time in milliseconds since the Unix epoch, from an object that was just put: no clock of a process decides what
/// is old. At most the present time, by less than a second and the way of the answer. Two requests in series.
///
/// Where the store does not date its objects, this process's clock has to do.
pub(crate) async fn store_time_ms(requests: &Requests, layout: &Layout) -> Result<u64> {
    let object = layout.gc_clock();
    requests.put_unique(&object, Bytes::from_static(b"{}")).await?;
    let dated = requests.head(&object).await?.last_modified_ms;
    Ok(dated.unwrap_or_else(|| requests.host.now_unix_ns() / 1_000_000))
}
