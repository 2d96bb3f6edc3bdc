//! The model of the database beside the database: the same questions to both, in any order, have the same answers.
//!
//! Build numbers and orders' numbers are each side's own; what is compared is what they stand for.

use std::collections::BTreeMap;

use piwheels::domain::{AbiTag, BuildId, JobToken, NamePattern, ProjectName, Sha256, Version, WheelName};
use piwheels::master::gaze::{Happening, IndexEvent, PageTruth, ProjectStatus, ReleaseTruth};
use piwheels::master::oracle::{self, Failure, Session};
use piwheels::master::query::*;
use piwheels::wire::import::Removal;
use postgres::NoTls;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::database::{Asked, Database};
use super::world::{ABIS, wanted};
use crate::kit::cluster::{self, Cluster, MASTER};

const NAMES: [&str; 3] = ["ant", "bee", "cow"];
const VERSIONS: [&str; 2] = ["1.0", "2.0"];
const OUTCOMES: [Outcome; 8] = [
    Outcome::Built,
    Outcome::Built,
    Outcome::Built,
    Outcome::Failed,
    Outcome::Timeout,
    Outcome::Network,
    Outcome::LostTransfer,
    Outcome::Cancelled,
];
const REMOVALS: [Removal; 4] = [Removal::Files, Removal::Builds, Removal::Yank, Removal::Unyank];
/// What the index may have.
const RELEASES: [&str; 3] = ["1.0", "2.0", "3.0"];
const PATTERNS: [&str; 3] = ["ant", "*e*", "c*w"];
/// Longer than any test.
const LEASE_SECS: u32 = 3600;

/// What is asked, or done to both. A number picks from what there is by then.
#[derive(Clone, Debug)]
enum Op {
    Add(Vec<(usize, usize)>),
    Claim(usize),
    /// The same claim again, as by an oracle that did not hear the answer.
    ClaimAgain(usize),
    Renew(usize),
    Adopt(usize, bool),
    Release(usize),
    Log(usize, usize, usize),
    /// A lease runs out, without a sweep.
    Expire(usize),
    Sweep,
    /// What is delayed is due.
    Due,
    FilesKnown,
    Begin {
        name: usize,
        version: usize,
        tags: usize,
        salt: u8,
        create: bool,
    },
    Import(usize),
    Requeue {
        name: usize,
        version: Option<usize>,
        abi: Option<usize>,
        outcome: Option<usize>,
    },
    Remove {
        name: usize,
        version: Option<usize>,
        what: usize,
        skip: bool,
    },
    /// With a reason, one of two; without, it is taken back.
    Skip {
        name: usize,
        version: Option<usize>,
        abi: Option<usize>,
        reason: Option<bool>,
    },
    Block(usize, Option<bool>),
    /// An ABI is retired, with a reason, or taken up again.
    Retire(usize, Option<bool>),
    Walk,
    /// Events of the index: of which project and version, what, with which number, the largest of them read.
    Apply(Vec<(usize, usize, usize, u64)>),
    PagesDue,
    /// A project's page, with these releases, of this serial.
    Page {
        name: usize,
        releases: Vec<(usize, bool)>,
        serial: u64,
    },
    Unread(usize, usize, u64),
    Pages(u16),
    /// The first, or all, of the pages that were due are written, or fail.
    Written(bool),
    Failed,
    Root,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let name = 0..NAMES.len();
    let name2 = name.clone();
    let version = 0..VERSIONS.len();
    let some = proptest::option::of(0..VERSIONS.len());
    let op = prop_oneof![
        2 => proptest::collection::vec((name.clone(), version.clone()), 1..4).prop_map(Op::Add),
        8 => (0..ABIS.len()).prop_map(Op::Claim),
        1 => any::<usize>().prop_map(Op::ClaimAgain),
        1 => any::<usize>().prop_map(Op::Renew),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(job, wrong)| Op::Adopt(job, wrong)),
        2 => any::<usize>().prop_map(Op::Release),
        8 => (any::<usize>(), 0..OUTCOMES.len(), any::<usize>()).prop_map(|(job, end, tags)| Op::Log(job, end, tags)),
        4 => any::<usize>().prop_map(Op::Expire),
        4 => Just(Op::Sweep),
        2 => Just(Op::Due),
        1 => Just(Op::FilesKnown),
        3 => (name.clone(), version.clone(), any::<usize>(), 0..3u8, any::<bool>())
            .prop_map(|(name, version, tags, salt, create)| Op::Begin { name, version, tags, salt, create }),
        3 => any::<usize>().prop_map(Op::Import),
        2 => (name.clone(), some.clone(), some.clone(), proptest::option::of(0..OUTCOMES.len()))
            .prop_map(|(name, version, abi, outcome)| Op::Requeue { name, version, abi, outcome }),
        3 => (name.clone(), some.clone(), 0..REMOVALS.len(), proptest::bool::weighted(0.2))
            .prop_map(|(name, version, what, skip)| Op::Remove { name, version, what, skip }),
        3 => (name, some.clone(), some, proptest::option::of(any::<bool>()))
            .prop_map(|(name, version, abi, reason)| Op::Skip { name, version, abi, reason }),
        1 => (0..PATTERNS.len(), proptest::option::of(any::<bool>()))
            .prop_map(|(pattern, reason)| Op::Block(pattern, reason)),
        2 => (0..ABIS.len(), proptest::option::of(any::<bool>())).prop_map(|(abi, reason)| Op::Retire(abi, reason)),
        3 => Just(Op::Walk),
        4 => proptest::collection::vec((name2.clone(), 0..RELEASES.len(), 0..7usize, 1..40u64), 0..4).prop_map(Op::Apply),
        2 => Just(Op::PagesDue),
        4 => (name2.clone(), proptest::collection::vec((0..RELEASES.len(), any::<bool>()), 0..3), 1..40u64)
            .prop_map(|(name, releases, serial)| Op::Page { name, releases, serial }),
        2 => (name2, 0..4usize, 0..9u64).prop_map(|(name, news, serial)| Op::Unread(name, news, serial)),
        2 => (1..8u16).prop_map(Op::Pages),
        2 => any::<bool>().prop_map(Op::Written),
        1 => Just(Op::Failed),
        1 => Just(Op::Root),
    ];
    proptest::collection::vec(op, 30..90)
}

