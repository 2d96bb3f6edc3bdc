//! What the reactor counts for metrics, and the text that it makes of that and of what farm and threads know.

use std::time::Duration;

use super::super::farm::Farm;
use super::super::metrics::families;
use super::super::metrics::figures::{ProcessFigures, ReactorFigures, Traffic, WORK_SECONDS};
use super::super::metrics::histogram::Histogram;
use super::super::metrics::sheet::{Format, Sheet};
use super::scrapers::Scrapers;
use super::threads::Threads;
use super::turns::Turns;
use crate::domain::Millis;
use crate::logging;
use crate::master::limits::PROCESS_EVERY;
use crate::wire::Channel;

/// The channels in the order of [`at`], and the scrapers' own.
const CHANNELS: [&str; 6] = ["slave", "file", "import", "status", "control", "metrics"];

const fn at(channel: Channel) -> usize {
    match channel {
        Channel::Slave => 0,
        Channel::File => 1,
        Channel::Import => 2,
        Channel::Status => 3,
        Channel::Control => 4,
    }
}

/// See the module's head.
pub(super) struct Gauges {
    /// How long the reactor's turns take.
    pub(super) turns: Turns,
    traffic: [Traffic; CHANNELS.len() - 1],
    scribe: [(&'static str, Histogram); 4],
    process: Option<ProcessFigures>,
    /// When the process is to be looked at again; none while it is looked at, or where nobody wants to know.
    process_at: Option<Millis>,
}

impl Gauges {
    /// All at zero. Where metrics are not `served`, the process is not looked at.
    pub(super) fn new(served: bool) -> Self {
        Self {
            turns: Turns::default(),
            traffic: Default::default(),
            scribe: ["project", "home", "root", "slaves"].map(|kind| (kind, Histogram::new(WORK_SECONDS))),
            process: None,
            process_at: served.then_some(Millis(0)),
        }
    }

    pub(super) fn opened(&mut self, channel: Channel) {
        let traffic = &mut self.traffic[at(channel)];
        traffic.open += 1;
        traffic.opened += 1;
    }

    pub(super) fn closed(&mut self, channel: Channel) {
        self.traffic[at(channel)].open -= 1;
    }

    pub(super) fn carried(&mut self, channel: Channel, (received, sent): (u64, u64)) {
        let traffic = &mut self.traffic[at(channel)];
        traffic.received += received;
        traffic.sent += sent;
    }

    /// The index scribe wrote something of this kind.
    pub(super) fn wrote(&mut self, kind: &str, took: Duration) {
        self.scribe.iter_mut().filter(|(known, _)| *known == kind).for_each(|(_, times)| times.count(took));
    }

    /// Has the process looked at, if it is time.
    pub(super) fn tick(&mut self, now: Millis, threads: &Threads) {
        if self.process_at.is_some_and(|at| now >= at) {
            self.process_at = None;
            threads.look_at_process();
        }
    }

    /// The process was looked at.
    pub(super) fn process(&mut self, now: Millis, figures: ProcessFigures) {
        self.process = Some(figures);
        self.process_at = Some(now + PROCESS_EVERY);
    }

    /// The whole text.
    pub(super) fn text(
        &self,
        format: Format,
        now: Millis,
        farm: &Farm,
        threads: &Threads,
        scrapers: &Scrapers,
    ) -> String {
        let mut sheet = Sheet::new(format);
        families::farm(&mut sheet, &farm.figures(now));
        let traffic = self.traffic.into_iter().chain([scrapers.traffic]);
        let traffic: Vec<_> = CHANNELS.into_iter().zip(traffic).collect();
        let reactor = ReactorFigures {
            turns: self.turns.histogram(),
            traffic: &traffic,
            scrapes: &scrapers.answers,
            lines_lost: logging::lost(),
        };
        families::reactor(&mut sheet, &reactor);
        families::database(&mut sheet, &threads.database());
        families::scribe(&mut sheet, &self.scribe);
        self.process.iter().for_each(|process| families::process(&mut sheet, process));
        families::end(&mut sheet);
        sheet.finish()
    }
}
