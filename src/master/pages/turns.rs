//! Whose turn it is. Pages take processor and disk from the builds that are being recorded, and slaves wait for those: while
//! results come in by the hundred, pages rest [`REST`] times as long as they worked, and what is ordered meanwhile is merged.
//!
//! A farm of boards records a build a second or two. So many come when everything fails at once: a broken index, a compiler that
//! is gone. Who waits for a page ([`Turns::somebody_waits`]) waits no longer for it than without a rush.

use crate::domain::Millis;
use crate::master::limits::PAGE_PATIENCE;

/// So many builds recorded within [`WINDOW`] are a rush.
const RUSH: u32 = 50;
const WINDOW: Millis = Millis::secs(1);
/// A quarter of the time is the pages' in a rush: with batches as large as then, that is some 500 pages a second.
const REST: u64 = 3;

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Since when builds are counted, and how many there were.
    since: Millis,
    builds: u32,
    rush: bool,
    /// When pages began to work, if they do.
    begun: Option<Millis>,
    rest_until: Millis,
    /// There is no rest before this.
    hurry_until: Millis,
}

impl Turns {
    /// A build is recorded.
    pub(super) fn recorded(&mut self, now: Millis) {
        self.tick(now);
        self.builds += 1;
        self.rush |= self.builds >= RUSH;
    }

    /// Time goes by, with builds or without.
    pub(super) fn tick(&mut self, now: Millis) {
        if now.since(self.since) >= WINDOW {
            self.rush = self.builds >= RUSH && now.since(self.since) < WINDOW + WINDOW;
            (self.since, self.builds) = (now, 0);
        }
    }

    /// Somebody asked for something and hears of it when a page is written.
    pub(super) fn somebody_waits(&mut self, now: Millis) {
        self.hurry_until = now + PAGE_PATIENCE;
    }

    /// Whether a batch is not to be read while another one is written.
    pub(super) fn one_by_one(&self, now: Millis) -> bool {
        self.rush && now >= self.hurry_until
    }

    /// Whether pages rest.
    pub(super) fn rests(&self, now: Millis) -> bool {
        self.one_by_one(now) && now < self.rest_until
    }

    /// Pages begin to work, or go on.
    pub(super) fn works(&mut self, now: Millis) {
        self.begun.get_or_insert(now);
    }

    /// Nothing of theirs is under way any more.
    pub(super) fn done(&mut self, now: Millis) {
        if let Some(begun) = self.begun.take() {
            self.rest_until = now + Millis(now.since(begun).0.saturating_mul(REST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_a_rush() -> Turns {
        let mut turns = Turns::default();
        for n in 0..RUSH {
            turns.recorded(Millis(10_000 + u64::from(n)));
        }
        turns
    }

    #[test]
    fn pages_rest_as_long_as_there_is_a_rush_and_no_longer() {
        let mut turns = in_a_rush();
        turns.works(Millis(10_060));
        assert!(!turns.rests(Millis(10_100)));
        turns.done(Millis(10_160));
        assert!(turns.rests(Millis(10_459)) && !turns.rests(Millis(10_460)));
        // a second with fewer
        turns.tick(Millis(11_010));
        turns.recorded(Millis(11_020));
        turns.works(Millis(11_030));
        turns.done(Millis(11_900));
        assert!(turns.rests(Millis(11_901)), "the rush was in the second before");
        turns.tick(Millis(12_020));
        assert!(!turns.rests(Millis(12_021)));
    }

    #[test]
    fn a_rush_that_ends_suddenly_is_over_after_its_second() {
        let mut turns = in_a_rush();
        turns.works(Millis(10_100));
        turns.done(Millis(13_000));
        turns.tick(Millis(13_000));
        assert!(!turns.rests(Millis(13_001)), "nothing was recorded for three seconds");
    }

    #[test]
    fn nobody_who_waits_for_a_page_waits_for_a_rest() {
        let mut turns = in_a_rush();
        turns.works(Millis(10_060));
        turns.done(Millis(10_300));
        turns.somebody_waits(Millis(10_301));
        assert!(!turns.rests(Millis(10_302)) && !turns.one_by_one(Millis(10_302)));
    }
}
