//! What the operator does not want built, or shown, any more, and wants again later: orders about policies, and what follows from
//! the answer to each.

use std::collections::BTreeMap;
use std::fs;

use piwheels::domain::{ProjectName, Version};
use piwheels::master::query::{Answer, Order, Query};
use piwheels::wire::Text;
use piwheels::wire::import::{FromTool, Removal};

use super::checks::{json_links, links};
use super::database::Standing;
use super::world::{ABIS, PROJECTS, VERSIONS, World};

/// Names that are blocked at a time: of some projects, or of one.
const PATTERNS: [&str; 3] = ["d*", "elk", "*o*"];
/// How long what waits for a retired ABI may go on waiting, and its slaves may be told to sleep: more than a master that has just
/// started leaves everything alone.
const RETIRED_WITHIN: u64 = 60_000;

/// What was ordered, and when.
#[derive(Debug, Default)]
pub(crate) struct Ordered {
    /// ABIs that are retired.
    retired: BTreeMap<usize, u64>,
    /// When it was last ordered to walk over all versions.
    walk: u64,
    /// Removals and marks: of which project, and when.
    removals: Vec<(ProjectName, u64)>,
}

impl World {
    /// Something that is not wanted any more.
    pub(crate) fn unwanted_order(&mut self) -> FromTool {
        // what was handed out last, or anything
        let tables = &self.database.now;
        let last = tables.leases.values().rfind(|lease| lease.ended.is_none());
        let last = last.map(|lease| tables.packages[tables.versions[lease.pair.0].package].name.to_string());
        let dice = &mut self.chance.tool;
        let any = *dice.of(&PROJECTS);
        let package = Text::cut(last.as_deref().filter(|_| dice.once_in(2)).unwrap_or(any));
        let version = Text::cut(if dice.once_in(3) { "" } else { dice.of::<&str>(&VERSIONS) });
        let abi = *dice.of(&ABIS);
        let reason = Text::cut(dice.of::<&str>(&["a simulation", "another simulation"]));
        match dice.below(10) {
            0..=2 => FromTool::Skip { package, version, abi: Text::cut(""), reason },
            3 => FromTool::Skip { package, version: Text::cut(""), abi: Text::cut(abi), reason },
            4 => FromTool::Block { pattern: Text::cut(dice.of::<&str>(&PATTERNS)), reason },
            5 | 6 => FromTool::AbiRetire { abi: Text::cut(abi), reason },
            7 | 8 => FromTool::Remove { package, version, what: Removal::Yank, skip: None, reason },
            _ => {
                let skip = Some(Text::cut("not any more"));
                FromTool::Remove { package, version, what: Removal::Files, skip, reason }
            }
        }
    }

    /// The first of what stands, or any, is taken back.
    pub(crate) fn taken_back(&mut self, any: bool) -> Option<FromTool> {
        let standing = self.database.now.standing();
        let at = if any { self.chance.tool.below(standing.len().max(1) as u64) as usize } else { 0 };
        let tables = &self.database.now;
        let name = |package: usize| Text::cut(tables.packages[package].name.as_str());
        let tag = |abi: usize| Text::cut(tables.abis[abi].as_str());
        Some(match standing.get(at)?.clone() {
            Standing::Retired(abi) => FromTool::AbiAdd {
                abi: tag(abi),
                rank: None,
                platforms: piwheels::wire::List::cut(Vec::new()),
            },
            Standing::Blocked(pattern) => FromTool::Unblock { pattern: Text::cut(&pattern) },
            Standing::Skipped(package, version, abi) => FromTool::Unskip {
                package: name(package),
                version: Text::cut(
                    &version.map(|v| tables.versions[v].version.to_string()).unwrap_or_default(),
                ),
                abi: abi.map_or_else(|| Text::cut(""), tag),
            },
            Standing::Yanked(version) => FromTool::Remove {
                package: name(tables.versions[version].package),
                version: Text::cut(&tables.versions[version].version.to_string()),
                what: Removal::Unyank,
                skip: None,
                reason: Text::cut("a simulation"),
            },
        })
    }

