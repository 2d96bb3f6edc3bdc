//! The follower: what to look at on the index next, and what to tell the database of it. The deciding half of the cloud
//! gazer (manual 2.4.1, 8.6); the other half is the thread that speaks HTTP.
//!
//! ```text
//!            ┌────────────── resting ◄────────────────────────────┐
//!            │ something is due                                   │ the database has it
//!            ▼                                                    │
//!   asking the database what is due ──► looking at the index ──► telling the database
//!                                         │ the index is away
//!                                         └──► backing off, nothing lost: what was due is due again
//! ```
//!
//! One thing at a time: a question to the database, or a look, of which the index never sees two at once. In the order of
//! their weight: pages of what is handed out next, the changelog every few seconds, requirements, pages that are due by
//! themselves, the list of all projects once a day. Whatever is half done when the master dies is due again, because what is
//! due are rows and the serial moves in the transaction that applies the events.
//!
//! Pure: no sockets, SQL, or clock; it knows neither HTTP nor what follows from the news.

use std::collections::VecDeque;

use super::event::{LookUp, Out, Purpose};
use super::gaze::{GazeAnswer, GazeFailure, GazeRequest, IndexEvent, PageNews, PageWish, WantedReleases};
use super::limits::{
    CHECK_AHEAD, INDEX_AWAY_FIRST, INDEX_AWAY_LONGEST, PAGES_DUE_AT_ONCE, PAGES_DUE_EVERY,
    REQUIREMENTS_AT_ONCE, REQUIREMENTS_EVERY,
};
use super::metrics::figures::FollowFigures;
use super::query::{
    Answer, DepsDue, DuePage, FeedState, Learned, Query, RequirementDue, RequirementEnd, Unread,
};
use super::slave_driver::Abis;
use crate::domain::{Millis, ProjectName};

mod feed;
mod requirements;
mod settings;

pub use settings::{Follow, FollowSettings};

/// Events that the database takes in one transaction.
#[derive(Debug)]
struct Chunk {
    serial: u64,
    settled: u64,
    events: Vec<IndexEvent>,
}

/// A version whose requirements are to be worked out.
#[derive(Debug)]
struct Requiring {
    due: DepsDue,
    /// What it meets, where the farm has no version of it to keep that: the index alone has it.
    meets: Option<RequirementDue>,
}

/// What is under way: exactly one thing, or nothing.
#[derive(Debug)]
enum Busy {
    /// Nothing.
    Resting,
    /// The database is asked how far the index was followed.
    AskingState,
    /// The database is asked which pages are due.
    AskingPages,
    /// A page is looked at.
    Page(DuePage),
    /// The database is told what a page said, or that it said nothing.
    Learning,
    /// The changelog is looked at.
    Changelog,
    /// The database is told of events.
    Applying,
    /// The list of all projects is looked at.
    List,
    /// The database compares a piece of it.
    Comparing,
    /// The database is told that it is compared.
    Listed,
    /// The database is asked whose requirements are to be worked out.
    AskingDeps,
    /// What a wheel of the index requires is looked at.
    Wheel(Box<Requiring>),
    /// The database is told what they are, and then that this requirement is met.
    TellingDeps(Option<RequirementDue>),
    /// The database is asked which requirements are to be looked up.
    AskingRequirements,
    /// A requirement is looked up.
    Requirement(RequirementDue),
    /// What it means is put on the list.
    Adding(RequirementDue),
    /// The database is told what became of it.
    Ending,
}

/// What the follower's work changed, for the farm.
#[derive(Debug, PartialEq, Eq)]
pub enum Followed {
    /// Nothing.
    Nothing,
    /// Something can be handed out, or must not be built any more.
    Learned(Learned),
    /// Versions were queued for these ABIs.
    Queued(Vec<crate::domain::AbiTag>),
}

