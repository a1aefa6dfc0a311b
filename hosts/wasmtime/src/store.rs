//! The imports of a guest, over the store of the host: within its prefix, counted, and bounded.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use isledb::format::layout::Layout;
use isledb::host::{GetOptions, MultipartUpload, ObjectMeta, PutCondition, Version};
use isledb::maybe::BoxStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Access, Accessor, Destination, FutureReader, HasData, Linker, Resource, StreamProducer, StreamReader,
    StreamResult,
};

use crate::bindings::isledb::storage::{database, host, object_store, types};
use crate::engine::EngineOptions;
use crate::error::Error;
use crate::instance::{Place, State, Watch};

/// Most random bytes of one call.
const MAX_RANDOM_BYTES: u32 = 65_536;

/// Parts of uploads that one guest has under way at most.
const MAX_PARTS: usize = 16;

/// What a guest reaches of its host.
pub(crate) struct Door {
    place: Place,
    /// Its keys begin so; empty: all do.
    root: String,
    requests: Arc<Semaphore>,
    parts: Arc<Semaphore>,
    body_bytes_max: u64,
    watch: Arc<Watch>,
}

impl Door {
    /// Errors: `InvalidArgument` for a prefix that no object can have.
    pub(crate) fn new(place: Place, options: &EngineOptions, watch: Arc<Watch>) -> Result<Door, Error> {
        // The engine in the guest takes it the same way.
        let layout = Layout::new(&place.prefix);
        let layout = layout.map_err(|error| Error::InvalidArgument { what: error.to_string() })?;
        let prefix = layout.prefix();
        let root = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Door {
            root,
            place,
            requests: Arc::new(Semaphore::new(options.requests as usize)),
            parts: Arc::new(Semaphore::new(MAX_PARTS)),
            body_bytes_max: options.memory_bytes,
            watch,
        })
    }

    /// Errors: `permission` for a key outside of the prefix.
    fn check(&self, key: &str) -> Result<(), types::Error> {
        let steps_out = key.split('/').any(|segment| segment == ".." || segment == ".");
        if key.starts_with(&self.root) && !steps_out {
            return Ok(());
        }
        let message = format!("{key:?} is outside of the prefix that this component was given");
        Err(types::Error { code: "permission".to_owned(), message, retryable: false })
    }

    /// Errors: `unsupported` for a body that could never be taken whole.
    fn check_length(&self, bytes: u64) -> Result<(), types::Error> {
        if bytes <= self.body_bytes_max {
            return Ok(());
        }
        let message =
            format!("a body of {bytes} bytes is more than the component's memory: take it as a stream");
        Err(types::Error { code: "unsupported".to_owned(), message, retryable: false })
    }

    /// One request, when there is room for it.
    async fn request<R>(&self, request: impl Future<Output = isledb::Result<R>>) -> Result<R, types::Error> {
        // The semaphore is never closed.
        let permit = self.requests.acquire().await;
        let answer = request.await;
        drop(permit);
        self.watch.pause();
        answer.map_err(refusal)
    }
}

/// The imports work on this.
pub(crate) struct Imports;

impl HasData for Imports {
    type Data<'a> = &'a mut State;
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<State, Imports>(linker, |state| state)?;
    database::add_to_linker::<State, Imports>(linker, |state| state)?;
    host::add_to_linker::<State, Imports>(linker, |state| state)?;
    object_store::add_to_linker::<State, Imports>(linker, |state| state)
}

impl types::Host for &mut State {}

impl database::Host for &mut State {}

impl host::Host for &mut State {
    fn now_unix_ns(&mut self) -> wasmtime::Result<u64> {
        Ok(self.door.place.host.now_unix_ns())
    }

    fn monotonic_ns(&mut self) -> wasmtime::Result<u64> {
        Ok(self.door.place.host.monotonic_ns())
    }

    fn fill_random(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        if len > MAX_RANDOM_BYTES {
            return Err(wasmtime::Error::msg(format!(
                "{len} random bytes at once, {MAX_RANDOM_BYTES} are allowed"
            )));
        }
        let mut bytes = vec![0; len as usize];
        self.door.place.host.fill_random(&mut bytes);
        Ok(bytes)
    }

    fn panicked(&mut self, message: String) -> wasmtime::Result<()> {
        self.door.watch.panicked(message);
        Ok(())
    }
}

fn door<T: Send>(accessor: &Accessor<T, Imports>) -> Arc<Door> {
    // The store of the guest is never held over an await.
    accessor.with(|mut access| access.get().door.clone())
}

impl object_store::Host for &mut State {}