/// One of the two, and what the numbers that it drew stand for.
struct Side<'a> {
    ask: Box<dyn FnMut(&Query) -> Asked + 'a>,
    /// By the order in which they were handed out.
    jobs: Vec<Job>,
    imports: Vec<(ImportPlan, BuildId, AbiTag, i64)>,
    builds: BTreeMap<i64, usize>,
    due: Vec<RewriteOrder>,
}

impl<'a> Side<'a> {
    fn new(ask: impl FnMut(&Query) -> Asked + 'a) -> Self {
        let (jobs, imports, builds) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { ask: Box::new(ask), jobs, imports, builds, due: Vec::new() }
    }

    fn number(&self, build: BuildId) -> usize {
        self.builds.get(&build.0).copied().unwrap_or(usize::MAX)
    }

    fn numbers(&self, builds: &[BuildId]) -> Vec<usize> {
        let mut numbers: Vec<usize> = builds.iter().map(|build| self.number(*build)).collect();
        numbers.sort_unstable();
        numbers
    }

    fn job(&self, pick: usize) -> Option<&Job> {
        (!self.jobs.is_empty()).then(|| &self.jobs[pick % self.jobs.len()])
    }

    /// What an operation asks; none where there is nothing to ask about.
    fn query(&self, op: &Op, secret: [u8; 16]) -> Option<Query> {
        let package = |at: usize| ProjectName::parse(NAMES[at]).unwrap();
        let versioned = |at: usize| Version::parse(VERSIONS[at]).unwrap();
        let abi = |at: usize| AbiTag::parse(ABIS[at]).unwrap();
        let claim = |abi: AbiTag, secret| Query::Claim {
            abi,
            slave: "pi".to_owned(),
            secret,
            lease_secs: LEASE_SECS,
            class: 0,
        };
        Some(match op {
            Op::Add(all) => {
                // some stand for a wish
                let specifiers = |version: usize| (version == 0).then(String::new);
                let wanted = all.iter().map(|(name, version)| Wanted {
                    specifiers: specifiers(*version),
                    ..wanted(NAMES[*name], VERSIONS[*version])
                });
                Query::AddVersions { wanted: wanted.collect(), deps: false }
            }
            Op::Claim(at) => claim(abi(*at), secret),
            Op::ClaimAgain(pick) => {
                let job = self.job(*pick)?;
                claim(job.abi.clone(), job.token.secret)
            }
            Op::Renew(pick) => {
                Query::Renew { builds: vec![self.job(*pick)?.token.build], lease_secs: LEASE_SECS }
            }
            Op::Adopt(pick, wrong) => {
                let mut token = self.job(*pick)?.token;
                if *wrong && pick % 4 == 0 {
                    token.secret[0] ^= 1;
                }
                Query::Adopt { token, slave: "pi-2".to_owned(), lease_secs: LEASE_SECS }
            }
            Op::Release(pick) => Query::Release(self.job(*pick)?.token),
            Op::Log(pick, end, tags) => {
                let job = self.job(*pick)?;
                let outcome = OUTCOMES[*end];
                let files =
                    if outcome == Outcome::Built { self.files(job, *pick, *tags) } else { Vec::new() };
                Query::LogBuild(Box::new(BuildRecord {
                    token: job.token,
                    slave: "pi".to_owned(),
                    outcome,
                    duration_ms: 1500,
                    log_bytes: 20,
                    files,
                    report: None,
                }))
            }
            Op::Sweep | Op::Due => Query::Sweep,
            Op::Expire(_) => return None,
            Op::FilesKnown => {
                let jobs = self.jobs.iter().enumerate();
                let names = jobs.flat_map(|(at, job)| self.files(job, at, at)).map(|file| file.filename);
                Query::FilesKnown(names.collect())
            }
            Op::Begin { name, version, tags, salt, create } => {
                let file =
                    wheel(NAMES[*name], VERSIONS[*version], 0, tags_of(*tags, "cp39"), u64::from(*salt));
                Query::BeginImport(Box::new(ImportPlan {
                    package: package(*name),
                    version: versioned(*version),
                    abi: (tags % 2 == 0).then(|| abi(0)),
                    python: if file.abi_tag == "none" { (0, 0) } else { (3, 9) },
                    abi3: file.abi_tag == "abi3",
                    files: vec![(file.filename, file.sha256)],
                    create: *create,
                }))
            }
            Op::Import(pick) => {
                if self.imports.is_empty() {
                    return None;
                }
                let (plan, build, abi, begun) = self.imports[pick % self.imports.len()].clone();
                let files = plan.files.iter().map(|(name, sha256)| file(name, *sha256));
                Query::LogImport(Box::new(ImportRecord {
                    // the same import has the same secret
                    token: JobToken { build, secret: [self.number(build) as u8; 16] },
                    begun,
                    display: plan.package.to_string(),
                    files: files.collect(),
                    package: plan.package,
                    version: plan.version,
                    abi,
                    by: "tool".to_owned(),
                    duration_ms: 10,
                    log_bytes: 5,
                }))
            }
            Op::Requeue { name, version, abi: of, outcome } => {
                Query::Order(Box::new(Order::Requeue(Requeue {
                    package: Some(package(*name)),
                    version: version.map(versioned),
                    abi: of.map(abi),
                    outcome: outcome.map(|at| OUTCOMES[at]),
                    after: 0,
                })))
            }
            Op::Remove { name, version, what, skip } => Query::Order(Box::new(Order::Remove(Remove {
                package: package(*name),
                version: version.map(versioned),
                what: REMOVALS[*what],
                skip: skip.then(|| "a test skips".to_owned()),
                reason: "a test".to_owned(),
                after: 0,
            }))),
            Op::Skip { name, version, abi: of, reason } => {
                let what =
                    Named { package: package(*name), version: version.map(versioned), abi: of.map(abi) };
                Query::Order(Box::new(match reason {
                    Some(one) => Order::Skip { what, reason: because(*one) },
                    None => Order::Unskip(what),
                }))
            }
            Op::Block(pattern, reason) => {
                let pattern = NamePattern::parse(PATTERNS[*pattern]).unwrap();
                Query::Order(Box::new(match reason {
                    Some(one) => Order::Block { pattern, reason: because(*one) },
                    None => Order::Unblock(pattern),
                }))
            }
            Op::Retire(at, Some(one)) => {
                Query::Order(Box::new(Order::RetireAbi { abi: abi(*at), reason: because(*one) }))
            }
            Op::Retire(at, None) => {
                let (abi, rank) = (abi(*at), abi(*at).default_rank());
                Query::AddAbi { abi, rank, platforms: Vec::new() }
            }
            Op::Walk => Query::Walk { limit: 100 },
            Op::Apply(all) => {
                let event = |(name, version, what, serial): &(usize, usize, usize, u64)| {
                    let version = Version::parse(RELEASES[*version]).unwrap();
                    let what = match what {
                        0 | 1 => Happening::Sdist(version),
                        2 => Happening::ReleaseRemoved(version),
                        3 => Happening::Yanked(version),
                        4 => Happening::Unyanked(version),
                        5 => Happening::FileRemoved(version),
                        _ => Happening::ProjectRemoved,
                    };
                    let (package, display) = (package(*name), NAMES[*name].to_owned());
                    IndexEvent { serial: *serial, at: 1_600_000_000, package, display, what }
                };
                let mut events: Vec<IndexEvent> = all.iter().map(event).collect();
                events.sort_by_key(|event| event.serial);
                events.dedup_by_key(|event| event.serial);
                let serial = events.last().map_or(1, |event| event.serial);
                Query::FeedApply { serial, settled: serial.saturating_sub(5), events }
            }
            Op::PagesDue => Query::PagesDue { limit: 3, ahead: 2 },
            Op::Page { name, releases, serial } => {
                let mut of: BTreeMap<usize, bool> = BTreeMap::new();
                of.extend(releases.iter().copied());
                let release = |(version, yanked): (usize, bool)| ReleaseTruth {
                    version: Version::parse(RELEASES[version]).unwrap(),
                    released: Some(1_600_000_000),
                    sdist: true,
                    yanked: yanked.then(|| "broken".to_owned()),
                    pythons: None,
                    pure: None,
                    tags: Vec::new(),
                    wanted: true,
                };
                let truth = Box::new(PageTruth {
                    display: NAMES[*name].to_owned(),
                    status: ProjectStatus::Active,
                    status_reason: None,
                    serial: Some(*serial),
                    etag: Some(format!("\"{serial}\"")),
                    releases: of.into_iter().map(release).collect(),
                });
                Query::LearnPage { package: package(*name), truth, next_secs: None }
            }
            Op::Unread(name, news, serial) => {
                let news = match news {
                    0 => Unread::Unchanged { serial: *serial },
                    1 => Unread::Missing { patience_secs: 0 },
                    2 => Unread::Missing { patience_secs: 3600 },
                    _ => Unread::Failed { retry_secs: 0 },
                };
                Query::PageUnread { package: package(*name), news, next_secs: None }
            }
            Op::Pages(limit) => Query::RewritesDue { limit: *limit, except: Vec::new() },
            Op::Written(all) => {
                let most = if *all { self.due.len() } else { 1 };
                Query::RewritesDone(self.due.iter().take(most).cloned().collect())
            }
            Op::Failed => Query::RewritesFailed(vec![self.due.first()?.clone()]),
            Op::Root => Query::RootNames { after: None, limit: 100 },
        })
    }

