//! One value in pieces, for those that are too large to be held whole.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::blob;
use super::get;
use super::pinned::Pinned;
use super::reader::{MAX_NEW_VIEWS, Reader, now_ms};
use super::version::Meaning;
use super::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::format::blob::BlobId;
use crate::host::{Begun, Event, MAX_WHOLE_BYTES};
use crate::maybe::BoxStream;

/// The longest piece that is handed out, in bytes.
pub const MAX_PIECE_BYTES: usize = 1024 * 1024;

/// So many times a body may break off before a caller hears of it.
const MAX_BREAKS: u32 = 16;

/// A value in pieces: see [`Reader::get_stream`].
///
/// It holds two pieces as the store sends them, whatever the size of the value; where a store sends a body in one piece,
/// that is all of it. Each call may be dropped at any await and repeated. After an error of [`ErrorKind::Retry`] too; any
/// other error is the last word, and comes again.
pub struct ValueStream {
    len: u64,
    sequence: u64,
    expires_at_ms: Option<u64>,
    /// What has come and may be handed out.
    ready: Bytes,
    /// The rest of a value that is an object of its own.
    blob: Option<Blob>,
    failed: Option<Error>,
}

struct Blob {
    reader: Reader,
    pinned: Arc<Pinned>,
    id: BlobId,
    name: String,
    /// The body from `at` on; none where it broke off. Never locked: a stream alone would keep this from being shared
    /// between threads.
    body: Mutex<Option<BoxStream<'static, Result<Bytes>>>>,
    /// Bytes that have come.
    at: u64,
    hash: Sha256,
    /// The last that came. It is kept until more has come or everything is verified.
    last: Bytes,
    breaks: u32,
    begun: Begun,
    verified: bool,
}

impl Reader {
    /// The live value of `key` as a stream of pieces, or `None`. What it reads does not change, like a view.
    ///
    /// Cost: as [`Reader::get`]; a blob is read by one request as the pieces are taken, and by one more each time that its
    /// body breaks off. Its hash is verified before the last piece is handed out.
    ///
    /// Errors: those of [`Reader::get`].
    pub async fn get_stream(&self, key: &[u8]) -> Result<Option<ValueStream>> {
        let begun = self.requests().begin();
        let stream = self.stream_latest(key).await;
        let there = stream.as_ref().map(Option::is_some);
        self.looked_up(begun, there, || self.latest().manifest.age_ms(&**self.host()));
        stream
    }

    async fn stream_latest(&self, key: &[u8]) -> Result<Option<ValueStream>> {
        let mut pinned = self.fresh().await?;
        for _ in 0..MAX_NEW_VIEWS {
            match self.stream(&pinned, key).await {
                Err(error) => pinned = self.after_missing(&pinned, error).await?,
                stream => return stream,
            }
        }
        self.stream(&pinned, key).await
    }

    async fn stream(&self, pinned: &Arc<Pinned>, key: &[u8]) -> Result<Option<ValueStream>> {
        if key.is_empty() {
            return Err(Error::invalid("an empty key: keys have 1 to 65527 bytes"));
        }
        let Some(version) = get::newest(self.loader(), &pinned.tables, key).await? else { return Ok(None) };
        let sequence = version.sequence;
        let (ready, id, expires_at_ms) = match version.meaning(now_ms(&**self.host()))? {
            Meaning::Nothing => return Ok(None),
            Meaning::Value { value, expires_at_ms } => (value, None, expires_at_ms),
            Meaning::Blob { id, expires_at_ms } => (Bytes::new(), Some(id), expires_at_ms),
        };
        let mut stream =
            ValueStream { len: ready.len() as u64, sequence, expires_at_ms, ready, blob: None, failed: None };
        if let Some(id) = id {
            let (name, begun) = (self.layout().blob(&id), self.requests().begin());
            let got = self.requests().get_body(&name, None).await?;
            stream.len = got.range.end - got.range.start;
            if stream.len > MAX_WHOLE_BYTES {
                let (expected, found) =
                    (format!("at most {MAX_WHOLE_BYTES} bytes"), format!("{} bytes", stream.len));
                return Err(Error::corrupt(&name, None, expected, found));
            }
            stream.blob = Some(Blob {
                reader: self.clone(),
                pinned: pinned.clone(),
                id,
                name,
                body: Mutex::new(Some(got.body.into_stream())),
                at: 0,
                hash: Sha256::new(),
                last: Bytes::new(),
                breaks: 0,
                begun,
                verified: false,
            });
        }
        Ok(Some(stream))
    }
}

