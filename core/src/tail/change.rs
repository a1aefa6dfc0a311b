//! What the feed is made of.

use bytes::Bytes;

use super::cursor::Cursor;

/// One committed write, or one entry of the state that a bootstrap begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Goes on behind this change.
    pub cursor: Cursor,
    /// The sequence number of the write. Ascends along the feed; during a bootstrap the keys ascend instead.
    pub sequence: u64,
    /// The key.
    pub key: Bytes,
    /// What was written.
    pub op: ChangeOp,
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeOp {
    /// The key has this value.
    Put {
        /// The value. That of a blob was fetched and verified.
        value: Bytes,
        /// When it stops to exist, in milliseconds since the Unix epoch. A put that has expired meanwhile comes like any
        /// other; its expiry is no change of its own.
        expires_at_ms: Option<u64>,
    },
    /// The key is gone.
    Delete,
}

impl Change {
    /// Bytes of its key and value.
    pub fn bytes(&self) -> u64 {
        let value = match &self.op {
            ChangeOp::Put { value, .. } => value.len(),
            ChangeOp::Delete => 0,
        };
        (self.key.len() + value) as u64
    }
}
