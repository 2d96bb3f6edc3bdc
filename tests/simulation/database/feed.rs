//! What the index says: events of its changelog, and projects' pages.
//!
//! Of the list of all projects the model knows nothing: it was compared just now, always.

use std::collections::BTreeSet;

use piwheels::domain::{BuildId, ProjectName};
use piwheels::master::gaze::{Happening, IndexEvent, PageTruth, ReleaseTruth};
use piwheels::master::query::{DuePage, FeedState, Learned, Unread};

use super::{Package, Page, Tables, Waiting};

/// What of a project is read and known of the index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) removed: bool,
    missing_since: Option<u64>,
    serial: u64,
    page_serial: u64,
    etag: Option<String>,
    pub(super) read_due: Option<u64>,
    fails: u32,
}

/// How far the index was followed.
#[derive(Clone, Debug, Default)]
pub(super) struct Feed {
    serial: u64,
    settled: u64,
    seen: BTreeSet<u64>,
}

impl Known {
    /// Whether its page is to be read, now or later.
    pub(crate) fn is_due(&self) -> bool {
        self.read_due.is_some()
    }

    /// Its page is to be read, whatever is known of it.
    pub(super) fn is_wanted_now(&mut self, clock: u64) {
        self.etag = None;
        self.read_due = Some(self.read_due.map_or(clock, |due| due.min(clock)));
    }

    /// It is followed from now on.
    pub(super) fn is_wished_for(&mut self, clock: u64) {
        self.etag = None;
        self.read_due.get_or_insert(clock);
    }
}

impl Package {
    /// Whether the index has nothing of it that may be built.
    pub(super) fn is_away(&self) -> bool {
        self.known.removed || self.known.missing_since.is_some()
    }

    /// Somebody asked for something that the index has.
    pub(super) fn is_there(&mut self) {
        (self.known.removed, self.known.missing_since) = (false, None);
    }
}

impl Tables {
    pub(super) fn feed_state(&self) -> FeedState {
        let forever = Some(i64::MAX / 2);
        let (serial, settled) = (self.feed.serial, self.feed.settled);
        FeedState { serial, settled, heard_at: None, listed_at: forever, list_etag: None }
    }

    /// Up to where every event is in the tables, and whether a page is to be read: for checks.
    pub(crate) fn followed(&self, clock: u64) -> (u64, bool) {
        let due = self.packages.iter().any(|p| p.known.read_due.is_some_and(|due| due <= clock));
        (self.feed.serial, due || self.queue.values().any(|waiting| !waiting.ready))
    }

