//! The builds that were recorded last, and how all ended since the start. What the database ends by itself (leases that
//! ran out) is not among them: the master hears of those as jobs that are queued again.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::Millis;
use crate::master::limits::RECENT_BUILDS;
use crate::master::publisher::Offer;
use crate::master::query::Outcome;
use crate::wire::status::{OutcomeCount, ToMonitor};
use crate::wire::{List, Text, limits};

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// RECORDED of each, the oldest first.
    builds: VecDeque<ToMonitor>,
    counts: BTreeMap<Outcome, u64>,
    /// The last so many were not told yet.
    untold: usize,
}

const _: () = assert!(Outcome::ALL.len() <= limits::OUTCOMES);

impl Recent {
    /// A build more.
    pub(super) fn add(&mut self, offer: &Offer, wall: Millis) {
        *self.counts.entry(offer.outcome).or_default() += 1;
        if self.builds.len() >= RECENT_BUILDS {
            self.builds.pop_front();
        }
        self.builds.push_back(ToMonitor::Recorded {
            build: offer.job.token.build,
            package: Text::cut(offer.job.package.as_str()),
            version: Text::cut(&offer.job.version.to_string()),
            abi: Text::cut(offer.job.abi.as_str()),
            slave: Text::cut(&offer.slave),
            outcome: Text::cut(offer.outcome.name()),
            duration_ms: offer.duration_ms,
            at_ms: wall.0,
        });
        self.untold = (self.untold + 1).min(RECENT_BUILDS);
    }

    /// Those that are kept, the oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = ToMonitor> {
        self.builds.iter().cloned()
    }

    /// How many ended how.
    pub(super) fn outcomes(&self) -> ToMonitor {
        let counts = self
            .counts
            .iter()
            .map(|(outcome, count)| OutcomeCount { outcome: Text::cut(outcome.name()), count: *count });
        ToMonitor::Outcomes { counts: List::cut(counts.collect()) }
    }

    /// What came since this was last asked: of a flood, the last of it; and the counts, if there is something.
    pub(super) fn news(&mut self) -> (Vec<ToMonitor>, Option<ToMonitor>) {
        let from = self.builds.len() - std::mem::take(&mut self.untold);
        let news: Vec<ToMonitor> = self.builds.range(from..).cloned().collect();
        let outcomes = (!news.is_empty()).then(|| self.outcomes());
        (news, outcomes)
    }
}
