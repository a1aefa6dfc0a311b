//! What the writers write: it follows from the seed, the life of the writer, and the number of the write.

use std::collections::BTreeMap;

use bytes::Bytes;
use isledb::tail::{Change, ChangeOp};

const KEYS: u64 = 400;
/// Values of at least this many bytes become objects of their own.
pub(crate) const BLOB_THRESHOLD: u64 = 2_000;

/// A number that looks random.
pub(crate) fn mixed(n: u64) -> u64 {
    let mut n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) key: Bytes,
    /// `None`: a delete.
    pub(crate) value: Option<Bytes>,
    /// It expires, long after the run by a clock that is right, and at once by one that is a day ahead.
    pub(crate) expires: bool,
}

/// Write `n` of that life. The first one is a put.
pub(crate) fn write(seed: u64, life: u64, n: u64) -> Write {
    let random = mixed(mixed(seed ^ (life << 32)) ^ n);
    let key = format!("key{:03}", random % KEYS).into();
    if n > 0 && (random >> 16).is_multiple_of(6) {
        return Write { key, value: None, expires: false };
    }
    let mut value = format!("{life}:{n}:").into_bytes();
    let length = if (random >> 24).is_multiple_of(40) { 3_000 } else { (random >> 32) % 300 };
    value.resize(value.len().max(length as usize), b'.');
    Write { key, value: Some(value.into()), expires: (random >> 48).is_multiple_of(10) }
}

impl Write {
    fn is(&self, change: &Change) -> bool {
        let op = match &change.op {
            ChangeOp::Put { value, expires_at_ms } => {
                self.value.as_ref() == Some(value) && self.expires == expires_at_ms.is_some()
            }
            ChangeOp::Delete => self.value.is_none(),
        };
        op && self.key == change.key
    }
}

/// What the feed has brought: of each life a beginning, one life after the other.
#[derive(Default)]
pub(crate) struct History {
    seed: u64,
    /// Committed writes of each life that has committed any.
    pub(crate) lives: BTreeMap<u64, u64>,
    /// The life that commits.
    life: u64,
    /// Sequence, key, value, ascending.
    changes: Vec<(u64, Bytes, Option<Bytes>)>,
}

impl History {
    pub(crate) fn new(seed: u64) -> History {
        History { seed, ..History::default() }
    }

    /// How many changes there were.
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// The next change. `started`: the lives so far.
    pub(crate) fn apply(&mut self, change: &Change, started: u64) {
        let next = self.lives.get(&self.life).copied().unwrap_or(0);
        if self.life == 0 || !write(self.seed, self.life, next).is(change) {
            let is_next =
                |life: &u64| !self.lives.contains_key(life) && write(self.seed, *life, 0).is(change);
            let life = (1..=started).find(is_next);
            let life = life.unwrap_or_else(|| {
                panic!("after {next} writes of life {}: {change:?} of {:?}", self.life, self.lives)
            });
            self.life = life;
        }
        *self.lives.entry(self.life).or_default() += 1;
        let last = self.changes.last().map_or(0, |(sequence, ..)| *sequence);
        assert!(change.sequence > last, "sequence {} behind {last}", change.sequence);
        let value = match &change.op {
            ChangeOp::Put { value, .. } => Some(value.clone()),
            ChangeOp::Delete => None,
        };
        self.changes.push((change.sequence, change.key.clone(), value));
    }

    /// What a view must show that holds every sequence number below this one.
    pub(crate) fn content(&self, next_sequence: u64) -> BTreeMap<Bytes, Bytes> {
        let mut content = BTreeMap::new();
        for (_, key, value) in self.changes.iter().take_while(|(sequence, ..)| *sequence < next_sequence) {
            match value {
                Some(value) => content.insert(key.clone(), value.clone()),
                None => content.remove(key),
            };
        }
        content
    }
}