    pub(super) fn feed_apply(
        &mut self,
        clock: u64,
        serial: u64,
        settled: u64,
        events: &[IndexEvent],
    ) -> Result<Learned, String> {
        if settled > serial || events.iter().any(|event| event.serial > serial || event.serial == 0) {
            return Err("an event beyond the serial that was read".to_owned());
        }
        let mut events: Vec<&IndexEvent> = events.iter().collect();
        events.sort_by_key(|event| event.serial);
        let (mut opened, mut cancelled, mut pages) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        let mut registered = 0;
        for event in events {
            let other = event.what == Happening::Other;
            if !other && !self.feed.seen.insert(event.serial) {
                continue;
            }
            let brings = matches!(event.what, Happening::Sdist(_));
            if self.package(&event.package).is_none() && !brings && !other {
                continue;
            }
            let package = self.register(&event.package, &event.display);
            let known = &mut self.packages[package].known;
            let late = event.serial < known.serial;
            known.serial = known.serial.max(event.serial);
            if other {
                continue;
            }
            // events are of long ago, before this clock began
            let (at, published) = (0, self.packages[package].published);
            let mut version = match &event.what {
                Happening::Sdist(version)
                | Happening::FileRemoved(version)
                | Happening::ReleaseRemoved(version)
                | Happening::Yanked(version)
                | Happening::Unyanked(version)
                | Happening::PureWheel(version, _) => self.version(package, version),
                Happening::ProjectRemoved | Happening::Other => None,
            };
            match &event.what {
                Happening::PureWheel(..) => return Err("the model knows no wheels of the index".to_owned()),
                Happening::Sdist(new) if version.is_none() => {
                    let (row, ..) = self.learn(package, new, true);
                    self.versions[row].checked = false;
                    self.versions[row].released = Some(event.at);
                    if late {
                        self.packages[package].known.etag = None;
                    }
                    (version, registered) = (Some(row), registered + 1);
                }
                _ if late => {
                    let known = &mut self.packages[package].known;
                    (known.read_due, known.etag) = (Some(clock), None);
                    continue;
                }
                _ => {}
            }
            if let (None, false) = (version, event.what == Happening::ProjectRemoved) {
                continue;
            }
            let due = published.then_some(at);
            let due = due.or(self.packages[package].known.read_due);
            if let Some(row) = version.map(|version| &mut self.versions[version]) {
                match &event.what {
                    Happening::Sdist(_) => (row.sdist, row.removed, row.checked) = (true, false, false),
                    Happening::FileRemoved(_) => row.checked = false,
                    Happening::ReleaseRemoved(_) => row.removed = true,
                    Happening::Yanked(_) => {
                        row.yanked.get_or_insert_default();
                    }
                    Happening::Unyanked(_) => (row.yanked, row.checked) = (None, false),
                    _ => {}
                }
            }
            match &event.what {
                Happening::Sdist(_) => self.packages[package].is_there(),
                Happening::FileRemoved(_) | Happening::ReleaseRemoved(_) | Happening::Yanked(_) => {
                    self.packages[package].known.read_due = due;
                }
                Happening::ProjectRemoved => {
                    let known = &mut self.packages[package].known;
                    (known.removed, known.read_due) = (true, published.then_some(at));
                    for row in self.versions_of(package) {
                        self.versions[row].removed = true;
                    }
                }
                _ => {}
            }
            match version {
                Some(version) => opened.extend(self.judge(clock, version)),
                None => opened.extend(self.judge_all(clock, self.versions_of(package))),
            }
            opened.extend(self.renew_newest(clock, package));
            if matches!(event.what, Happening::ReleaseRemoved(_) | Happening::ProjectRemoved) {
                cancelled.extend(self.stop_builds(package));
            }
            pages.insert(package);
        }
        self.feed.serial = self.feed.serial.max(serial);
        self.feed.settled = self.feed.settled.max(settled);
        let settled = self.feed.settled;
        self.feed.seen.retain(|serial| *serial > settled);
        pages.into_iter().for_each(|package| self.order_page(clock, Page::Project(package)));
        Ok(Learned { opened: self.tags(&opened), cancelled, registered })
    }

    /// `_stop_builds`.
    pub(super) fn stop_builds(&self, package: usize) -> Vec<BuildId> {
        let builds = self.live_builds(|at| self.versions[at].package == package && self.versions[at].blocked);
        builds.into_iter().map(BuildId).collect()
    }