impl View {
    /// As [`Reader::get_stream`], but never a refresh. Errors: `ViewExpired`; those of [`Reader::get`].
    pub async fn get_stream(&self, key: &[u8]) -> Result<Option<ValueStream>> {
        let (reader, pinned) = self.parts();
        let begun = reader.requests().begin();
        pinned.check_age(&**reader.host())?;
        let stream = match reader.stream(pinned, key).await {
            Ok(stream) => Ok(stream),
            Err(error) => Err(reader.after_missing_pinned(pinned, error).await),
        };
        let there = stream.as_ref().map(Option::is_some);
        reader.looked_up(begun, there, || pinned.manifest.age_ms(&**reader.host()));
        stream
    }
}

impl ValueStream {
    /// Bytes of the whole value.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True for a value of no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The sequence number of the write that put it.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When it stops to exist, in milliseconds since the Unix epoch.
    pub fn expires_at_ms(&self) -> Option<u64> {
        self.expires_at_ms
    }

    /// The next piece, of 1 byte to [`MAX_PIECE_BYTES`]; `None` behind the last one.
    ///
    /// Cost: none; one request where the body broke off.
    ///
    /// Errors: `Corrupt` in place of the last piece where the content is not what its name says; `ViewExpired` where a body
    /// broke off and the blob is gone since.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.ready.is_empty()
            && let Some(blob) = &mut self.blob
        {
            match blob.next(self.len).await {
                Ok(piece) => self.ready = piece,
                Err(error) => {
                    if error.kind() != ErrorKind::Retry {
                        self.failed = Some(error.clone());
                    }
                    return Err(error);
                }
            }
        }
        if self.ready.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.ready.split_to(self.ready.len().min(MAX_PIECE_BYTES))))
    }
}

impl Blob {
    /// The next bytes that may be handed out of `len` in all; none at the end.
    async fn next(&mut self, len: u64) -> Result<Bytes> {
        loop {
            if self.at == len {
                let last = std::mem::take(&mut self.last);
                if !self.verified {
                    let found = BlobId(self.hash.clone().finalize().into());
                    let right = found == self.id;
                    let verdict =
                        if right { Ok(len) } else { Err(blob::mismatch(&self.name, &self.id, &found)) };
                    self.reader.requests().ended(self.begun, |elapsed| Event::BlobFetch {
                        result: verdict.as_ref().copied(),
                        elapsed,
                    });
                    verdict?;
                    self.verified = true;
                }
                return Ok(last);
            }
            let Some(piece) = self.read(len).await? else { continue };
            let too_long = self.at + piece.len() as u64 > len;
            if too_long {
                let (expected, found) = (format!("a body of {len} bytes"), "more".to_owned());
                return Err(Error::corrupt(&self.name, None, expected, found));
            }
            self.at += piece.len() as u64;
            self.hash.update(&piece);
            let before = std::mem::replace(&mut self.last, piece);
            if !before.is_empty() {
                return Ok(before);
            }
        }
    }

    /// What the store sends next. `None` where the body broke off and has been asked for again.
    async fn read(&mut self, len: u64) -> Result<Option<Bytes>> {
        let requests = self.reader.requests();
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(pieces) = body {
            let broke = match requests.next_piece(&self.name, pieces).await {
                Ok(Some(piece)) => return Ok(Some(piece)),
                Ok(None) => {
                    let message = format!("the body ended at byte {} of {len}", self.at);
                    Error::Unavailable { object: self.name.clone(), message }
                }
                Err(error @ Error::Unavailable { .. }) => error,
                Err(error) => return Err(error),
            };
            *body = None;
            self.breaks += 1;
            if self.breaks.is_multiple_of(MAX_BREAKS) {
                return Err(broke);
            }
        }
        match requests.get_body(&self.name, Some(self.at..len)).await {
            Ok(got) => *body = Some(got.body.into_stream()),
            Err(error) => return Err(self.reader.after_missing_pinned(&self.pinned, error).await),
        }
        Ok(None)
    }
}

impl std::fmt::Debug for ValueStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueStream")
            .field("len", &self.len)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}
