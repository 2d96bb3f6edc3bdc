//! Which pages are due, and in what order they are written (manual 2.4.9).
//!
//! ```text
//!   resting ──kick──► asking what is due ──some──► writing each ──► asking …  ──none──► resting
//!                                                    └─ the root index: a piece at a time, ROOT_WINDOW apart
//! ```
//!
//! Orders are rows in the database, so none is lost; this keeps only what is under way. A page that fails is tried
//! again after [`DISK_RETRY`], and the others do not wait for it. Pure: no files, SQL or clock.

use std::collections::HashMap;

use super::event::{Effect, Out, PageAnswer, PageRequest, Purpose};
use super::limits::{DISK_RETRY, PAGES_AT_ONCE, ROOT_NAMES_AT_ONCE, ROOT_WINDOW, SWEEP_EVERY};
use super::query::{Answer, PageKind, Query, RewriteOrder};
use crate::domain::Millis;

/// What is under way.
#[derive(Debug, Default)]
pub struct Pages {
    /// The database is asked what is due.
    asking: bool,
    /// Something may be due that was not when it was last asked.
    kicked: bool,
    /// Pages the scribe writes, and orders the database is told are carried out.
    under_way: usize,
    root: Root,
    root_written: Option<Millis>,
    /// Pages that failed, and when they may be tried again.
    failed: HashMap<PageKind, Millis>,
    next_look: Millis,
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

    fn look(&mut self, out: &mut Out) {
        if self.asking || self.under_way > 0 || !self.kicked {
            return;
        }
        self.kicked = false;
        self.asking = true;
        out.ask(Purpose::Pages, Query::RewritesDue { limit: PAGES_AT_ONCE });
    }

    /// Whether nothing is half done: orders that wait are rows, and safe.
    pub fn settled(&self) -> bool {
        self.under_way == 0 && !self.asking && matches!(self.root, Root::Resting | Root::Due(_))
    }

    /// The database answered what is due, or that it knows of a page that is written.
    pub fn answered(&mut self, now: Millis, answer: Answer, out: &mut Out) {
        match answer {
            Answer::RewritesDue(due) => {
                self.asking = false;
                let full = due.len() >= usize::from(PAGES_AT_ONCE);
                for rewrite in due {
                    if self.failed.get(&rewrite.order.page).is_some_and(|at| *at > now) {
                        continue;
                    }
                    match rewrite.order.page.clone() {
                        PageKind::Project(project) => {
                            self.under_way += 1;
                            out.effects.push(Effect::Page(PageRequest::Project(project, rewrite)));
                        }
                        PageKind::Home => {
                            self.under_way += 1;
                            out.effects.push(Effect::Page(PageRequest::Home(rewrite.order)));
                        }
                        PageKind::Root => {
                            if matches!(self.root, Root::Resting | Root::Due(_)) {
                                self.root = Root::Due(rewrite.order);
                            }
                        }
                    }
                }
                // a full batch may hide more behind it, unless all of it was waiting for its time
                self.kicked |= full && self.under_way > 0;
                self.begin_root(now, out);
                self.look(out);
            }
            Answer::RewriteDone => {
                self.under_way = self.under_way.saturating_sub(1);
                self.look(out);
            }
            other => {
                // The order is still due, and the clock looks for it again.
                if !std::mem::take(&mut self.asking) {
                    self.under_way = self.under_way.saturating_sub(1);
                }
                log::error!("the database's answer about pages cannot be used: {other:?}");
            }
        }
    }

    /// The database answered with names for the root index.
    pub fn root_answered(&mut self, now: Millis, answer: Answer, out: &mut Out) {
        let Root::Writing(order, last) = &mut self.root else { return };
        let Answer::RootNames(names) = answer else {
            // what the scribe began it begins anew; the order is still due
            log::error!("the database's answer about the root index cannot be used: {answer:?}");
            self.root = Root::Resting;
            self.root_written = Some(now);
            return;
        };
        if let Some(name) = names.last() {
            *last = Some(name.clone());
        }
        let end = names.len() < usize::from(ROOT_NAMES_AT_ONCE);
        let order = order.clone();
        out.effects.push(Effect::Page(PageRequest::RootNames(names)));
        if end {
            out.effects.push(Effect::Page(PageRequest::RootEnd(order)));
            self.root = Root::Ending;
        }
    }

    fn begin_root(&mut self, now: Millis, out: &mut Out) {
        let Root::Due(order) = &self.root else { return };
        if self.root_written.is_some_and(|at| now.since(at) < ROOT_WINDOW) {
            return;
        }
        self.root = Root::Writing(order.clone(), None);
        out.effects.push(Effect::Page(PageRequest::RootBegin));
        out.ask(Purpose::Root, Query::RootNames { after: None, limit: ROOT_NAMES_AT_ONCE });
    }

    /// The scribe answered.
    pub fn written(&mut self, now: Millis, answer: PageAnswer, out: &mut Out) {
        match answer {
            // the hub's
            PageAnswer::SlavesWritten(_) => {}
            PageAnswer::RootReady => {
                let Root::Writing(_, Some(last)) = &self.root else { return };
                let after = Some(last.clone());
                out.ask(Purpose::Root, Query::RootNames { after, limit: ROOT_NAMES_AT_ONCE });
            }
            PageAnswer::Written(order, result) => {
                if order.page == PageKind::Root {
                    self.root = Root::Resting;
                    self.root_written = Some(now);
                    self.under_way += 1;
                }
                match result {
                    Ok(()) => {
                        self.failed.remove(&order.page);
                        out.ask(Purpose::Pages, Query::RewriteDone(order));
                    }
                    Err(reason) => {
                        let what = match &order.page {
                            PageKind::Project(project) => format!("the page of {project}"),
                            PageKind::Root => "the root index".to_owned(),
                            PageKind::Home => "the home page".to_owned(),
                        };
                        log::error!(
                            "{what} cannot be written: {reason}; the old one stays, trying again in {} s",
                            DISK_RETRY.0 / 1000
                        );
                        self.failed.insert(order.page.clone(), now + DISK_RETRY);
                        // to the end of the line, so that it does not hide those behind it
                        out.ask(Purpose::Pages, Query::RewriteFailed(order));
                    }
                }
            }
        }
    }

    /// Looks for orders now and then by itself: those of a master before this one, and those that failed.
    pub fn tick(&mut self, now: Millis, out: &mut Out) {
        self.begin_root(now, out);
        self.failed.retain(|_, at| *at > now);
        if now >= self.next_look {
            self.next_look = now + SWEEP_EVERY;
            self.kick(out);
        }
    }
}

#[cfg(test)]
mod tests;
