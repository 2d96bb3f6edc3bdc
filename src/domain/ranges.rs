//! Sets of bytes of a file: what has arrived, what is missing (manual 8.4).

use std::ops::Range;

/// A set of byte offsets as disjoint, non-touching, non-empty ranges in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet(Vec<Range<u64>>);

impl RangeSet {
    /// No bytes.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// One range; nothing when it is empty.
    pub fn of(range: Range<u64>) -> Self {
        Self(if range.start < range.end { vec![range] } else { Vec::new() })
    }

    /// The ranges.
    pub fn iter(&self) -> impl Iterator<Item = &Range<u64>> {
        self.0.iter()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|r| r.end - r.start).sum()
    }

    /// Adds bytes; overlapping and touching ranges become one (the manual's `consolidate`).
    pub fn insert(&mut self, range: Range<u64>) {
        if range.start >= range.end {
            return;
        }
        let first = self.0.partition_point(|r| r.end < range.start);
        let last = self.0.partition_point(|r| r.start <= range.end);
        let merged =
            self.0[first..last].iter().fold(range, |all, r| all.start.min(r.start)..all.end.max(r.end));
        self.0.splice(first..last, [merged]);
    }

    /// Takes bytes away (the manual's `exclude`).
    pub fn remove(&mut self, range: Range<u64>) {
        if range.start >= range.end {
            return;
        }
        let first = self.0.partition_point(|r| r.end <= range.start);
        let last = self.0.partition_point(|r| r.start < range.end);
        let mut rest = Vec::with_capacity(2);
        for r in &self.0[first..last] {
            if r.start < range.start {
                rest.push(r.start..range.start);
            }
            if r.end > range.end {
                rest.push(range.end..r.end);
            }
        }
        self.0.splice(first..last, rest);
    }

    /// Takes the first bytes out, at most `most` of them and from one range.
    pub fn take_first(&mut self, most: u64) -> Option<Range<u64>> {
        let first = self.0.first()?;
        let taken = first.start..first.end.min(first.start.saturating_add(most));
        self.remove(taken.clone());
        Some(taken)
    }
}

impl RangeSet {
    /// The bytes before one, and those from it on (the manual's `split`). One that is not in the set splits no range.
    pub fn split(&self, at: u64) -> (Self, Self) {
        let (mut before, mut from) = (self.clone(), self.clone());
        before.remove(at..u64::MAX);
        from.remove(0..at);
        (before, from)
    }

    /// The bytes that both have.
    pub fn both(&self, other: &Self) -> Self {
        let mut both = Self::new();
        for a in &self.0 {
            let first = other.0.partition_point(|b| b.end <= a.start);
            for b in other.0[first..].iter().take_while(|b| b.start < a.end) {
                intersect(a, b).into_iter().for_each(|range| both.insert(range));
            }
        }
        both
    }
}

/// The bytes that both have, if any (the manual's `intersect`).
pub fn intersect(a: &Range<u64>, b: &Range<u64>) -> Option<Range<u64>> {
    let both = a.start.max(b.start)..a.end.min(b.end);
    (both.start < both.end).then_some(both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_manuals_examples_hold() {
        let mut set = RangeSet::of(0..5);
        set.insert(4..10);
        assert_eq!(set, RangeSet::of(0..10));
        let mut set = RangeSet::of(0..5);
        set.insert(5..10);
        assert_eq!(set, RangeSet::of(0..10));
        let mut set = RangeSet::of(0..5);
        set.insert(6..10);
        assert_eq!(set.0, [0..5, 6..10]);
        let mut set = RangeSet::of(0..10);
        set.remove(0..2);
        assert_eq!(set, RangeSet::of(2..10));
        let mut set = RangeSet::of(0..10);
        set.remove(2..4);
        assert_eq!(set.0, [0..2, 4..10]);
        assert_eq!(intersect(&(0..10), &(0..5)), Some(0..5));
        assert_eq!(intersect(&(0..10), &(10..12)), None);
        assert_eq!(intersect(&(0..10), &(2..5)), Some(2..5));
        assert_eq!(RangeSet::of(0..10).split(5), (RangeSet::of(0..5), RangeSet::of(5..10)));
        assert_eq!(RangeSet::of(0..10).split(0), (RangeSet::new(), RangeSet::of(0..10)));
        assert_eq!(RangeSet::of(0..10).split(20), (RangeSet::of(0..10), RangeSet::new()));
    }

    #[test]
    fn the_first_bytes_are_taken_in_pieces() {
        let mut set = RangeSet::of(3..10);
        set.insert(20..21);
        assert_eq!(set.take_first(5), Some(3..8));
        assert_eq!(set.take_first(5), Some(8..10));
        assert_eq!(set.take_first(5), Some(20..21));
        assert_eq!(set.take_first(5), None);
    }

    proptest! {
        #[test]
        fn splitting_and_what_both_have_are_those_of_sets(
            a in proptest::collection::vec((0u64..40, 0u64..9), 0..8),
            b in proptest::collection::vec((0u64..40, 0u64..9), 0..8),
            at in 0u64..50,
        ) {
            let of = |ranges: &[(u64, u64)]| {
                let mut set = RangeSet::new();
                ranges.iter().for_each(|(start, length)| set.insert(*start..start + length));
                set
            };
            let flat = |set: &RangeSet| set.iter().cloned().flatten().collect::<BTreeSet<u64>>();
            let (a, b) = (of(&a), of(&b));
            let both: BTreeSet<u64> = flat(&a).intersection(&flat(&b)).copied().collect();
            prop_assert_eq!(flat(&a.both(&b)), both);
            let (before, from) = a.split(at);
            prop_assert!(flat(&before).iter().all(|n| *n < at) && flat(&from).iter().all(|n| *n >= at));
            prop_assert_eq!(before.bytes() + from.bytes(), a.bytes());
        }

        #[test]
        fn the_set_is_a_set(steps in proptest::collection::vec((any::<bool>(), 0u64..40, 0u64..15), 0..40)) {
            let mut set = RangeSet::new();
            let mut model = BTreeSet::new();
            for (add, start, length) in steps {
                let range = start..start + length;
                if add {
                    set.insert(range.clone());
                    model.extend(range);
                } else {
                    set.remove(range.clone());
                    model.retain(|n| !range.contains(n));
                }
                let flat: Vec<u64> = set.iter().cloned().flatten().collect();
                prop_assert_eq!(flat, model.iter().copied().collect::<Vec<_>>());
                prop_assert!(set.iter().all(|r| r.start < r.end));
                prop_assert!(set.0.windows(2).all(|w| w[0].end < w[1].start));
                prop_assert_eq!(set.bytes(), model.len() as u64);
            }
        }
    }
}
