//! A farm at work: a thousand slaves that build one job after the other, monitors that watch, and for a third of the time
//! herds that mean no good. The slaves are light, their protocol is the real one; the master, its database and its disk
//! are as operators have them, every limit at its default.

mod herd;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use piwheels::master::oracle;
use piwheels::master::query::Query;
use piwheels::wire::slave::BuildEnd;

use crate::database::session;
use crate::kit::farm::Farm;
use crate::kit::swarm::{Order, Ports, Product, Swarm};
use crate::kit::wait::until;
use crate::kit::wanted::wanted;
use crate::kit::wheel::{noise, sound};
use crate::process::turns;
use crate::row::{Goal, Rows};
use herd::Herd;
use watch::Watch;

/// Slaves of each are the same in number; each version is built for one after the other.
const ABIS: [&str; 4] = ["cp39", "cp310", "cp311", "cp312"];
/// Versions of one project.
const VERSIONS: usize = 20;
/// Projects that are added at a time.
const PROJECTS: usize = 50;
const MONITORS: usize = 4;
/// One of each ABI; and what the master's `--max-connections` has room for, each with two connections and the herds.
pub(crate) const LEAST: usize = ABIS.len();
pub(crate) const MOST: usize = 1400;
/// A small load, and a short one.
pub(crate) const FEW: usize = 100;
pub(crate) const SHORT: Duration = Duration::from_secs(15);
/// Connections of the herds, for each slave: half as many slow ones, and a fifth that sends rubbish.
const SLOW: f64 = 0.5;
const RUBBISH: f64 = 0.2;
/// The first builds find everything new; this part of each phase is not measured.
const SETTLING: f64 = 0.1;

/// What it came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What slaves heard that they must not hear, and what the master says that they must not have said.
    pub(crate) faults: Vec<String>,
    /// Connections of slaves that broke.
    pub(crate) cuts: u64,
    /// Builds for which DONE came, of each slave.
    pub(crate) served: Vec<u64>,
    /// Builds that the database has.
    pub(crate) recorded: i64,
    /// Of the master, in MiB, over time.
    pub(crate) memory: Vec<f64>,
    /// Messages that monitors heard.
    pub(crate) heard: u64,
    /// Connections that the herds made.
    pub(crate) rogues: u64,
}

pub(crate) fn run(rows: &mut Rows, slaves: usize, time: Duration) -> Outcome {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let mut farm = Farm::start_durable(&ABIS, &[]);
    let memory = watch::memory(farm.master().pid());
    let heard = Arc::<AtomicU64>::default();
    let monitors: Vec<_> =
        (0..MONITORS).map(|_| watch::monitor(farm.path("run/status"), heard.clone())).collect();
    let worked = work(&farm, slaves, time);
    let stats_wait = monitors.into_iter().map(Watch::end).max().unwrap_or_default();
    let memory = memory.end();
    let recorded = farm.count("SELECT count(*) FROM piw.build");
    farm.audit();
    if slaves <= FEW {
        farm.crawl();
    }
    let log = farm.master().log();
    let dropped = log.lines().filter(|line| line.contains("127.0.1.") && line.contains("dropped:"));
    let Worked { rates, rogues, mut faults, cuts, served, took_ms } = worked;
    faults.extend(dropped.map(str::to_owned));
    let turns = turns(&mut farm);

    rows.note(&format!(
        "load: {slaves} slaves for {} ABIs during {} s, {MONITORS} monitors; herds: {:.0} peers, {rogues} connections; \
         {recorded} builds recorded; {}",
        ABIS.len(),
        time.as_secs(),
        slaves as f64 * (SLOW + RUBBISH),
        turns.line
    ));
    rows.plain("load, builds", rates[0], "builds/s");
    rows.add("load, beside herds", rates[1], (rates[0] + rates[2]) / 2.0, "builds/s", Goal::Share(0.9));
    rows.plain("load, builds again", rates[2], "builds/s");
    rows.plain("load, BUILD to DONE", took_ms, "ms");
    rows.plain("load, least served", served.iter().min().map_or(0.0, |least| *least as f64), "builds");
    rows.plain("load, most served", served.iter().max().map_or(0.0, |most| *most as f64), "builds");
    rows.plain("load, protocol errors", faults.len() as f64, "errors");
    rows.plain("load, broken", cuts as f64, "connections");
    let at = |share: f64| memory[((memory.len() as f64 * share) as usize).clamp(1, memory.len()) - 1];
    rows.plain("load, memory before", at(0.0), "MiB");
    for percent in [10, 20, 40, 60, 80, 100] {
        rows.plain(&format!("load, memory at {percent} %"), at(f64::from(percent) / 100.0), "MiB");
    }
    rows.plain("load, most memory", memory.iter().copied().fold(0.0, f64::max), "MiB");
    rows.plain("load, monitors' wait", stats_wait.as_secs_f64() * 1000.0, "ms");
    rows.add("load, turns p99.9", turns.within, 5.0, "ms", Goal::Within);
    rows.plain("load, longest turn", turns.longest, "ms");
    Outcome { faults, cuts, served, recorded, memory, heard: heard.load(Ordering::Relaxed), rogues }
}