/// How the following goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Following<'a> {
    /// What is followed.
    pub mode: Follow,
    /// The last trouble, if it lasts, for people.
    pub trouble: Option<&'a str>,
    /// When the changelog was last read to its end; none where it is not read, or was not yet.
    pub heard: Option<Millis>,
}

/// The follower.
#[derive(Debug)]
pub struct Follower {
    settings: FollowSettings,
    busy: Busy,
    feed: Option<FeedState>,
    chunks: VecDeque<Chunk>,
    pages: VecDeque<DuePage>,
    /// Whose requirements are to be told to the database.
    deps: VecDeque<Requiring>,
    /// The same of those that the farm has no file of: the index's wheel is looked at first.
    wheels: VecDeque<Requiring>,
    requirements: VecDeque<RequirementDue>,
    /// The list of all projects is being read: the last name of it, once there was one.
    listing: Option<Option<ProjectName>>,
    /// The last look was at that list: something else has its turn.
    listed_last: bool,
    next_pages: Millis,
    next_changelog: Millis,
    next_list: Millis,
    next_requirements: Millis,
    /// More of the changelog follows at once.
    behind: bool,
    /// The changelog has not answered since, and how often in a row.
    unheard_since: Option<Millis>,
    /// When the changelog was last read to its end.
    heard: Option<Millis>,
    unheard: u32,
    /// The index is left alone until then; how often in a row it was away.
    away_until: Millis,
    away: u32,
    /// What the operator is shown.
    last_trouble: Option<String>,
    /// When the index last answered.
    answered: Option<Millis>,
    failures: LookCounts,
}

/// Looks at the index that failed, since the start, by what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookCounts {
    page: u64,
    changelog: u64,
    list: u64,
    wheel: u64,
    requirement: u64,
}

impl LookCounts {
    /// For each kind of look its name, and how many failed.
    pub fn by_kind(&self) -> [(&'static str, u64); 5] {
        [
            ("page", self.page),
            ("changelog", self.changelog),
            ("list", self.list),
            ("wheel", self.wheel),
            ("requirement", self.requirement),
        ]
    }
}

impl Follower {
    /// One that has still to ask the database how far the farm is.
    pub fn new(started: Millis, settings: FollowSettings) -> Self {
        Self {
            settings,
            busy: Busy::Resting,
            feed: None,
            chunks: VecDeque::new(),
            pages: VecDeque::new(),
            deps: VecDeque::new(),
            wheels: VecDeque::new(),
            requirements: VecDeque::new(),
            listing: None,
            listed_last: false,
            next_pages: started,
            next_changelog: started,
            next_list: started,
            next_requirements: started,
            behind: false,
            unheard_since: None,
            heard: None,
            unheard: 0,
            away_until: started,
            away: 0,
            last_trouble: None,
            answered: None,
            failures: LookCounts::default(),
        }
    }

    /// Something may be due that was not: a version was asked for, or built.
    pub fn kick(&mut self, now: Millis) {
        self.next_pages = self.next_pages.min(now);
        self.next_requirements = self.next_requirements.min(now);
    }

    /// Whether nothing is half done that a stopping master should wait for: what is due are rows, so only the database's
    /// answer to what it was told counts.
    pub fn settled(&self) -> bool {
        !matches!(self.busy, Busy::Learning | Busy::Applying | Busy::Adding(_))
    }

    /// How the following goes, for people: what is followed, and the last trouble, if it lasts.
    pub fn following(&self) -> Following<'_> {
        Following { mode: self.settings.follow, trouble: self.last_trouble.as_deref(), heard: self.heard }
    }

    /// The same in numbers.
    pub fn figures(&self) -> FollowFigures {
        FollowFigures {
            mode: self.settings.follow,
            serial: self.feed.as_ref().map(|feed| feed.serial),
            answered: self.answered,
            heard: self.heard,
            trouble: self.last_trouble.is_some(),
            failures: self.failures,
        }
    }