    /// The database carried an order out.
    pub(crate) fn order_committed(&mut self, query: &Query, answer: &Answer) {
        match (query, answer) {
            (Query::Order(order), Answer::Ordered(_)) => match &**order {
                Order::RetireAbi { abi, .. } => {
                    if let Some(abi) = self.database.now.abi(abi) {
                        self.book.ordered.retired.entry(abi).or_insert(self.clock);
                    }
                    self.book.ordered.walk = self.clock;
                }
                Order::Remove(remove) => {
                    self.book.ordered.removals.push((remove.package.clone(), self.clock));
                }
                _ => {}
            },
            (Query::AddAbi { abi, .. }, Answer::AbiAdded(..)) => {
                if let Some(abi) = self.database.now.abi(abi) {
                    self.book.ordered.retired.remove(&abi);
                }
                self.book.ordered.walk = self.clock;
            }
            _ => {}
        }
    }

    /// Whether the master has had the time to notice that an ABI is retired.
    pub(crate) fn is_long_retired(&self, abi: usize) -> bool {
        self.book.ordered.retired.get(&abi).is_some_and(|since| self.is_long_since(*since))
    }

    fn is_long_since(&self, moment: u64) -> bool {
        self.master.as_ref().is_some_and(|master| {
            self.clock > moment.max(master.started).max(self.book.database_troubled) + RETIRED_WITHIN
        })
    }

    /// Nothing waits for an ABI for which nothing is built any more.
    pub(crate) fn check_retired(&mut self) {
        let tables = &self.database.now;
        let waits = tables.queue.keys().chain(tables.delayed.keys());
        let stuck = waits.map(|pair| pair.1).find(|abi| self.is_long_retired(*abi));
        let walks = tables.walks()
            && self.is_long_since(self.book.ordered.walk)
            && (0..tables.abis.len()).any(|abi| self.is_long_retired(abi));
        if walks {
            return self.violated("an ABI is retired, and its versions are not walked over".to_owned());
        }
        if let Some(abi) = stuck {
            let abi = &tables.abis[abi];
            self.violated(format!("something waits for {abi}, for which nothing is built any more"));
        }
    }

    /// A tool that asked at this moment hears that something is removed, or marked, and that the page shows it.
    pub(crate) fn removal_promised(&mut self, asked: u64, request: &FromTool) {
        let FromTool::Remove { package, version, what, .. } = request else { return };
        let Ok(project) = ProjectName::parse(package) else { return };
        let orders = self.book.ordered.removals.iter().filter(|(of, at)| *of == project && *at >= asked);
        let orders: Vec<u64> = orders.map(|(_, at)| *at).collect();
        let Some(first) = orders.first().copied() else { return };
        let dir = self.disk.output.join("simple").join(project.as_str());
        let html = fs::read_to_string(dir.join("index.html")).unwrap_or_default();
        let json = fs::read(dir.join("index.v1_json")).unwrap_or_default();
        let both = [links(&html).unwrap_or_default(), json_links(&json).unwrap_or_default()];
        let all = || both.iter().flatten();
        let version = Version::parse(version).ok();
        let tables = &self.database.now;
        let means = |at: usize| {
            let row = &tables.versions[at];
            tables.packages[row.package].name == project
                && version.as_ref().is_none_or(|version| row.version == *version)
        };
        let mut odd = None;
        match what {
            Removal::Files | Removal::Builds => {
                for (name, gone) in &tables.withdrawn {
                    let linked = all().any(|link| link.name == *name);
                    if means(gone.version) && gone.at <= first && (linked || dir.join(name).exists()) {
                        odd = Some(format!("{name} is said to be removed, and is there"));
                    }
                }
            }
            // Another order about the same may have come in between. Without the operator's mark it is the index's word.
            Removal::Yank if orders.len() == 1 => {
                let plain = |name: &str| all().any(|link| link.name == name && !link.yanked);
                let mut files = tables.files.iter().filter(|(_, file)| means(file.version));
                if let Some((name, _)) = files.find(|(name, _)| plain(name)) {
                    odd = Some(format!("{name} is said to be yanked, and the page does not show it"));
                }
            }
            _ => {}
        }
        if let Some(odd) = odd {
            self.violated(odd);
        }
    }
}
