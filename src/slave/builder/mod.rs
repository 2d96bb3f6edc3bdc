//! One build (manual 8.16): pip in a directory and a sandbox of its own, its output into a log, all that it uses limited,
//! and nothing of it left when it is over.
//!
//! [`Build`] is driven by the event loop: it is told the time, when its pipe can be read and when a child has ended,
//! and never waits itself. What takes long follows in [`Finish`], in a helper thread. A build is several commands, one
//! after the other ([`step`]); between two of them nothing of the first is left.
//!
//! ```text
//! running ──it ended───────────────────────────► sweeping ──nothing left──► the next step: running
//!    │ ──a limit, cancelled: SIGTERM─────► terminating ──5 s──►▲  │           or over: Finish, or gone if aborted
//!    └──abort──────────────────────────────────────┘              └ a step that cannot be begun: this machine's fault
//! ```

pub mod command;
mod finish;
#[cfg(all(any(test, fuzzing), feature = "admin"))]
#[path = "../../../tests/fuzz/targets/slave.rs"]
pub(crate) mod fuzz;
mod log;
mod signs;
mod step;
pub mod tree;
mod watch;

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::domain::{BuildId, Millis};
use crate::slave::sandbox::Plan;
use crate::slave::sandbox::cgroup::{Group, Groups};
use crate::slave::sandbox::launch::{self, Ended};

use signs::Signs;
use step::{Dirs, Running, Step};
use watch::{Stop, Watch};

pub use finish::{Finish, open_regular};
pub use log::{BuildLog, LOG_FILE, SMALLEST_LIMIT};
pub use watch::Limits;

/// Between SIGTERM and SIGKILL.
pub const GRACE: Millis = Millis::secs(5);
/// Between two looks for what a sweep has left.
const SWEEP_EVERY: Millis = Millis(20);
/// After this long a sweep tells the operator that something cannot be killed.
const SWEEP_COMPLAINT: Millis = Millis::secs(30);
/// Read from the pipe at once, and how often in one turn of the loop.
const READ_BYTES: usize = 16 * 1024;
const READS_PER_TURN: usize = 8;
/// How often what a build without a network misses is fetched after all.
const FETCHES: u8 = 5;
/// What a launcher says of an end is shorter.
const END_BYTES: usize = 4096;

/// What all builds of a slave have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The interpreter, an absolute path.
    pub python: PathBuf,
    /// What it is, for people.
    pub interpreter: String,
    /// Its name and version, its pip's version, its compiler: for the report.
    pub versions: [String; 3],
    /// Where builds get their directories.
    pub dir: PathBuf,
    /// What one may use.
    pub limits: Limits,
    /// The most that is kept of one log, in bytes.
    pub log_limit: u64,
    /// Whether builds may use the network, which the fetching of what they need always may.
    pub network: bool,
    /// Whether a wheel's modules must be importable.
    pub import_test: bool,
    /// What every sandbox is like: the walls, and what it may read.
    pub plan: Plan,
    /// Control groups, where they are delegated.
    pub groups: Option<Groups>,
}

impl Settings {
    /// A build's own directory.
    pub fn build_dir(&self, build: BuildId) -> PathBuf {
        self.dir.join(format!("{BUILD_DIR_PREFIX}{build}"))
    }
}

/// How the names of builds' directories begin.
pub const BUILD_DIR_PREFIX: &str = "build-";

/// What is to be built.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its number.
    pub build: BuildId,
    /// Package, canonical name.
    pub package: String,
    /// Version; letters, digits and `.!+_-` only.
    pub version: String,
    /// The build tag that its wheels are to have, instead of any that the backend gives them; 0: none is asked for.
    pub build_tag: u64,
    /// Index to build from; empty for the one pip is configured for.
    pub index_url: String,
    /// The most of its log that the master takes, in bytes.
    pub log_limit: u64,
}

impl Job {
    /// The requirement, as pip takes and prints it.
    pub fn requirement(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Terminating { kill_at: Millis },
    Sweeping { next: Millis, complain_at: Millis },
}

/// What [`Build::step`] has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on.
    Going,
    /// No process is left and all that was printed is read.
    Over,
    /// This machine cannot go on with it; for people, why.
    Cannot(String),
}

