//! Builds of what must not be built any more: their slaves are told, as soon as they are there and have them.
//!
//! The database names them by their leases, which may be ahead of what is known here: the answer to a claim may still be on
//! its way, or a slave that built through the master's restart may not be back yet.

use std::collections::BTreeMap;

use super::Farm;
use crate::domain::{BuildId, Millis};
use crate::master::event::Out;
use crate::seeded;
use crate::wire::slave::ToSlave;

/// Builds that are not known here yet, and since when. Bounded by the leases that were alive when they were named: an
/// entry is kept for as long as two of them run.
#[derive(Debug, Default)]
pub(super) struct Unwanted(BTreeMap<BuildId, Option<Millis>>);

impl Unwanted {
    pub(super) fn tick(&mut self, now: Millis, lease: Millis) {
        self.0.retain(|_, since| now.since(*since.get_or_insert(now)) < lease + lease);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a build that turns up is one of them; it is none then any more.
    pub(super) fn take(&mut self, build: BuildId) -> bool {
        self.0.remove(&build).is_some()
    }
}

impl Farm {
    /// Cancels builds of what must not be built any more. A slave that is not connected is told when it is back.
    pub(super) fn stop_builds(&mut self, builds: &[BuildId], out: &mut Out) {
        for build in builds {
            let Some(held) = self.slaves.jobs.get_mut(build) else {
                self.unwanted.0.entry(*build).or_default();
                continue;
            };
            if std::mem::replace(&mut held.cancelled, true) {
                continue;
            }
            log::warn!(
                "build {build}: {} {} is not to be built any more",
                held.job.package,
                held.job.version
            );
            if let Some(conn) = held.conn
                && !seeded::is("cancel-forgotten")
            {
                out.tell(conn, ToSlave::Cancel { build: *build });
            }
        }
    }
}