    /// How far the changelog was read; `None` before the database said so, and where it is not read.
    pub fn feed(&self) -> Option<&FeedState> {
        self.feed.as_ref()
    }

    /// Begins the next thing, if nothing is under way. `wall` is what the wall clock shows, `abis` what the farm builds
    /// for. While the farm is paused (`looks` is false) nothing new is looked at; what was seen is still told to the
    /// database.
    pub fn step(&mut self, now: Millis, wall: Millis, looks: bool, abis: &Abis, out: &mut Out) {
        if !matches!(self.busy, Busy::Resting) {
            return;
        }
        if let Some(Chunk { serial, settled, events }) = self.chunks.pop_front() {
            return self.ask(Busy::Applying, Query::FeedApply { serial, settled, events }, out);
        }
        if let Some(due) = self.deps.pop_front() {
            return self.tell_deps(due, abis, out);
        }
        if !looks {
            return;
        }
        if self.feed.is_none() && self.settings.follow == Follow::All {
            return self.ask(Busy::AskingState, Query::FeedState, out);
        }
        if now >= self.away_until {
            if let Some(request) = self.next_look(now, wall) {
                return out.gaze(request);
            }
            if self.look_at_wheel(out) {
                return;
            }
            if let Some(due) = self.requirements.pop_front() {
                let wanted = LookUp {
                    package: due.package.clone(),
                    specifiers: due.specifiers.clone(),
                    extras: due.extras.clone(),
                    required: true,
                };
                self.busy = Busy::Requirement(due);
                return out.look(Purpose::Follower, vec![wanted]);
            }
        }
        if now >= self.next_pages && self.pages.is_empty() {
            self.next_pages = now + PAGES_DUE_EVERY;
            let query = Query::PagesDue { limit: PAGES_DUE_AT_ONCE, ahead: CHECK_AHEAD };
            return self.ask(Busy::AskingPages, query, out);
        }
        if now >= self.next_requirements && self.requirements.is_empty() && self.wheels.is_empty() {
            self.next_requirements = now + REQUIREMENTS_EVERY;
            self.ask(Busy::AskingDeps, Query::DepsDue(REQUIREMENTS_AT_ONCE), out);
        }
    }

    /// The look that is due, and `busy` with it.
    fn next_look(&mut self, now: Millis, wall: Millis) -> Option<GazeRequest> {
        let (busy, request) = if self.listing.is_some() && !std::mem::take(&mut self.listed_last) {
            self.listed_last = true;
            (Busy::List, GazeRequest::ListMore)
        } else if let Some(feed) = &self.feed
            && self.settings.follow == Follow::All
            && now >= self.next_changelog
        {
            (Busy::Changelog, GazeRequest::Changelog { since: feed.settled })
        } else if let Some(page) = self.pages.pop_front() {
            let wanted = match self.settings.follow {
                Follow::All => WantedReleases::All,
                Follow::List | Follow::None => WantedReleases::Listed(page.wishes.clone()),
            };
            let (package, etag, serial) = (page.package.clone(), page.etag.clone(), page.serial);
            (Busy::Page(page), GazeRequest::Page(PageWish { package, etag, serial, wanted }))
        } else if self.listing.is_some() {
            (Busy::List, GazeRequest::ListMore)
        } else {
            let etag = self.list_due(now, wall)?;
            self.listing = Some(None);
            self.listed_last = true;
            (Busy::List, GazeRequest::ListBegin { etag })
        };
        self.busy = busy;
        Some(request)
    }

    fn ask(&mut self, busy: Busy, query: Query, out: &mut Out) {
        self.busy = busy;
        out.ask(Purpose::Follower, query);
    }

