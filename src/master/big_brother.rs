//! Big Brother: the statistics of the farm, the watch over its disk, and when what goes on by itself last went well (manual
//! 2.4.8, 8.13). Pure: no sockets, files or clock.
//!
//! ```text
//!   resting ──STATISTICS_EVERY, NUMBERS_EVERY while somebody watches──► asked ──answer──► resting
//!   resting ──SURVEY_EVERY──► a look at the machine and its disks ──► resting      disk.rs: whether jobs are handed out
//! ```
//!
//! One question and one look at a time. A question that waits longer than [`DATABASE_SILENT`] is news of its own: the database
//! does not answer. Monitors get FARM and HEALTH, and so does `piw status`; `piw stats` is answered from the last look.
//! The home page's figures are the same counters, read with the rest of its rows (`pages/home.rs`).

use std::collections::VecDeque;

use super::event::{Disk, Effect, ErrorLine, Out, Purpose, Survey};
use super::hub::View;
use super::limits::{DATABASE_SILENT, EXPIRED_KEPT, NUMBERS_EVERY, STATISTICS_EVERY, SURVEY_EVERY};
use super::query::{Answer, Query, Statistics};
use crate::domain::Millis;
use crate::schema::SCHEMA_VERSION;
use crate::wire::status::{
    DiskNow, ErrorNow, FollowNow, HealthNow, Numbers, Reason, TaskNow, ToMonitor, Vitals,
};
use crate::wire::{List, Text};

mod disk;

pub use disk::{Change, DiskWatch, Promised};

const HOUR: Millis = Millis::secs(3600);

/// What the farm does by itself, and may fail at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// The database answers, whatever it was asked.
    Database,
    /// The statistics.
    Statistics,
    /// The look at the machine and its disks.
    Survey,
    /// Leases are renewed.
    Renewal,
    /// Leases that ran out are ended.
    Sweep,
    /// Projects' pages and the root index: written, or found to be written.
    Pages,
    /// The home page.
    Home,
    /// The index is followed.
    Index,
    /// Downloads are looked at for what is built first.
    Popularity,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Database,
        Self::Statistics,
        Self::Survey,
        Self::Renewal,
        Self::Sweep,
        Self::Pages,
        Self::Home,
        Self::Index,
        Self::Popularity,
    ];

    /// Its name in `wire-spec/` and for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Statistics => "statistics",
            Self::Survey => "survey",
            Self::Renewal => "renewal",
            Self::Sweep => "sweep",
            Self::Pages => "pages",
            Self::Home => "home",
            Self::Index => "index",
            Self::Popularity => "popularity",
        }
    }
}

/// See the module's head.
#[derive(Debug)]
pub struct BigBrother {
    /// The database is asked.
    asked: bool,
    /// Since when it is, without an answer that says anything.
    unanswered: Option<Millis>,
    ask_at: Millis,
    statistics: Option<Statistics>,
    numbers: Option<Numbers>,
    looking: bool,
    look_at: Millis,
    survey: Survey,
    disk: DiskWatch,
    /// What was promised when the disks were looked at last: since then some of it was written.
    promised_then: Promised,
    promised: Promised,
    well: [Option<Millis>; Task::ALL.len()],
    /// Since when the master has no seat at its database.
    seat_lost: Option<Millis>,
    /// When leases ran out, the last of them; and how many ever did.
    expired: VecDeque<Millis>,
    expired_ever: u64,
    told: Told,
    /// Something is to be told.
    news: bool,
}

/// What of the view was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    silent: bool,
    failing: usize,
    paused: bool,
    held: bool,
    unseated: bool,
}

impl BigBrother {
    /// Nothing is handed out with less than `disk_floor` bytes free; 0: that is not watched.
    pub fn new(disk_floor: u64) -> Self {
        Self {
            asked: false,
            unanswered: None,
            ask_at: Millis(0),
            statistics: None,
            numbers: None,
            looking: false,
            look_at: Millis(0),
            survey: Survey::default(),
            disk: DiskWatch::new(disk_floor),
            promised_then: Promised::default(),
            promised: Promised::default(),
            well: [None; Task::ALL.len()],
            seat_lost: None,
            expired: VecDeque::new(),
            expired_ever: 0,
            told: Told::default(),
            news: false,
        }
    }

