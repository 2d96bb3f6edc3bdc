//! What the farm holds in memory, in numbers: a simulator holds them against their bounds.

use super::Farm;

/// What the farm holds. Each is bounded by the connections or by what the database has leased to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// Slaves that are connected.
    pub slaves: usize,
    /// Jobs that slaves hold, as far as is known.
    pub jobs: usize,
    /// Claims under way.
    pub claims: usize,
    /// Builds between BUILT and DONE.
    pub builds: usize,
    /// Transfers that are expected or under way.
    pub transfers: usize,
    /// Bytes of these that are asked for or not yet written.
    pub in_flight: u64,
    /// Builds that must not go on and are not known here yet.
    pub unwanted: usize,
}

impl Farm {
    /// See [`Holdings`].
    pub fn holdings(&self) -> Holdings {
        let (transfers, in_flight) = self.juggler.load();
        Holdings {
            slaves: self.slaves.slaves.len(),
            jobs: self.slaves.jobs.len(),
            claims: self.claims.len(),
            builds: self.publisher.under_way(),
            transfers,
            in_flight,
            unwanted: self.unwanted.len(),
        }
    }
}