    /// What a job made: by its tags, and by its place among the jobs.
    fn files(&self, job: &Job, pick: usize, tags: usize) -> Vec<FileRecord> {
        let salt = (pick % self.jobs.len()) as u64;
        let version = job.version.to_string();
        vec![wheel(job.package.as_str(), &version, job.build_tag, tags_of(tags, job.abi.as_str()), salt)]
    }

    /// Asks, and says what was answered in words that are the same for both.
    fn does(&mut self, op: &Op, secret: [u8; 16]) -> String {
        let Some(query) = self.query(op, secret) else { return "-".to_owned() };
        let answer = match (self.ask)(&query) {
            Ok(answer) => answer,
            Err(_) => return "refused".to_owned(),
        };
        let about = |job: &Job| {
            format!("{} {} {} {} {}", job.package, job.version, job.abi, job.attempt, job.build_tag)
        };
        match answer {
            Answer::Added(added) => {
                let words = added
                    .iter()
                    .map(|a| format!("{} {} {:?} {:?}", a.package, a.version, a.state, a.queued_for));
                words.collect::<Vec<_>>().join(", ")
            }
            Answer::Claimed(None) => "nothing".to_owned(),
            Answer::Claimed(Some(job)) => {
                let words = about(&job);
                let next = self.builds.len();
                if let std::collections::btree_map::Entry::Vacant(vacant) =
                    self.builds.entry(job.token.build.0)
                {
                    vacant.insert(next);
                    self.jobs.push(job);
                }
                words
            }
            Answer::Adopted(Adoption::Live(job)) => format!("live {}", about(&job)),
            Answer::Adopted(Adoption::Late(job)) => format!("late {}", about(&job)),
            Answer::Adopted(other) => format!("{other:?}"),
            Answer::Logged(Logged::Imported(imported)) => format!(
                "{:?} {:?} {} {} {}",
                imported.opened,
                self.numbers(&imported.cancelled),
                imported.page.is_some(),
                imported.new_package,
                imported.new_version
            ),
            Answer::Swept(swept) => {
                let expired = swept.expired.iter().map(|(b, slave, what)| (self.number(*b), slave, what));
                format!("{:?} {:?} {}", expired.collect::<Vec<_>>(), swept.opened, swept.more)
            }
            Answer::ImportBegun(ImportVerdict::Ready { build, abi, begun }) => {
                let words = format!("ready {abi}");
                let next = self.builds.len();
                self.builds.insert(build.0, next);
                if let Query::BeginImport(plan) = query {
                    self.imports.push((*plan, build, abi, begun));
                }
                words
            }
            Answer::ImportBegun(ImportVerdict::Unchanged { abi, page }) => {
                format!("unchanged {abi} {}", page.is_some())
            }
            Answer::Ordered(ordered) => {
                let json: serde_json::Value = serde_json::from_str(&ordered.json).unwrap();
                let (opened, changed) = (&ordered.opened, &json["changed"]);
                let (registered, skipped) = (&json["registered"], &json["skipped"]);
                let page = json["page"].as_i64().is_some_and(|page| page > 0);
                let (cancelled, logs) = (self.numbers(&ordered.cancelled), self.numbers(&ordered.logs));
                let walks = ordered.walks;
                format!(
                    "{opened:?} {cancelled:?} {logs:?} {changed} {registered} {skipped} {page} {walks} {}",
                    ordered.more
                )
            }
            Answer::RewritesDue { due, more } => {
                self.due = due.iter().map(|rewrite| rewrite.order.clone()).collect();
                let page = |rewrite: &Rewrite| {
                    let rows = &rewrite.rows;
                    let files: BTreeMap<_, _> =
                        rows.files.iter().map(|f| (&f.filename, (f.sha256, &f.yanked))).collect();
                    let mut gone = rows.gone.clone();
                    gone.sort();
                    let builds: Vec<usize> = rows.builds.iter().map(|b| self.number(b.build)).collect();
                    let (page, versions, abis) = (&rewrite.order.page, &rows.versions, &rows.abis);
                    format!("{page:?} {versions:?} {abis:?} {files:?} {gone:?} {builds:?}")
                };
                format!("{more} {}", due.iter().map(page).collect::<Vec<_>>().join("\n"))
            }
            Answer::RootNames(names) => {
                format!("{:?}", names.iter().map(|name| &name.name).collect::<Vec<_>>())
            }
            Answer::AbiAdded(added, _) => format!("added {added}"),
            Answer::Learned(learned) => {
                format!("{:?} {:?} {}", learned.opened, self.numbers(&learned.cancelled), learned.registered)
            }
            Answer::PagesDue(due) => {
                let page = |page: &DuePage| format!("{} {:?} {}", page.package, page.etag, page.serial);
                // two that came due in one transaction have moments of their own in the database alone
                due.iter()
                    .map(page)
                    .collect::<std::collections::BTreeSet<_>>()
                    .into_iter()
                    .collect::<Vec<_>>()
                    .join(", ")
            }
            other => format!("{other:?}"),
        }
    }
}