    /// A monitor came: it wants numbers of now.
    pub fn watched(&mut self) {
        (self.ask_at, self.look_at) = (Millis(0), Millis(0));
    }

    /// Asks and looks, if it is time; `watched` says whether somebody sees it. What this means for the hand-out of jobs.
    pub fn tick(&mut self, now: Millis, watched: bool, promised: Promised, out: &mut Out) -> Option<Change> {
        if watched {
            self.ask_at = self.ask_at.min(now + NUMBERS_EVERY);
        }
        if now >= self.ask_at && !self.asked {
            self.asked = true;
            self.unanswered.get_or_insert(now);
            self.ask_at = now + if watched { NUMBERS_EVERY } else { STATISTICS_EVERY };
            out.ask(Purpose::BigBrother, Query::Statistics);
        }
        if now >= self.look_at && !self.looking {
            self.looking = true;
            self.look_at = now + SURVEY_EVERY;
            out.effects.push(Effect::Survey);
        }
        self.promised = promised;
        self.disk.judge(now, &self.survey.disks, promised.most(self.promised_then))
    }

    /// The database answered; `wall` is what the wall clock shows.
    pub fn answered(&mut self, now: Millis, answer: Answer, wall: Millis) {
        (self.asked, self.news) = (false, true);
        match answer {
            Answer::Statistics(s) => {
                self.unanswered = None;
                self.did(Task::Statistics, now);
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
                self.statistics = Some(*s);
            }
            // it was asked for long, which the log knows already
            other => log::debug!("the database answered Big Brother with {other:?}"),
        }
    }

    /// The machine and its disks were looked at.
    pub fn surveyed(&mut self, now: Millis, survey: Survey) {
        (self.looking, self.news) = (false, true);
        if survey.trouble.is_none() {
            self.did(Task::Survey, now);
        }
        self.promised_then = self.promised;
        let before = std::mem::replace(&mut self.survey, survey);
        // what could not be looked at is as it was
        if self.survey.disks.is_empty() {
            self.survey.disks = before.disks;
        }
        self.survey.vitals = self.survey.vitals.take().or(before.vitals);
    }

    /// Something that goes on by itself went well.
    pub fn did(&mut self, task: Task, now: Millis) {
        self.well[task as usize] = Some(now);
    }