/// What the slaves came to.
struct Worked {
    /// Builds a second: without the herds, with them, and without them again.
    rates: Vec<f64>,
    rogues: u64,
    faults: Vec<String>,
    cuts: u64,
    served: Vec<u64>,
    /// From BUILD to DONE, on an average.
    took_ms: f64,
}

/// The slaves work through the three phases.
fn work(farm: &Farm, slaves: usize, time: Duration) -> Worked {
    let ports = Ports { slaves: farm.slave_port, files: farm.file_port };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _over = OnDrop(&over);
        scope.spawn(|| feed(farm, slaves, &over));
        until("jobs", || farm.logs(), || (farm.count("SELECT count(*) FROM piw.queue") > 0).then_some(()));
        let abis: Vec<&str> = ABIS.into_iter().cycle().take(slaves).collect();
        let swarm = Swarm::start(ports, &abis, false, build);
        let all = || (swarm.tally().connected == slaves).then_some(());
        until("slaves to be let in", || format!("{:?}\n{}", swarm.tally().faults, farm.logs()), all);
        let (mut rates, mut rogues) = (Vec::new(), 0);
        for with_herds in [false, true, false] {
            let herd = with_herds.then(|| {
                let of = |share: f64| (slaves as f64 * share) as usize;
                Herd::start(ports, of(SLOW), of(RUBBISH))
            });
            rates.push(phase(&swarm, time / 3));
            rogues += herd.map_or(0, |herd| herd.connections.load(Ordering::Relaxed));
        }
        // however slow the machine is
        let served = || swarm.tally().served.iter().all(|builds| *builds > 0).then_some(());
        until("build of each slave", || farm.logs(), served);
        let tally = swarm.tally();
        Worked {
            rates,
            rogues,
            faults: tally.faults.iter().chain(&tally.byes).cloned().collect(),
            cuts: tally.cuts,
            served: tally.served.clone(),
            took_ms: tally.time.as_secs_f64() * 1000.0 / tally.builds().max(1) as f64,
        }
    })
}

/// Whoever waits for it to be over is told, also when something fails.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Builds a second, over the later part of so long.
fn phase(swarm: &Swarm, time: Duration) -> f64 {
    std::thread::sleep(time.mul_f64(SETTLING));
    let (begun, before) = (Instant::now(), swarm.tally().builds());
    std::thread::sleep(time.mul_f64(1.0 - SETTLING));
    (swarm.tally().builds() - before) as f64 / begun.elapsed().as_secs_f64()
}

/// Sees to it that there is work for all, until it is over.
fn feed(farm: &Farm, slaves: usize, over: &AtomicBool) {
    let mut oracle = session(farm);
    let mut database = farm.database().superuser();
    let least = (2 * slaves).max(1000) as i64;
    for from in (0..).step_by(PROJECTS) {
        let wanted = (from..from + PROJECTS)
            .flat_map(|project| {
                (0..VERSIONS).map(move |n| wanted(&format!("load{project}"), &format!("1.{n}")))
            })
            .collect();
        oracle::execute(&mut oracle, &Query::AddVersions { wanted, deps: false }).unwrap();
        while database.query_one("SELECT count(*) FROM piw.queue", &[]).unwrap().get::<_, i64>(0) > least {
            if over.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        if over.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Three of four make a wheel of some kilobytes, one fails; each prints a little.
fn build(order: &Order) -> Product {
    let seed = order.build.0 as u64;
    let Order { package, version, abi, .. } = order;
    let (end, files) = match seed % 4 {
        0 => (BuildEnd::Failed, Vec::new()),
        _ => {
            let wheel = sound(package, version, None, &noise(1000 + (seed * 7919 % 30_000) as usize, seed));
            let name = format!("{package}-{version}-{abi}-{abi}-linux_x86_64.whl");
            (BuildEnd::Built, vec![(name, Bytes::from(wheel))])
        }
    };
    let log = format!("building {package} {version}\n").repeat(20);
    Product { end, files, takes: Duration::from_millis(200 + seed * 7919 % 600), log: log.into() }
}
