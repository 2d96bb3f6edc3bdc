//! A model of the database: what the functions of `sql/functions/` promise, as far as the farm asks for it, over plain maps.
//!
//! One question is one transaction, as there. Each method stands for the function of its name and follows its text; that the two
//! give the same answers is itself tested, against a real server (`conformity.rs`). What the model does not know it refuses, so that
//! nothing passes for an answer that is none.
//!
//! A crash of the server loses what the server may lose: transactions that need not reach the disk (claims, renewals), up to the
//! last one before them that did.

mod feed;
mod jobs;
mod orders;
mod pages;
mod policies;
mod results;
mod versions;

pub(crate) use policies::Standing;

use std::collections::{BTreeMap, BTreeSet};

use piwheels::domain::{AbiTag, ProjectName, Sha256, Version};
use piwheels::master::query::*;

/// A lease that ended is forgotten after so long, in milliseconds.
const FORGOTTEN_AFTER: u64 = 7 * 24 * 3600 * 1000;

/// A version with an ABI.
pub(crate) type Pair = (usize, usize);

#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: ProjectName,
    pub(crate) display: String,
    pub(crate) published: bool,
    skip: Option<String>,
    newest: Option<usize>,
    pub(crate) known: feed::Known,
}

#[derive(Clone, Debug)]
pub(crate) struct VersionRow {
    pub(crate) package: usize,
    pub(crate) version: Version,
    sdist: bool,
    asked: Option<u64>,
    /// Bits of the ABIs that attempts settle.
    pub(crate) done: u64,
    pub(crate) covered: bool,
    pub(crate) abi3_from: Option<u32>,
    pub(crate) blocked: bool,
    imported: bool,
    skip: Option<String>,
    pub(crate) yank: Option<String>,
    /// The index's own words of it: whether it has it, marks it as yanked, and since when it has it.
    pub(crate) removed: bool,
    pub(crate) yanked: Option<String>,
    released: Option<i64>,
    sdist_before: bool,
    /// Its page was read since the last event.
    checked: bool,
}

impl VersionRow {
    /// Whether it was ever on the index, as far as is known.
    pub(crate) fn is_of_the_index(&self) -> bool {
        self.sdist
    }

    /// Whether its page was read since the last event.
    pub(crate) fn is_checked(&self) -> bool {
        self.checked
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) attempt: u16,
    /// Since when it is in the queue, or when it comes back there.
    pub(crate) at: u64,
    /// It may be handed out; of what is delayed, that it waits for its page.
    pub(crate) ready: bool,
    for_page: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) pair: Pair,
    pub(crate) attempt: u16,
    pub(crate) slave: String,
    pub(crate) secret: [u8; 16],
    pub(crate) claimed: u64,
    pub(crate) expires: u64,
    pub(crate) build_tag: u64,
    /// How and when it ended.
    pub(crate) ended: Option<(&'static str, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildRow {
    pub(crate) pair: Pair,
    pub(crate) attempt: u16,
    pub(crate) slave: String,
    pub(crate) outcome: Outcome,
    pub(crate) secret: [u8; 16],
    pub(crate) log_bytes: u64,
    pub(crate) void: bool,
    at: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct FileRow {
    pub(crate) build: i64,
    pub(crate) version: usize,
    pub(crate) record: FileRecord,
}

#[derive(Clone, Debug)]
pub(crate) struct Withdrawn {
    pub(crate) version: usize,
    pub(crate) sha256: Sha256,
    pub(crate) pending: bool,
    pub(crate) at: u64,
}

/// A page that is ordered: its kind and, of a project's, the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Page {
    Home,
    Project(usize),
    Root,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderRow {
    pub(crate) ordered: i64,
    at: u64,
    bulk: bool,
}

/// Everything that is in the tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    /// By rank.
    pub(crate) abis: Vec<AbiTag>,
    /// Why nothing is built for each any more, if so.
    retired: Vec<Option<String>>,
    /// Packages that are skipped for an ABI, and why.
    skipped_abis: BTreeMap<(usize, usize), String>,
    /// Patterns of names of which nothing is built, and why.
    blocks: BTreeMap<String, String>,
    walk: policies::Walk,
    feed: feed::Feed,
    pub(crate) packages: Vec<Package>,
    pub(crate) versions: Vec<VersionRow>,
    pub(crate) queue: BTreeMap<Pair, Waiting>,
    pub(crate) delayed: BTreeMap<Pair, Waiting>,
    pub(crate) leases: BTreeMap<i64, Lease>,
    pub(crate) builds: BTreeMap<i64, BuildRow>,
    pub(crate) files: BTreeMap<String, FileRow>,
    pub(crate) withdrawn: BTreeMap<String, Withdrawn>,
    pub(crate) orders: BTreeMap<Page, OrderRow>,
    next_build: i64,
    next_order: i64,
    next_asked: u64,
    crashed: bool,
}

