//! One round.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::env::consts::ARCH;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use nix::sys::signal::Signal;
use piwheels::domain::Sha256;
use piwheels::wire::slave::BuildEnd;
use serde_json::Value;

use super::Counts;
use super::dice::{AfterStop, Dice, Fate, Incident, Plan};
use super::tools::{self, Done};
use crate::audit::Audit;
use crate::kit::cluster::Stop;
use crate::kit::farm::{Farm, Running, abi_of, python};
use crate::kit::sdist::Recipe;
use crate::kit::swarm::{Order, Ports, Product, Swarm};
use crate::kit::wait::{until, until_within};
use crate::kit::wheel::{noise, sound};

/// Packages that are built, each for two ABIs.
const PACKAGES: usize = 24;
/// Light slaves of the real one's ABI, and of the other.
const LIGHT: (usize, usize) = (3, 3);
/// So long a master may live that is ready, and does not come to the point where it is to end.
const POINT_PATIENCE: Duration = Duration::from_secs(4);
/// What is said of a program's end that has no code.
const BY_A_SIGNAL: i32 = -1;
/// From the last crash until everything rests.
const REST: Duration = Duration::from_secs(180);

pub(super) struct Round {
    farm: Farm,
    swarm: Swarm,
    real: Option<Running>,
    packages: Vec<String>,
    abis: [String; 2],
    counts: Counts,
}

impl Round {
    /// Plays the round of a seed to its end; how often each thing happened.
    pub(super) fn play(seed: u64) -> Counts {
        let plan = Plan::of(seed, LIGHT.0 + LIGHT.1);
        println!("  {plan:?}");
        let mut round = Self::start(seed);
        let stop = Arc::new(AtomicBool::new(false));
        let (toolbox, run, built, stopped) =
            (round.farm.toolbox(), round.farm.path("run"), round.packages.clone(), stop.clone());
        let operator = std::thread::spawn(move || tools::operate(&toolbox, seed, &run, &built, &stopped));
        round.crash(&plan);
        stop.store(true, Ordering::Relaxed);
        until("end of the operator's work", || round.farm.logs(), || operator.is_finished().then_some(()));
        let done = operator.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        round.rest();
        round.check(&done);
        round.counts
    }

    fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    fn start(seed: u64) -> Self {
        let real = abi_of(&python());
        // one that no interpreter here has: light slaves alone build for it, after the other
        let other = "cp399".to_owned();
        let farm = Farm::start_durable(&[&real, &other], &["--lease", "2s"]);
        let mut dice = Dice::new(seed ^ 0x5eed);
        let packages: Vec<String> = (0..PACKAGES).map(|n| format!("built{n}")).collect();
        for name in &packages {
            let bytes = if dice.one_in(4) { 1 << 20 } else { 100 };
            farm.index.offer(&Recipe::native(name.clone().leak(), "1.0").with_bytes(bytes));
        }
        if dice.one_in(2) {
            let aliases = format!("linux_{ARCH}=linux_other");
            farm.piw(&["policy", "aliases", &aliases, "--reason", "a test"]);
        }
        let add: Vec<&str> = ["add"].into_iter().chain(packages.iter().map(String::as_str)).collect();
        farm.piw(&add);
        let abis: Vec<&str> = [vec![real.as_str(); LIGHT.0], vec![other.as_str(); LIGHT.1]].concat();
        let ports = Ports { slaves: farm.slave_port, files: farm.file_port };
        let swarm = Swarm::start(ports, &abis, true, move |order| build(&mut dice, order));
        let slave = farm.start_slave("real");
        Self { farm, swarm, real: Some(slave), packages, abis: [real, other], counts: Counts::new() }
    }

