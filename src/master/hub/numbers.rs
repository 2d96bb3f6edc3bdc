//! What the master has to ask for before it can tell it: the database's numbers, and how its own machine is.
//!
//! ```text
//!   nobody watches ──HELLO──► asked ──answer──► resting, NUMBERS_EVERY ──► asked …
//! ```
//!
//! One question at a time, while a monitor is there. One that waits longer than [`DATABASE_SILENT`] is news of its own:
//! the database does not answer.

use super::View;
use crate::domain::Millis;
use crate::master::event::{DiskRequest, Effect, Out, Purpose};
use crate::master::limits::{DATABASE_SILENT, NUMBERS_EVERY};
use crate::master::query::{Answer, Query};
use crate::wire::Text;
use crate::wire::status::{FollowNow, Numbers, ToMonitor, Vitals};

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Since when the database is asked: the farm's clock.
    asked: Option<Millis>,
    looking: bool,
    next: Millis,
    numbers: Option<Numbers>,
    machine: Option<Vitals>,
    /// Something is to be told.
    news: bool,
    silent: bool,
    /// Pages that fail, as told last.
    failing: usize,
}

impl Asking {
    /// A monitor came: it wants numbers of now.
    pub(super) fn watched(&mut self) {
        self.next = Millis(0);
    }

    /// Asks, if it is time.
    pub(super) fn ask(&mut self, view: &View<'_>, out: &mut Out) {
        if view.now < self.next {
            return;
        }
        self.next = view.now + NUMBERS_EVERY;
        if self.asked.is_none() {
            self.asked = Some(view.now);
            out.ask(Purpose::Hub, Query::Statistics);
        }
        if !self.looking {
            self.looking = true;
            out.effects.push(Effect::Disk(DiskRequest::Look));
        }
    }

    /// The database answered.
    pub(super) fn answered(&mut self, answer: Answer, wall: Millis) {
        (self.asked, self.news) = (None, true);
        match answer {
            Answer::Statistics(s) => {
                self.numbers = Some(Numbers {
                    at_ms: wall.0,
                    queued: s.queued,
                    unchecked: s.unchecked,
                    delayed: s.delayed,
                    pages_due: s.pages_due,
                    pages_waiting_secs: s.pages_waiting,
                    builds_last_hour: s.builds_last_hour,
                    builds: s.builds_count,
                    builds_ok: s.builds_success,
                    published: s.packages_built,
                    files: s.files_count,
                });
            }
            other => log::error!("the database answered for monitors with {other:?}"),
        }
    }

    /// The machine was looked at.
    pub(super) fn machine(&mut self, vitals: Option<Vitals>) {
        (self.looking, self.news) = (false, true);
        self.machine = vitals.or(self.machine.take());
    }

    /// Jobs that could be handed out, if that is known.
    pub(super) fn queued(&self) -> u64 {
        self.numbers.as_ref().map_or(0, |numbers| numbers.queued)
    }

    /// Whether something is to be told; then it is taken for told.
    pub(super) fn is_news(&mut self, view: &View<'_>) -> bool {
        let (silent, failing) = (self.silence(view).is_some(), view.pages.failing);
        let changed = silent != self.silent || failing != self.failing;
        (self.silent, self.failing) = (silent, failing);
        std::mem::take(&mut self.news) || changed
    }

    /// For how long the database has not answered, if that is long.
    fn silence(&self, view: &View<'_>) -> Option<Millis> {
        self.asked.map(|asked| view.now.since(asked)).filter(|span| *span >= DATABASE_SILENT)
    }

    /// FARM.
    pub(super) fn farm(&self, view: &View<'_>) -> ToMonitor {
        ToMonitor::Farm {
            numbers: self.numbers.clone(),
            database_silent_ms: self.silence(view).map(|span| (view.wall - span).0),
            machine: self.machine.clone(),
            pages_failing: u32::try_from(view.pages.failing).unwrap_or(u32::MAX),
            pages_trouble: view.pages.reason.as_deref().map(Text::cut),
            follow: FollowNow {
                mode: Text::cut(view.follow.mode.name()),
                lag_secs: view.follow.heard.map(|heard| view.now.since(heard).0 / 1000),
                trouble: view.follow.trouble.map(Text::cut),
            },
        }
    }
}
