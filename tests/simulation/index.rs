//! The index that the farm follows: releases come, go, are yanked, whole projects go and come back; and a cloud gazer that reads
//! its changelog and its pages as they are at that moment, late, from a cache that is behind, or not at all.
//!
//! An event gets its number before everybody can read it: some come late, as on PyPI.

use std::collections::BTreeMap;

use piwheels::domain::{ProjectName, Version};
use piwheels::master::event::{Event, LookAnswer, LookUp};
use piwheels::master::gaze::*;
use piwheels::master::query::Wanted;

use super::database::VersionRow;
use super::faults::Kind;
use super::world::{Act, PROJECTS, VERSIONS, World, wanted};

/// What the index may have of each project.
const RELEASES: [&str; 4] = ["1.0", "2.0", "3.0", "4.0"];
/// No event is late for longer, in milliseconds.
const LATEST: u64 = 90_000;
/// When everything was uploaded, in seconds since 1970: long ago, so that nothing is fresh.
const UPLOADED: i64 = 1_600_000_000;

#[derive(Clone, Debug)]
struct Release {
    yanked: Option<String>,
    /// An event told of it.
    told: bool,
}

#[derive(Clone, Debug, Default)]
struct Project {
    releases: BTreeMap<Version, Release>,
    serial: u64,
}

/// See the module's head.
#[derive(Default)]
pub(crate) struct Index {
    projects: BTreeMap<ProjectName, Project>,
    /// Every event, and when it can be read.
    events: Vec<(IndexEvent, u64)>,
}

impl Index {
    /// It has what everybody knows, from the beginning.
    pub(crate) fn new() -> Self {
        let versions = VERSIONS.map(|version| Version::parse(version).expect("a version"));
        let releases: BTreeMap<Version, Release> =
            versions.into_iter().map(|version| (version, Release { yanked: None, told: false })).collect();
        let project = Project { releases, serial: 0 };
        let names = PROJECTS.map(|name| ProjectName::parse(name).expect("a name"));
        Self { projects: names.into_iter().map(|name| (name, project.clone())).collect(), events: Vec::new() }
    }

    fn serial(&self) -> u64 {
        self.events.len() as u64
    }

    fn happens(&mut self, name: &ProjectName, what: Happening, visible: u64) {
        let serial = self.serial() + 1;
        self.projects.entry(name.clone()).or_default().serial = serial;
        let (package, display) = (name.clone(), name.to_string());
        let event = IndexEvent { serial, at: UPLOADED, package, display, what };
        self.events.push((event, visible));
    }

    fn changelog(&self, clock: u64, since: u64) -> Changelog {
        let visible = |(_, at): &&(IndexEvent, u64)| *at <= clock;
        let events: Vec<IndexEvent> = self
            .events
            .iter()
            .filter(visible)
            .filter(|(event, _)| event.serial > since)
            .map(|(event, _)| event.clone())
            .collect();
        let hidden = self.events.iter().find(|event| !visible(event)).map(|(event, _)| event.serial - 1);
        let last = events.last().map(|event| event.serial);
        let settled = hidden.unwrap_or(u64::MAX).min(last.unwrap_or(since)).max(since);
        Changelog { rows: events.len(), last, odd: 0, settled, events }
    }

    fn page(&self, wish: &PageWish) -> PageNews {
        let Some(project) = self.projects.get(&wish.package) else { return PageNews::Missing };
        let etag = Some(format!("\"{}\"", project.serial));
        if project.releases.is_empty() {
            return PageNews::Missing;
        }
        if project.serial < wish.serial {
            return PageNews::Stale { serial: project.serial };
        }
        if wish.etag == etag {
            return PageNews::Unchanged;
        }
        let release = |(version, release): (&Version, &Release)| ReleaseTruth {
            version: version.clone(),
            released: Some(UPLOADED),
            sdist: true,
            yanked: release.yanked.clone(),
            pythons: None,
            pure: None,
            tags: Vec::new(),
            wanted: true,
        };
        PageNews::Seen(Box::new(PageTruth {
            display: wish.package.to_string(),
            status: ProjectStatus::Active,
            status_reason: None,
            serial: Some(project.serial),
            etag,
            releases: project.releases.iter().map(release).collect(),
        }))
    }
}

impl World {
    /// Something happens on the index.
    pub(crate) fn news(&mut self) {
        let clock = self.clock;
        let dice = self.chance.of(Kind::News);
        let name = ProjectName::parse(dice.of::<&str>(&PROJECTS)).expect("a name");
        let version = Version::parse(dice.of::<&str>(&RELEASES)).expect("a version");
        let (what, late) = (dice.below(10), dice.once_in(4));
        let visible = clock + if late { dice.between(1_000, LATEST) } else { 0 };
        let project = self.index.projects.entry(name.clone()).or_default();
        let there = project.releases.contains_key(&version);
        let happening = match what {
            0..=4 if !there => {
                project.releases.insert(version.clone(), Release { yanked: None, told: true });
                Happening::Sdist(version)
            }
            5 | 6 if there => {
                project.releases.remove(&version);
                Happening::ReleaseRemoved(version)
            }
            7 | 8 if let Some(release) = project.releases.get_mut(&version) => {
                if release.yanked.take().is_some() {
                    Happening::Unyanked(version)
                } else {
                    release.yanked = Some("it is broken".to_owned());
                    Happening::Yanked(version)
                }
            }
            9 if !project.releases.is_empty() => {
                project.releases.clear();
                Happening::ProjectRemoved
            }
            _ => return,
        };
        self.fault(Kind::News, || {
            format!("on the index: {name}: {happening:?}, to be read from {visible} on")
        });
        self.index.happens(&name, happening, visible);
    }