/// A build whose processes may still run.
#[derive(Debug)]
pub struct Build {
    settings: Settings,
    job: Job,
    dirs: Dirs,
    step: Step,
    running: Running,
    log: BuildLog,
    signs: Signs,
    watch: Watch,
    group: Option<Group>,
    fetches: u8,
    /// pip's arguments and what it installed to build with, for the report.
    pip_arguments: String,
    requirements: Vec<String>,
    /// Packages of the system that the wheels need, for the report.
    apt: Vec<String>,
    ended: Option<Millis>,
    /// How the present step ended, as far as the launcher could tell.
    end: Ended,
    /// Of all steps so far.
    cpu_ms: u64,
    peak_memory: u64,
    stopped: Option<Stop>,
    aborted: bool,
    phase: Phase,
}

impl Build {
    /// Makes the directory and starts the first step in it. The error is this machine's, not the package's.
    pub fn start(now: Millis, settings: &Settings, job: &Job) -> Result<Self, String> {
        let dirs = Dirs(settings.build_dir(job.build));
        dirs.make().map_err(|e| format!("cannot make {}: {e}", dirs.0.display()))?;
        let mut log = BuildLog::create(&dirs.0, settings.log_limit.min(job.log_limit))
            .map_err(|e| format!("cannot write a log: {e}"))?;
        log.append(format!("{}\n", command::headline(settings, job)).as_bytes());
        let limits = &settings.limits;
        let processes = if limits.processes > 0 { limits.processes + SPARE_PROCESSES } else { 0 };
        let group = settings.groups.as_ref().map(|g| g.start(limits.memory_bytes, processes)).transpose()?;
        let step = Step::Fetch(Vec::new());
        let plan = plan(settings, group.as_ref());
        let running = step::start(&step, settings, job, &dirs, plan).map_err(cannot_start)?;
        Ok(Self {
            watch: Watch::new(now, settings.limits, &dirs.0),
            settings: settings.clone(),
            job: job.clone(),
            dirs,
            step,
            running,
            log,
            signs: Signs::default(),
            group,
            fetches: 1,
            pip_arguments: String::new(),
            requirements: Vec::new(),
            apt: Vec::new(),
            ended: None,
            end: Ended::default(),
            cpu_ms: 0,
            peak_memory: 0,
            stopped: None,
            aborted: false,
            phase: Phase::Running,
        })
    }

    /// The build's directory.
    pub fn dir(&self) -> &Path {
        &self.dirs.0
    }

