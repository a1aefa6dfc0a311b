//! One seed, split into independent streams: one a purpose, so that a change in what one part draws leaves the
//! decisions of the others as they were.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use xxhash_rust::xxh64::xxh64;

/// A stream of decisions. Portable: the same seed and purpose give the same numbers on every platform.
#[derive(Debug, Clone)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream of `seed` for `purpose`.
    pub fn new(seed: u64, purpose: &str) -> Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(xxh64(purpose.as_bytes(), 0));
        Rng(rng)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, which must not be 0. (The bias of the multiplication is below 2^-32 for small bounds.)
    pub fn below(&mut self, bound: u64) -> u64 {
        debug_assert!(bound > 0);
        ((u128::from(self.number()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// A number in `low..=high`, each order of magnitude as likely as the next: short times and long ones alike.
    pub fn magnitude(&mut self, low: u64, high: u64) -> u64 {
        let (low_bits, high_bits) = (low.max(1).ilog2(), high.max(1).ilog2());
        let top = self.between(u64::from(low_bits), u64::from(high_bits));
        ((1 << top) | self.below(1 << top)).clamp(low, high)
    }

    /// True in `per_mille` of 1,000 cases.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of `items`, which must not be empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// Fills `buf`.
    pub fn fill(&mut self, buf: &mut [u8]) {
        self.0.fill_bytes(buf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_numbers_everywhere() {
        let mut rng = Rng::new(7, "store");
        let first = [rng.number(), rng.number()];
        assert_eq!(first, [Rng::new(7, "store").number(), first[1]]);
        assert_ne!(first[0], Rng::new(7, "host").number(), "purposes are independent");
        assert_ne!(first[0], Rng::new(8, "store").number(), "seeds are independent");
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut rng = Rng::new(1, "bounds");
        for _ in 0..1000 {
            assert!(rng.below(3) < 3);
            assert!((5..=9).contains(&rng.between(5, 9)));
            assert!((10..=5000).contains(&rng.magnitude(10, 5000)));
            assert!(!rng.chance(0) && rng.chance(1000));
        }
    }
}
