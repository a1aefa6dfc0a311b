//! One process's client of the simulated store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::channel::oneshot;
use futures::stream;
use isledb_core::error::{Error, Result};
use isledb_core::host::{
    Body, GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;

use super::bucket::meta;
use super::faults::{ReadFate, WriteFate, unavailable};
use super::{Bucket, Objects, State};
use crate::executor::{OUTSIDE, ProcessId};

/// A client: what the engine of one process holds.
#[derive(Clone)]
pub struct SimStore {
    bucket: Arc<Bucket>,
    process: ProcessId,
    name: Arc<str>,
}

/// What was drawn for one request.
struct Ticket {
    number: u64,
    there_ns: u64,
    back_ns: u64,
    error: Error,
}

/// Notes that the client of a request is gone.
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl SimStore {
    pub(super) fn new(bucket: Arc<Bucket>, process: ProcessId, name: &str) -> SimStore {
        SimStore { bucket, process, name: name.into() }
    }

    /// The process that it belongs to.
    pub fn process(&self) -> ProcessId {
        self.process
    }

    fn ticket<T>(&self, what: &str, key: &str, draw: impl FnOnce(&mut State, u64) -> T) -> (Ticket, T) {
        let now_ns = self.bucket.handle.now_ns();
        let mut state = self.bucket.state();
        state.requests += 1;
        let number = state.requests;
        let (there_ns, back_ns) = self.bucket.faults.latency_ns(&mut state.rng, now_ns);
        let error = unavailable(&mut state.rng, key);
        let drawn = draw(&mut state, now_ns);
        drop(state);
        self.bucket.handle.line(format_args!("{} #{number}: {what} {key}", self.name));
        (Ticket { number, there_ns, back_ns, error }, drawn)
    }

    fn answer<T>(&self, ticket: &Ticket, result: Result<T>) -> Result<T> {
        match &result {
            Ok(_) => self.bucket.handle.line(format_args!("{} #{}: done", self.name, ticket.number)),
            Err(error) => self.bucket.handle.line(format_args!("{} #{}: {error}", self.name, ticket.number)),
        }
        result
    }

    /// Any read: takes effect at one moment between the request and its answer.
    async fn read<T>(
        &self,
        what: &str,
        key: &str,
        look: impl FnOnce(&Objects, &mut crate::rng::Rng) -> Result<T>,
    ) -> Result<(T, ReadFate)> {
        let (ticket, fate) =
            self.ticket(what, key, |state, now_ns| self.bucket.faults.read_fate(&mut state.rng, now_ns));
        self.bucket.handle.sleep(ticket.there_ns).await;
        let result = if fate == ReadFate::Failed {
            Err(ticket.error.clone())
        } else {
            let mut state = self.bucket.state();
            let State { objects, rng, .. } = &mut *state;
            look(objects, rng)
        };
        self.bucket.handle.sleep(ticket.back_ns).await;
        self.answer(&ticket, result.map(|value| (value, fate)))
    }

    /// Any write of an object: once sent it goes on without its client.
    async fn write(&self, what: &str, key: &str, body: Bytes, condition: PutCondition) -> Result<Version> {
        let conditional = condition != PutCondition::None;
        let (ticket, (fate, lands_alone, again_ns)) = self.ticket(what, key, |state, now_ns| {
            let fate = self.bucket.faults.write_fate(&mut state.rng, now_ns, conditional);
            (fate, state.rng.chance(500), self.bucket.faults.again_ns(&mut state.rng, now_ns))
        });
        let handle = self.bucket.handle.clone();
        let number = ticket.number;
        handle.line(format_args!("{} #{number}: {condition:?}, {} bytes: {fate:?}", self.name, body.len()));
        let refuse = match fate {
            WriteFate::Refused => Some(ticket.error.clone()),
            WriteFate::Conflict => Some(Error::Precondition { object: key.to_owned() }),
            _ => None,
        };
        if let Some(error) = refuse {
            handle.sleep(ticket.there_ns + ticket.back_ns).await;
            return self.answer(&ticket, Err(error));
        }
        let late_ns = match fate {
            WriteFate::Delayed { by_ns } => by_ns,
            _ => 0,
        };
        let lands_ns =
            (ticket.there_ns + late_ns).min(self.bucket.faults.latest_landing_ns.max(ticket.there_ns));
        let abandoned = Arc::new(AtomicBool::new(false));
        let watch_client = Abandon(abandoned.clone());
        let (send, receive) = oneshot::channel();
        let (bucket, who, key_there) = (self.bucket.clone(), self.name.clone(), key.to_owned());
        handle.spawn(OUTSIDE, "a write on its way", async move {
            bucket.handle.sleep(lands_ns).await;
            if abandoned.load(Ordering::Relaxed) && late_ns == 0 && !lands_alone {
                bucket.handle.line(format_args!("store: {who} #{number} never arrived"));
                return;
            }
            let result = bucket.apply_put(&who, &key_there, body.clone(), condition.clone());
            // The client may be gone; the write stands.
            let _ = send.send(result);
            let longest_ns = bucket.faults.latest_landing_ns.saturating_sub(lands_ns);
            if let Some(again_ns) = again_ns.filter(|again_ns| *again_ns < longest_ns) {
                bucket.handle.sleep(again_ns).await;
                // Whatever comes of it: nobody listens.
                let _ = bucket.apply_put(&who, &key_there, body, condition);
            }
        });
        let result = match fate {
            WriteFate::Done => match receive.await {
                Ok(result) => {
                    handle.sleep(ticket.back_ns).await;
                    result
                }
                Err(_) => Err(ticket.error.clone()),
            },
            _ => {
                handle.sleep(ticket.there_ns + ticket.back_ns).await;
                match fate {
                    WriteFate::RefusedByOwnSuccess => Err(Error::Precondition { object: key.to_owned() }),
                    _ => Err(ticket.error.clone()),
                }
            }
        };
        drop(watch_client);
        self.answer(&ticket, result)
    }

    /// The body in pieces with a yield before each; cut short, the last piece is an error.
    fn body(&self, key: &str, bytes: Bytes, pieces: u64, cut: bool) -> Body {
        if pieces <= 1 && !cut {
            return Body::once(bytes);
        }
        let size = (bytes.len() as u64).div_ceil(pieces.max(1)).max(1) as usize;
        let (handle, key) = (self.bucket.handle.clone(), key.to_owned());
        let stop_at = if cut { bytes.len() / 2 } else { bytes.len() };
        Body::stream(Box::pin(stream::unfold(Some(0), move |at: Option<usize>| {
            let (handle, key, bytes) = (handle.clone(), key.clone(), bytes.clone());
            async move {
                let at = at?;
                handle.sleep(100_000).await;
                if at < stop_at {
                    let end = (at + size).min(stop_at);
                    return Some((Ok(bytes.slice(at..end)), Some(end)));
                }
                cut.then(|| {
                    let message = "connection closed before the body ended".to_owned();
                    (Err(Error::Unavailable { object: key, message }), None)
                })
            }
        })))
    }
}

impl ObjectStore for SimStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let what = match &options.range {
                Some(range) => format!("get {}..{} of", range.start, range.end),
                None => "get".to_owned(),
            };
            let bug = self.bucket.bug;
            let ((object, pieces), fate) = self
                .read(&what, key, |objects, rng| {
                    let object = match objects.previous(key) {
                        Some(stale) if bug.is_some_and(|bug| bug.serves_stale(rng, key)) => Some(stale),
                        _ => objects.get(key),
                    };
                    let object = object.ok_or_else(|| Error::NotFound { object: key.to_owned() })?;
                    if options.if_none_match.as_ref() == Some(&object.version) {
                        return Err(Error::NotModified { object: key.to_owned() });
                    }
                    Ok((object.clone(), if rng.chance(300) { rng.between(2, 5) } else { 1 }))
                })
                .await?;
            let size = object.body.len() as u64;
            let range = options.range.unwrap_or(0..size);
            if range.start > range.end || range.end > size {
                return Err(Error::Corrupt {
                    object: key.to_owned(),
                    offset: Some(range.start),
                    expected: format!("at least {} bytes", range.end),
                    found: format!("{size} bytes"),
                });
            }
            let mut bytes = object.body.slice(range.start as usize..range.end as usize);
            if let ReadFate::Flipped(bit) = fate
                && !bytes.is_empty()
            {
                let (mut turned, at) = (bytes.to_vec(), (bit / 8 % bytes.len() as u64) as usize);
                turned[at] ^= 1 << (bit % 8);
                bytes = turned.into();
            }
            let body = self.body(key, bytes, pieces, fate == ReadFate::BodyCut);
            Ok(GetResult { meta: meta(key, &object), range, body })
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move {
            let found = |objects: &Objects| objects.get(key).map(|object| meta(key, object));
            let missing = || Error::NotFound { object: key.to_owned() };
            Ok(self.read("head", key, |objects, _| found(objects).ok_or_else(missing)).await?.0)
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(self.write("put", key, body, condition))
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move {
            self.read("begin multipart", key, |_, _| Ok(())).await?;
            let upload = Multipart { store: self.clone(), key: key.into(), parts: Vec::new() };
            Ok(Box::new(upload) as Box<dyn MultipartUpload>)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move {
            let look = |objects: &Objects, rng: &mut crate::rng::Rng| {
                let page = *rng.pick(&[1, 3, 1000]);
                Ok(objects.list(prefix, start_after, page))
            };
            Ok(self.read("list", prefix, look).await?.0)
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move {
            let Some(first) = keys.first() else { return Ok(Vec::new()) };
            let (ticket, fates) = self.ticket("delete", first, |state, now_ns| {
                let mut fate = || self.bucket.faults.write_fate(&mut state.rng, now_ns, false);
                keys.iter().map(|_| fate()).collect::<Vec<_>>()
            });
            self.bucket.handle.sleep(ticket.there_ns).await;
            let mut answers = Vec::new();
            for (key, fate) in keys.iter().zip(fates) {
                let error = Error::Unavailable { object: key.clone(), message: "503 SlowDown".to_owned() };
                if fate == WriteFate::Refused {
                    answers.push(Err(error));
                    continue;
                }
                if let WriteFate::Delayed { by_ns } = fate {
                    let (bucket, who, key) = (self.bucket.clone(), self.name.clone(), key.clone());
                    self.bucket.handle.spawn(OUTSIDE, "a delete on its way", async move {
                        bucket.handle.sleep(by_ns).await;
                        bucket.apply_delete(&who, &key);
                    });
                    answers.push(Err(error));
                    continue;
                }
                self.bucket.apply_delete(&self.name, key);
                answers.push(if fate == WriteFate::Done { Ok(()) } else { Err(error) });
            }
            self.bucket.handle.sleep(ticket.back_ns).await;
            self.answer(&ticket, Ok(answers))
        })
    }
}

type Part = Arc<std::sync::OnceLock<Bytes>>;

/// An upload in parts; the parts are in the order of the calls.
struct Multipart {
    store: SimStore,
    key: Arc<str>,
    parts: Vec<Part>,
}

impl MultipartUpload for Multipart {
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>> {
        let place = Part::default();
        self.parts.push(place.clone());
        let (store, key, number) = (self.store.clone(), self.key.clone(), self.parts.len());
        Box::pin(async move {
            store.read(&format!("put part {number} of"), &key, |_, _| Ok(())).await?;
            // A part that is put twice is the same part.
            let _ = place.set(part);
            Ok(())
        })
    }

    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        Box::pin(async move {
            let mut whole = Vec::new();
            for (at, part) in self.parts.iter().enumerate() {
                let Some(part) = part.get() else {
                    let what = format!("{}: completed without part {}", self.key, at + 1);
                    return Err(Error::InvalidArgument { what });
                };
                whole.extend_from_slice(part);
            }
            self.store.write("complete multipart", &self.key, whole.into(), PutCondition::None).await
        })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            self.store.read("abort multipart", &self.key, |_, _| Ok(())).await?;
            Ok(())
        })
    }
}
