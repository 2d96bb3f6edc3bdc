//! What the follower's news mean for the rest of the farm: slaves are woken, builds are stopped, pages are due.

use super::{Farm, Running};
use crate::domain::{BuildId, Millis};
use crate::master::event::Out;
use crate::master::follower::Followed;
use crate::wire::slave::ToSlave;

impl Farm {
    /// Lets the follower begin what is due. It rests while the farm is paused or stops.
    pub(super) fn follow(&mut self, now: Millis, out: &mut Out) {
        let Some(wall) = self.wall(now) else { return };
        if matches!(self.running, Running::Yes) {
            self.follower.step(now, wall, !self.orders.paused, out);
        }
    }

    pub(super) fn followed(&mut self, followed: Followed, out: &mut Out) {
        match followed {
            Followed::Nothing => {}
            Followed::Queued(abis) => abis.iter().for_each(|abi| self.arrived(abi, out)),
            Followed::Learned(learned) => {
                learned.opened.iter().for_each(|abi| self.arrived_many(abi, out));
                self.stop_builds(&learned.cancelled, out);
                self.pages.kick(out);
            }
        }
    }

    /// Cancels builds of what must not be built any more. A slave that is not connected is told when it is back.
    pub(super) fn stop_builds(&mut self, builds: &[BuildId], out: &mut Out) {
        for build in builds {
            let Some(held) = self.slaves.jobs.get_mut(build) else { continue };
            if std::mem::replace(&mut held.cancelled, true) {
                continue;
            }
            log::warn!(
                "build {build}: {} {} is not to be built any more",
                held.job.package,
                held.job.version
            );
            if let Some(conn) = held.conn {
                out.tell(conn, ToSlave::Cancel { build: *build });
            }
        }
    }
}
