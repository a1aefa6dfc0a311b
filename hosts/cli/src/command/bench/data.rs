//! What is written and read: keys and values that follow from a seed.

/// Entry `i` has a key that is spread over the whole range, so that the order of writing is not that of the keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data {
    seed: u64,
    key_size: usize,
    value_size: usize,
}

impl Data {
    pub(super) fn new(seed: u64, key_size: usize, value_size: usize) -> Data {
        Data { seed, key_size, value_size }
    }

    /// Different for each `i`: the mixing is a permutation of 64 bits, and a key begins with all of them.
    pub(super) fn key(&self, i: u64) -> Vec<u8> {
        let mut key = mix(self.seed.wrapping_add(i)).to_be_bytes().to_vec();
        key.resize(self.key_size, b'k');
        key
    }

    /// The first half random, the second half of one byte: a codec gets it down to some half.
    pub(super) fn value(&self, i: u64) -> Vec<u8> {
        let mut state = mix(self.seed ^ i.rotate_left(32));
        let mut value = Vec::with_capacity(self.value_size + 8);
        while value.len() < self.value_size / 2 {
            state = mix(state.wrapping_add(1));
            value.extend_from_slice(&state.to_le_bytes());
        }
        value.truncate(self.value_size / 2);
        value.resize(self.value_size, b'v');
        value
    }

    /// The `n`th of the entries to read, of `count`.
    pub(super) fn pick(&self, n: u64, count: u64) -> u64 {
        mix(self.seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) % count
    }

    pub(super) fn entry_bytes(&self) -> u64 {
        (self.key_size + self.value_size) as u64
    }
}

/// The finalizer of SplitMix64: every number comes out once.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_follow_from_the_seed() {
        let data = Data::new(7, 16, 100);
        let keys: std::collections::BTreeSet<Vec<u8>> = (0..10_000).map(|i| data.key(i)).collect();
        assert_eq!(keys.len(), 10_000);
        assert!(keys.iter().all(|key| key.len() == 16));
        assert_eq!((data.key(5), data.value(5)), (Data::new(7, 16, 100).key(5), data.value(5)));
        assert_eq!((data.value(1).len(), Data::new(7, 8, 0).value(1).len()), (100, 0));
        assert_ne!(data.value(1), data.value(2));
        assert!((0..100).all(|n| data.pick(n, 3) < 3));
    }
}
