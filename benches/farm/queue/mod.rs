//! The queue at a chosen size: how long a slave waits for its next job, what failed builds cost, and what the
//! administrator and the index ask of the farm, with so many versions in its database. Through the real master and over
//! real connections; what only the cloud gazer asks is asked as an oracle does.
//!
//! The same rows at 10,000 and at 9,000,000 versions say what is not flat.

mod load;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use piwheels::admin::client;
use piwheels::domain::{ProjectName, Version};
use piwheels::master::gaze::{PageTruth, ProjectStatus, ReleaseTruth};
use piwheels::master::limits::{CHECK_AHEAD, PAGES_DUE_AT_ONCE};
use piwheels::master::oracle::{self, Session};
use piwheels::master::query::Query;
use piwheels::options::Patience;
use piwheels::wire::Channel;
use piwheels::wire::import::FromTool;
use piwheels::wire::slave::ToSlave;

use crate::database::session;
use crate::kit::cluster::Cluster;
use crate::kit::farm::Farm;
use crate::kit::peer::{Peer, hello};
use crate::kit::wait::until;
use crate::kit::wanted::wanted;
use crate::pgbench::Length;
use crate::row::{Goal, Rows, median, percentile};
use crate::turnaround::{beside_pgbench, fail_builds, fail_one};

/// The smallest farm, the largest (the whole of PyPI and some years more), and the one that is measured in a minute.
pub(crate) const LEAST: u32 = 10_000;
pub(crate) const MOST: u32 = 9_000_000;
pub(crate) const USUAL: u32 = 100_000;

/// Every row, in order.
pub(crate) const NAMES: [&str; 17] = [
    "audit",
    "statistics",
    "next-job-p50",
    "next-job-p99",
    "claim-log 1",
    "claim-log 4",
    "claim-log 8",
    "register-1000",
    "register-1000-again",
    "pages-due",
    "learn-page",
    "sweep-idle",
    "sweep-500-lost",
    "abi-first-job",
    "abi-walk-million",
    "abi-longest-pause",
    "audit-after",
];

/// In the order of their numbers and ranks; and the one that is added.
const ABIS: [&str; 4] = ["cp311", "cp312", "cp313", "cp314"];
const NEW_ABI: &str = "cp315";

/// What the manual of a farm of this size would say.
const SETTINGS: [&str; 3] = ["shared_buffers=1GB", "max_wal_size=4GB", "maintenance_work_mem=256MB"];

/// The goal: a slave has its next job after so many milliseconds, 99 times of 100.
const NEXT_JOB_MS: f64 = 3.0;

/// Jobs of each measurement where there are enough.
const JOBS: usize = 2_000;
/// And where there are not: a share of those that wait for the first ABI.
const SHARE: usize = 10;

/// How long one measurement may go on, and a walk be watched: what it would have taken follows from how far it came.
const PATIENCE: Duration = Duration::from_secs(30);
const AUDIT_PATIENCE: Duration = Duration::from_secs(1800);

