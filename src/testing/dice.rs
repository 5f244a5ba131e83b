//! Numbers that follow from a seed, so that what was decided by chance can be repeated.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of numbers of that seed.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, from the whole range of 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `sides` - 1; 0 if `sides` is 0.
    pub fn below(&mut self, sides: usize) -> usize {
        usize::try_from(self.roll() % (sides.max(1) as u64)).unwrap_or(0)
    }

    /// True once in `sides` times on average.
    pub fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }
}
