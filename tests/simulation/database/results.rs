//! Results: recorded once, with their files, or not wanted any more; of slaves and of tools.

use std::collections::BTreeSet;

use piwheels::domain::{AbiTag, BuildId};
use piwheels::master::query::{
    BuildRecord, FileRecord, ImportPlan, ImportRecord, ImportVerdict, Imported, Logged, Outcome,
};

use super::jobs::{back_off, settles};
use super::versions::abi3_from;
use super::{BuildRow, FileRow, Lease, Page, Tables};

impl Tables {
    pub(super) fn log_build(&mut self, clock: u64, record: &BuildRecord) -> Result<Logged, String> {
        let build = record.token.build.0;
        let Some(lease) = self.lease(record.token).cloned() else {
            self.left_behind(clock, &record.files);
            return Ok(if self.has_record(record.token) { Logged::Duplicate } else { Logged::Unknown });
        };
        let (version, abi) = lease.pair;
        let package = self.versions[version].package;
        let outcome = record.outcome;
        let stopped =
            outcome == Outcome::Cancelled && (self.versions[version].blocked || self.is_off(lease.pair));
        let settling = settles(outcome, lease.attempt) && !stopped;
        let wanted = if lease.ended.is_none() {
            true
        } else if settling {
            let lost = outcome == Outcome::Cancelled || !settles(outcome, 1);
            self.still_wanted(clock, &lease, lost)
        } else {
            self.queue.contains_key(&lease.pair) || self.delayed.contains_key(&lease.pair)
        };
        if !wanted {
            self.record(clock, build, &record.slave, Outcome::Superseded, record.log_bytes);
            self.leases.remove(&build);
            self.open_next(clock, version);
            self.order_page(clock, Page::Project(package));
            self.left_behind(clock, &record.files);
            return Ok(Logged::Superseded);
        }
        self.record(clock, build, &record.slave, outcome, record.log_bytes);
        self.leases.remove(&build);
        let tag = |tables: &Self, opened: Option<usize>| opened.map(|abi| tables.abis[abi].clone());
        if stopped {
            if let Some(row) = self.builds.get_mut(&build) {
                row.void = true;
            }
            let opened = self.open_next(clock, version);
            self.order_page(clock, Page::Project(package));
            return Ok(Logged::Recorded { opened: tag(self, opened) });
        }
        if !settling {
            let mut opened = None;
            if lease.ended.is_none() {
                let due = clock + back_off(outcome, lease.attempt);
                opened = self.requeue_pair(clock, lease.pair, lease.attempt + 1, Some(due));
            }
            self.order_page(clock, Page::Project(package));
            return Ok(Logged::Recorded { opened: tag(self, opened) });
        }
        if !record.files.is_empty() {
            let since = clock.saturating_sub(record.duration_ms.min(30 * 24 * 3_600_000) + 3_600_000);
            self.publish(build, version, since, &record.files)?;
        }
        let row = &mut self.versions[version];
        row.done |= 1 << abi;
        row.covered |= !record.files.is_empty() && record.files.iter().all(|file| file.abi_tag == "none");
        row.abi3_from = [row.abi3_from, abi3_from(&record.files)].into_iter().flatten().min();
        let opened = self.open_next(clock, version);
        if record.files.is_empty() {
            self.order_page(clock, Page::Project(package));
        } else {
            self.show(clock, package);
        }
        Ok(Logged::Recorded { opened: tag(self, opened) })
    }

    pub(super) fn still_wanted(&mut self, clock: u64, lease: &Lease, lost: bool) -> bool {
        if lease.build_tag < self.build_tag(lease.pair) {
            return false;
        }
        let queued = self.queue.remove(&lease.pair).is_some();
        let delayed = self.delayed.remove(&lease.pair).is_some();
        if queued || delayed {
            return true;
        }
        let other =
            self.live(lease.pair.0).find(|(_, other)| other.pair == lease.pair).map(|(build, _)| *build);
        if let Some(other) = other {
            if !lost {
                self.end_lease(clock, other, "superseded");
            }
            return !lost;
        }
        let row = &self.versions[lease.pair.0];
        if row.covered || self.abi3_serves(row.abi3_from, lease.pair.1) {
            return false;
        }
        row.done >> lease.pair.1 & 1 == 0
            || !self.builds.values().any(|build| {
                build.pair == lease.pair
                    && build.outcome != Outcome::Cancelled
                    && !build.void
                    && settles(build.outcome, 1)
            })
    }

    pub(super) fn left_behind(&mut self, clock: u64, files: &[FileRecord]) {
        let mut pages = BTreeSet::new();
        for file in files {
            if let Some(gone) = self.withdrawn.get_mut(&file.filename).filter(|gone| !gone.pending) {
                gone.pending = true;
                pages.insert(self.versions[gone.version].package);
            }
        }
        pages.into_iter().for_each(|package| self.order_page(clock, Page::Project(package)));
    }

