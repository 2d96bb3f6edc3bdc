//! What versions come to: asked for, judged, opened for one ABI after the other.

use std::collections::BTreeSet;

use piwheels::master::query::{AddedState, AddedVersion, FileRecord, Outcome, Wanted};

use super::jobs::settles;
use super::{BTreeMap, Lease, Page, Pair, Tables, Waiting};

impl Tables {
    pub(super) fn add_versions(&mut self, clock: u64, wanted: &[Wanted]) -> Vec<AddedVersion> {
        let asked: Vec<u64> = wanted.iter().map(|_| self.draw_asked()).collect();
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        let key =
            |at: &usize| (wanted[*at].package.clone(), std::cmp::Reverse(wanted[*at].version.clone()), *at);
        order.sort_by_key(key);
        let mut pages = BTreeSet::new();
        let mut added: Vec<Option<AddedVersion>> = wanted.iter().map(|_| None).collect();
        for at in order {
            let want = &wanted[at];
            let package = self.register(&want.package, &want.display);
            self.packages[package].is_there();
            if want.specifiers.is_some() {
                self.packages[package].known.is_wished_for(clock);
            }
            let (version, new, mut changed) = self.learn(package, &want.version, true);
            let row = &mut self.versions[version];
            let is = (want.yanked.clone(), false, want.released.or(row.released));
            changed |= is != (row.yanked.clone(), row.removed, row.released);
            (row.yanked, row.removed, row.released) = is;
            row.sdist_before = true;
            self.renew_newest(clock, package);
            let (state, queued_for) = self.ask_again(clock, version, asked[at]);
            if changed || state == AddedState::Queued {
                pages.insert(package);
            }
            let state = if new && state == AddedState::Queued { AddedState::New } else { state };
            added[at] = Some(AddedVersion {
                package: want.package.clone(),
                version: want.version.clone(),
                state,
                queued_for: queued_for.map(|abi| self.abis[abi].clone()),
                reason: None,
            });
        }
        pages.into_iter().for_each(|package| self.order_page(clock, Page::Project(package)));
        added.into_iter().flatten().collect()
    }

    pub(super) fn draw_asked(&mut self) -> u64 {
        self.next_asked += 1;
        self.next_asked - 1
    }

    pub(super) fn ask_again(
        &mut self,
        clock: u64,
        version: usize,
        asked: u64,
    ) -> (AddedState, Option<usize>) {
        self.void(version, None, &[Outcome::Cancelled]);
        let row = &mut self.versions[version];
        row.asked = Some(row.asked.map_or(asked, |before| before.min(asked)));
        row.checked = true;
        let due: Vec<_> = self.delayed.keys().copied().filter(|pair| pair.0 == version).collect();
        for pair in due {
            if let Some(waiting) = self.delayed.remove(&pair) {
                self.queue.insert(pair, Waiting { at: clock, ready: true, for_page: false, ..waiting });
            }
        }
        self.judge(clock, version);
        if let Some((pair, _)) = self.queue.iter().find(|(pair, _)| pair.0 == version) {
            return (AddedState::Queued, Some(pair.1));
        }
        let state = if self.live(version).next().is_some() {
            AddedState::Building
        } else if self.files.values().any(|file| file.version == version) {
            AddedState::Built
        } else if self.versions[version].blocked {
            AddedState::Skipped
        } else if self.versions[version].done != 0 {
            AddedState::Failed
        } else {
            AddedState::Queued
        };
        (state, None)
    }

    /// Builds of a version whose leases are alive.
    pub(super) fn live(&self, version: usize) -> impl Iterator<Item = (&i64, &Lease)> {
        self.leases.iter().filter(move |(_, lease)| lease.pair.0 == version && lease.ended.is_none())
    }

    pub(super) fn judge(&mut self, clock: u64, version: usize) -> Option<usize> {
        self.versions[version].blocked = self.is_blocked(version);
        let checked = self.versions[version].checked;
        for (_, waiting) in self.queue.iter_mut().filter(|(pair, _)| pair.0 == version) {
            if !std::mem::replace(&mut waiting.ready, checked) && checked {
                waiting.at = clock;
            }
        }
        self.open_next(clock, version)
    }

