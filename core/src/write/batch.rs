//! Several writes that become visible together.

use std::time::Duration;

/// Puts and deletes that lie in one table and are committed as one: a reader sees all of them or none.
///
/// Later operations win over earlier ones of the same key; all versions are in the change feed. A batch is plain memory, so
/// it can be filled anywhere; sizes are checked by [`Writer::write`](super::Writer::write).
#[derive(Debug, Clone, Default)]
pub struct WriteBatch {
    data: Vec<u8>,
    ops: Vec<Op>,
}

#[derive(Debug, Clone, Copy)]
struct Op {
    key: usize,
    /// `None`: a delete.
    value: Option<usize>,
    ttl: Option<Duration>,
}

/// One write, as the caller gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Write<'a> {
    pub(super) key: &'a [u8],
    /// `None`: a delete.
    pub(super) value: Option<&'a [u8]>,
    pub(super) ttl: Option<Duration>,
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> WriteBatch {
        WriteBatch::default()
    }

    /// Adds a put.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> &mut WriteBatch {
        self.push(key, Some(value), None)
    }

    /// Adds a put that is gone `ttl` after the batch is written (not: committed).
    pub fn put_with_ttl(&mut self, key: &[u8], value: &[u8], ttl: Duration) -> &mut WriteBatch {
        self.push(key, Some(value), Some(ttl))
    }

    /// Adds a delete. A key that does not exist may be deleted.
    pub fn delete(&mut self, key: &[u8]) -> &mut WriteBatch {
        self.push(key, None, None)
    }

    /// The number of operations.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// True without operations.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Bytes of all keys and values: what `max_batch` bounds.
    pub fn bytes(&self) -> u64 {
        self.data.len() as u64
    }

    /// Takes all operations out; the memory stays for the next batch.
    pub fn clear(&mut self) {
        self.data.clear();
        self.ops.clear();
    }

    fn push(&mut self, key: &[u8], value: Option<&[u8]>, ttl: Option<Duration>) -> &mut WriteBatch {
        self.data.extend_from_slice(key);
        self.data.extend_from_slice(value.unwrap_or_default());
        self.ops.push(Op { key: key.len(), value: value.map(<[u8]>::len), ttl });
        self
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Write<'_>> {
        let mut rest = self.data.as_slice();
        self.ops.iter().map(move |op| {
            let (key, after) = rest.split_at(op.key);
            let (value, after) = after.split_at(op.value.unwrap_or(0));
            rest = after;
            Write { key, value: op.value.map(|_| value), ttl: op.ttl }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_added_in_order() {
        let mut batch = WriteBatch::new();
        assert!(batch.is_empty());
        batch
            .put(b"a", b"1")
            .put(b"a", b"")
            .delete(b"b")
            .put_with_ttl(b"c", b"33", Duration::from_secs(3))
            .delete(b"");
        let second = Some(Duration::from_secs(3));
        let expected = [
            Write { key: b"a", value: Some(b"1"), ttl: None },
            Write { key: b"a", value: Some(b""), ttl: None },
            Write { key: b"b", value: None, ttl: None },
            Write { key: b"c", value: Some(b"33"), ttl: second },
            Write { key: b"", value: None, ttl: None },
        ];
        assert_eq!(batch.iter().collect::<Vec<_>>(), expected);
        assert_eq!((batch.len(), batch.bytes()), (5, 7));
        batch.clear();
        assert_eq!((batch.iter().count(), batch.bytes()), (0, 0));
    }
}