    pub(super) fn publish(
        &mut self,
        build: i64,
        version: usize,
        since: u64,
        files: &[FileRecord],
    ) -> Result<(), String> {
        for file in files {
            self.files.entry(file.filename.clone()).or_insert_with(|| FileRow {
                build,
                version,
                record: file.clone(),
            });
        }
        for file in files {
            let row = &self.files[&file.filename];
            if row.record.sha256 != file.sha256 || row.version != version {
                return Err(format!(
                    "{} is published already, with other bytes or for another version",
                    file.filename
                ));
            }
        }
        for file in files {
            if let Some(gone) = self.withdrawn.get(&file.filename)
                && (gone.sha256 != file.sha256 || gone.pending || gone.at > since)
            {
                return Err(format!("{} was withdrawn, with other bytes or just now", file.filename));
            }
        }
        for file in files {
            if let Some(row) = self.files.get_mut(&file.filename)
                && row.build != build
                && self.builds.get(&row.build).is_some_and(|before| before.void)
            {
                row.build = build;
            }
            self.withdrawn.remove(&file.filename);
        }
        Ok(())
    }

    pub(super) fn begin_import(&mut self, clock: u64, plan: &ImportPlan) -> Result<ImportVerdict, String> {
        let from = u32::from(plan.python.0) * 1000 + u32::from(plan.python.1);
        let serves = |abi: &&AbiTag| {
            let (major, minor) = abi.python();
            u32::from(major) * 1000 + u32::from(minor) >= from && !(plan.abi3 && abi.flags().contains('t'))
        };
        let abi = match &plan.abi {
            Some(abi) => {
                self.abis.iter().find(|known| *known == abi).ok_or("this farm does not build for it")?
            }
            None => {
                let all = || (0..self.abis.len()).filter(|abi| serves(&&self.abis[*abi]));
                let first = all().find(|abi| !self.is_retired(*abi)).or_else(|| all().next());
                &self.abis[first.ok_or("this farm has no ABI that the files serve")?]
            }
        };
        let abi = abi.clone();
        let package = self.package(&plan.package);
        let version = package.and_then(|package| self.version(package, &plan.version));
        for (name, sha256) in &plan.files {
            if let Some(row) = self.files.get(name)
                && (row.record.sha256 != *sha256 || Some(row.version) != version)
            {
                return Err(format!("{name} is published already, with other bytes or for another version"));
            }
        }
        for (name, sha256) in &plan.files {
            if self.withdrawn.get(name).is_some_and(|gone| gone.sha256 != *sha256) {
                return Err(format!("{name} was published before, with other bytes"));
            }
        }
        for (name, _) in &plan.files {
            if self.withdrawn.get(name).is_some_and(|gone| gone.pending) {
                return Err(format!("{name} was removed, and is just going from the disk"));
            }
        }
        Ok(if plan.files.iter().all(|(name, _)| self.files.contains_key(name)) {
            ImportVerdict::Unchanged { abi, page: package.and_then(|package| self.page_ordered(package)) }
        } else if version.is_none() && !plan.create {
            ImportVerdict::Unknown { package: package.is_none() }
        } else {
            self.skip_lost_numbers();
            ImportVerdict::Ready { build: BuildId(self.draw_build()), abi, begun: clock as i64 * 1000 }
        })
    }

    pub(super) fn log_import(&mut self, clock: u64, record: &ImportRecord) -> Result<Logged, String> {
        let new_package = self.package(&record.package).is_none();
        let package = self.register(&record.package, &record.display);
        if self.has_record(record.token) {
            let page = self.page_ordered(package);
            return Ok(Logged::Imported(Box::new(Imported { page, ..Imported::default() })));
        }
        let abi = self.abi(&record.abi).ok_or("no such ABI")?;
        let (version, new_version) = match self.version(package, &record.version) {
            Some(version) => (version, false),
            None => {
                self.packages[package].known.is_wanted_now(clock);
                (self.learn(package, &record.version, false).0, true)
            }
        };
        self.versions[version].imported = true;
        let build = record.token.build.0;
        self.builds.insert(
            build,
            BuildRow {
                pair: (version, abi),
                attempt: 1,
                slave: record.by.clone(),
                outcome: Outcome::Built,
                secret: record.token.secret,
                log_bytes: record.log_bytes,
                void: false,
                at: clock,
            },
        );
        self.publish(build, version, u64::try_from(record.begun / 1000).unwrap_or(0), &record.files)?;
        self.recover(version);
        let stopped: Vec<i64> = self
            .live(version)
            .filter(|(_, lease)| self.versions[version].covered || !self.is_open(lease.pair))
            .map(|(build, _)| *build)
            .collect();
        stopped.iter().for_each(|build| self.end_lease(clock, *build, "superseded"));
        let opened = self.judge(clock, version);
        self.show(clock, package);
        Ok(Logged::Imported(Box::new(Imported {
            opened: opened.map(|abi| self.abis[abi].clone()).into_iter().collect(),
            cancelled: stopped.into_iter().map(BuildId).collect(),
            page: self.page_ordered(package),
            new_package,
            new_version,
        })))
    }
}