    pub(super) fn learn_page(
        &mut self,
        clock: u64,
        name: &ProjectName,
        truth: &PageTruth,
        next_secs: Option<u32>,
    ) -> Result<Learned, String> {
        let new_package = self.package(name).is_none();
        let package = self.register(name, &truth.display);
        let before = self.packages[package].known.clone();
        if truth.serial.is_some_and(|serial| before.serial > serial) {
            return Err("the page is older than what is known".to_owned());
        }
        let known = &mut self.packages[package].known;
        *known = Known {
            removed: false,
            missing_since: None,
            serial: before.serial.max(truth.serial.unwrap_or(0)),
            page_serial: truth.serial.unwrap_or(before.page_serial),
            etag: truth.etag.clone(),
            read_due: next_secs.map(|secs| clock + u64::from(secs) * 1000),
            fails: 0,
        };
        let (mut opened, mut registered) = (BTreeSet::new(), 0);
        let (mut told, mut withdrawn) = (false, false);
        let mut releases: Vec<&ReleaseTruth> = truth.releases.iter().collect();
        releases.sort_by(|a, b| a.version.cmp(&b.version));
        for release in &releases {
            if self.version(package, &release.version).is_none() && !release.wanted {
                continue;
            }
            let (row, new, changed) = self.learn_release(package, release);
            told |= changed;
            if new {
                registered += 1;
                self.versions[row].checked = false;
            } else if changed {
                opened.extend(self.judge(clock, row));
            }
        }
        for row in self.versions_of(package) {
            let version = &self.versions[row];
            let there = releases.iter().any(|release| release.version == version.version);
            let files = self.files.values().any(|file| file.version == row);
            if there || version.removed && (version.imported || !files) {
                continue;
            }
            self.versions[row].removed = true;
            if !self.versions[row].imported {
                self.withdraw_all(clock, row);
                withdrawn = true;
            }
            opened.extend(self.judge(clock, row));
        }
        let came_back = before.removed || before.missing_since.is_some();
        if came_back {
            opened.extend(self.judge_all(clock, self.versions_of(package)));
        }
        opened.extend(self.renew_newest(clock, package));
        opened.extend(self.page_read(clock, package));
        if told || withdrawn || came_back || new_package {
            self.order_page(clock, Page::Project(package));
        }
        let files = self.files.values().any(|file| self.versions[file.version].package == package);
        if withdrawn && (self.packages[package].published || files) {
            self.show(clock, package);
        }
        Ok(Learned { opened: self.tags(&opened), cancelled: self.stop_builds(package), registered })
    }

    /// `_learn`, of a release as a page has it.
    fn learn_release(&mut self, package: usize, release: &ReleaseTruth) -> (usize, bool, bool) {
        let (row, new, _) = self.learn(package, &release.version, release.sdist);
        let version = &mut self.versions[row];
        let is = (release.yanked.clone(), release.sdist, false, release.released.or(version.released));
        let was = (version.yanked.clone(), version.sdist_before, version.removed, version.released);
        (version.yanked, version.sdist, version.removed, version.released) = is.clone();
        version.sdist_before = version.sdist;
        (row, new, new || is != was)
    }

    fn withdraw_all(&mut self, clock: u64, version: usize) {
        let files = self.files.iter().filter(|(_, file)| file.version == version);
        let names: Vec<String> = files.map(|(name, _)| name.clone()).collect();
        if !names.is_empty() {
            self.withdraw(clock, version, &names);
        }
    }

    /// `_page_read`.
    fn page_read(&mut self, clock: u64, package: usize) -> BTreeSet<usize> {
        let mut opened = BTreeSet::new();
        for row in self.versions_of(package) {
            if std::mem::replace(&mut self.versions[row].checked, true) {
                continue;
            }
            let waits: Vec<_> = self
                .delayed
                .iter()
                .filter(|(pair, w)| pair.0 == row && w.for_page)
                .map(|(p, _)| *p)
                .collect();
            for pair in waits {
                if let Some(waiting) = self.delayed.remove(&pair) {
                    self.queue.insert(pair, Waiting { at: clock, ready: true, for_page: false, ..waiting });
                }
            }
            self.judge(clock, row);
            opened.extend(self.queue.keys().filter(|pair| pair.0 == row).map(|pair| pair.1));
        }
        opened
    }