    fn crash(&mut self, plan: &Plan) {
        let begun = Instant::now();
        let mut incidents = plan.incidents.iter().copied().peekable();
        for (n, fate) in plan.lives.iter().enumerate() {
            // the first master was there when the farm was made
            let from = if n > 0 { self.begin_life(fate) } else { 0 };
            let patience = match fate {
                Fate::Killed(after) => *after,
                _ => POINT_PATIENCE,
            };
            let mut ready = None;
            loop {
                while let Some((_, incident)) = incidents.next_if(|(at, _)| begun.elapsed() >= *at) {
                    self.happen(incident);
                }
                let master = self.farm.master.as_mut().unwrap();
                if ready.is_none() && master.log()[from..].contains("piw-master: ready") {
                    ready = Some(Instant::now());
                }
                if !master.is_running() || is_stopped(master.pid()) {
                    self.came_to_its_point(fate, ready.is_some());
                    break;
                }
                if ready.is_some_and(|since| since.elapsed() >= patience) {
                    self.count("master at a random moment");
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            self.farm.kill_master();
        }
        // what the plan has for later
        for (_, incident) in incidents {
            self.happen(incident);
        }
        self.farm.start_master();
        if self.real.is_none() {
            self.real = Some(self.farm.start_slave("real"));
        }
    }

    /// Starts a master with this fate; where its log begins.
    fn begin_life(&mut self, fate: &Fate) -> usize {
        let mut command = self.farm.master_command(&[]);
        let point = match fate {
            Fate::Killed(_) => None,
            Fate::EndsAt(point, time) => Some(format!("{point}:{time}")),
            Fate::StopsAt(point, time, _) => Some(format!("{point}:{time}:stop")),
        };
        command.envs(point.map(|point| ("PIW_FAILPOINT", point)));
        let from = fs::read_to_string(self.farm.path("log/master")).unwrap().len();
        self.farm.master = Some(self.farm.spawn(command, "master"));
        from
    }

    /// The master has ended or stopped by itself: as it was told to, or, at its start, for want of a database.
    fn came_to_its_point(&mut self, fate: &Fate, ready: bool) {
        let master = self.farm.master.as_mut().unwrap();
        let stopped = is_stopped(master.pid());
        let code = if stopped { 0 } else { master.wait() };
        if !ready && code == 1 && master.log().lines().last().is_some_and(|line| line.contains("database")) {
            return self.count("master without a database at its start");
        }
        match fate {
            Fate::EndsAt(point, _) if !stopped && code == BY_A_SIGNAL => {
                self.count(format!("master at {point}"))
            }
            Fate::StopsAt(point, _, then) if stopped => {
                self.count(format!("master at {point}"));
                self.database_crashes();
                if *then == AfterStop::GoesOn {
                    self.count("master went on");
                    self.farm.master().signal(Signal::SIGCONT);
                    std::thread::sleep(Duration::from_millis(300));
                }
            }
            _ => panic!("the master ended, and not as {fate:?} says\n{}", self.farm.logs()),
        }
    }

    fn happen(&mut self, incident: Incident) {
        match incident {
            Incident::LightKilled(n) => {
                self.swarm.kill(n, Duration::from_millis(200));
                self.count("light slave");
            }
            Incident::RealKilled => {
                if let Some(slave) = self.real.take() {
                    slave.kill();
                    self.count("real slave");
                }
                self.real = Some(self.farm.start_slave("real"));
            }
            Incident::DatabaseCrashes => self.database_crashes(),
        }
    }

    fn database_crashes(&mut self) {
        self.farm.cluster.stop(Stop::Immediate);
        self.farm.cluster.restart();
        self.count("database");
    }

    /// Waits until there is nothing to do any more. Pauses before further attempts are cut short: they are no part of this.
    fn rest(&mut self) {
        let farm = &self.farm;
        let open = "SELECT (SELECT count(*) FROM piw.queue), (SELECT count(*) FROM piw.delayed),
            (SELECT count(*) FROM piw.lease WHERE ended IS NULL), (SELECT count(*) FROM piw.rewrite)";
        let mut database = farm.database().superuser();
        let left = RefCell::new(String::new());
        until_within(
            REST,
            "rest",
            || format!("{}\n{}", left.borrow(), farm.logs()),
            || {
                // a session of this test's is no load to speak of, if it does not ask all the time
                std::thread::sleep(Duration::from_millis(100));
                database.batch_execute("UPDATE piw.delayed SET due = least(due, now())").unwrap();
                let row = database.query_one(open, &[]).unwrap();
                let [queued, delayed, leased, pages]: [i64; 4] = std::array::from_fn(|n| row.get(n));
                let busy = self.swarm.tally().busy;
                *left.borrow_mut() = format!(
                    "{queued} queued, {delayed} delayed, {leased} leased, {pages} pages; {busy} light slaves busy"
                );
                (queued + delayed + leased + pages == 0 && busy == 0 && self.real_is_back()).then_some(())
            },
        );
    }

    /// The real slave is there and holds nothing: what it had was taken or given up.
    fn real_is_back(&self) -> bool {
        let output = self.farm.piw_command(&["slaves", "--json"]).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let mut all = answer["slaves"].as_array().into_iter().flatten();
        all.any(|slave| slave["label"] == "real" && slave["job"].is_null() && slave["state"] != "returning")
    }

    fn check(&mut self, done: &Done) {
        self.nothing_is_lost(done);
        self.farm.crawl();
        self.farm.audit();
        self.nothing_is_left_in_the_spool();
        self.the_tree_is_the_rows();
        let log = self.farm.master().log();
        for word in ["[protocol]", "panicked", "an error in the"] {
            let line = log.lines().find(|line| line.contains(word));
            assert!(line.is_none(), "{line:?}\n{}", self.farm.logs());
        }
        let (acks, resumed) = {
            let tally = self.swarm.tally();
            assert!(tally.faults.is_empty(), "{:?}\n{}", tally.faults, self.farm.logs());
            assert!(tally.byes.is_empty(), "{:?}\n{}", tally.byes, self.farm.logs());
            (tally.acks.len(), tally.resumed)
        };
        for (what, n) in [
            ("builds acknowledged", acks),
            ("jobs gone on with after a break", resumed as usize),
            ("imports", done.imports),
            ("removals", done.removals),
            ("tools told to try again", done.failed - done.killed),
            ("tool", done.killed),
        ] {
            *self.counts.entry(what.to_owned()).or_default() += n;
        }
    }

    /// What slaves and the operator were told is so: rows and bytes.
    fn nothing_is_lost(&self, done: &Done) {
        let farm = &self.farm;
        // what was said before, then what is there
        let slave = fs::read_to_string(farm.path("log/real")).unwrap();
        let acks = self.swarm.tally().acks.clone();
        let mut database = farm.database().superuser();
        let mut outcomes: BTreeMap<i64, String> = BTreeMap::new();
        for row in database.query("SELECT build_id, outcome FROM piw.build", &[]).unwrap() {
            outcomes.insert(row.get(0), row.get(1));
        }
        let mut bytes = |name: &str, sha256: &Sha256| {
            let rows = database.query("SELECT sha256 FROM piw.file WHERE filename = $1", &[&name]).unwrap();
            assert_eq!(rows.len(), 1, "{name} was acknowledged and has no row\n{}", farm.logs());
            assert_eq!(rows[0].get::<_, Vec<u8>>(0), sha256.0, "{name} has other bytes\n{}", farm.logs());
            let path = farm.path("www/simple").join(name.split('-').next().unwrap()).join(name);
            let there =
                fs::read(&path).unwrap_or_else(|e| panic!("{name} was acknowledged: {e}\n{}", farm.logs()));
            assert_eq!(Sha256::of(&there), *sha256, "{name} has other bytes\n{}", farm.logs());
        };
        done.imported.iter().for_each(|(name, sha256)| bytes(name, sha256));
        let mut told = BTreeSet::new();
        for ack in &acks {
            assert!(told.insert(ack.order.build.0), "DONE came twice: {ack:?}\n{}", farm.logs());
            match outcomes.get(&ack.order.build.0).map(String::as_str) {
                Some("built") if done.touched.contains(&ack.order.package) => {}
                Some("built") => ack.files.iter().for_each(|(name, sha256)| bytes(name, sha256)),
                // another slave's result came first
                Some("superseded") => {}
                Some("cancelled") if ack.end == BuildEnd::Cancelled => {}
                // a claim is committed lazily: a crash of the database may forget it, and the job is built anew (below)
                None if farm.logs().lines().any(|line| {
                    line.contains(&format!("build {}: ", ack.order.build.0))
                        && line.contains("is unknown to the database")
                }) => {}
                other => panic!("DONE came for {ack:?}, and the database has {other:?}\n{}", farm.logs()),
            }
        }
        for line in slave.lines().filter(|line| line.contains("is recorded")) {
            let build = line.split("build ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
            assert!(outcomes.contains_key(&build), "{line}\n{}", farm.logs());
        }
        // every version that was asked for is built for both ABIs, and once; unless it was removed meanwhile
        let built = "SELECT count(*) FROM piw.build b JOIN piw.version USING (ver_id) JOIN piw.package p USING (pkg_id)
            JOIN piw.abi a ON a.abi_id = b.abi_id WHERE p.name = $1 AND a.tag = $2 AND b.outcome = 'built'";
        for package in self.packages.iter().filter(|package| !done.skipped.contains(*package)) {
            for abi in &self.abis {
                let built: i64 = database.query_one(built, &[package, abi]).unwrap().get(0);
                let right = if done.touched.contains(package) { built >= 1 } else { built == 1 };
                assert!(right, "{package} was built {built} times for {abi}\n{}", farm.logs());
            }
        }
    }

    /// What is in the spool a day later goes when a master starts, and that is all there is.
    fn nothing_is_left_in_the_spool(&mut self) {
        let spool = self.farm.path("spool");
        for entry in fs::read_dir(&spool).unwrap().flatten().filter(|entry| entry.file_name() != ".piw-lock")
        {
            age(&entry.path());
            let name = entry.file_name().to_string_lossy().into_owned();
            let end = name.rsplit('.').next().unwrap_or_default().to_owned();
            self.count(format!("left in the spool, a day after: .{end}"));
        }
        self.farm.kill_master();
        self.farm.start_master();
        self.farm.wait_for_empty_spool();
    }

    /// A day later the audit finds nothing but what crashes may leave, removes it, and then finds nothing.
    fn the_tree_is_the_rows(&mut self) {
        age(&self.farm.path("www"));
        let all = &["--fix", "--restart", "--rate", "0", "--files-rate", "0"];
        let first = Audit::run(&self.farm, all);
        for (kind, path) in first.found() {
            let may_be = ["extra-file", "extra-directory", "log-extra"].contains(&kind.as_str());
            assert!(may_be, "{kind}: {path}\n{}", self.farm.logs());
            self.count(format!("swept a day after: {kind}"));
        }
        assert_eq!(first.code, 0, "{:?}", first.found());
        let again = Audit::run(&self.farm, &all[1..]);
        let left: Vec<_> = again.found().into_iter().filter(|(kind, _)| kind != "log-extra").collect();
        assert!(left.is_empty(), "{left:?}\n{}", self.farm.logs());
        self.farm.crawl();
        self.farm.audit();
        let mut wheels = BTreeSet::new();
        for project in fs::read_dir(self.farm.path("www/simple")).unwrap().flatten() {
            for entry in fs::read_dir(project.path()).into_iter().flatten().flatten() {
                let name = entry.file_name().into_string().unwrap();
                if name.ends_with(".whl") {
                    wheels.insert(name);
                }
            }
        }
        let offered = "SELECT count(*) FROM piw.page_file f";
        assert_eq!(wheels.len() as i64, self.farm.count(offered), "{wheels:?}");
    }
}

/// What a light slave makes of a job: one wheel or two, small or larger.
fn build(dice: &mut Dice, order: &Order) -> Product {
    let mut files = Vec::new();
    let own = (order.build_tag == 0 && dice.one_in(3)).then(|| "7x".to_owned());
    let asked = (order.build_tag > 0).then(|| order.build_tag.to_string());
    for tag in std::iter::once(asked).chain(own.map(Some)) {
        let size = if dice.one_in(6) { 400_000 } else { 30_000 };
        let filler = noise(dice.below(size), dice.number());
        let wheel = sound(&order.package, &order.version, tag.as_deref(), &filler);
        let tag = tag.map_or(String::new(), |tag| format!("-{tag}"));
        let Order { package, version, abi, .. } = order;
        let name = format!("{package}-{version}{tag}-{abi}-{abi}-linux_x86_64.whl");
        files.push((name, Bytes::from(wheel)));
    }
    let log = format!("{order:?}\n").repeat(1 + dice.below(200));
    Product { end: BuildEnd::Built, files, takes: dice.millis(20, 500), log: log.into() }
}

fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['T', 't']))
}

/// Makes everything there older than a day.
fn age(path: &Path) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().flatten().for_each(|entry| age(&entry.path()));
    }
    let old = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    File::open(path).unwrap().set_modified(old).unwrap();
}
