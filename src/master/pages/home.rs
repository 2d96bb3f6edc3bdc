//! When the home page is due by itself: [`HOME_WINDOW`] after it was last, when something changed, and [`HOME_EVERY`] in any
//! case. That it is due becomes a row like every other order.

use crate::domain::Millis;
use crate::master::limits::{HOME_EVERY, HOME_WINDOW};

/// See the module's head.
#[derive(Debug)]
pub(super) struct HomeClock {
    changed: bool,
    /// The database is told.
    asking: bool,
    next: Millis,
    latest: Millis,
}

impl Default for HomeClock {
    fn default() -> Self {
        // a fresh farm has a home page at once, and what a master before this one wrote is no longer so
        Self { changed: true, asking: false, next: Millis(0), latest: Millis(0) }
    }
}

impl HomeClock {
    /// Something changed that the page shows.
    pub(super) fn changed(&mut self) {
        self.changed = true;
    }

    /// Whether it is to be ordered now; then that is under way.
    pub(super) fn is_due(&mut self, now: Millis) -> bool {
        if self.asking || now < self.next || !(self.changed || now >= self.latest) {
            return false;
        }
        *self = Self { changed: false, asking: true, next: now + HOME_WINDOW, latest: now + HOME_EVERY };
        true
    }

    /// It is ordered, or not: then it is tried again.
    pub(super) fn ordered(&mut self, done: bool) {
        self.asking = false;
        self.changed |= !done;
    }
}