fn because(one: bool) -> String {
    if one { "one reason" } else { "another reason" }.to_owned()
}

fn tags_of(pick: usize, abi: &str) -> String {
    match pick % 3 {
        0 => "py3-none-any".to_owned(),
        1 => "cp39-abi3-linux_armv7l".to_owned(),
        _ => format!("{abi}-{abi}-linux_armv7l"),
    }
}

fn wheel(package: &str, version: &str, build_tag: u64, tags: String, salt: u64) -> FileRecord {
    let tag = if build_tag > 0 { format!("{build_tag}-") } else { String::new() };
    let filename = format!("{package}-{version}-{tag}{tags}.whl");
    file(&filename, Sha256::of(format!("{filename} {salt}").as_bytes()))
}

fn file(filename: &str, sha256: Sha256) -> FileRecord {
    let wheel = WheelName::parse(filename).unwrap();
    FileRecord {
        filename: filename.to_owned(),
        size: 1000,
        sha256,
        python_tag: wheel.python.clone(),
        abi_tag: wheel.abi.clone(),
        platform_tag: wheel.platform.clone(),
        requires_python: None,
        metadata_sha256: Sha256::of(b"METADATA"),
        requires_dist: Vec::new(),
    }
}

fn connect(database: &cluster::Database<'_>) -> Session {
    let mut config = database.config(MASTER);
    oracle::configure(&mut config);
    config.connect(NoTls).unwrap().into()
}

