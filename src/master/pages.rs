//! Which pages are due, and in what order they are written (manual 2.4.9).
//!
//! ```text
//!   resting ──kick──► asking what is due ──some──► writing them ──► telling what became of them ──► asking …  ──none──► resting
//!                           ▲                        └─ the root index: a piece at a time, ROOT_WINDOW apart
//!                           └── while there is more, it is asked what is due next as soon as a batch is with the scribe
//! ```
//!
//! The home page is ordered here ([`home`]), every other one by what the database does. Orders are rows in the database, so
//! none is lost; this keeps only what is under way. One question what is due at a time, and the scribe does what it is asked
//! in that order: so of two batches the later one has the later rows, and the later word on a page. What is under way is
//! left out of the next question ([`Pages::held`]). One question that tells what became of orders at a time, too, so that
//! pages never have more than two of the oracles for long.
//!
//! A page that fails is tried again after [`DISK_RETRY`], and the others do not wait for it. When nothing but failures came for
//! [`PAGES_FAILING`] in a row, the trouble is not the pages': one page a [`DISK_RETRY`] is tried until one succeeds. The root
//! index of a large farm takes long to write: it rests ten times as long as it took, within bounds. Pure: no files, SQL or clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::event::{Effect, Out, PageAnswer, PageRequest, Purpose};
use super::limits::{
    DISK_RETRY, PAGES_AHEAD, PAGES_AT_ONCE, PAGES_FAILING, PAGES_HELD, PAGES_TOLD, ROOT_NAMES_AT_ONCE,
    ROOT_WINDOW, ROOT_WINDOW_MAX, SWEEP_EVERY,
};
use super::query::{Answer, PageKind, Query, Rewrite, RewriteOrder};
use crate::domain::Millis;
use crate::seeded;

mod home;
mod turns;

use home::HomeClock;
use turns::Turns;

/// What is under way.
#[derive(Debug, Default)]
pub struct Pages {
    /// The database is asked for so many pages that are due.
    asking: Option<u16>,
    /// Something may be due that was not when it was last asked.
    kicked: bool,
    /// When it was last asked, there was more than it answered with.
    more: bool,
    /// Batches that the scribe has, the oldest first: how many pages of each are still to be answered for.
    batches: VecDeque<usize>,
    /// The numbers of all orders that are under way, from the database's answer to its knowing what became of them.
    held: BTreeSet<i64>,
    /// What became of orders, and is to be told.
    done: Vec<RewriteOrder>,
    undone: Vec<RewriteOrder>,
    /// It is time for that: one commit for a batch.
    tell: bool,
    /// What the database is just told of.
    telling: Vec<i64>,
    /// The moment of the last event.
    now: Millis,
    root: Root,
    root_begun: Millis,
    /// When the root index may be begun again.
    root_due: Millis,
    /// Pages that failed and were not written since; [`FAILED_MOST`] of them.
    failed: BTreeMap<PageKind, Failure>,
    /// Failures since a page was last written.
    in_a_row: u16,
    /// Before this nothing is tried, because nothing succeeds.
    paused: Millis,
    /// What went wrong last, until a page is written again that had failed, and none is left that has.
    trouble: Option<String>,
    next_look: Millis,
    turns: Turns,
    clock: HomeClock,
    /// The home page's order, while the database is asked what the page is made from and the scribe writes it.
    home: Option<RewriteOrder>,
    counts: PageCounts,
}

/// Pages that were written and that failed, since the start, by kind: projects', root index, home page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts([(u64, u64); 3]);

impl PageCounts {
    fn count(&mut self, page: &PageKind, written: bool) {
        let (done, failed) = match page {
            PageKind::Project(_) => &mut self.0[0],
            PageKind::Root => &mut self.0[1],
            PageKind::Home => &mut self.0[2],
        };
        *(if written { done } else { failed }) += 1;
    }

    /// For each kind its name, how many were written, and how many tries failed.
    pub fn by_kind(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        ["project", "root", "home"].into_iter().zip(self.0).map(|(kind, (done, failed))| (kind, done, failed))
    }
}