pub(crate) fn run(rows: &mut Rows, versions: u32) {
    let cluster = Cluster::start_with(true, &SETTINGS);
    let mut farm = Farm::start_on(cluster, &ABIS, &["--max-per-address", "1000"]);
    // a master knows nothing of what is loaded behind its back
    farm.kill_master();
    let loaded = load::fill(&farm, versions);
    farm.start_master();
    rows.note(&format!("queue: {versions} versions, {loaded}"));

    audit(rows, &farm, "audit");
    let times = (0..5).map(|_| elapsed(|| ask(&farm, &FromTool::Statistics {}, PATIENCE)));
    rows.plain("statistics", median(times.collect()), "ms");

    let waiting = count(&farm, "SELECT count(*) FROM piw.queue WHERE abi_id = 1");
    let jobs = JOBS.min(waiting / SHARE);
    fail_builds(&farm, 1, PATIENCE, jobs.min(500));
    let waits = fail_builds(&farm, 1, PATIENCE, jobs).waits;
    rows.add("next-job-p50", percentile(waits.clone(), 0.5), NEXT_JOB_MS, "ms", Goal::Within);
    rows.add("next-job-p99", percentile(waits, 0.99), NEXT_JOB_MS, "ms", Goal::Within);
    for slaves in [1, 4, 8] {
        let (ours, limit) = beside_pgbench(&farm, slaves, Length::Jobs(jobs));
        rows.add(&format!("claim-log {slaves}"), ours, limit, "jobs/s", Goal::Share(0.8));
    }

    let mut oracle = session(&farm);
    // ten versions each of packages that are new
    let wanted = (0..1000).map(|n| wanted(&format!("asked-for-{}", n / 10), &format!("1.{}", n % 10 + 1)));
    let query = Query::AddVersions { wanted: wanted.collect(), deps: false };
    for name in ["register-1000", "register-1000-again"] {
        rows.plain(name, elapsed(|| oracle::execute(&mut oracle, &query).unwrap()), "ms");
    }
    let query = Query::PagesDue { limit: PAGES_DUE_AT_ONCE, ahead: CHECK_AHEAD };
    let times = (0..20).map(|_| elapsed(|| oracle::execute(&mut oracle, &query).unwrap()));
    rows.plain("pages-due", median(times.collect()), "ms");
    learn_page(rows, &farm, &mut oracle);
    sweep(rows, &farm, &mut oracle);
    add_abi(rows, &farm, versions);
    audit(rows, &farm, "audit-after");
}

fn elapsed<T>(work: impl FnOnce() -> T) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64() * 1000.0
}

/// A tool's question to the master.
fn ask(farm: &Farm, question: &FromTool, limit: Duration) -> serde_json::Value {
    let at = format!("ipc://{}", farm.path("run/import").display());
    let queue = client::ImportQueue { import_queue: at.parse().unwrap() };
    let queue = client::Queue::import(&queue, Patience { tool_timeout: None });
    let answer = client::ask(&queue, question, limit)
        .unwrap_or_else(|failure| panic!("{:?}\n{}", failure.reasons, farm.logs()));
    serde_json::from_str(&answer).unwrap()
}

/// It must find nothing: what was loaded is sound, and what was done to it left it so.
fn audit(rows: &mut Rows, farm: &Farm, name: &str) {
    let mut found = serde_json::Value::Null;
    let took = elapsed(|| found = ask(farm, &FromTool::Audit { mend: false }, AUDIT_PATIENCE));
    assert_eq!(found["found"], 0, "{name}: {found}");
    rows.plain(name, took, "ms");
}

fn count(farm: &Farm, sql: &str) -> usize {
    farm.database().superuser().query_one(sql, &[]).unwrap().get::<_, i64>(0) as usize
}

/// The page of a package with a hundred releases (one of a hundred has as many) was read again and has one more.
fn learn_page(rows: &mut Rows, farm: &Farm, oracle: &mut Session) {
    let mut superuser = farm.database().superuser();
    let sql = "SELECT p.pkg_id, p.name, p.display FROM piw.package p JOIN piw.version v USING (pkg_id) \
               GROUP BY p.pkg_id ORDER BY abs(count(*) - 100), p.pkg_id LIMIT 1";
    let package = superuser.query_one(sql, &[]).unwrap();
    let sql = "SELECT version, extract(epoch FROM released)::bigint, sdist, yanked FROM piw.version \
               WHERE pkg_id = $1 ORDER BY sort_key";
    let known = superuser.query(sql, &[&package.get::<_, i32>(0)]).unwrap();
    let release = |version: &str, released, sdist, yanked, wanted| ReleaseTruth {
        version: Version::parse(version).unwrap(),
        released,
        sdist,
        yanked,
        pythons: None,
        pure: None,
        tags: Vec::new(),
        wanted,
    };
    let mut releases: Vec<ReleaseTruth> =
        known.iter().map(|row| release(row.get(0), row.get(1), row.get(2), row.get(3), false)).collect();
    releases.push(release("2.0", Some(1_700_000_000), true, None, true));
    let count = releases.len();
    let truth = PageTruth {
        display: package.get(2),
        status: ProjectStatus::Active,
        status_reason: None,
        serial: None,
        etag: None,
        releases,
    };
    let package = ProjectName::parse(package.get(1)).unwrap();
    let query = Query::LearnPage { package, truth: Box::new(truth), next_secs: None };
    rows.plain("learn-page", elapsed(|| oracle::execute(oracle, &query).unwrap()), "ms");
    rows.note(&format!("learn-page: one of {count} releases is new"));
}