    /// The cloud gazer answered.
    pub fn seen(&mut self, now: Millis, answer: GazeAnswer, out: &mut Out) {
        match (std::mem::replace(&mut self.busy, Busy::Resting), answer) {
            (Busy::Page(page), GazeAnswer::Page(package, news)) if page.package == package => {
                self.page_seen(now, page, news, out);
            }
            (Busy::Changelog, GazeAnswer::Changelog(Ok(changelog))) => self.changelog_seen(now, changelog),
            (Busy::Changelog, GazeAnswer::Changelog(Err(failure))) => {
                self.unheard_since.get_or_insert(now);
                let pause = back_off(self.unheard, &failure);
                self.failures.changelog += 1;
                self.unheard += 1;
                self.next_changelog = now + pause;
                self.complain(self.unheard == 1, "the index's changelog", &failure.reason, pause);
            }
            (Busy::List, GazeAnswer::List(Ok(piece))) => self.list_seen(now, piece, out),
            (Busy::List, GazeAnswer::List(Err(failure))) => {
                self.listing = None;
                self.failures.list += 1;
                self.is_away(now, "the list of all projects", &failure);
            }
            (Busy::Wheel(asked), GazeAnswer::Wheel(wheel, news))
                if asked.due.wheel.as_ref() == Some(&wheel) =>
            {
                self.wheel_seen(now, *asked, &wheel, news);
            }
            (busy, answer) => {
                log::error!("the cloud gazer answered {answer:?} while the follower was at {busy:?}");
            }
        }
    }

    fn page_seen(&mut self, now: Millis, page: DuePage, news: PageNews, out: &mut Out) {
        let package = page.package.clone();
        let next_secs = self.next_secs(&page);
        let unread = match news {
            PageNews::Seen(truth) => {
                self.answers(now);
                return self.ask(Busy::Learning, Query::LearnPage { package, truth, next_secs }, out);
            }
            PageNews::Failed(failure) if failure.everywhere => {
                self.failures.page += 1;
                self.pages.push_front(page);
                return self.is_away(now, &format!("the page of {package}"), &failure);
            }
            PageNews::Failed(failure) => {
                self.failures.page += 1;
                log::warn!("{package}: its page cannot be read: {}; looked at again later", failure.reason);
                Unread::Failed { retry_secs: failure.retry_after_secs.unwrap_or(0) }
            }
            PageNews::Stale { serial } => {
                log::info!(
                    "{package}: a cache answers with its page of serial {serial}, {} is known",
                    page.serial
                );
                Unread::Failed { retry_secs: 0 }
            }
            PageNews::Unchanged => Unread::Unchanged { serial: page.serial },
            PageNews::Missing => {
                log::info!("{package}: the index has no page of it");
                Unread::Missing { patience_secs: seconds(self.settings.patience) }
            }
        };
        self.answers(now);
        self.ask(Busy::Learning, Query::PageUnread { package, news: unread, next_secs }, out);
    }

    /// When a page that was read is due by itself.
    fn next_secs(&self, page: &DuePage) -> Option<u32> {
        let followed = self.settings.follow == Follow::List && !page.wishes.is_empty();
        followed.then(|| seconds(self.settings.every).max(1))
    }

