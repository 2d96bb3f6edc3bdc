//! What Big Brother's watch over the disk means for the farm.

use super::{Farm, Running};
use crate::domain::Millis;
use crate::master::big_brother::{Change, Promised};
use crate::master::event::Out;

impl Farm {
    /// Looks after statistics and disk.
    pub(super) fn watch_over(&mut self, now: Millis, out: &mut Out) {
        if !matches!(self.running, Running::Yes | Running::Draining) {
            return;
        }
        let promised = self.promised();
        match self.brother.tick(now, self.hub.is_watched(), promised, out) {
            // who waits was not told before
            Some(Change::Enough) if self.running == Running::Yes => {
                for slave in self.everybody() {
                    self.wake(slave, out);
                }
            }
            Some(Change::Enough | Change::Held) | None => {}
        }
    }

    /// What is on its way from slaves and tools, and not on the disk yet.
    fn promised(&self) -> Promised {
        let mut promised = Promised::default();
        for (transfer, size) in self.publisher.to_come() {
            let here = transfer.map_or(0, |id| self.juggler.written_of(id));
            promised.files += 1;
            promised.bytes = promised.bytes.saturating_add(size.saturating_sub(here));
        }
        promised
    }

    /// Whether nothing is handed out to anybody: by the administrator's order, or for want of disk. Neither undoes the other.
    pub(super) fn hands_nothing_out(&self) -> bool {
        self.orders.paused.is_some() || self.brother.hold().is_some()
    }
}
