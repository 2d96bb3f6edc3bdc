//! Chance that repeats: one seed, one sequence.

/// A generator of its own for each part that throws, so that one that is left out changes nothing for the others.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The dice of one part, named by a number, in the history of this seed.
    pub(crate) fn new(seed: u64, part: u64) -> Self {
        let mut dice = Self(seed ^ part.wrapping_mul(0xd134_2543_de82_ef95));
        dice.next();
        dice
    }

    /// SplitMix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// From `from` to `to`, both possible.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// True once in so many throws.
    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of these, which are not none.
    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }

    /// A random number of bytes, not many.
    pub(crate) fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.between(1, most)).map(|_| self.next() as u8).collect()
    }

    pub(crate) fn secret(&mut self) -> [u8; 16] {
        let mut secret = [0; 16];
        secret[..8].copy_from_slice(&self.next().to_be_bytes());
        secret[8..].copy_from_slice(&self.next().to_be_bytes());
        secret
    }
}