/// The server: its tables, and what of them a crash leaves.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) now: Tables,
    durable: Tables,
}

/// What a question came to, or the reason why it is refused.
pub(crate) type Asked = Result<Answer, String>;

impl Database {
    pub(crate) fn new(abis: &[&str]) -> Self {
        let abis: Vec<_> = abis.iter().map(|tag| AbiTag::parse(tag).expect("an ABI")).collect();
        let retired = vec![None; abis.len()];
        let now = Tables { abis, retired, next_build: 1, next_order: 1, next_asked: 1, ..Tables::default() };
        Self { durable: now.clone(), now }
    }

    /// One transaction; a refused one changes nothing.
    pub(crate) fn ask(&mut self, clock: u64, query: &Query) -> Asked {
        let before = self.now.clone();
        let crashed = before.crashed;
        let answer = self.now.ask(clock, query);
        if answer.is_err() {
            self.now = before;
            match query {
                Query::LogBuild(record) => self.now.left_behind(clock, &record.files),
                Query::LogImport(record) => self.now.left_behind(clock, &record.files),
                _ => {}
            }
        }
        // `synchronous_commit` is off for these, but not where numbers were left out after a crash
        let lazy = matches!(query, Query::Claim { .. } | Query::Renew { .. });
        if !lazy || crashed && !self.now.crashed {
            self.durable = self.now.clone();
        }
        answer
    }

    /// The server loses its memory; with `lazily` also what had not reached its disk.
    pub(crate) fn crash(&mut self, lazily: bool) {
        if lazily {
            self.now = self.durable.clone();
        }
        self.now.crashed = true;
        self.durable = self.now.clone();
    }
}

