//! The farm in numbers, for metrics: what it counts, what it knows of itself, and what it asks the database on a schedule.
//!
//! ```text
//!   off ──measure──► due ──asked──► answered, or not ──FIGURES_EVERY──► due …
//! ```
//!
//! A scrape asks nobody. The question is not repeated while the database is away: the numbers of before stand, and their
//! age says so.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Farm;
use crate::domain::Millis;
use crate::master::event::{Checked, DiskAnswer, Out, Purpose};
use crate::master::limits::{FIGURES_EVERY, FIGURES_REST, FIGURES_REST_MAX};
use crate::master::metrics::figures::{FarmFigures, Tally, TransferEnd};
use crate::master::publisher::Offer;
use crate::master::query::{Answer, Figures, Query};
use crate::master::slave_driver::{Slave, State};

/// What a build is counted with at most, as in the database: its time is its slave's word.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// What the database is asked.
#[derive(Debug, Default)]
pub(super) struct Measuring {
    /// When it is asked next; none: it is not asked at all.
    next: Option<Millis>,
    /// Since when it is asked.
    asked: Option<Millis>,
    known: Option<(Millis, Figures)>,
    /// When the master started, by the wall clock of its first tick: it must not move with that clock.
    started: Option<Millis>,
}

impl Measuring {
    /// `started` is when the master started, as the wall clock has it now.
    pub(super) fn tick(&mut self, now: Millis, started: Millis, out: &mut Out) {
        self.started.get_or_insert(started);
        if self.next.is_some_and(|next| now >= next) && self.asked.is_none() {
            self.asked = Some(now);
            self.next = Some(now + FIGURES_EVERY);
            out.ask(Purpose::Figures, Query::Figures);
        }
    }

    pub(super) fn answered(&mut self, now: Millis, answer: Answer) {
        if let Some(asked) = self.asked.take() {
            let rest = Millis(now.since(asked).0.saturating_mul(FIGURES_REST)).min(FIGURES_REST_MAX);
            self.next = self.next.max(Some(now + rest));
        }
        match answer {
            Answer::Figures(figures) => self.known = Some((now, *figures)),
            other => log::debug!("the database does not answer for metrics: {other:?}"),
        }
    }
}

impl Farm {
    /// From now on the database is asked for what [`Farm::figures`] cannot count itself.
    pub fn measure(&mut self) {
        self.measuring.next = Some(Millis(0));
    }

    /// Everything that there is to say in numbers.
    pub fn figures(&self, now: Millis) -> FarmFigures<'_> {
        let mut slaves = BTreeMap::new();
        for slave in self.slaves.slaves.values() {
            let abi = slave.introduction.as_ref().map_or("", |who| who.abi.as_str());
            *slaves.entry((abi, doing(slave))).or_default() += 1;
        }
        // a count of none is 0, and not missing
        let abis = self.abis.keys().flat_map(|abi| DOINGS.map(|doing| (abi.as_str(), doing)));
        for series in abis.chain([("", "greeting")]) {
            slaves.entry(series).or_default();
        }
        FarmFigures {
            now,
            started: self.measuring.started.unwrap_or_default(),
            mode: self.mode(),
            brother: &self.brother,
            abis: self.abis.keys().collect(),
            slaves,
            counts: self.counts,
            tally: &self.tally,
            refusals: &self.refusals,
            transfers: self.juggler.load(),
            removals: self.chase.removals,
            pages: self.pages.counts(),
            pages_failing: self.pages.trouble().failing,
            follow: self.follower.figures(),
            database: self.measuring.known.as_ref().map(|(at, figures)| (*at, figures)),
        }
    }
}

/// What slaves may be doing once their ABI is known.
const DOINGS: [&str; 7] = ["returning", "idle", "resting", "unfit", "building", "delivering", "leaving"];

/// What a slave is doing, and why it does nothing.
fn doing(slave: &Slave) -> &'static str {
    match slave.state {
        State::Greeting => "greeting",
        State::Adopting(_) => "returning",
        State::Idle | State::Asked | State::Asleep if slave.resting => "resting",
        State::Idle | State::Asked | State::Asleep if slave.holds_back.is_some() => "unfit",
        State::Idle | State::Asked | State::Asleep => "idle",
        State::Building(_) => "building",
        State::Offered(_) => "delivering",
        State::Leaving => "leaving",
    }
}

impl Tally {
    /// A slave's build was recorded.
    pub(super) fn build(&mut self, offer: &Offer) {
        *self.builds.entry((offer.job.abi.clone(), offer.outcome)).or_default() += 1;
        self.build_seconds.count(Duration::from_millis(offer.duration_ms).min(LONGEST));
        self.published(offer);
    }

    /// A build's files were.
    pub(super) fn published(&mut self, offer: &Offer) {
        self.files += offer.files.len() as u64;
        self.file_bytes += offer.files.iter().map(|file| file.size).sum::<u64>();
    }

    /// The file writer has done something.
    pub(super) fn disk(&mut self, answer: &DiskAnswer) {
        let end = match answer {
            DiskAnswer::Written(_, _, length) => {
                self.transfer_bytes += length;
                return;
            }
            DiskAnswer::Checked(_, Checked::Sound(_)) => TransferEnd::Sound,
            DiskAnswer::Checked(_, Checked::WrongDigest { .. }) => TransferEnd::WrongDigest,
            DiskAnswer::Checked(_, Checked::BadWheel(_)) => TransferEnd::BadWheel,
            DiskAnswer::TransferFailed(..) => TransferEnd::Disk,
            _ => return,
        };
        self.transfers[end as usize] += 1;
    }
}
