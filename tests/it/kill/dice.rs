//! Chance that can be repeated: everything drawn in a run follows from one seed (SplitMix64).

use std::time::Duration;

use kagiya::domain::random::{Random, SystemRandom};

pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of a run: the one of the environment, else a new one.
    #[expect(
        clippy::disallowed_methods,
        reason = "a variable of the tests, not of the program"
    )]
    pub(crate) fn seed() -> u64 {
        if let Some(seed) = std::env::var("KAGIYA_TEST_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
        {
            return seed;
        }
        let mut bytes = [0; 4];
        SystemRandom.fill(&mut bytes);
        u32::from_le_bytes(bytes).into()
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 to one less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % end
    }

    /// Yes, so many times in a hundred.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// A while of less than this.
    pub(crate) fn less_than(&mut self, end: Duration) -> Duration {
        Duration::from_micros(
            u64::try_from(self.below(usize::try_from(end.as_micros()).unwrap())).unwrap(),
        )
    }
}
