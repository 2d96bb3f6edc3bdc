//! How long the reactor's turns take, without what it waits for: what every peer waits for at the least.

use std::time::Duration;

use super::super::metrics::figures::TURN_SECONDS;
use super::super::metrics::histogram::Histogram;

/// Steps from one power of two to the next: a bound is known to an eighth of itself.
const STEPS: u32 = 8;

/// Counts of turns by how long they took, since the start. Fixed in size.
#[derive(Debug)]
pub(super) struct Turns {
    counts: Vec<u64>,
    sum: Duration,
    longest: Duration,
}

impl Default for Turns {
    fn default() -> Self {
        Self { counts: vec![0; (64 * STEPS) as usize], sum: Duration::ZERO, longest: Duration::ZERO }
    }
}

/// Which count a time of this many microseconds goes to.
fn slot(micros: u64) -> usize {
    if micros < u64::from(STEPS) {
        return micros as usize;
    }
    let power = micros.ilog2();
    let within = (micros >> (power - STEPS.ilog2())) as u32 - STEPS;
    ((power - STEPS.ilog2() + 1) * STEPS + within) as usize
}

/// The least time in microseconds that goes to a count.
fn least(slot: usize) -> u64 {
    let (power, within) = (slot as u32 / STEPS, slot as u32 % STEPS);
    if power == 0 { within.into() } else { u64::from(STEPS + within) << (power - 1) }
}

impl Turns {
    /// Counts a turn.
    pub(super) fn count(&mut self, took: Duration) {
        self.longest = self.longest.max(took);
        self.sum += took;
        let slot = slot(took.as_micros() as u64);
        if let Some(count) = self.counts.get_mut(slot) {
            *count += 1;
        }
    }

    /// How many there were.
    pub(super) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The longest.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// The same in fewer counts, of which each begins where one of these does.
    pub(super) fn histogram(&self) -> Histogram {
        let mut counts = vec![0; TURN_SECONDS.len() + 1];
        for (slot, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let seconds = least(slot) as f64 / 1e6;
            counts[TURN_SECONDS.partition_point(|bound| *bound <= seconds)] += count;
        }
        Histogram::of(TURN_SECONDS, counts, self.sum)
    }

    /// What all but so many of a thousand turns kept under, an eighth too much at most.
    pub(super) fn all_but_thousandths(&self, thousandths: u64) -> Duration {
        let over = self.total() * thousandths / 1000;
        let mut seen = 0;
        for (slot, count) in self.counts.iter().enumerate().rev() {
            seen += count;
            if seen > over {
                return Duration::from_micros(least(slot + 1)).min(self.longest);
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_a_slot_that_begins_at_it_or_an_eighth_before() {
        let mut before = 0;
        for micros in (0..5000).chain((13..40).map(|power| 1 << power)) {
            let at = slot(micros);
            assert!(at >= before && least(at) <= micros && micros < least(at + 1), "{micros}");
            assert!(micros - least(at) <= micros / 8);
            before = at;
        }
    }

    #[test]
    fn the_histogram_of_metrics_has_every_turn_in_the_right_bucket() {
        let mut turns = Turns::default();
        let micros = [0, 63, 64, 127, 128, 1000, 2_000_000];
        micros.iter().for_each(|micros| turns.count(Duration::from_micros(*micros)));
        let histogram = turns.histogram();
        for (bound, within) in histogram.cumulative() {
            let wanted = micros.iter().filter(|micros| (**micros as f64 / 1e6) < bound).count();
            assert_eq!(within, wanted as u64, "{bound}");
            let exact =
                bound.is_infinite() || (0..64 * STEPS as usize).any(|slot| least(slot) as f64 / 1e6 == bound);
            assert!(exact, "{bound} is none of the bounds that the counts have");
        }
        assert_eq!(histogram.total(), turns.total());
        assert!((histogram.sum() - 2.001_382).abs() < 1e-9, "{}", histogram.sum());
    }

    #[test]
    fn one_long_turn_of_a_thousand_is_the_longest_and_not_the_rule() {
        let mut turns = Turns::default();
        (0..1999).for_each(|_| turns.count(Duration::from_micros(100)));
        turns.count(Duration::from_millis(50));
        assert_eq!((turns.total(), turns.longest()), (2000, Duration::from_millis(50)));
        let most = turns.all_but_thousandths(1);
        assert!((100..120).contains(&most.as_micros()), "{most:?}");
        assert_eq!(turns.all_but_thousandths(0), Duration::from_millis(50));
    }
}