#[derive(Debug)]
struct Failure {
    /// Its number; a newer one is not tried before its time either.
    order: i64,
    again: Millis,
    /// Without it one page would be logged for ever.
    reason: String,
}

/// Failed pages that are kept in mind; of others it is not known that they failed before.
const FAILED_MOST: usize = 1000;

/// All of them may be left out of a question, with a root index and a home page beside them (`rewrites_due.sql`).
const _: () = assert!(PAGES_HELD + FAILED_MOST + 2 <= 2000 && PAGES_AT_ONCE as usize <= PAGES_HELD);

/// What the operator should know of pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageTrouble {
    /// Pages that could not be written when last tried; those before them stand.
    pub failing: usize,
    /// The last of the reasons.
    pub reason: Option<String>,
}

/// The root index.
#[derive(Debug, Default)]
enum Root {
    #[default]
    Resting,
    /// Ordered, and to be begun when the window is over.
    Due(RewriteOrder),
    /// Written, a piece at a time; the last name written.
    Writing(RewriteOrder, Option<String>),
    /// Every name is with the scribe, and the order to end it.
    Ending,
}

impl Pages {
    /// A page was ordered.
    pub fn kick(&mut self, out: &mut Out) {
        self.kicked = true;
        self.look(out);
    }

    /// The same, and a tool is answered when it is written.
    pub fn kick_for_tool(&mut self, now: Millis, out: &mut Out) {
        self.turns.somebody_waits(now);
        self.kick(out);
    }

    /// A build is recorded, which has no less need of the database and the disk.
    pub fn build_recorded(&mut self, now: Millis) {
        self.turns.recorded(now);
    }

    /// Something happened that the home page shows.
    pub fn home_changed(&mut self) {
        self.clock.changed();
    }

    /// Whether neither the scribe nor the database has anything of them, but for what is asked and the root index.
    fn is_idle(&self) -> bool {
        self.batches.is_empty() && self.home.is_none() && !self.tell && self.telling.is_empty()
    }

    fn look(&mut self, out: &mut Out) {
        let idle = self.is_idle();
        if idle && self.asking.is_none() {
            self.turns.done(self.now);
        }
        if self.asking.is_some() || !self.kicked || self.paused > self.now || self.turns.rests(self.now) {
            return;
        }
        let limit = if self.in_a_row >= PAGES_FAILING { 1 } else { PAGES_AT_ONCE };
        // Ahead only while there is more than a batch, and no trouble: else what comes meanwhile comes together.
        let wait = if self.more && self.in_a_row == 0 && !self.turns.one_by_one(self.now) {
            self.batches.len() >= PAGES_AHEAD || self.held.len() + usize::from(limit) > PAGES_HELD
        } else {
            !idle
        };
        if wait {
            return;
        }
        self.kicked = false;
        self.turns.works(self.now);
        self.asking = Some(limit);
        let waiting =
            self.failed.values().filter(|failure| failure.again > self.now).map(|failure| failure.order);
        let except = self.held.iter().copied().chain(waiting).collect();
        out.ask(Purpose::Pages, Query::RewritesDue { limit, except });
    }

    /// What is wrong with pages now.
    pub fn trouble(&self) -> PageTrouble {
        PageTrouble { failing: self.failed.len(), reason: self.trouble.clone() }
    }

    /// Pages written and failed since the start.
    pub fn counts(&self) -> PageCounts {
        self.counts
    }

    /// Whether nothing is half done: orders that wait are rows, and safe.
    pub fn settled(&self) -> bool {
        self.is_idle() && self.asking.is_none() && matches!(self.root, Root::Resting | Root::Due(_))
    }

    /// The database answered what is due.
    pub fn answered(&mut self, now: Millis, answer: Answer, out: &mut Out) {
        self.now = now;
        self.asking = None;
        self.more = false;
        match answer {
            Answer::RewritesDue { due, more } => {
                let any = self.take(now, due, out);
                // unless all of it was waiting for its time
                self.more = more && any;
                self.kicked |= self.more;
                self.begin_root(now, out);
                self.look(out);
            }
            // The orders are still due, and the clock looks for them again.
            other => log::error!("the database's answer about pages cannot be used: {other:?}"),
        }
    }