    pub(super) fn page_unread(
        &mut self,
        clock: u64,
        package: usize,
        news: Unread,
        next_secs: Option<u32>,
    ) -> Learned {
        let before = self.packages[package].known.clone();
        let mut opened = BTreeSet::new();
        let patience = match news {
            Unread::Unchanged { serial } if before.etag.is_none() || before.serial > serial => {
                return Learned::default();
            }
            Unread::Unchanged { .. } => {
                let known = &mut self.packages[package].known;
                known.fails = 0;
                known.page_serial = known.page_serial.max(known.serial);
                known.read_due = next_secs.map(|secs| clock + u64::from(secs) * 1000);
                opened.extend(self.page_read(clock, package));
                return Learned { opened: self.tags(&opened), ..Learned::default() };
            }
            Unread::Missing { patience_secs } => Some(u64::from(patience_secs) * 1000),
            Unread::Failed { .. } => None,
        };
        if let Some(patience) = patience
            && (before.removed || before.missing_since.is_some_and(|since| since + patience < clock))
        {
            let known = &mut self.packages[package].known;
            (known.removed, known.missing_since, known.fails) = (true, None, 0);
            (known.etag, known.read_due) = (None, None);
            for row in self.versions_of(package) {
                if !self.versions[row].imported {
                    self.withdraw_all(clock, row);
                }
            }
            opened.extend(self.judge_all(clock, self.versions_of(package)));
            self.order_page(clock, Page::Project(package));
            if self.packages[package].published {
                self.show(clock, package);
            }
            let cancelled = self.stop_builds(package);
            return Learned { opened: self.tags(&opened), cancelled, registered: 0 };
        }
        let retry = if let Unread::Failed { retry_secs } = news { u64::from(retry_secs) } else { 0 };
        let mut due = clock + 1000 * retry.max((60 << before.fails.min(9)).min(21_600));
        if let Some(patience) = patience {
            due = due.min(before.missing_since.unwrap_or(clock) + patience + 1000);
        }
        let known = &mut self.packages[package].known;
        (known.fails, known.read_due) = (known.fails + 1, Some(due));
        let first = patience.is_some() && before.missing_since.is_none();
        if patience.is_some() {
            known.missing_since.get_or_insert(clock);
            known.etag = None;
        }
        if first {
            opened.extend(self.judge_all(clock, self.versions_of(package)));
        }
        let waits: Vec<_> = self
            .queue
            .iter()
            .filter(|(pair, waiting)| self.versions[pair.0].package == package && !waiting.ready)
            .map(|(pair, _)| *pair)
            .collect();
        for pair in waits {
            if let Some(waiting) = self.queue.remove(&pair) {
                self.delayed.insert(pair, Waiting { at: due, for_page: true, ..waiting });
            }
        }
        if first {
            self.order_page(clock, Page::Project(package));
        }
        Learned { opened: self.tags(&opened), cancelled: self.stop_builds(package), registered: 0 }
    }

    pub(super) fn pages_due(&self, clock: u64, limit: u16, ahead: u16) -> Vec<DuePage> {
        let mut due: Vec<(u8, u64, usize)> = Vec::new();
        for abi in 0..self.abis.len() {
            let mut all: Vec<((u64, usize), bool)> = (self.queue.iter())
                .filter(|(pair, _)| pair.1 == abi)
                .map(|(pair, waiting)| ((self.prio(pair.0), pair.0), waiting.ready))
                .collect();
            all.sort_unstable();
            let ready = all.iter().filter(|(_, ready)| *ready).map(|((prio, _), _)| *prio);
            let horizon = ready.clone().nth(usize::from(ahead) - 1).unwrap_or(u64::MAX);
            let soon = all.iter().filter(|((prio, _), ready)| !ready && *prio <= horizon);
            due.extend(
                soon.take(limit.into()).map(|((prio, row), _)| (0, *prio, self.versions[*row].package)),
            );
        }
        let by_themselves = self.packages.iter().enumerate();
        due.extend(by_themselves.filter_map(|(at, package)| {
            package.known.read_due.filter(|due| *due <= clock).map(|due| (1, due, at))
        }));
        due.sort_unstable();
        let mut named = BTreeSet::new();
        due.retain(|(_, _, package)| named.insert(*package));
        due.truncate(limit.into());
        let page = |(_, _, at): &(u8, u64, usize)| {
            let Package { name, known, .. } = &self.packages[*at];
            let etag = known.etag.clone().filter(|_| known.page_serial >= known.serial);
            DuePage { package: name.clone(), etag, serial: known.serial, wishes: Vec::new() }
        };
        due.iter().map(page).collect()
    }

    /// `prio` of the view `judgement`: of final releases, which are not fresh.
    pub(super) fn prio(&self, version: usize) -> u64 {
        let row = &self.versions[version];
        if let Some(asked) = row.asked {
            return asked;
        }
        let class: u64 = if self.packages[row.package].newest == Some(version) { 2 } else { 3 };
        let days = u64::try_from(row.released.unwrap_or(0)).unwrap_or(0) / 86_400;
        class << 48 | 40 << 40 | (65_535 - days.min(65_535)) << 24 | version as u64
    }
}
