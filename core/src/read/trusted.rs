//! Reads a table whole before it is trusted, within a bound of memory.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};

use super::fetch::Source;
use crate::error::{Error, Result};
use crate::format::manifest::SstMeta;
use crate::format::sst::ChunkDigests;
use crate::host::{Event, Requests};
use crate::maybe::BoxFuture;
use crate::signature::SignaturePolicy;

/// A table is read in pieces of this size. Whole chunks.
const PIECE: u64 = 4 << 20;
/// So many pieces are in memory at once.
const PIECES_AT_ONCE: usize = 2;

/// What reading a table whole brought.
pub(super) struct Whole {
    /// Its bytes from where the tail was wanted on.
    pub(super) tail: Bytes,
    /// What later reads by range are checked against, where signatures are checked and this table's is good.
    pub(super) chunks: Option<Arc<ChunkDigests>>,
}

impl Source {
    /// Reads all of a table, and checks what [`Trust`](crate::signature::Trust) asks for.
    ///
    /// Cost: the whole table, in requests of 4 MiB, two at a time. Memory: two pieces, the tail, and a thousandth of the table.
    ///
    /// Errors: `Corrupt` for bytes that are not those that the manifest names; `Untrusted`. Where the policy only warns, the
    /// observer hears of them instead.
    pub(super) async fn read_whole(&self, name: &Arc<str>, meta: &SstMeta, tail_start: u64) -> Result<Whole> {
        let pieces = (0..meta.size.div_ceil(PIECE)).map(|i| i * PIECE..((i + 1) * PIECE).min(meta.size));
        let (requests, object) = (self.requests.clone(), name.clone());
        let mut pieces = stream::iter(pieces)
            .map(move |range| piece(requests.clone(), object.clone(), range))
            .buffered(PIECES_AT_ONCE);
        let (mut whole, mut chunks, mut at) = (Sha256::new(), ChunkDigests::default(), 0);
        let mut tail = BytesMut::new();
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            whole.update(&piece);
            if self.trust.checks_signatures() {
                chunks.push(&piece);
            }
            // What lies in front of the tail; it fits a usize, being shorter than the piece.
            let skip = tail_start.saturating_sub(at).min(piece.len() as u64) as usize;
            tail.extend_from_slice(&piece[skip..]);
            at += piece.len() as u64;
        }
        let hash = whole.finalize().into();
        let trusted = self.trust.check(name, meta, &hash);
        let trusted =
            trusted.map(|()| self.trust.checks_signatures()).or_else(|error| self.mistrust(error))?;
        Ok(Whole { tail: tail.freeze(), chunks: trusted.then(|| Arc::new(chunks)) })
    }

    /// What to do about a table that is not what a trusted key signed: the error, or, where the policy only warns, an event and
    /// "not trusted".
    pub(super) fn mistrust(&self, error: Error) -> Result<bool> {
        if self.trust.policy() != SignaturePolicy::Warn {
            return Err(error);
        }
        tracing::warn!(%error, "a table is not to be trusted, and is read all the same");
        self.requests.observe(|| Event::Untrusted { error: &error });
        Ok(false)
    }
}

fn piece(requests: Requests, object: Arc<str>, range: Range<u64>) -> BoxFuture<'static, Result<Bytes>> {
    Box::pin(async move {
        let begun = requests.begin();
        let bytes = requests.get_range(&object, range).await;
        requests.ended(begun, |elapsed| Event::RangeRead {
            object: &object,
            requests: 1,
            result: bytes.as_ref().map(|bytes| bytes.len() as u64),
            elapsed,
        });
        bytes
    })
}
