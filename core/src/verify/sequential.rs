//! One object, read once from its first byte to its last, in pieces: its hash, and on the way any part of it.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::progress::Progress;
use crate::error::{Error, Result};
use crate::host::Requests;

/// What one request brings at least, in bytes.
const PIECE: u64 = 4 << 20;

/// A window that moves over an object. Memory: a piece, and the longest part that is asked for.
pub(super) struct Sequential<'a> {
    requests: &'a Requests,
    object: &'a str,
    /// Bytes of the object that are read.
    size: u64,
    /// What is here, of `start..start + window.len()`.
    window: BytesMut,
    start: u64,
    hash: Sha256,
    progress: &'a Arc<Progress>,
}

impl<'a> Sequential<'a> {
    pub(super) fn new(
        requests: &'a Requests,
        object: &'a str,
        size: u64,
        progress: &'a Arc<Progress>,
    ) -> Sequential<'a> {
        Sequential {
            requests,
            object,
            size,
            window: BytesMut::new(),
            start: 0,
            hash: Sha256::new(),
            progress,
        }
    }

    /// The bytes of `range`. Ranges that rise are read on the way; what lies behind costs a request of its own.
    pub(super) async fn part(&mut self, range: Range<u64>) -> Result<Bytes> {
        if range.end > self.size || range.start > range.end {
            let found = format!("{range:?} of {} bytes", self.size);
            return Err(Error::corrupt(self.object, range.start, "a part within the object", found));
        }
        if range.start < self.start {
            return self.requests.get_range(self.object, range).await;
        }
        self.reach(range.end, range.start).await?;
        let from = (range.start - self.start) as usize;
        Ok(Bytes::copy_from_slice(&self.window[from..from + (range.end - range.start) as usize]))
    }

    /// The SHA-256 of all bytes.
    pub(super) async fn finish(mut self) -> Result<[u8; 32]> {
        while self.end() < self.size {
            let end = self.end();
            self.reach((end + PIECE).min(self.size), end).await?;
        }
        Ok(self.hash.finalize().into())
    }

    fn end(&self) -> u64 {
        self.start + self.window.len() as u64
    }

    /// Reads on until `end`, and lets go of what lies before `keep`.
    async fn reach(&mut self, end: u64, keep: u64) -> Result<()> {
        while self.end() < end {
            let gone = keep.min(self.end()) - self.start;
            drop(self.window.split_to(gone as usize));
            self.start += gone;
            let from = self.end();
            let to = (from + PIECE).min(self.size);
            let piece = self.requests.get_range(self.object, from..to).await?;
            self.hash.update(&piece);
            self.progress.add_done(piece.len() as u64);
            self.window.extend_from_slice(&piece);
        }
        Ok(())
    }
}