/// Asks both everything, and compares. The model is of a farm with these ABIs.
fn agree(ops: &[Op], abis: &[&str]) -> Result<(), TestCaseError> {
    let database = Cluster::shared().database();
    let mut client = connect(&database);
    let mut superuser = database.superuser();
    for tag in ABIS {
        let abi = AbiTag::parse(tag).unwrap();
        let rank = abi.default_rank();
        oracle::execute(&mut client, &Query::AddAbi { abi, rank, platforms: Vec::new() }).unwrap();
    }
    while let Ok(Answer::Walked { more: true, .. }) =
        oracle::execute(&mut client, &Query::Walk { limit: 100 })
    {}
    let model = std::cell::RefCell::new(Database::new(abis));
    let clock = std::cell::Cell::new(1u64);
    let mut real = Side::new(|query| match oracle::execute(&mut client, query) {
        Ok(answer) => Ok(answer),
        Err(Failure::Refused(reason)) => Err(reason),
        Err(Failure::Again(reason)) => panic!("{reason}"),
    });
    let mut modelled = Side::new(|query| model.borrow_mut().ask(clock.get(), query));
    for (at, op) in ops.iter().enumerate() {
        clock.set(clock.get() + 1);
        match op {
            Op::Expire(pick) => {
                if let (Some(real), Some(modelled)) = (real.job(*pick), modelled.job(*pick)) {
                    let sql = "UPDATE piw.lease SET expires_at = clock_timestamp() WHERE build_id = $1";
                    superuser.execute(sql, &[&real.token.build.0]).unwrap();
                    let build = modelled.token.build.0;
                    if let Some(lease) = model.borrow_mut().now.leases.get_mut(&build) {
                        lease.expires = clock.get();
                    }
                }
            }
            Op::Due => {
                let sql = "UPDATE piw.delayed SET due = clock_timestamp() - interval '1 s'";
                superuser.batch_execute(sql).unwrap();
                let mut model = model.borrow_mut();
                model.now.delayed.values_mut().for_each(|waiting| waiting.at = clock.get());
            }
            _ => {}
        }
        let mut secret = [7; 16];
        secret[..8].copy_from_slice(&(at as u64).to_be_bytes());
        let (theirs, ours) = (real.does(op, secret), modelled.does(op, secret));
        prop_assert_eq!(theirs, ours, "the database and the model differ at {:?}, {} of {:?}", op, at, ops);
    }
    Ok(())
}

#[test]
fn the_model_of_the_database_answers_as_the_database_does() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let config =
        ProptestConfig { cases, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(&ops(), |ops| agree(&ops, &ABIS)).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn a_model_that_is_wrong_is_found_out() {
    // the first that finds it is the last
    let config = ProptestConfig {
        cases: 200,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config).run(&ops(), |ops| agree(&ops, &ABIS[..1])).unwrap_err();
}
