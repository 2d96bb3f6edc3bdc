//! Counts of times by how long they were, in the form that Prometheus wants: cumulative, with sum and count.

use std::time::Duration;

/// Counts by upper bounds. Fixed in size.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what is over the last.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// Empty, with these upper bounds in seconds, ascending.
    pub fn new(bounds: &'static [f64]) -> Self {
        debug_assert!(bounds.is_sorted_by(|a, b| a < b));
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// From counts that were made elsewhere: one for each bound, not cumulative, and one for what is over the last.
    pub fn of(bounds: &'static [f64], counts: Vec<u64>, sum: Duration) -> Self {
        debug_assert_eq!(counts.len(), bounds.len() + 1);
        Self { bounds, counts, sum: sum.as_secs_f64() }
    }

    /// Counts one.
    pub fn count(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let at = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts[at] += 1;
        self.sum += seconds;
    }

    /// How many were within each bound; the last bound is infinite.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let mut within = 0;
        bounds.zip(&self.counts).map(move |(bound, count)| {
            within += count;
            (bound, within)
        })
    }

    /// How many were over this bound.
    pub fn over(&self, bound: f64) -> u64 {
        let within = self.cumulative().find(|(known, _)| *known == bound);
        debug_assert!(within.is_some(), "{bound} is none of its bounds");
        self.total() - within.map_or(0, |(_, within)| within)
    }

    /// Of all, in seconds.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// How many.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_a_bound_belongs_to_its_bucket() {
        let mut histogram = Histogram::new(&[0.5, 1.0, 4.0]);
        for millis in [0, 499, 500, 501, 1000, 4001, 99_000] {
            histogram.count(Duration::from_millis(millis));
        }
        let buckets: Vec<_> = histogram.cumulative().collect();
        assert_eq!(buckets, [(0.5, 3), (1.0, 5), (4.0, 5), (f64::INFINITY, 7)]);
        assert_eq!((histogram.over(0.5), histogram.over(4.0)), (4, 2));
        assert_eq!(histogram.total(), 7, "the last bucket has them all");
        assert!((histogram.sum() - 105.501).abs() < 1e-9, "{}", histogram.sum());
    }

    #[test]
    fn an_empty_one_has_all_its_buckets() {
        let histogram = Histogram::new(&[1.0]);
        assert_eq!(histogram.cumulative().collect::<Vec<_>>(), [(1.0, 0), (f64::INFINITY, 0)]);
        assert_eq!((histogram.sum(), histogram.total()), (0.0, 0));
    }
}