/// The regular round with nothing to do, and with as many lost slaves as one round looks at. These are made and swept in
/// one transaction, because the master sweeps too.
fn sweep(rows: &mut Rows, farm: &Farm, oracle: &mut Session) {
    let times = (0..20).map(|_| elapsed(|| oracle::execute(oracle, &Query::Sweep).unwrap()));
    rows.plain("sweep-idle", median(times.collect()), "ms");
    let mut superuser = farm.database().superuser();
    let mut transaction = superuser.transaction().unwrap();
    transaction
        .batch_execute(
            "DO $$ BEGIN FOR n IN 1..500 LOOP \
             PERFORM piw.claim('cp311', 'lost', uuid_send(gen_random_uuid()), 300, 0::smallint); END LOOP; END $$; \
             UPDATE piw.lease SET expires_at = clock_timestamp() - interval '1 s' WHERE slave = 'lost'",
        )
        .unwrap();
    let sql = "SELECT cardinality(builds) FROM piw.sweep()";
    let mut swept = 0;
    let took = elapsed(|| swept = transaction.query_one(sql, &[]).unwrap().get(0));
    assert_eq!(swept, 500);
    transaction.commit().unwrap();
    rows.plain("sweep-500-lost", took, "ms");
}

/// A slave of the new ABI, as soon as it is let in.
fn newcomer(farm: &Farm) -> Peer {
    until(
        "welcome for a slave of the new ABI",
        || farm.logs(),
        || {
            let mut peer = Peer::connect(farm.slave_port, Channel::Slave);
            peer.say(&hello(piwheels::VERSION, "newcomer", NEW_ABI, None));
            matches!(peer.hear(), Some(ToSlave::Hello { .. })).then_some(peer)
        },
    )
}

/// `piw abi add`: until a slave has its first job of it, how long the walk over all versions takes, and what slaves of
/// another ABI that ask a hundred times a second feel of that.
fn add_abi(rows: &mut Rows, farm: &Farm, versions: u32) {
    let walked = AtomicBool::new(false);
    let (first, million, longest) = std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let mut peer = Peer::slave(farm.slave_port, "bystander", None);
            let mut longest: f64 = 0.0;
            while !walked.load(Ordering::Relaxed) {
                longest = longest.max(fail_one(farm, &mut peer));
                std::thread::sleep(Duration::from_millis(10));
            }
            longest
        });
        let begun = Instant::now();
        farm.piw(&["abi", "add", NEW_ABI]);
        newcomer(farm).take_job();
        let first = begun.elapsed();
        let mut superuser = farm.database().superuser();
        let share = loop {
            let row = superuser.query_opt("SELECT next_ver FROM piw.walk", &[]).unwrap();
            let Some(next) = row.map(|row| row.get::<_, i32>(0)) else { break 1.0 };
            if begun.elapsed() > PATIENCE {
                let share = f64::from(next) / f64::from(versions);
                rows.note(&format!("abi-walk-million: {:.0} % of the walk were watched", share * 100.0));
                break share;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let million = begun.elapsed().as_secs_f64() / share / f64::from(versions) * 1e6;
        walked.store(true, Ordering::Relaxed);
        (first, million, waits.join().unwrap())
    });
    rows.plain("abi-first-job", first.as_secs_f64() * 1000.0, "ms");
    rows.plain("abi-walk-million", million, "s");
    rows.plain("abi-longest-pause", longest, "ms");
}
