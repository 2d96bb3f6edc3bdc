//! Says how far the takeover is, every few seconds.

use std::time::{Duration, Instant};

/// How often a step that goes on is heard of.
const PAUSE: Duration = Duration::from_secs(5);

/// Whom it tells, and when it told something last.
pub(super) struct Progress<'a> {
    tell: &'a mut dyn FnMut(&str),
}

/// One table's way.
pub(super) struct Rows<'a> {
    tell: &'a mut dyn FnMut(&str),
    what: &'static str,
    of: i64,
    read: u64,
    told: Instant,
}

impl<'a> Progress<'a> {
    /// Nothing has been told.
    pub(super) fn new(tell: &'a mut dyn FnMut(&str)) -> Self {
        Self { tell }
    }

    /// A step begins that says nothing by itself.
    pub(super) fn begins(&mut self, step: &str) {
        (self.tell)(step);
    }

    /// A table begins to be read, which has so many rows.
    pub(super) fn of(&mut self, what: &'static str, rows: i64) -> Rows<'_> {
        (self.tell)(what);
        Rows { tell: &mut *self.tell, what, of: rows, read: 0, told: Instant::now() }
    }
}

impl Rows<'_> {
    /// So many more are read.
    pub(super) fn read(&mut self, rows: usize) {
        self.read += rows as u64;
        if self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            (self.tell)(&format!("{}: {} of {}", self.what, self.read, self.of));
        }
    }
}
