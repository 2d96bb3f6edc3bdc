//! The architect: which slaves wait for work, and when to wake them (manual 2.4.4).
//!
//! The queue itself is in the database; a job is drawn from it by the claim of one slave. This keeps only who is asleep,
//! and a count per ABI that tells whether work arrived while a claim was under way. Pure: no I/O, no clock.

use std::collections::{BTreeMap, VecDeque};

use super::event::ConnId;
use crate::domain::AbiTag;

/// Sleeping slaves, by ABI. Bounded by the number of connections.
#[derive(Debug, Default)]
pub struct Architect {
    by_abi: BTreeMap<AbiTag, Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    asleep: VecDeque<ConnId>,
    arrivals: u64,
}

/// How much work had arrived for an ABI at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrivals(u64);

impl Architect {
    /// To be kept with a claim, and shown to [`Architect::sleep`].
    pub fn arrivals(&self, abi: &AbiTag) -> Arrivals {
        Arrivals(self.by_abi.get(abi).map_or(0, |w| w.arrivals))
    }

    /// A claim found nothing: the slave sleeps. False when work arrived since `seen`: then claim again instead, or the
    /// job would wait for a slave that nobody wakes.
    pub fn sleep(&mut self, conn: ConnId, abi: &AbiTag, seen: Arrivals) -> bool {
        let waiting = self.by_abi.entry(abi.clone()).or_default();
        if waiting.arrivals != seen.0 {
            return false;
        }
        waiting.asleep.push_back(conn);
        true
    }

    /// The slave is awake by itself, or gone.
    pub fn forget(&mut self, conn: ConnId, abi: &AbiTag) {
        if let Some(waiting) = self.by_abi.get_mut(abi) {
            waiting.asleep.retain(|asleep| *asleep != conn);
        }
    }

    /// One job arrived for an ABI: whom to wake, if anybody sleeps.
    pub fn arrived(&mut self, abi: &AbiTag) -> Option<ConnId> {
        let waiting = self.by_abi.entry(abi.clone()).or_default();
        waiting.arrivals += 1;
        waiting.asleep.pop_front()
    }

    /// Many jobs arrived for an ABI: everybody is to be woken.
    pub fn arrived_many(&mut self, abi: &AbiTag) -> impl Iterator<Item = ConnId> + use<> {
        let waiting = self.by_abi.entry(abi.clone()).or_default();
        waiting.arrivals += 1;
        std::mem::take(&mut waiting.asleep).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abi(text: &str) -> AbiTag {
        AbiTag::parse(text).unwrap()
    }

    #[test]
    fn a_job_wakes_the_slave_that_slept_longest_and_only_of_its_abi() {
        let (a, b) = (abi("cp311"), abi("cp312"));
        let mut architect = Architect::default();
        for (conn, abi) in [(1, &a), (2, &a), (3, &b)] {
            assert!(architect.sleep(ConnId(conn), abi, architect.arrivals(abi)));
        }
        assert_eq!(architect.arrived(&a), Some(ConnId(1)));
        architect.forget(ConnId(2), &a);
        assert_eq!(architect.arrived(&a), None);
        assert_eq!(architect.arrived_many(&b).collect::<Vec<_>>(), [ConnId(3)]);
    }

    #[test]
    fn work_that_arrives_during_a_claim_is_not_slept_through() {
        let a = abi("cp311");
        let mut architect = Architect::default();
        let seen = architect.arrivals(&a);
        assert_eq!(architect.arrived(&a), None);
        assert!(!architect.sleep(ConnId(1), &a, seen));
        assert!(architect.sleep(ConnId(1), &a, architect.arrivals(&a)));
    }
}