impl Tables {
    fn ask(&mut self, clock: u64, query: &Query) -> Asked {
        Ok(match query {
            Query::Abis => Answer::Abis(self.abis()),
            Query::AddVersions { wanted, .. } => Answer::Added(self.add_versions(clock, wanted)),
            Query::Walk { limit } => {
                let (opened, more) = self.walk(clock, (*limit).into());
                Answer::Walked { opened, more }
            }
            Query::AddAbi { abi, .. } => Answer::AbiAdded(self.add_abi(abi)?, self.abis()),
            Query::Claim { abi, slave, secret, lease_secs, class } => {
                Answer::Claimed(self.claim(clock, abi, slave, *secret, *lease_secs, *class)?)
            }
            Query::Renew { builds, lease_secs } => {
                self.renew(clock, builds, *lease_secs);
                Answer::Renewed
            }
            Query::Adopt { token, slave, lease_secs } => {
                Answer::Adopted(self.adopt(clock, *token, slave, *lease_secs))
            }
            Query::Release(token) => Answer::Released(self.release(clock, *token)),
            Query::FilesKnown(names) => Answer::FilesKnown(
                names
                    .iter()
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .filter_map(|name| Some((name.clone(), self.files.get(name)?.record.sha256)))
                    .collect(),
            ),
            Query::LogBuild(record) => Answer::Logged(self.log_build(clock, record)?),
            Query::BeginImport(plan) => Answer::ImportBegun(self.begin_import(clock, plan)?),
            Query::LogImport(record) => Answer::Logged(self.log_import(clock, record)?),
            Query::Sweep => Answer::Swept(self.sweep(clock)),
            Query::RewritesDue { limit, except } => self.rewrites_due(*limit, except),
            Query::RewritesDone(orders) => {
                self.rewrites_done(orders);
                Answer::RewritesDone
            }
            Query::RewritesFailed(orders) => {
                self.rewrites_failed(clock, orders);
                Answer::RewritesDone
            }
            Query::RootNames { after, limit } => Answer::RootNames(self.root_names(after.as_deref(), *limit)),
            Query::OrderHome => {
                self.order_page(clock, Page::Home);
                Answer::HomeOrdered
            }
            Query::Home => Answer::Home(Box::default()),
            Query::PagesDue { limit, ahead } => Answer::PagesDue(self.pages_due(clock, *limit, *ahead)),
            Query::LearnPage { package, truth, next_secs } => {
                Answer::Learned(self.learn_page(clock, package, truth, *next_secs)?)
            }
            Query::PageUnread { package, news, next_secs } => {
                let known = self.package(package);
                let unread = known.map(|package| self.page_unread(clock, package, *news, *next_secs));
                Answer::Learned(unread.unwrap_or_default())
            }
            Query::FeedApply { serial, settled, events } => {
                Answer::Learned(self.feed_apply(clock, *serial, *settled, events)?)
            }
            Query::DepsDue(_) => Answer::DepsDue(Vec::new()),
            Query::RequirementsDue(_) => Answer::RequirementsDue(Vec::new()),
            Query::FeedState => Answer::FeedState(self.feed_state()),
            Query::RollPopularity { .. } => Answer::PopularityRolled(0),
            Query::Order(order) => Answer::Ordered(self.order(clock, order)?),
            other => return Err(format!("the model does not know {other:?}")),
        })
    }

    fn abis(&self) -> Vec<Abi> {
        let row = |(abi, retired): (&AbiTag, &Option<String>)| Abi {
            tag: abi.clone(),
            rank: abi.default_rank(),
            skip: retired.clone(),
            platforms: Vec::new(),
        };
        self.abis.iter().zip(&self.retired).map(row).collect()
    }

    pub(crate) fn abi(&self, tag: &AbiTag) -> Option<usize> {
        self.abis.iter().position(|abi| abi == tag)
    }

    pub(crate) fn package(&self, name: &ProjectName) -> Option<usize> {
        self.packages.iter().position(|package| package.name == *name)
    }

    fn version(&self, package: usize, version: &Version) -> Option<usize> {
        self.versions.iter().position(|row| row.package == package && row.version == *version)
    }

    fn page(&self, page: &PageKind) -> Option<Page> {
        Some(match page {
            PageKind::Home => Page::Home,
            PageKind::Root => Page::Root,
            PageKind::Project(name) => Page::Project(self.package(name)?),
        })
    }

    fn register(&mut self, name: &ProjectName, display: &str) -> usize {
        if let Some(found) = self.package(name) {
            return found;
        }
        self.packages.push(Package {
            name: name.clone(),
            display: display.to_owned(),
            published: false,
            skip: None,
            newest: None,
            known: feed::Known::default(),
        });
        self.packages.len() - 1
    }

    /// `_learn`: the version, whether it is new, whether anything changed.
    fn learn(&mut self, package: usize, version: &Version, sdist: bool) -> (usize, bool, bool) {
        if let Some(found) = self.version(package, version) {
            let row = &mut self.versions[found];
            let changed = row.sdist != sdist;
            (row.sdist_before, row.sdist) = (row.sdist, sdist);
            return (found, false, changed);
        }
        self.versions.push(VersionRow {
            package,
            version: version.clone(),
            sdist,
            asked: None,
            done: 0,
            covered: false,
            abi3_from: None,
            blocked: true,
            imported: false,
            skip: None,
            yank: None,
            removed: false,
            yanked: None,
            released: None,
            sdist_before: sdist,
            checked: true,
        });
        (self.versions.len() - 1, true, true)
    }
}
