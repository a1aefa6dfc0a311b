//! What write number `n` does, and what so many writes amount to.

use bytes::Bytes;

use super::Load;

/// Bytes of a value.
const VALUE: usize = 100;
/// A step that meets every key before it meets one again, however many there are below it.
const PRIME: u64 = 2_654_435_761;

/// A number that looks random.
pub(super) fn mixed(n: u64) -> u64 {
    let mut n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Key number `key`; names are ordered as numbers are.
pub(super) fn name(key: u32) -> Bytes {
    format!("user/{key:011}").into()
}

impl Load {
    /// The number of the key that a write is of: first each key once, in no order, and then any.
    fn key_number(&self, n: u32) -> u32 {
        let permuted = u64::from(n) * PRIME % u64::from(self.keys);
        if n < self.keys { permuted as u32 } else { (mixed(n.into()) % u64::from(self.keys)) as u32 }
    }

    /// The key of write `n`.
    pub(super) fn key(&self, n: u32) -> Bytes {
        name(self.key_number(n))
    }

    /// What write `n` puts; `None`: it deletes.
    pub(super) fn value(&self, n: u32) -> Option<Bytes> {
        let random = mixed(u64::from(n) << 32);
        (n < self.keys || !random.is_multiple_of(8)).then(|| {
            let mut value = format!("{n:08}{random:016x}").into_bytes();
            value.resize(VALUE, b'.');
            value.into()
        })
    }
}

/// The newest write of each key.
pub(super) struct Model {
    load: Load,
    writes: u32,
    newest: Vec<Option<u32>>,
}

impl Model {
    /// Of no writes.
    pub(super) fn new(load: Load) -> Model {
        Model { load, writes: 0, newest: vec![None; load.keys as usize] }
    }

    /// How many writes it is of.
    pub(super) fn writes(&self) -> u32 {
        self.writes
    }

    /// Goes on to so many writes.
    pub(super) fn advance(&mut self, writes: u32) {
        assert!(writes >= self.writes, "a view went back from {} writes to {writes}", self.writes);
        for n in self.writes..writes {
            self.newest[self.load.key_number(n) as usize] = Some(n);
        }
        self.writes = writes;
    }

    /// What a key must have.
    pub(super) fn value(&self, key: u32) -> Option<Bytes> {
        self.load.value(self.newest[key as usize]?)
    }

    /// All that is live, in the order of the keys.
    pub(super) fn live(&self) -> impl Iterator<Item = (Bytes, Bytes)> {
        (0..self.load.keys).filter_map(|key| Some((name(key), self.value(key)?)))
    }
}
