//! What the operator does not want built: packages and versions that are skipped, names that are blocked, ABIs that are retired;
//! and the walk that follows from it.

use std::collections::BTreeSet;

use piwheels::domain::{AbiTag, ProjectName};
use piwheels::master::query::{Named, Order, Ordered};

use super::{Page, Pair, Tables};

/// What is set or taken back of an ABI is walked over, `limit` versions at a time.
pub(super) type Walk = Option<usize>;

/// Something that the operator does not want.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    Retired(usize),
    Blocked(String),
    /// A package, of it a version, or for one ABI.
    Skipped(usize, Option<usize>, Option<usize>),
    /// A version.
    Yanked(usize),
}

impl Tables {
    /// Whether something speaks against building a version (the view `judgement`).
    pub(super) fn is_blocked(&self, version: usize) -> bool {
        let row = &self.versions[version];
        let package = &self.packages[row.package];
        package.skip.is_some()
            || row.skip.is_some()
            || row.yank.is_some()
            || package.is_away()
            || row.removed
            || !row.sdist
            || row.yanked.is_some()
            || self.blocks.keys().any(|pattern| fits(pattern, package.name.as_str()))
    }

    /// Whether a version is not built for an ABI although nothing speaks against it (`off` of the view `target`).
    pub(super) fn is_off(&self, (version, abi): Pair) -> bool {
        self.retired[abi].is_some() || self.skipped_abis.contains_key(&(self.versions[version].package, abi))
    }

    pub(super) fn order(&mut self, clock: u64, order: &Order) -> Result<Ordered, String> {
        let mut ordered = match order {
            Order::Skip { what, reason } => self.set_skip(clock, what, Some(reason))?,
            Order::Unskip(what) => self.set_skip(clock, what, None)?,
            Order::Block { pattern, reason } => self.set_block(clock, pattern.as_str(), Some(reason)),
            Order::Unblock(pattern) => self.set_block(clock, pattern.as_str(), None),
            Order::RetireAbi { abi, reason } => self.retire_abi(abi, reason)?,
            Order::Requeue(requeue) => self.requeue(clock, requeue)?,
            Order::Remove(remove) => self.remove(clock, remove)?,
            other => return Err(format!("the model does not know {other:?}")),
        };
        ordered.walks = order.walks();
        Ok(ordered)
    }

    /// `_set_skip`.
    pub(super) fn set_skip(
        &mut self,
        clock: u64,
        what: &Named,
        reason: Option<&str>,
    ) -> Result<Ordered, String> {
        let name = &what.package;
        if what.version.is_some() && what.abi.is_some() {
            return Err("a version is skipped for every ABI or for none".to_owned());
        }
        let abi = match &what.abi {
            Some(tag) => Some(self.abi(tag).ok_or("this farm does not build for it")?),
            None => None,
        };
        let known = self.package(name);
        if known.is_none() && (reason.is_none() || what.version.is_some()) {
            return Err(format!("{name} is not known to this farm"));
        }
        let package = self.register(name, name.as_str());
        let version = match &what.version {
            Some(version) => {
                Some(self.version(package, version).ok_or("this farm does not know that version")?)
            }
            None => None,
        };
        let reason = reason.map(str::to_owned);
        let before = match (version, abi) {
            (Some(version), _) => std::mem::replace(&mut self.versions[version].skip, reason.clone()),
            (None, None) => std::mem::replace(&mut self.packages[package].skip, reason.clone()),
            (None, Some(abi)) => match &reason {
                Some(reason) => self.skipped_abis.insert((package, abi), reason.clone()),
                None => self.skipped_abis.remove(&(package, abi)),
            },
        };
        let changed = before != reason;
        let opened = match version {
            _ if !changed => BTreeSet::new(),
            Some(version) => {
                let mut opened = self.renew_newest(clock, package);
                opened.extend(self.judge(clock, version));
                opened
            }
            None => self.judge_all(clock, self.versions_of(package)),
        };
        let cancelled: Vec<i64> = self
            .leases
            .iter()
            .filter(|(_, lease)| reason.is_some() && lease.ended.is_none())
            .filter(|(_, lease)| self.versions[lease.pair.0].package == package)
            .filter(|(_, lease)| version.is_none_or(|version| lease.pair.0 == version))
            .filter(|(_, lease)| abi.is_none_or(|abi| lease.pair.1 == abi))
            .map(|(build, _)| *build)
            .collect();
        if changed {
            self.order_page(clock, Page::Project(package));
        }
        let json = serde_json::json!({ "changed": changed, "registered": known.is_none() });
        Ok(self.ordered(&json, &opened, cancelled))
    }