    /// Has what is due carried out; false when it is not the time for anything of it.
    fn take(&mut self, now: Millis, due: Vec<Rewrite>, out: &mut Out) -> bool {
        let (mut projects, mut any) = (Vec::new(), false);
        for rewrite in due {
            let number = rewrite.order.order;
            if self.failed.get(&rewrite.order.page).is_some_and(|failure| failure.again > now) {
                continue;
            }
            match rewrite.order.page.clone() {
                PageKind::Project(project) => projects.push((project, rewrite)),
                // its rows may be older than a newer order
                PageKind::Home if self.home.is_some() => continue,
                PageKind::Home => {
                    self.home = Some(rewrite.order);
                    out.ask(Purpose::Home, Query::Home);
                }
                PageKind::Root => match &self.root {
                    Root::Resting | Root::Due(_) => {
                        if let Root::Due(older) = std::mem::replace(&mut self.root, Root::Due(rewrite.order))
                        {
                            self.held.remove(&older.order);
                        }
                        self.held.insert(number);
                        continue;
                    }
                    _ => continue,
                },
            }
            self.held.insert(number);
            any = true;
        }
        if !projects.is_empty() {
            self.batches.push_back(projects.len());
            out.effects.push(Effect::Page(PageRequest::Projects(projects)));
        }
        any
    }

    /// The database knows what became of orders, or does not.
    pub fn told(&mut self, now: Millis, answer: &Answer, out: &mut Out) {
        self.now = now;
        if !matches!(answer, Answer::RewritesDone) {
            // they are still due, and come again
            log::error!("the database's answer about orders of pages cannot be used: {answer:?}");
        }
        for number in std::mem::take(&mut self.telling) {
            self.held.remove(&number);
        }
        self.tell(out);
        self.look(out);
    }

    /// Tells the database what became of orders: first of those that are not to be in the way of others.
    fn tell(&mut self, out: &mut Out) {
        if !self.tell || !self.telling.is_empty() {
            return;
        }
        let failed = !self.undone.is_empty();
        let from = if failed { &mut self.undone } else { &mut self.done };
        let orders: Vec<_> = from.drain(..from.len().min(PAGES_TOLD)).collect();
        self.tell = !(self.done.is_empty() && self.undone.is_empty());
        if orders.is_empty() {
            return;
        }
        self.telling = orders.iter().map(|order| order.order).collect();
        let query = if failed { Query::RewritesFailed(orders) } else { Query::RewritesDone(orders) };
        out.ask(Purpose::PagesTold, query);
    }

    /// The database answered with names for the root index.
    pub fn root_answered(&mut self, now: Millis, answer: Answer, out: &mut Out) {
        let Root::Writing(order, last) = &mut self.root else { return };
        let Answer::RootNames(names) = answer else {
            // what the scribe began it begins anew; the order is still due
            log::error!("the database's answer about the root index cannot be used: {answer:?}");
            self.held.remove(&order.order);
            self.root_rests(now);
            return;
        };
        if let Some(name) = names.last() {
            *last = Some(name.name.clone());
        }
        let end = names.len() < usize::from(ROOT_NAMES_AT_ONCE);
        let order = order.clone();
        out.effects.push(Effect::Page(PageRequest::RootNames(names)));
        if end {
            out.effects.push(Effect::Page(PageRequest::RootEnd(order)));
            self.root = Root::Ending;
        }
    }

    /// The database has the order for the home page, or not.
    pub fn home_ordered(&mut self, answer: &Answer, out: &mut Out) {
        let done = matches!(answer, Answer::HomeOrdered);
        self.clock.ordered(done);
        if done {
            self.kick(out);
        } else {
            log::error!("the home page cannot be ordered: {answer:?}");
        }
    }

    /// The database answered what the home page is made from.
    pub fn home_answered(&mut self, now: Millis, answer: Answer, out: &mut Out) {
        let Some(order) = self.home.clone() else { return };
        match answer {
            Answer::Home(rows) => out.effects.push(Effect::Page(PageRequest::Home(order, rows))),
            other => {
                let reason = format!("the database's answer cannot be used: {other:?}");
                self.written(now, PageAnswer::Written(order, Err(reason)), out);
            }
        }
    }

