//! The administrator's orders.

use std::collections::BTreeSet;

use piwheels::domain::BuildId;
use piwheels::master::query::{Named, Ordered, Outcome, Remove, Requeue};
use piwheels::wire::import::Removal;

use super::{Page, Pair, Tables, Withdrawn};

impl Tables {
    pub(super) fn requeue(&mut self, clock: u64, order: &Requeue) -> Result<Ordered, String> {
        let Some(name) = &order.package else { return Err("the model requeues packages".to_owned()) };
        let package = self.package(name).ok_or_else(|| format!("{name} is not known to this farm"))?;
        let abi = match &order.abi {
            Some(tag) => Some(self.abi(tag).ok_or("this farm does not build for it")?),
            None => None,
        };
        let versions: Vec<usize> = (0..self.versions.len())
            .filter(|at| self.versions[*at].package == package)
            .filter(|at| order.version.as_ref().is_none_or(|version| *version == self.versions[*at].version))
            .collect();
        if versions.is_empty() && order.version.is_some() {
            return Err("this farm does not know that version".to_owned());
        }
        let outcomes: Vec<Outcome> = match order.outcome {
            Some(outcome) => vec![outcome],
            None => Outcome::ALL
                .into_iter()
                .filter(|outcome| !matches!(outcome, Outcome::Built | Outcome::Superseded))
                .collect(),
        };
        let mut opened = BTreeSet::new();
        let mut changed = false;
        for version in versions {
            let abis = self.requeue_abis(version, abi, &outcomes, order.outcome.is_none());
            if abis.is_empty() {
                continue;
            }
            changed = true;
            abis.iter().for_each(|abi| {
                self.void(version, Some(*abi), &outcomes);
            });
            for abi in &abis {
                if self.delayed.get(&(version, *abi)).is_some_and(|waiting| !waiting.for_page) {
                    self.delayed.remove(&(version, *abi));
                }
                if let Some(waiting) = self.queue.get_mut(&(version, *abi)) {
                    waiting.attempt = 1;
                }
            }
            opened.extend(self.judge(clock, version));
        }
        if changed {
            self.order_page(clock, Page::Project(package));
        }
        Ok(Ordered {
            json: serde_json::json!({ "changed": changed, "next": null }).to_string(),
            opened: opened.into_iter().map(|abi| self.abis[abi].clone()).collect(),
            ..Ordered::default()
        })
    }

    /// The ABIs of a version for which attempts may be made again (`_requeue_pairs`).
    pub(super) fn requeue_abis(
        &self,
        version: usize,
        of: Option<usize>,
        outcomes: &[Outcome],
        delayed: bool,
    ) -> Vec<usize> {
        let row = &self.versions[version];
        let tried = |pair: Pair, outcomes: &[Outcome]| {
            self.builds.values().any(|b| b.pair == pair && !b.void && outcomes.contains(&b.outcome))
        };
        (0..self.abis.len())
            .filter(|abi| of.is_none_or(|of| of == *abi))
            .filter(|abi| {
                let pair = (version, *abi);
                let asked = tried(pair, outcomes)
                    || delayed && self.delayed.get(&pair).is_some_and(|waiting| !waiting.for_page);
                let served =
                    row.covered || self.abi3_serves(row.abi3_from, *abi) || tried(pair, &[Outcome::Built]);
                let building = self.live(version).any(|(_, lease)| lease.pair == pair);
                asked && (outcomes.contains(&Outcome::Built) || !served) && !building
            })
            .collect()
    }