    fn set_block(&mut self, clock: u64, pattern: &str, reason: Option<&str>) -> Ordered {
        let reason = reason.map(str::to_owned);
        let before = match &reason {
            Some(reason) => self.blocks.insert(pattern.to_owned(), reason.clone()),
            None => self.blocks.remove(pattern),
        };
        let changed = before != reason;
        let meant = |row: &usize| fits(pattern, self.packages[self.versions[*row].package].name.as_str());
        let versions: Vec<usize> = (0..self.versions.len()).filter(meant).collect();
        let mut opened = BTreeSet::new();
        if changed {
            opened = self.judge_all(clock, versions.clone());
            let packages: BTreeSet<usize> = versions.iter().map(|row| self.versions[*row].package).collect();
            packages.into_iter().for_each(|package| self.order_page(clock, Page::Project(package)));
        }
        let stops = |version: usize| {
            reason.is_some() && self.versions[version].blocked && versions.contains(&version)
        };
        let cancelled = self.live_builds(stops);
        self.ordered(&serde_json::json!({ "changed": changed }), &opened, cancelled)
    }

    fn retire_abi(&mut self, tag: &AbiTag, reason: &str) -> Result<Ordered, String> {
        let abi = self.abi(tag).ok_or("this farm does not build for it")?;
        let before = self.retired[abi].replace(reason.to_owned());
        let changed = before.as_deref() != Some(reason);
        if changed {
            self.walk = Some(0);
        }
        Ok(self.ordered(&serde_json::json!({ "changed": changed }), &BTreeSet::new(), Vec::new()))
    }

    /// `add_abi`, of one that the farm has had before; false where nothing changes.
    pub(super) fn add_abi(&mut self, tag: &AbiTag) -> Result<bool, String> {
        let abi = self.abi(tag).ok_or("the model makes no ABIs")?;
        let changed = self.retired[abi].take().is_some();
        if changed {
            self.walk = Some(0);
        }
        Ok(changed)
    }

    /// What a walk opened, and whether there is more to do.
    pub(super) fn walk(&mut self, clock: u64, limit: usize) -> (Vec<AbiTag>, bool) {
        let waits = self.queue.keys().chain(self.delayed.keys());
        let mut moves: Vec<usize> =
            waits.filter(|pair| self.retired[pair.1].is_some()).map(|pair| pair.0).collect();
        moves.sort_unstable();
        moves.truncate(limit);
        let mut opened = self.judge_all(clock, moves.clone());
        if moves.len() >= limit {
            return (self.tags(&opened), true);
        }
        let Some(from) = self.walk else { return (self.tags(&opened), false) };
        if from >= self.versions.len() {
            self.walk = None;
            return (self.tags(&opened), false);
        }
        // pieces of the model's walk end where the limit has it, counted in versions that are looked at
        let end = self.versions.len().min(from + 4 * limit);
        for version in from..end {
            opened.extend(self.open_next(clock, version));
        }
        let packages: BTreeSet<usize> = self.versions[from..end].iter().map(|row| row.package).collect();
        packages.into_iter().for_each(|package| self.order_in_bulk(clock, Page::Project(package)));
        self.walk = Some(end);
        (self.tags(&opened), true)
    }