    /// When each of them last went well, by the farm's clock; none where it has not since the start.
    pub fn tasks(&self) -> impl Iterator<Item = (Task, Option<Millis>)> + '_ {
        Task::ALL.into_iter().map(|task| (task, self.well[task as usize]))
    }

    /// So many leases ran out.
    pub fn expired(&mut self, now: Millis, leases: usize) {
        self.expired_ever += leases as u64;
        self.expired.extend(std::iter::repeat_n(now, leases.min(EXPIRED_KEPT)));
        let beyond = self.expired.len().saturating_sub(EXPIRED_KEPT);
        self.expired.drain(..beyond);
    }

    /// The master has its seat at the database, or has lost it.
    pub fn seat(&mut self, now: Millis, held: bool) {
        self.seat_lost = if held { None } else { self.seat_lost.or(Some(now)) };
    }

    /// Whether the master has its seat at the database, and may write.
    pub const fn is_seated(&self) -> bool {
        self.seat_lost.is_none()
    }

    /// Since when nothing is handed out for want of disk, and why.
    pub fn hold(&self) -> Option<(Millis, &str)> {
        self.disk.hold()
    }

    /// Jobs that could be handed out, if that is known.
    pub fn queued(&self) -> u64 {
        self.numbers.as_ref().map_or(0, |numbers| numbers.queued)
    }

    /// What the database said last of the farm.
    pub const fn statistics(&self) -> Option<&Statistics> {
        self.statistics.as_ref()
    }

    /// The disk with the least room, as they were looked at last.
    pub fn tightest(&self) -> Option<&Disk> {
        self.survey.disks.iter().min_by_key(|disk| disk.free)
    }

    /// What they are watched by, and what of them is promised to files on their way, in bytes.
    pub const fn disk_bounds(&self) -> (u64, u64) {
        (self.disk.floor(), self.promised.bytes)
    }

    /// How the master's machine is, as it was looked at last.
    pub const fn machine(&self) -> Option<&Vitals> {
        self.survey.vitals.as_ref()
    }

    /// Whether something is to be told; then it is taken for told.
    pub fn is_news(&mut self, view: &View<'_>) -> bool {
        let told = Told {
            silent: self.silence(view.now).is_some(),
            failing: view.pages.failing,
            paused: view.paused.is_some(),
            held: self.disk.hold().is_some(),
            unseated: self.seat_lost.is_some(),
        };
        let changed = told != self.told;
        self.told = told;
        std::mem::take(&mut self.news) || changed
    }

    /// For how long the database has not answered, if that is long.
    fn silence(&self, now: Millis) -> Option<Millis> {
        self.unanswered.map(|since| now.since(since)).filter(|span| *span >= DATABASE_SILENT)
    }

    /// FARM.
    pub fn farm(&self, view: &View<'_>) -> ToMonitor {
        ToMonitor::Farm {
            numbers: self.numbers.clone(),
            database_silent_ms: self.silence(view.now).map(|span| (view.wall - span).0),
            machine: self.survey.vitals.clone(),
            pages_failing: u32::try_from(view.pages.failing).unwrap_or(u32::MAX),
            pages_trouble: view.pages.reason.as_deref().map(Text::cut),
            follow: FollowNow {
                mode: Text::cut(view.follow.mode.name()),
                lag_secs: view.follow.heard.map(|heard| view.now.since(heard).0 / 1000),
                trouble: view.follow.trouble.map(Text::cut),
            },
        }
    }

    /// HEALTH.
    pub fn health(&self, view: &View<'_>) -> ToMonitor {
        let wall = |at: Millis| (view.wall - view.now.since(at)).0;
        let reason = |(since, text): (Millis, &str)| Reason { since_ms: wall(since), text: Text::cut(text) };
        let recent = self.expired.iter().filter(|at| view.now.since(**at) < HOUR).count();
        let absent = view.slaves.jobs.values().filter(|job| job.conn.is_none()).count();
        let health = HealthNow {
            schema: SCHEMA_VERSION.unsigned_abs(),
            disks: List::cut(self.survey.disks.iter().map(disk_now).collect()),
            disk_floor: self.disk.floor(),
            disk_promised: self.promised.bytes,
            disk_trouble: self.survey.trouble.as_deref().map(Text::cut),
            held: self.disk.hold().map(reason),
            paused: view.paused.map(reason),
            unseated_ms: self.seat_lost.map(wall),
            absent: u32::try_from(absent).unwrap_or(u32::MAX),
            expired: self.expired_ever,
            expired_last_hour: u32::try_from(recent).unwrap_or(u32::MAX),
            tasks: List::cut(
                self.tasks()
                    .map(|(task, well)| TaskNow { name: Text::cut(task.name()), well_ms: well.map(wall) })
                    .collect(),
            ),
            errors: List::cut(self.survey.errors.iter().map(error_now).collect()),
        };
        ToMonitor::Health { health }
    }
}

fn disk_now(disk: &Disk) -> DiskNow {
    DiskNow {
        path: Text::cut(&disk.path),
        size: disk.size,
        free: disk.free,
        inodes: disk.inodes,
        inodes_free: disk.inodes_free,
    }
}

fn error_now(line: &ErrorLine) -> ErrorNow {
    ErrorNow { at_ms: line.at.0, text: Text::cut(&line.text) }
}

#[cfg(test)]
mod tests;
