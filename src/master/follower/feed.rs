//! The follower's way through the changelog, and through the list of all projects beside or in place of it. Pure.

use super::{Busy, Chunk, Follower};
use crate::domain::Millis;
use crate::master::event::Out;
use crate::master::follower::Follow;
use crate::master::gaze::{CHANGELOG_ROWS, Changelog, IndexEvent, ListPiece};
use crate::master::limits::{CHANGELOG_EVERY, EVENTS_AT_ONCE, LIST_EVERY, LIST_UNHEARD_AFTER};
use crate::master::query::Query;
use crate::seeded;

impl Follower {
    /// Whether the list of all projects is to be compared, and the ETag that it had: once a day behind a changelog that
    /// was read to its end, and more often in its place while it does not answer.
    pub(super) fn list_due(&mut self, now: Millis, wall: Millis) -> Option<Option<String>> {
        let feed = self.feed.as_ref().filter(|_| self.settings.follow == Follow::All)?;
        let unheard = self.is_unheard(now);
        if now < self.next_list || (self.behind && !unheard) {
            return None;
        }
        let secs = i64::try_from(wall.0 / 1000).unwrap_or(i64::MAX);
        let every = i64::try_from(LIST_EVERY.0 / 1000).unwrap_or(i64::MAX);
        if !unheard && feed.listed_at.is_some_and(|at| secs.saturating_sub(at) < every) {
            self.next_list = now + LIST_UNHEARD_AFTER;
            return None;
        }
        self.next_list = now + LIST_UNHEARD_AFTER;
        // a list that has not changed tells of lost events all the same
        Some(feed.list_etag.clone().filter(|_| unheard))
    }

    fn is_unheard(&self, now: Millis) -> bool {
        self.unheard_since.is_some_and(|since| now.since(since) >= LIST_UNHEARD_AFTER)
    }

    pub(super) fn changelog_seen(&mut self, now: Millis, changelog: Changelog) {
        self.answers(now);
        if self.unheard_since.take().is_some() {
            log::warn!("the index's changelog answers again");
            self.unheard = 0;
        }
        if changelog.odd > 0 {
            log::warn!("{} events of the index could not be read and are passed over", changelog.odd);
        }
        self.behind = changelog.rows >= CHANGELOG_ROWS;
        if !self.behind {
            self.heard = Some(now);
        }
        self.next_changelog = if self.behind { now } else { now + CHANGELOG_EVERY };
        let (Some(last), Some(feed)) = (changelog.last, &self.feed) else { return };
        let settled = if seeded::is("late-events-lost") { last } else { changelog.settled };
        let (last, settled) = (last.max(feed.serial), settled.min(last));
        let mut events = changelog.events.into_iter().peekable();
        while events.peek().is_some() {
            let events: Vec<IndexEvent> = events.by_ref().take(EVENTS_AT_ONCE).collect();
            let serial = events.iter().map(|event| event.serial).max().unwrap_or_default();
            // nothing is settled before the chunk that brings the rest
            self.chunks.push_back(Chunk { serial, settled: feed.settled.min(serial), events });
        }
        self.chunks.push_back(Chunk { serial: last, settled, events: Vec::new() });
    }

    pub(super) fn list_seen(&mut self, now: Millis, piece: ListPiece, out: &mut Out) {
        self.answers(now);
        let Some(after) = &mut self.listing else { return };
        match piece {
            ListPiece::Unchanged => self.listing = None,
            ListPiece::Projects(projects) => {
                let before = after.take();
                *after = projects.last().map(|last| last.package.clone()).or_else(|| before.clone());
                let serial_read = self.feed.as_ref().map_or(0, |feed| feed.settled);
                let unheard = self.is_unheard(now);
                let query = Query::FeedCompare { projects, after: before, serial_read, unheard };
                self.ask(Busy::Comparing, query, out);
            }
            ListPiece::End { etag, odd, .. } => {
                self.listing = None;
                if odd > 0 {
                    log::warn!("{odd} names on the list of all projects could not be read");
                }
                if let Some(feed) = &mut self.feed {
                    feed.list_etag.clone_from(&etag);
                }
                self.ask(Busy::Listed, Query::FeedListed(etag), out);
            }
        }
    }
}