    /// Builds under way of such versions.
    pub(super) fn live_builds(&self, of: impl Fn(usize) -> bool) -> Vec<i64> {
        let live = self.leases.iter().filter(|(_, lease)| lease.ended.is_none() && of(lease.pair.0));
        live.map(|(build, _)| *build).collect()
    }

    pub(super) fn judge_all(&mut self, clock: u64, versions: Vec<usize>) -> BTreeSet<usize> {
        versions.into_iter().filter_map(|version| self.judge(clock, version)).collect()
    }

    pub(super) fn versions_of(&self, package: usize) -> Vec<usize> {
        (0..self.versions.len()).filter(|at| self.versions[*at].package == package).collect()
    }

    /// `_renew_newest`, as far as something follows from it.
    pub(super) fn renew_newest(&mut self, clock: u64, package: usize) -> BTreeSet<usize> {
        let counts = |at: &usize| {
            let row = &self.versions[*at];
            row.sdist && !row.removed && row.yanked.is_none() && row.skip.is_none()
        };
        let newest = self
            .versions_of(package)
            .into_iter()
            .filter(counts)
            .max_by(|a, b| self.versions[*a].version.cmp(&self.versions[*b].version));
        let before = std::mem::replace(&mut self.packages[package].newest, newest);
        if before == newest {
            return BTreeSet::new();
        }
        let both: BTreeSet<usize> = before.into_iter().chain(newest).collect();
        self.judge_all(clock, both.into_iter().collect())
    }

    pub(super) fn tags(&self, abis: &BTreeSet<usize>) -> Vec<AbiTag> {
        abis.iter().map(|abi| self.abis[*abi].clone()).collect()
    }

    fn ordered(&self, json: &serde_json::Value, opened: &BTreeSet<usize>, cancelled: Vec<i64>) -> Ordered {
        Ordered {
            json: json.to_string(),
            opened: self.tags(opened),
            cancelled: cancelled.into_iter().map(piwheels::domain::BuildId).collect(),
            ..Ordered::default()
        }
    }

    /// All that the operator does not want, in one order.
    pub(crate) fn standing(&self) -> Vec<Standing> {
        let retired = (0..self.abis.len()).filter(|abi| self.is_retired(*abi)).map(Standing::Retired);
        let blocked = self.blocks.keys().cloned().map(Standing::Blocked);
        let packages = (0..self.packages.len()).filter(|at| self.packages[*at].skip.is_some());
        let for_abis = self.skipped_abis.keys().map(|(at, abi)| Standing::Skipped(*at, None, Some(*abi)));
        let versions = (0..self.versions.len()).filter(|at| self.versions[*at].skip.is_some());
        let yanked = (0..self.versions.len()).filter(|at| self.versions[*at].yank.is_some());
        let mut all: Vec<Standing> = retired.chain(blocked).collect();
        all.extend(packages.map(|at| Standing::Skipped(at, None, None)).chain(for_abis));
        all.extend(versions.map(|at| Standing::Skipped(self.versions[at].package, Some(at), None)));
        all.extend(yanked.map(Standing::Yanked));
        all
    }

    /// Whether there is a walk to go on with.
    pub(crate) fn walks(&self) -> bool {
        self.walk.is_some()
    }

    /// Whether nothing is built for an ABI any more.
    pub(crate) fn is_retired(&self, abi: usize) -> bool {
        self.retired[abi].is_some()
    }

    pub(super) fn is_known(&self, name: &ProjectName) -> Result<usize, String> {
        self.package(name).ok_or_else(|| format!("{name} is not known to this farm"))
    }
}

/// Whether a name fits a pattern, where `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|name| {
            (0..=name.len()).filter(|at| name.is_char_boundary(*at)).any(|at| fits(rest, &name[at..]))
        }),
    }
}