    /// The farm looks at the index.
    pub(crate) fn looks(&mut self, request: GazeRequest) {
        let run = self.run;
        let usual = self.chance.master.between(20, 300);
        self.at(usual, Act::Gazed(run, Box::new(request)));
    }

    /// The cloud gazer has an answer.
    pub(crate) fn gazed(&mut self, run: u64, request: GazeRequest) {
        if run != self.run || self.master.is_none() {
            return;
        }
        let fails = self.quiet.is_none() && self.chance.of(Kind::News).once_in(12);
        let everywhere = fails && self.chance.of(Kind::News).once_in(2);
        let failure = || GazeFailure { reason: "it is away".to_owned(), retry_after_secs: None, everywhere };
        let answer = match request {
            GazeRequest::Changelog { .. } if fails => GazeAnswer::Changelog(Err(failure())),
            GazeRequest::Changelog { since } => {
                GazeAnswer::Changelog(Ok(self.index.changelog(self.clock, since)))
            }
            GazeRequest::Page(wish) if fails => GazeAnswer::Page(wish.package, PageNews::Failed(failure())),
            GazeRequest::Page(wish) => {
                let news = self.index.page(&wish);
                GazeAnswer::Page(wish.package, news)
            }
            GazeRequest::ListBegin { .. } | GazeRequest::ListMore => {
                GazeAnswer::List(Ok(ListPiece::Unchanged))
            }
            GazeRequest::Wheel(wheel) => return self.violated(format!("nothing of {wheel} is wanted")),
        };
        self.put(Event::Gazed(answer));
    }

    /// What a tool's wish means: the newest release that is not yanked.
    pub(crate) fn looked_up(&self, wishes: &[LookUp]) -> LookAnswer {
        let mut found = Vec::new();
        for wish in wishes {
            let releases = self.index.projects.get(&wish.package).map(|project| &project.releases);
            let newest = releases.and_then(|all| all.iter().rfind(|(_, release)| release.yanked.is_none()));
            let Some((version, _)) = newest else {
                return LookAnswer::NotFound(vec![format!("the index has nothing of {}", wish.package)]);
            };
            let specifiers = Some(wish.specifiers.clone());
            found.push(Wanted { specifiers, ..wanted(wish.package.as_str(), &version.to_string()) });
        }
        LookAnswer::Found(found)
    }

    /// What of the index is still to be followed.
    pub(crate) fn unfollowed(&self) -> Option<String> {
        if !self.faults.has(Kind::News) {
            return None;
        }
        let (serial, due) = self.database.now.followed(self.clock);
        let visible = self.index.events.iter().all(|(_, at)| *at <= self.clock);
        let followed = serial == self.index.serial() && visible;
        (!followed)
            .then(|| format!("the index is at {}, followed to {serial}", self.index.serial()))
            .or_else(|| due.then(|| "pages of the index are to be read".to_owned()))
    }

    /// The farm knows what the index has, in the end: nothing is offered, or built, that it has removed, and nothing of it is
    /// missing.
    pub(crate) fn check_index(&mut self) {
        if !self.faults.has(Kind::News) {
            return;
        }
        let tables = &self.database.now;
        let mut odd = None;
        for row in &tables.versions {
            let package = &tables.packages[row.package];
            let project = self.index.projects.get(&package.name);
            let release = project.and_then(|project| project.releases.get(&row.version));
            let what = format!("{} {}", package.name, row.version);
            // what was not built, and is not to be, is looked at when that changes
            if !row.is_checked() || package.known.is_due() {
                continue;
            }
            let known = !row.removed && !package.known.removed;
            match release {
                // one that the operator imported the index need not have
                None if known && row.is_of_the_index() => {
                    odd = Some(format!("{what} is known, and the index has removed it"));
                }
                Some(release) if known && release.yanked.is_some() != row.yanked.is_some() => {
                    odd = Some(format!("{what} is yanked ({}) on the index alone", release.yanked.is_some()));
                }
                Some(_) if !known => odd = Some(format!("{what} counts as removed, and the index has it")),
                _ => {}
            }
        }
        for (name, project) in &self.index.projects {
            let package = tables.packages.iter().position(|package| package.name == *name);
            let unknown = project.releases.iter().find(|(version, release)| {
                let is_it = |row: &VersionRow| Some(row.package) == package && row.version == **version;
                release.told && !tables.versions.iter().any(is_it)
            });
            if let Some((version, _)) = unknown {
                odd = Some(format!("the index has {name} {version}, and the farm does not know it"));
            }
        }
        if let Some(odd) = odd {
            self.violated(odd);
        }
    }

    /// When everybody is well, something new comes to the index: it has to be built.
    pub(crate) fn last_news(&mut self) {
        let name = ProjectName::parse(PROJECTS[0]).expect("a name");
        let version = Version::parse("5.0").expect("a version");
        let project = self.index.projects.entry(name.clone()).or_default();
        if project.releases.insert(version.clone(), Release { yanked: None, told: true }).is_none() {
            self.say(|| format!("on the index: {name} {version}"));
            self.index.happens(&name, Happening::Sdist(version), self.clock);
        }
    }
}