    /// The database answered.
    pub fn answered(&mut self, now: Millis, answer: Answer, out: &mut Out) -> Followed {
        match (std::mem::replace(&mut self.busy, Busy::Resting), answer) {
            (Busy::AskingState, Answer::FeedState(feed)) => self.feed = Some(feed),
            (Busy::AskingPages, Answer::PagesDue(due)) => {
                if !due.is_empty() {
                    // what is behind them is asked for when these are read
                    self.next_pages = now;
                }
                self.pages = due.into();
            }
            (Busy::Learning, Answer::Learned(learned)) => return Followed::Learned(learned),
            (Busy::Applying, Answer::Learned(learned)) => {
                // what the transaction left is asked for, not guessed
                if self.chunks.is_empty() {
                    self.feed = None;
                }
                if learned.registered > 0 {
                    self.next_pages = now;
                }
                return Followed::Learned(learned);
            }
            (Busy::Comparing, Answer::Compared(due)) => {
                if due > 0 {
                    log::info!("the list of all projects: {due} pages are due for it");
                    self.next_pages = now;
                }
            }
            (Busy::Listed, Answer::Noted) => self.feed = None,
            (Busy::AskingDeps, Answer::DepsDue(due)) => {
                if due.is_empty() {
                    let query = Query::RequirementsDue(REQUIREMENTS_AT_ONCE);
                    self.ask(Busy::AskingRequirements, query, out);
                }
                let due = due.into_iter().map(|due| Requiring { due, meets: None });
                (self.wheels, self.deps) = due.partition(|asked| asked.due.wheel.is_some());
            }
            (Busy::TellingDeps(None), Answer::Noted) => self.next_requirements = now,
            (Busy::TellingDeps(Some(met)), Answer::Noted) => {
                self.next_requirements = now;
                self.end(&met, RequirementEnd::Met, out);
            }
            (Busy::AskingRequirements, Answer::RequirementsDue(due)) => {
                if !due.is_empty() {
                    self.next_requirements = now;
                }
                self.requirements = due.into();
            }
            (Busy::Adding(due), Answer::Added(added)) => {
                for version in &added {
                    let what = format!("{} {}", version.package, version.version);
                    log::info!("{what}, which {} requires: {:?}", due.of, version.state);
                }
                let queued = added.into_iter().filter_map(|version| version.queued_for).collect();
                self.end(&due, RequirementEnd::Met, out);
                return Followed::Queued(queued);
            }
            (Busy::Adding(due), Answer::Refused(reason)) => {
                self.end(&due, RequirementEnd::Refused(reason), out);
            }
            (Busy::Ending, Answer::Noted) => {}
            (busy, answer) => {
                // what was due is a row, and comes again; what was read is read again
                log::error!("the database answered {answer:?} while the follower was at {busy:?}");
                self.forget(now);
            }
        }
        Followed::Nothing
    }

    /// Begins anew after an answer that nobody understands.
    fn forget(&mut self, now: Millis) {
        self.feed = None;
        self.chunks.clear();
        self.pages.clear();
        self.listing = None;
        (self.next_pages, self.next_changelog) = (now + INDEX_AWAY_FIRST, now + INDEX_AWAY_FIRST);
    }

    /// The index answers.
    fn answers(&mut self, now: Millis) {
        if self.away > 0 {
            log::warn!("the index answers again");
        }
        (self.away, self.away_until) = (0, now);
        self.answered = Some(now);
        if self.unheard == 0 {
            self.last_trouble = None;
        }
    }

    /// A look failed: the index is left alone for a while.
    fn is_away(&mut self, now: Millis, what: &str, failure: &GazeFailure) {
        let pause = back_off(self.away, failure);
        self.away += 1;
        self.away_until = now + pause;
        self.complain(self.away == 1, what, &failure.reason, pause);
    }

    /// Says once what is wrong, and keeps it for those who ask.
    fn complain(&mut self, first: bool, what: &str, reason: &str, pause: Millis) {
        let line = format!("{what} cannot be read: {reason}");
        if first {
            log::warn!("{line}; asked again until it can, first in {} s", pause.0 / 1000);
        } else {
            log::info!("{line}; asked again in {} s", pause.0 / 1000);
        }
        self.last_trouble = Some(line);
    }
}

/// How long the index is left alone after so many failures in a row: 10 s doubled to half an hour, or what it asked for.
fn back_off(before: u32, failure: &GazeFailure) -> Millis {
    let doubled = Millis(INDEX_AWAY_FIRST.0 << before.min(10)).min(INDEX_AWAY_LONGEST);
    let asked = Millis::secs(u64::from(failure.retry_after_secs.unwrap_or(0)));
    doubled.max(asked.min(Millis::secs(24 * 3600)))
}

fn seconds(span: Millis) -> u32 {
    u32::try_from(span.0 / 1000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
