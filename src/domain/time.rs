//! Time as the state machines see it: a number they are given.

use std::ops::{Add, Sub};

/// A moment or a span in milliseconds. Moments count from an arbitrary start that never moves back; nothing in the
/// state machines may read a clock, so that a simulator can be their only one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// A span of whole seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(seconds * 1000)
    }

    /// How long `self` is after `earlier`; zero when it is not.
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Millis {
    type Output = Self;
    fn add(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub for Millis {
    type Output = Self;
    fn sub(self, span: Self) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

/// Seconds since 1970 of a moment in UTC (proleptic Gregorian calendar), from 1970 to 9999. None when a part is out of
/// its bounds; a 31st of any month is taken for the day after its last, and second 60 is the leap second.
pub fn unix_seconds(date: (i64, i64, i64), time: (i64, i64, i64)) -> Option<i64> {
    let ((year, month, day), (hour, minute, second)) = (date, time);
    let bounds = [
        (year, 1970..=9999),
        (month, 1..=12),
        (day, 1..=31),
        (hour, 0..=23),
        (minute, 0..=59),
        (second, 0..=60),
    ];
    if !bounds.iter().all(|(value, bounds)| bounds.contains(value)) {
        return None;
    }
    // Days since 0000-03-01, with the leap day at the end of its year.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}