impl<T: Send + 'static> object_store::HostWithStore<T> for Imports {
    async fn sleep_ms(accessor: &Accessor<T, Self>, ms: u64) {
        let door = door(accessor);
        door.place.host.sleep(Duration::from_millis(ms)).await;
        door.watch.pause();
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        key: String,
        options: types::GetOptions,
    ) -> Result<types::Object, types::Error> {
        let door = door(accessor);
        door.check(&key)?;
        let options = get_options(options)?;
        if let Some(range) = &options.range {
            door.check_length(range.end - range.start)?;
        }
        let got = door.request(async {
            let got = door.place.store.get(&key, options).await?;
            let length = got.range.end.saturating_sub(got.range.start);
            if let Err(error) = door.check_length(length) {
                return Ok(Err(error));
            }
            let body = got.body.collect(&key, length).await?;
            Ok(Ok((got.meta, got.range, body)))
        });
        let (of, range, body) = got.await??;
        Ok(types::Object { meta: meta(of), range: byte_range(range), body: body.into() })
    }

    async fn get_stream(
        accessor: &Accessor<T, Self>,
        key: String,
        options: types::GetOptions,
    ) -> wasmtime::Result<
        Result<
            (types::ObjectMeta, types::ByteRange, StreamReader<u8>, FutureReader<Result<(), types::Error>>),
            types::Error,
        >,
    > {
        let door = door(accessor);
        if let Err(error) = door.check(&key) {
            return Ok(Err(error));
        }
        let options = match get_options(options) {
            Ok(options) => options,
            Err(error) => return Ok(Err(error)),
        };
        // Its body counts as a request until it ends.
        let permit = door.requests.clone().acquire_owned().await.ok();
        let got = door.place.store.get(&key, options).await;
        door.watch.pause();
        let got = match got {
            Ok(got) => got,
            Err(error) => return Ok(Err(refusal(error))),
        };
        let (end, ended) = oneshot::channel();
        let watch = door.watch.clone();
        let body = Pieces { body: got.body.into_stream(), end: Some(end), watch, _permit: permit };
        let (body, ended) = accessor.with(|mut access| {
            let body = StreamReader::new(&mut access, body)?;
            let ended = async move {
                let cut = || {
                    Err(refusal(isledb::Error::Unavailable { object: String::new(), message: "cut".into() }))
                };
                Ok::<_, wasmtime::Error>(ended.await.unwrap_or_else(|_| cut()))
            };
            Ok::<_, wasmtime::Error>((body, FutureReader::new(&mut access, Box::pin(ended))?))
        })?;
        Ok(Ok((meta(got.meta), byte_range(got.range), body, ended)))
    }

    async fn get_ranges(
        accessor: &Accessor<T, Self>,
        key: String,
        ranges: Vec<types::ByteRange>,
    ) -> Result<Vec<Vec<u8>>, types::Error> {
        let door = door(accessor);
        door.check(&key)?;
        let ranges = ranges.into_iter().map(range).collect::<Result<Vec<_>, _>>()?;
        let lengths = ranges.iter().map(|range| range.end - range.start);
        door.check_length(lengths.fold(0, u64::saturating_add))?;
        let bodies = door.request(door.place.store.get_ranges(&key, &ranges)).await?;
        Ok(bodies.into_iter().map(Vec::from).collect())
    }

    async fn head(accessor: &Accessor<T, Self>, key: String) -> Result<types::ObjectMeta, types::Error> {
        let door = door(accessor);
        door.check(&key)?;
        Ok(meta(door.request(door.place.store.head(&key)).await?))
    }

    async fn list(
        accessor: &Accessor<T, Self>,
        prefix: String,
        start_after: Option<String>,
    ) -> Result<types::ListPage, types::Error> {
        let door = door(accessor);
        door.check(&prefix)?;
        let page = door.request(door.place.store.list(&prefix, start_after.as_deref())).await?;
        Ok(types::ListPage { objects: page.objects.into_iter().map(meta).collect(), more: page.more })
    }

    async fn put(
        accessor: &Accessor<T, Self>,
        key: String,
        body: Vec<u8>,
        condition: types::PutCondition,
    ) -> Result<String, types::Error> {
        let door = door(accessor);
        door.check(&key)?;
        let condition = match condition {
            types::PutCondition::None => PutCondition::None,
            types::PutCondition::IfAbsent => PutCondition::IfAbsent,
            types::PutCondition::IfMatch(version) => PutCondition::IfMatch(Version::new(version)),
        };
        let version = door.request(door.place.store.put(&key, Bytes::from(body), condition)).await?;
        Ok(version.as_str().to_owned())
    }

    async fn put_multipart(
        accessor: &Accessor<T, Self>,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Upload>, types::Error>> {
        let door = door(accessor);
        if let Err(error) = door.check(&key) {
            return Ok(Err(error));
        }
        match door.request(door.place.store.put_multipart(&key)).await {
            Ok(upload) => Ok(Ok(accessor.with(|mut access| access.get().table.push(Upload(upload)))?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        keys: Vec<String>,
    ) -> Result<Vec<Result<(), types::Error>>, types::Error> {
        let door = door(accessor);
        keys.iter().try_for_each(|key| door.check(key))?;
        let answers = door.request(door.place.store.delete(&keys)).await?;
        Ok(answers.into_iter().map(|answer| answer.map_err(refusal)).collect())
    }
}

/// An upload in parts that a guest has begun.
#[expect(unreachable_pub, reason = "the generated traits, which nobody outside reaches either, name it")]
pub struct Upload(Box<dyn MultipartUpload>);

impl object_store::HostMultipartUpload for &mut State {
    fn drop(&mut self, upload: Resource<Upload>) -> wasmtime::Result<()> {
        self.table.delete(upload)?;
        Ok(())
    }
}

impl<T: Send + 'static> object_store::HostMultipartUploadWithStore<T> for Imports {
    fn put_part(
        mut access: Access<'_, T, Self>,
        upload: Resource<Upload>,
        part: Vec<u8>,
    ) -> wasmtime::Result<FutureReader<Result<(), types::Error>>> {
        let state = access.get();
        let door = state.door.clone();
        // Parts that wait for nothing would pile up here.
        let Ok(permit) = door.parts.clone().try_acquire_owned() else {
            return Err(wasmtime::Error::msg(format!("more than {MAX_PARTS} parts of uploads under way")));
        };
        let put = state.table.get_mut(&upload)?.0.put_part(Bytes::from(part));
        let put = async move {
            let answer = door.request(put).await;
            drop(permit);
            Ok::<_, wasmtime::Error>(answer)
        };
        FutureReader::new(&mut access, Box::pin(put))
    }

    async fn complete(
        accessor: &Accessor<T, Self>,
        upload: Resource<Upload>,
    ) -> wasmtime::Result<Result<String, types::Error>> {
        let (door, upload) = (door(accessor), accessor.with(|mut access| access.get().table.delete(upload))?);
        let version = door.request(upload.0.complete()).await;
        Ok(version.map(|version| version.as_str().to_owned()))
    }

    async fn abort(
        accessor: &Accessor<T, Self>,
        upload: Resource<Upload>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        let (door, upload) = (door(accessor), accessor.with(|mut access| access.get().table.delete(upload))?);
        Ok(door.request(upload.0.abort()).await)
    }
}

/// A body on its way into a guest, without a copy in the host.
struct Pieces {
    body: BoxStream<'static, isledb::Result<Bytes>>,
    end: Option<oneshot::Sender<Result<(), types::Error>>>,
    watch: Arc<Watch>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<D> StreamProducer<D> for Pieces {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        _: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let ended = loop {
            match self.body.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(piece))) if piece.is_empty() => {}
                Poll::Ready(Some(Ok(piece))) => {
                    self.watch.pause();
                    destination.set_buffer(piece);
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                Poll::Ready(Some(Err(error))) => break Err(refusal(error)),
                Poll::Ready(None) => break Ok(()),
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
            }
        };
        if let Some(end) = self.end.take() {
            // A guest that does not ask how it ended knows enough.
            let _ = end.send(ended);
        }
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

fn get_options(options: types::GetOptions) -> Result<GetOptions, types::Error> {
    Ok(GetOptions {
        range: options.range.map(range).transpose()?,
        if_none_match: options.if_none_match.map(Version::new),
    })
}

/// Errors: `invalid-argument` for a range that ends before it begins.
fn range(range: types::ByteRange) -> Result<std::ops::Range<u64>, types::Error> {
    if range.start <= range.end {
        return Ok(range.start..range.end);
    }
    let message = format!("the range {}..{} ends before it begins", range.start, range.end);
    Err(types::Error { code: "invalid-argument".to_owned(), message, retryable: false })
}

fn byte_range(range: std::ops::Range<u64>) -> types::ByteRange {
    types::ByteRange { start: range.start, end: range.end }
}

fn meta(meta: ObjectMeta) -> types::ObjectMeta {
    let ObjectMeta { key, size, version, last_modified_ms } = meta;
    types::ObjectMeta { key, size, version: version.map(|v| v.as_str().to_owned()), last_modified_ms }
}

/// A store's error as a guest sees it.
fn refusal(error: isledb::Error) -> types::Error {
    let code = match error.code() {
        "timeout" => "unavailable",
        code => code,
    };
    let retryable = code == "unavailable";
    let message = match &error {
        // The engine in the guest puts the object's name in front.
        isledb::Error::Permission { message, .. } | isledb::Error::Unavailable { message, .. } => {
            message.clone()
        }
        isledb::Error::Unsupported { what, .. } => what.clone(),
        isledb::Error::Corrupt { found, .. } => found.clone(),
        other => other.to_string(),
    };
    types::Error { code: code.to_owned(), message, retryable }
}
