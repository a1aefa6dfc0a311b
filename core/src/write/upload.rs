//! One object on its way to the store, in pieces as they are made.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::{self, Either};
use futures::stream::FuturesUnordered;

use crate::error::{Error, Result};
use crate::host::{MultipartUpload, Requests};
use crate::maybe::BoxFuture;

/// Parts of one object in flight at a time; a third waits.
const PARTS_IN_FLIGHT: usize = 2;

/// Collects pieces. Up to one part it becomes a single put; beyond, the parts go up while later ones are made.
///
/// Memory: at most one part that fills and [`PARTS_IN_FLIGHT`] that fly. The name is new, so the put is unconditional and
/// may be repeated. A part cannot be repeated (a second put of it would be another part): the whole object is then made
/// again, under another name.
pub(crate) struct Upload {
    requests: Requests,
    key: String,
    part_size: u64,
    filling: Vec<Bytes>,
    filled: u64,
    parts: Option<Box<dyn MultipartUpload>>,
    in_flight: FuturesUnordered<BoxFuture<'static, Result<()>>>,
}

impl Upload {
    /// An upload of the object `key`, in parts of `part_size` bytes where it is larger; each request within the deadline of
    /// `requests`.
    pub(crate) fn new(requests: Requests, key: String, part_size: u64) -> Upload {
        Upload {
            requests,
            key,
            part_size,
            filling: Vec::new(),
            filled: 0,
            parts: None,
            in_flight: FuturesUnordered::new(),
        }
    }

    /// Takes the next bytes of the object.
    pub(crate) async fn write(&mut self, piece: Bytes) -> Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        self.filled += piece.len() as u64;
        self.filling.push(piece);
        while self.filled > self.part_size {
            let part = self.take(self.part_size);
            self.send(part).await?;
        }
        Ok(())
    }

    /// Makes the object visible. One request, or one for each part and two around them.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        let last = self.take(self.filled);
        if self.parts.is_none() {
            return self.requests.put_unique(&self.key, last).await.map(drop);
        }
        self.send(last).await?;
        while let Some(sent) = self.in_flight.next().await {
            sent?;
        }
        match self.parts.take() {
            Some(parts) => self.in_time(0, parts.complete()).await.map(drop),
            None => Ok(()),
        }
    }

    /// Takes back what was sent of an object that will not be finished.
    pub(crate) async fn abort(&mut self) {
        self.in_flight.clear();
        if let Some(parts) = self.parts.take() {
            // The store drops abandoned parts by its own rules if this fails.
            let _ = parts.abort().await;
        }
    }

    async fn send(&mut self, part: Bytes) -> Result<()> {
        if self.in_flight.len() >= PARTS_IN_FLIGHT
            && let Some(sent) = self.in_flight.next().await
        {
            sent?;
        }
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => none.insert(self.requests.put_multipart(&self.key).await?),
        };
        let bytes = part.len() as u64;
        let sent = parts.put_part(part);
        self.in_flight.push(self.in_time(bytes, sent));
        Ok(())
    }

    /// A link slower than 128 KB/s is taken for a dead one.
    fn in_time<T: 'static>(
        &self,
        bytes: u64,
        answer: BoxFuture<'static, Result<T>>,
    ) -> BoxFuture<'static, Result<T>> {
        let limit_ms = self.requests.policy.deadline_ms + bytes / 128;
        let timeout = self.requests.host.sleep(Duration::from_millis(limit_ms));
        let object = self.key.clone();
        Box::pin(async move {
            match future::select(answer, timeout).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => {
                    Err(Error::Unavailable { object, message: format!("no answer within {limit_ms} ms") })
                }
            }
        })
    }

    /// Exactly `bytes` from the front: some stores want all parts but the last to be of one size.
    fn take(&mut self, bytes: u64) -> Bytes {
        self.filled -= bytes;
        let mut left = bytes as usize;
        if let [only] = self.filling.as_slice()
            && only.len() == left
        {
            return self.filling.pop().unwrap_or_default();
        }
        let mut part = BytesMut::with_capacity(left);
        let mut used = 0;
        for piece in &mut self.filling {
            let taken = piece.split_to(piece.len().min(left));
            left -= taken.len();
            part.extend_from_slice(&taken);
            if !piece.is_empty() {
                break;
            }
            used += 1;
        }
        self.filling.drain(..used);
        part.freeze()
    }
}
