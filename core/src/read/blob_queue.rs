//! Blobs of a scan that are fetched before their turn.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Future;

use super::blob;
use crate::error::Result;
use crate::format::blob::BlobId;
use crate::format::layout::Layout;
use crate::host::{Begun, Body, Event, GetResult, MAX_WHOLE_BYTES, Requests};
use crate::maybe::BoxFuture;

/// So many blobs of one scan are asked for at once. A browser has six connections.
const MAX_BLOBS: usize = 6;

/// What blobs that are not yet at the front may take together. The one at the front is always read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Blobs in the order in which a scan comes to them.
///
/// How large a blob is, only the answer says. So all of them are asked for at once, and a body is read as far as there is
/// room for it; the others wait at the store's end. Whatever fails here is fetched anew when its turn comes: this saves
/// time and decides nothing.
#[derive(Default)]
pub(crate) struct BlobQueue {
    /// Never locked: futures alone would keep a scan from being shared between threads.
    slots: Mutex<VecDeque<Slot>>,
    /// What the bodies that are read, or being read, have together.
    bytes: u64,
}

struct Slot {
    id: BlobId,
    name: String,
    requests: Requests,
    begun: Begun,
    /// What its body takes of the room, from the time when it is read.
    bytes: u64,
    state: State,
}

enum State {
    /// Asked for.
    Asked(BoxFuture<'static, Result<GetResult>>),
    /// Answered; the body, of so many bytes, is not read yet.
    Answered(Body, u64),
    /// The body is being read.
    Read(BoxFuture<'static, Result<Bytes>>),
    /// Here and verified; or nothing came of it.
    Done(Option<Bytes>),
}

impl BlobQueue {
    /// True where no further blob may be asked for.
    pub(crate) fn is_full(&mut self) -> bool {
        self.slots().len() >= MAX_BLOBS
    }

    /// True where it is time to ask for more: some at once, so that their answers come in one round.
    pub(crate) fn runs_low(&mut self) -> bool {
        self.slots().len() <= MAX_BLOBS / 2
    }

    /// Asks for a blob behind all others, as soon as the queue is polled.
    pub(crate) fn push(&mut self, requests: &Requests, layout: &Layout, id: BlobId) {
        let name = layout.blob(&id);
        let asked = State::Asked(Box::pin({
            let (requests, name) = (requests.clone(), name.clone());
            async move { requests.get_body(&name, None).await }
        }));
        let begun = requests.begin();
        let slot = Slot { id, name, requests: requests.clone(), begun, bytes: 0, state: asked };
        self.slots().push_back(slot);
    }

    /// Forgets them all.
    pub(crate) fn clear(&mut self) {
        self.slots().clear();
        self.bytes = 0;
    }

    /// The blob at the front, when it is ready; `None` where nothing came of it.
    pub(crate) fn front(&mut self) -> Option<Bytes> {
        match &self.slots().front()?.state {
            State::Done(body) => body.clone(),
            _ => None,
        }
    }

    /// Gives up the blob at the front.
    pub(crate) fn pop(&mut self) {
        if let Some(slot) = self.slots().pop_front() {
            self.bytes -= slot.bytes;
        }
    }

    /// Drives all of them; ready when the one at the front is.
    pub(crate) fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let BlobQueue { slots, bytes } = self;
        let slots = slots.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (i, slot) in slots.iter_mut().enumerate() {
            slot.poll(cx, bytes, i == 0);
        }
        match slots.front() {
            Some(slot) if !matches!(slot.state, State::Done(_)) => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    fn slots(&mut self) -> &mut VecDeque<Slot> {
        self.slots.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Goes as far as it can; `held` is what all bodies of the queue take.
    fn poll(&mut self, cx: &mut Context<'_>, held: &mut u64, front: bool) {
        loop {
            let next = match &mut self.state {
                State::Asked(answer) => match Pin::new(answer).poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(got)) if got.range.end - got.range.start <= MAX_WHOLE_BYTES => {
                        State::Answered(got.body, got.range.end - got.range.start)
                    }
                    Poll::Ready(_) => State::Done(None),
                },
                State::Answered(_, bytes) if !front && *held + *bytes > MAX_BYTES => return,
                State::Answered(..) => match std::mem::replace(&mut self.state, State::Done(None)) {
                    State::Answered(body, bytes) => {
                        self.bytes = bytes;
                        *held += bytes;
                        let (requests, name) = (self.requests.clone(), self.name.clone());
                        State::Read(Box::pin(read(requests, name, self.id, body, bytes)))
                    }
                    other => other,
                },
                State::Read(body) => match Pin::new(body).poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(body) => {
                        if let Ok(body) = &body {
                            let result = Ok(body.len() as u64);
                            self.requests.ended(self.begun, |elapsed| Event::BlobFetch { result, elapsed });
                        }
                        State::Done(body.ok())
                    }
                },
                State::Done(None) => {
                    *held -= std::mem::take(&mut self.bytes);
                    return;
                }
                State::Done(Some(_)) => return,
            };
            self.state = next;
        }
    }
}

async fn read(requests: Requests, name: String, id: BlobId, body: Body, bytes: u64) -> Result<Bytes> {
    let value = requests.collect(&name, body, bytes).await?;
    blob::verified(&name, &id, value)
}
