//! How long to wait before connecting again: longer each time, up to a bound, and never the same for every slave, so
//! that a farm does not fall upon a master that comes back. Knows no clock and draws no seed.

use crate::domain::Millis;

/// The shortest wait.
pub const SHORTEST: Millis = Millis::secs(1);
/// The longest wait.
pub const LONGEST: Millis = Millis::secs(30);

/// The waits of one connection.
#[derive(Clone, Debug)]
pub struct Backoff {
    ceiling: Millis,
    random: u64,
}

impl Backoff {
    /// Begins with the shortest waits. Different seeds give different waits.
    pub fn new(seed: u64) -> Self {
        // A xorshift generator must not begin with zero, and neighbouring seeds must not begin alike.
        let random = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { ceiling: Self::first(), random }
    }

    const fn first() -> Millis {
        Millis(SHORTEST.0 * 2)
    }

    /// The next wait: between half of a ceiling and the ceiling, which doubles with each call.
    pub fn next_wait(&mut self) -> Millis {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let half = self.ceiling.0 / 2;
        self.ceiling = Millis((self.ceiling.0 * 2).min(LONGEST.0));
        Millis(half + self.random % (half + 1))
    }

    /// The peer has shown that it works: the next wait is a short one.
    pub fn reset(&mut self) {
        self.ceiling = Self::first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_stay_within_their_bounds_and_grow(seed in any::<u64>()) {
            let mut backoff = Backoff::new(seed);
            let waits: Vec<_> = (0..20).map(|_| backoff.next_wait()).collect();
            prop_assert!(waits.iter().all(|wait| (SHORTEST..=LONGEST).contains(wait)), "{:?}", waits);
            prop_assert!(waits[0] <= Millis::secs(2));
            prop_assert!(waits[10..].iter().all(|wait| *wait >= Millis::secs(15)), "{:?}", waits);
            backoff.reset();
            prop_assert!(backoff.next_wait() <= Millis::secs(2));
        }
    }

    #[test]
    fn slaves_with_different_seeds_do_not_come_back_together() {
        let firsts: std::collections::BTreeSet<_> =
            (0..100).map(|seed| Backoff::new(seed).next_wait().0).collect();
        assert!(firsts.len() > 80, "{} different first waits of 100", firsts.len());
    }
}