    /// Whether an ABI is still to be built for, as far as the ABI goes (the view `target`).
    pub(super) fn is_open(&self, (version, abi): Pair) -> bool {
        let row = &self.versions[version];
        row.done >> abi & 1 == 0 && !self.abi3_serves(row.abi3_from, abi) && !self.is_off((version, abi))
    }

    pub(super) fn abi3_serves(&self, from: Option<u32>, abi: usize) -> bool {
        let (major, minor) = self.abis[abi].python();
        from.is_some_and(|from| from <= u32::from(major) * 1000 + u32::from(minor))
            && !self.abis[abi].flags().contains('t')
    }

    pub(super) fn open_next(&mut self, clock: u64, version: usize) -> Option<usize> {
        let closed = self.versions[version].covered || self.versions[version].blocked;
        let goes: Vec<Pair> = (0..self.abis.len())
            .map(|abi| (version, abi))
            .filter(|pair| closed || !self.is_open(*pair))
            .collect();
        for pair in goes {
            self.queue.remove(&pair);
            self.delayed.remove(&pair);
        }
        let waits = self.queue.keys().chain(self.delayed.keys()).any(|pair| pair.0 == version);
        if closed || waits || self.live(version).next().is_some() {
            return None;
        }
        let abi = (0..self.abis.len()).find(|abi| self.is_open((version, *abi)))?;
        let ready = self.versions[version].checked;
        self.queue.insert((version, abi), Waiting { attempt: 1, at: clock, ready, for_page: false });
        ready.then_some(abi)
    }

    pub(super) fn requeue_pair(
        &mut self,
        clock: u64,
        pair: Pair,
        attempt: u16,
        due: Option<u64>,
    ) -> Option<usize> {
        let row = &self.versions[pair.0];
        if row.covered || row.blocked || !self.is_open(pair) {
            return self.open_next(clock, pair.0);
        }
        match due {
            Some(at) => {
                self.delayed.insert(pair, Waiting { attempt, at, ready: false, for_page: false });
                None
            }
            None => {
                let ready = self.versions[pair.0].checked;
                self.queue.insert(pair, Waiting { attempt, at: clock, ready, for_page: false });
                Some(pair.1)
            }
        }
    }

    /// What files of attempts that count settle (`_coverage`).
    pub(super) fn recover(&mut self, version: usize) {
        let mut by_build: BTreeMap<i64, Vec<FileRecord>> = BTreeMap::new();
        for file in self.files.values().filter(|file| file.version == version) {
            if self.builds.get(&file.build).is_some_and(|build| !build.void) {
                by_build.entry(file.build).or_default().push(file.record.clone());
            }
        }
        let done = self
            .builds
            .values()
            .filter(|build| build.pair.0 == version && !build.void && settles(build.outcome, build.attempt))
            .fold(0, |bits, build| bits | 1 << build.pair.1);
        let row = &mut self.versions[version];
        row.done = done;
        row.covered = by_build.values().any(|files| files.iter().all(|file| file.abi_tag == "none"));
        row.abi3_from = by_build.values().filter_map(|files| abi3_from(files)).min();
    }

    pub(super) fn void(&mut self, version: usize, abi: Option<usize>, outcomes: &[Outcome]) -> usize {
        let mut voided = 0;
        for build in self.builds.values_mut() {
            if build.pair.0 == version
                && !build.void
                && outcomes.contains(&build.outcome)
                && abi.is_none_or(|abi| abi == build.pair.1)
            {
                build.void = true;
                voided += 1;
            }
        }
        if voided > 0 {
            self.recover(version);
        }
        voided
    }
}

/// `_abi3_from`.
pub(super) fn abi3_from(files: &[FileRecord]) -> Option<u32> {
    let lowest = |file: &FileRecord| -> Option<u32> {
        let pythons = file.python_tag.split('.').filter_map(|tag| tag.strip_prefix("cp"));
        pythons.filter_map(|d| Some(d[..1].parse::<u32>().ok()? * 1000 + d[1..].parse::<u32>().ok()?)).min()
    };
    let mut most = None;
    for file in files {
        match file.abi_tag.as_str() {
            "none" => {}
            "abi3" => most = Some(lowest(file)?).max(most),
            _ => return None,
        }
    }
    most
}
