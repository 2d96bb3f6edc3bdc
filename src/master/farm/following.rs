//! What the follower's news mean for the rest of the farm: slaves are woken, builds are stopped, pages are due.

use super::{Farm, Running};
use crate::domain::Millis;
use crate::master::event::Out;
use crate::master::follower::Followed;
use crate::seeded;

impl Farm {
    /// Lets the follower begin what is due. It rests while the farm is paused or stops.
    pub(super) fn follow(&mut self, now: Millis, out: &mut Out) {
        let Some(wall) = self.wall(now) else { return };
        if matches!(self.running, Running::Yes) {
            self.follower.step(now, wall, self.orders.paused.is_none(), &self.abis, out);
        }
    }

    pub(super) fn followed(&mut self, followed: Followed, out: &mut Out) {
        if !matches!(followed, Followed::Nothing) {
            self.pages.home_changed();
        }
        match followed {
            Followed::Nothing => {}
            Followed::Queued(abis) => abis.iter().for_each(|abi| self.arrived(abi, out)),
            Followed::Learned(learned) => {
                let opened = learned.opened.iter().filter(|_| !seeded::is("news-wake-nobody"));
                opened.for_each(|abi| self.arrived_many(abi, out));
                if !seeded::is("removed-built-on") {
                    self.stop_builds(&learned.cancelled, out);
                }
                self.pages.kick(out);
            }
        }
    }
}