    fn begin_root(&mut self, now: Millis, out: &mut Out) {
        let Root::Due(order) = &self.root else { return };
        if now < self.root_due || now < self.paused {
            return;
        }
        self.root_begun = now;
        self.root = Root::Writing(order.clone(), None);
        out.effects.push(Effect::Page(PageRequest::RootBegin));
        out.ask(Purpose::Root, Query::RootNames { after: None, limit: ROOT_NAMES_AT_ONCE });
    }

    fn root_rests(&mut self, now: Millis) {
        self.root = Root::Resting;
        let took = now.since(self.root_begun);
        let window = Millis(took.0.saturating_mul(10)).clamp(ROOT_WINDOW, ROOT_WINDOW_MAX);
        self.root_due = now + window;
    }

    /// The scribe answered.
    pub fn written(&mut self, now: Millis, answer: PageAnswer, out: &mut Out) {
        self.now = now;
        match answer {
            // the hub's
            PageAnswer::SlavesWritten(_) => {}
            PageAnswer::RootReady => {
                let Root::Writing(_, Some(last)) = &self.root else { return };
                let after = Some(last.clone());
                out.ask(Purpose::Root, Query::RootNames { after, limit: ROOT_NAMES_AT_ONCE });
            }
            PageAnswer::Written(order, result) => {
                self.counts.count(&order.page, result.is_ok());
                let whole = match order.page {
                    PageKind::Root => {
                        self.root_rests(now);
                        true
                    }
                    PageKind::Home => {
                        self.home = None;
                        true
                    }
                    PageKind::Project(_) => self.answered_for(),
                };
                match result {
                    Ok(()) => {
                        if self.failed.remove(&order.page).is_some() {
                            log::info!("{} is written after all", described(&order.page));
                        }
                        (self.in_a_row, self.paused) = (0, Millis(0));
                        if self.failed.is_empty() {
                            self.trouble = None;
                        }
                        self.done.push(order);
                    }
                    Err(reason) => {
                        self.failed(now, &order, reason);
                        // to the end of the line, so that it does not hide those behind it
                        if seeded::is("failed-page-struck") {
                            self.done.push(order);
                        } else {
                            self.undone.push(order);
                        }
                    }
                }
                // one commit for a batch: that of the root index does not wait for it
                self.tell |= whole;
                self.tell(out);
                self.look(out);
            }
        }
    }

    /// The scribe answered for a project's page; true when it was the last of its batch.
    fn answered_for(&mut self) -> bool {
        let Some(left) = self.batches.front_mut() else { return true };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return false;
        }
        self.batches.pop_front();
        true
    }

    fn failed(&mut self, now: Millis, order: &RewriteOrder, reason: String) {
        let page = &order.page;
        let trouble = format!("{} cannot be written: {reason}", described(page));
        let known = self.failed.get(page).is_some_and(|before| before.reason == reason);
        // a page that stays broken is told once, and not every few seconds
        let level = if known { log::Level::Debug } else { log::Level::Error };
        log::log!(level, "{trouble}; the old one stays, trying again in {} s", DISK_RETRY.0 / 1000);
        self.trouble = Some(trouble);
        let again = now + DISK_RETRY;
        if known || self.failed.len() < FAILED_MOST {
            self.failed.insert(page.clone(), Failure { order: order.order, again, reason });
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row >= PAGES_FAILING {
            self.paused = again;
        }
    }

    /// Looks for orders now and then by itself: those of a master before this one, and those that failed.
    pub fn tick(&mut self, now: Millis, out: &mut Out) {
        self.now = now;
        self.turns.tick(now);
        self.begin_root(now, out);
        if self.clock.is_due(now) {
            out.ask(Purpose::HomeOrder, Query::OrderHome);
        }
        if now >= self.next_look {
            self.next_look = now + SWEEP_EVERY;
            self.kicked = true;
        }
        self.look(out);
    }
}

fn described(page: &PageKind) -> String {
    match page {
        PageKind::Project(project) => format!("the page of {project}"),
        PageKind::Root => "the root index".to_owned(),
        PageKind::Home => "the home page".to_owned(),
    }
}

#[cfg(test)]
mod tests;