    pub(super) fn remove(&mut self, clock: u64, order: &Remove) -> Result<Ordered, String> {
        let marks = matches!(order.what, Removal::Yank | Removal::Unyank);
        if marks && order.skip.is_some() {
            return Err("what is yanked or unyanked is not skipped with it".to_owned());
        }
        let package = self.is_known(&order.package)?;
        let versions: Vec<usize> = self
            .versions_of(package)
            .into_iter()
            .filter(|at| order.version.as_ref().is_none_or(|version| *version == self.versions[*at].version))
            .collect();
        if versions.is_empty() && order.version.is_some() {
            return Err("this farm does not know that version".to_owned());
        }
        let (mut cancelled, mut skipped) = (BTreeSet::new(), false);
        if let Some(reason) = &order.skip {
            let what = Named { package: order.package.clone(), version: order.version.clone(), abi: None };
            let ordered = self.set_skip(clock, &what, Some(reason))?;
            skipped = ordered.json.contains("\"changed\":true");
            cancelled.extend(ordered.cancelled);
        }
        let (mut opened, mut logs, mut changed) = (BTreeSet::new(), Vec::new(), 0);
        for version in versions {
            let differs = if marks {
                let reason = (order.what == Removal::Yank).then(|| order.reason.clone());
                std::mem::replace(&mut self.versions[version].yank, reason.clone()) != reason
            } else {
                let gone = self.remove_files(clock, version, &mut cancelled);
                let forgotten = if order.what == Removal::Builds { self.forget(version) } else { Vec::new() };
                let differs = gone || !forgotten.is_empty();
                logs.extend(forgotten.into_iter().map(BuildId));
                differs
            };
            if differs {
                changed += 1;
                opened.extend(self.judge(clock, version));
            }
        }
        if marks && changed > 0 {
            let stopped =
                self.live_builds(|at| self.versions[at].package == package && self.versions[at].blocked);
            cancelled.extend(stopped.into_iter().map(BuildId));
        }
        if changed > 0 {
            self.show(clock, package);
        }
        Ok(Ordered {
            json: serde_json::json!({
                "package": order.package.as_str(), "version": null, "what": "files", "versions": changed,
                "files": 0, "builds": logs.len(), "skipped": skipped, "changed": changed > 0 || skipped,
                "page": self.page_ordered(package).unwrap_or(0), "next": null,
            })
            .to_string(),
            opened: self.tags(&opened),
            cancelled: cancelled.into_iter().collect(),
            logs,
            more: false,
            walks: false,
        })
    }

    /// Withdraws what a version has published, and ends builds that would bring it again; false where there is nothing.
    fn remove_files(&mut self, clock: u64, version: usize, cancelled: &mut BTreeSet<BuildId>) -> bool {
        let files = self.files.iter().filter(|(_, file)| file.version == version);
        let gone: Vec<String> = files.map(|(name, _)| name.clone()).collect();
        if gone.is_empty() {
            return false;
        }
        self.withdraw(clock, version, &gone);
        self.versions[version].imported = false;
        let stopped: Vec<i64> = self
            .live(version)
            .filter(|(_, lease)| lease.build_tag < self.build_tag(lease.pair))
            .map(|(build, _)| *build)
            .collect();
        stopped.iter().for_each(|build| self.end_lease(clock, *build, "superseded"));
        cancelled.extend(stopped.into_iter().map(BuildId));
        true
    }

    /// `_forget_builds`.
    fn forget(&mut self, version: usize) -> Vec<i64> {
        let builds: Vec<i64> =
            self.builds.iter().filter(|(_, b)| b.pair.0 == version).map(|(build, _)| *build).collect();
        if !builds.is_empty() {
            self.builds.retain(|_, build| build.pair.0 != version);
            let row = &mut self.versions[version];
            (row.done, row.covered, row.abi3_from) = (0, false, None);
            self.delayed.retain(|pair, waiting| pair.0 != version || waiting.for_page);
            self.queue.retain(|pair, _| pair.0 != version);
        }
        builds
    }

    pub(super) fn withdraw(&mut self, clock: u64, version: usize, names: &[String]) {
        for name in names {
            if let Some(file) = self.files.remove(name) {
                let gone = Withdrawn { version, sha256: file.record.sha256, pending: true, at: clock };
                self.withdrawn.insert(name.clone(), gone);
            }
        }
        for build in self.builds.values_mut() {
            build.void |= build.pair.0 == version && build.outcome == Outcome::Built;
        }
        self.recover(version);
        (self.versions[version].covered, self.versions[version].abi3_from) = (false, None);
    }
}
