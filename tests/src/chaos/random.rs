//! Random choices that a seed gives again. One stream a subject, so that a further draw of one changes nothing of another.

use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

/// `SplitMix64`: small, and good enough to choose with.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a subject under a seed.
    pub fn new(seed: u64, subject: &str) -> Self {
        let digest = Sha256::digest(format!("{seed}/{subject}"));
        Self(digest.iter().take(8).fold(0, |state, byte| (state << 8) | u64::from(*byte)))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % end).unwrap_or_default()
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last.saturating_sub(first) + 1)
    }

    /// True in so many cases of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several; `None` of none.
    pub fn pick<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        of.get(self.below(of.len()))
    }

    /// Bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.bits().to_be_bytes()[0]).collect()
    }

    /// An id in the form of version 7, as publishers make them, with a time that is always the same.
    pub fn id(&mut self) -> Uuid {
        const SOME_DAY_MS: u64 = 1_790_000_000_000;
        let mut tail = [0; 10];
        tail.copy_from_slice(&self.bytes(10));
        Builder::from_unix_timestamp_millis(SOME_DAY_MS, &tail).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_again_and_another_seed_or_subject_something_else() {
        let draws = |seed, subject| {
            let mut random = Random::new(seed, subject);
            (0..100).map(|_| random.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draws(1, "a"), draws(1, "a"));
        assert_ne!(draws(1, "a"), draws(2, "a"));
        assert_ne!(draws(1, "a"), draws(1, "b"));
    }

    #[test]
    fn every_number_of_a_range_comes() {
        let mut random = Random::new(7, "range");
        let mut seen = [false; 5];
        (0..1_000).for_each(|_| seen[random.between(0, 4)] = true);
        assert_eq!(seen, [true; 5]);
    }
}