    /// What to wait for with poll(2), until its end was read.
    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.running.output.as_ref().map(AsFd::as_fd)
    }

    /// Bytes of the log that stand.
    pub fn log_bytes(&self) -> u64 {
        self.log.bytes()
    }

    /// The process whose end is the present step's.
    pub fn launcher(&self) -> Pid {
        self.running.launcher
    }

    /// Whether it is to leave nothing but an empty place.
    pub fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// When [`Build::step`] is due at the latest.
    pub fn next_deadline(&self) -> Millis {
        match self.phase {
            Phase::Running => self.watch.next_deadline(),
            Phase::Terminating { kill_at } => kill_at,
            Phase::Sweeping { next, .. } => next,
        }
    }

    /// Moves what was printed into the log; a bounded amount, so that the loop turns. Returns whether there is more.
    pub fn read(&mut self, now: Millis) -> bool {
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_PER_TURN {
            let Some(pipe) = &mut self.running.output else { return false };
            match pipe.read(&mut buffer) {
                Ok(0) => self.running.output = None,
                Ok(n) => {
                    self.log.append(&buffer[..n]);
                    self.signs.feed(&buffer[..n]);
                    self.watch.heard(now, n);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return false,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    ::log::warn!("cannot read what the build prints: {e}");
                    self.running.output = None;
                }
            }
        }
        self.running.output.is_some()
    }

    /// The launcher has ended.
    pub fn child_ended(&mut self, now: Millis) {
        self.ended = Some(now);
        if !matches!(self.phase, Phase::Sweeping { .. }) {
            self.begin_sweep(now);
        }
    }

    /// Kills all of it, at once.
    pub fn abort(&mut self, now: Millis) {
        self.aborted = true;
        if !matches!(self.phase, Phase::Sweeping { .. }) {
            self.begin_sweep(now);
        }
    }

    /// Ends it as the time limit would. One whose last step has ended already ends as that did.
    pub fn cancel(&mut self, now: Millis) {
        if self.phase == Phase::Running {
            self.terminate(now, Stop::Cancelled);
        } else if self.stopped.is_none() {
            // between two steps: there is none to come
            self.stopped = Some(Stop::Cancelled);
        }
    }

    fn terminate(&mut self, now: Millis, stop: Stop) {
        self.stopped = Some(stop);
        // no such group: it has just ended, and SIGCHLD is under way
        let _ = killpg(self.running.launcher, Signal::SIGTERM);
        self.phase = Phase::Terminating { kill_at: now + GRACE };
    }

    fn begin_sweep(&mut self, now: Millis) {
        self.phase = Phase::Sweeping { next: now, complain_at: now + SWEEP_COMPLAINT };
        if let Some(group) = &self.group {
            group.kill();
        }
    }

    /// Does what is due.
    pub fn step(&mut self, now: Millis) -> Progress {
        match self.phase {
            Phase::Running => {
                if let Some(stop) = self.watch.stop(now) {
                    ::log::info!("a limit ends the build: {stop:?}");
                    // who takes too much of the machine gets no time to take more
                    let at_once = matches!(stop, Stop::Memory | Stop::Processes | Stop::Disk | Stop::Output);
                    self.terminate(now, stop);
                    if at_once {
                        self.begin_sweep(now);
                    }
                }
                Progress::Going
            }
            Phase::Terminating { kill_at } => {
                if now >= kill_at {
                    self.begin_sweep(now);
                }
                Progress::Going
            }
            Phase::Sweeping { complain_at, .. } => {
                if tree::sweep() {
                    // nobody is left to write; what the pipe holds is all there will be
                    if self.aborted {
                        return Progress::Over;
                    }
                    return if self.read(now) { Progress::Going } else { self.next(now) };
                }
                let complain_at = if now >= complain_at {
                    ::log::warn!("processes of the build do not die; trying on");
                    now + SWEEP_COMPLAINT
                } else {
                    complain_at
                };
                self.phase = Phase::Sweeping { next: now + SWEEP_EVERY, complain_at };
                Progress::Going
            }
        }
    }

    /// A step is over, and nothing of it is left.
    fn next(&mut self, now: Millis) -> Progress {
        let mut said = [0; END_BYTES];
        let length = self.running.end.read(&mut said).unwrap_or(0);
        self.end = match launch::read(&String::from_utf8_lossy(&said[..length])) {
            Some(Ok(end)) => end,
            Some(Err(reason)) => return Progress::Cannot(reason),
            // it was killed before it could say anything: by a limit, or by the kernel for want of memory
            None => Ended { signal: Some(Signal::SIGKILL as i32), ..Ended::default() },
        };
        match self.step {
            Step::Build => {
                self.requirements = self.signs.installed();
                // what the build itself has printed is no word of the script that follows
                self.signs.needed();
            }
            Step::Check | Step::Recheck => self.apt = self.signs.needed(),
            _ => {}
        }
        self.cpu_ms += self.end.cpu_ms;
        self.peak_memory = self.peak_memory.max(self.end.peak_memory);
        match self.following() {
            Some(step) => self.begin(now, step),
            None => Progress::Over,
        }
    }

    /// The step that follows, if any does.
    fn following(&mut self) -> Option<Step> {
        if self.stopped.is_some() || self.limit_of_group() {
            return None;
        }
        let done = self.end.code == Some(0);
        match self.step {
            Step::Fetch(_) => done.then_some(Step::Build),
            Step::Build if done => {
                self.stopped = self.large_wheel().map(Stop::Wheel);
                self.stopped.is_none().then_some(Step::Check)
            }
            Step::Build => {
                let missing = self.signs.missing();
                let fetch = !self.settings.network && !missing.is_empty() && self.fetches < FETCHES;
                fetch.then_some(Step::Fetch(missing))
            }
            Step::Check if done && self.job.build_tag > 0 => Some(Step::Retag),
            Step::Retag if done => {
                self.stopped = self.large_wheel().map(Stop::Wheel);
                self.stopped.is_none().then_some(Step::Recheck)
            }
            Step::Retag => None,
            Step::Check | Step::Recheck => (done && self.settings.import_test).then_some(Step::Install),
            Step::Install => {
                if !done {
                    self.say("it cannot be installed here with what it requires, and is not imported");
                }
                done.then_some(Step::Import)
            }
            Step::Import => None,
        }
    }

    /// Whether the kernel ended something for a limit of the control group.
    fn limit_of_group(&mut self) -> bool {
        // one that came through all the same has done without what it was refused
        let failed = self.end.code != Some(0);
        let Some(usage) = self.group.as_ref().filter(|_| failed).map(Group::usage) else { return false };
        if usage.out_of_memory {
            self.stopped = Some(Stop::Memory);
        } else if usage.out_of_processes {
            self.stopped = Some(Stop::Processes);
        }
        self.stopped.is_some()
    }

    /// The name of a wheel over the limit, if there is one.
    fn large_wheel(&self) -> Option<String> {
        let most = self.settings.limits.wheel_bytes;
        let entries = fs::read_dir(self.dirs.out()).ok().filter(|_| most > 0)?;
        let mut large = entries.flatten().filter(|entry| entry.metadata().is_ok_and(|m| m.len() > most));
        large.next().map(|entry| entry.file_name().to_string_lossy().into_owned())
    }

    fn begin(&mut self, now: Millis, step: Step) -> Progress {
        match &step {
            Step::Fetch(missing) => {
                self.fetches += 1;
                self.say(&format!("the build wants {}, which was not fetched yet", missing.join(", ")));
            }
            Step::Build => {
                let Ok(sdist) = self.dirs.sdist() else {
                    return Progress::Cannot("the source distribution that was fetched is gone".to_owned());
                };
                let from = (!self.settings.network).then_some(Path::new("/deps"));
                let arguments = command::pip_arguments(&self.job, Path::new("/out"), &sdist, from);
                self.pip_arguments = command::shown(&arguments);
                let network = if self.settings.network { "" } else { ", without a network" };
                self.say(&format!("building{network}: pip {}", self.pip_arguments));
            }
            Step::Check => {
                if let Err(e) = self.dirs.renew() {
                    return Progress::Cannot(format!("cannot make room to look at what was built: {e}"));
                }
                self.say("checking what was built");
            }
            Step::Retag => self.say(&format!("giving it build tag {}", self.job.build_tag)),
            Step::Recheck => self.say("checking what has that tag now"),
            Step::Install => self.say("installing it, to see whether it can be imported"),
            Step::Import => self.say("importing it"),
        }
        self.signs = Signs::default();
        self.watch.begin(now);
        let plan = plan(&self.settings, self.group.as_ref());
        match step::start(&step, &self.settings, &self.job, &self.dirs, plan) {
            Ok(running) => self.running = running,
            Err(e) => return Progress::Cannot(cannot_start(e)),
        }
        self.step = step;
        self.ended = None;
        self.phase = Phase::Running;
        Progress::Going
    }

    /// A line of the slave's own in the log.
    fn say(&mut self, line: &str) {
        self.log.append(format!("piw-slave: {line}\n").as_bytes());
    }

    /// What is left to do when [`Build::step`] said [`Progress::Over`].
    pub fn finish(mut self, now: Millis) -> Finish {
        let usage = self.group.take().map(|group| {
            let usage = group.usage();
            group.remove();
            usage
        });
        let usage = usage.unwrap_or_default();
        Finish {
            sign: self.signs.verdict(),
            wrong: self.signs.own_line(),
            requirements: self.requirements,
            apt: self.apt,
            duration: self.ended.unwrap_or(now).since(self.watch.started()),
            cpu_ms: self.cpu_ms.max(usage.cpu_ms),
            peak_memory: self.peak_memory.max(usage.peak_memory).max(self.watch.peak_memory()),
            limits: self.settings.limits,
            build_tag: self.job.build_tag,
            versions: self.settings.versions,
            pip_arguments: self.pip_arguments,
            dirs: self.dirs,
            log: self.log,
            step: self.step,
            end: self.end,
            stopped: self.stopped,
        }
    }
}

fn cannot_start(e: std::io::Error) -> String {
    format!("cannot start a build: {e}")
}

fn plan(settings: &Settings, group: Option<&Group>) -> Plan {
    let Limits { disk_bytes, memory_bytes, processes, .. } = settings.limits;
    let processes = if processes > 0 { tree::tasks_of_user() + processes + SPARE_OF_ACCOUNT } else { 0 };
    let cgroup = group.map(|group| group.path().to_owned());
    Plan { cgroup, file_bytes: disk_bytes, memory_bytes, processes, ..settings.plan.clone() }
}

/// Over the limit of processes a build is ended, not merely refused the next one: it must be able to get there.
const SPARE_PROCESSES: u64 = 64;

/// The same where the kernel counts all that the account runs, other slaves' builds too: what they start meanwhile must
/// not be taken for this build's. It only keeps a fork bomb bounded until the next look at the tree.
const SPARE_OF_ACCOUNT: u64 = 1024;
