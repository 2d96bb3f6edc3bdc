//! One build (manual 8.16): pip in a directory of its own, its output into a log, its time limited, and nothing of it
//! left when it is over.
//!
//! [`Build`] is driven by the event loop: it is told the time, when its pipe can be read and when a child has ended,
//! and never waits itself. What takes long follows in [`Finish`], in a helper thread.
//!
//! ```text
//! running ──pip ended──────────────────────────► sweeping ──nothing left──► over: Finish, or gone if aborted
//!    │ ──a limit, cancelled: SIGTERM─────► terminating ──5 s──►▲
//!    └──abort──────────────────────────────────────┘
//! ```

pub mod command;
mod finish;
mod log;
mod signs;
pub mod tree;

use std::fs::{self, DirBuilder};
use std::io::{ErrorKind, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use crate::domain::{BuildId, Millis};
use crate::slave::workdir::remove_tree;

use finish::Stop;
use signs::Signs;

pub use finish::{Finish, open_regular};
pub use log::{BuildLog, LOG_FILE, SMALLEST_LIMIT};

/// Between SIGTERM and SIGKILL.
pub const GRACE: Millis = Millis::secs(5);
/// Between two looks for what a sweep has left.
const SWEEP_EVERY: Millis = Millis(20);
/// After this long a sweep tells the operator that something cannot be killed.
const SWEEP_COMPLAINT: Millis = Millis::secs(30);
/// Read from the pipe at once, and how often in one turn of the loop.
const READ_BYTES: usize = 16 * 1024;
const READS_PER_TURN: usize = 8;

/// What all builds of a slave have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The interpreter, an absolute path.
    pub python: PathBuf,
    /// What it is, for people.
    pub interpreter: String,
    /// Where builds get their directories.
    pub dir: PathBuf,
    /// The time one may take.
    pub timeout: Millis,
    /// How long one may print nothing; none: as long as it likes.
    pub silence: Option<Millis>,
    /// The most that is kept of one log, in bytes.
    pub log_limit: u64,
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

/// What may end a build, were it to print nothing more.
#[derive(Clone, Copy, Debug)]
struct Watch {
    started: Millis,
    /// When something was read of its output last.
    heard: Millis,
    timeout: Millis,
    silence: Option<Millis>,
}

impl Watch {
    /// The limit that it meets next, and when.
    fn limit(&self) -> (Millis, Stop) {
        let timeout = (self.started + self.timeout, Stop::Timeout(self.timeout));
        match self.silence {
            Some(limit) if self.heard + limit < timeout.0 => (self.heard + limit, Stop::Silence(limit)),
            _ => timeout,
        }
    }
}

/// A build whose processes may still run.
#[derive(Debug)]
pub struct Build {
    dir: PathBuf,
    pip: Pid,
    pipe: Option<PipeReader>,
    log: BuildLog,
    signs: Signs,
    watch: Watch,
    ended: Option<Millis>,
    status: Option<WaitStatus>,
    stopped: Option<Stop>,
    aborted: bool,
    phase: Phase,
}

impl Build {
    /// Makes the directory and starts pip in it. The error is this machine's, not the package's.
    pub fn start(now: Millis, settings: &Settings, job: &Job) -> Result<Self, String> {
        let dir = settings.build_dir(job.build);
        make_dirs(&dir).map_err(|e| format!("cannot make {}: {e}", dir.display()))?;
        let mut log = BuildLog::create(&dir, settings.log_limit.min(job.log_limit))
            .map_err(|e| format!("cannot write a log: {e}"))?;
        let arguments = command::pip_arguments(job, &dir.join("out"));
        log.append(format!("{}\n", command::shown(settings, &arguments)).as_bytes());

        let cannot = |e: std::io::Error| format!("cannot start a build: {e}");
        let (pipe, writer) = std::io::pipe().map_err(cannot)?;
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|e| cannot(e.into()))?;
        // The command, and with it this process's end for writing, is dropped here.
        let child = command::command(settings, job, &dir, &arguments, writer)
            .and_then(|mut c| c.spawn())
            .map_err(cannot)?;
        Ok(Self {
            dir,
            pip: Pid::from_raw(child.id().cast_signed()),
            pipe: Some(pipe),
            log,
            signs: Signs::new(&job.requirement()),
            watch: Watch { started: now, heard: now, timeout: settings.timeout, silence: settings.silence },
            ended: None,
            status: None,
            stopped: None,
            aborted: false,
            phase: Phase::Running,
        })
    }

    /// The build's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What to wait for with poll(2), until its end was read.
    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Bytes of the log that stand.
    pub fn log_bytes(&self) -> u64 {
        self.log.bytes()
    }

    /// The process whose end is the build's.
    pub fn pip(&self) -> Pid {
        self.pip
    }

    /// Whether it is to leave nothing but an empty place.
    pub fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// When [`Build::step`] is due at the latest.
    pub fn next_deadline(&self) -> Millis {
        match self.phase {
            Phase::Running => self.watch.limit().0,
            Phase::Terminating { kill_at } => kill_at,
            Phase::Sweeping { next, .. } => next,
        }
    }

    /// Moves what was printed into the log; a bounded amount, so that the loop turns. Returns whether there is more.
    pub fn read(&mut self, now: Millis) -> bool {
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_PER_TURN {
            let Some(pipe) = &mut self.pipe else { return false };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(n) => {
                    self.log.append(&buffer[..n]);
                    self.signs.feed(&buffer[..n]);
                    self.watch.heard = now;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return false,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    ::log::warn!("cannot read what the build prints: {e}");
                    self.pipe = None;
                }
            }
        }
        self.pipe.is_some()
    }

    /// pip has ended.
    pub fn child_ended(&mut self, now: Millis, status: WaitStatus) {
        self.status = Some(status);
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

    /// Ends it as the time limit would. One whose pip has ended already ends as that did.
    pub fn cancel(&mut self, now: Millis) {
        if self.phase == Phase::Running {
            self.terminate(now, Stop::Cancelled);
        }
    }

    fn terminate(&mut self, now: Millis, stop: Stop) {
        self.stopped = Some(stop);
        // no such group: pip has just ended, and SIGCHLD is under way
        let _ = killpg(self.pip, Signal::SIGTERM);
        self.phase = Phase::Terminating { kill_at: now + GRACE };
    }

    fn begin_sweep(&mut self, now: Millis) {
        self.phase = Phase::Sweeping { next: now, complain_at: now + SWEEP_COMPLAINT };
    }

    /// Does what is due. Returns whether no process is left and all that was printed is read.
    pub fn step(&mut self, now: Millis) -> bool {
        match self.phase {
            Phase::Running if now >= self.watch.limit().0 => {
                let (_, stop) = self.watch.limit();
                ::log::info!("a limit ends the build: {stop:?}");
                self.terminate(now, stop);
                false
            }
            Phase::Terminating { kill_at } if now >= kill_at => {
                self.begin_sweep(now);
                false
            }
            Phase::Running | Phase::Terminating { .. } => false,
            Phase::Sweeping { complain_at, .. } => {
                if tree::sweep() {
                    // nobody is left to write; what the pipe holds is all there will be
                    return self.aborted || !self.read(now);
                }
                let complain_at = if now >= complain_at {
                    ::log::warn!("processes of the build do not die; trying on");
                    now + SWEEP_COMPLAINT
                } else {
                    complain_at
                };
                self.phase = Phase::Sweeping { next: now + SWEEP_EVERY, complain_at };
                false
            }
        }
    }

    /// What is left to do when [`Build::step`] said so.
    pub fn finish(self, now: Millis) -> Finish {
        Finish {
            dir: self.dir,
            log: self.log,
            status: self.status,
            stopped: self.stopped,
            sign: self.signs.verdict(),
            duration: self.ended.unwrap_or(now).since(self.watch.started),
        }
    }
}

/// A fresh directory that nobody else can look into. One of the same number can only be of an earlier life.
fn make_dirs(dir: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(dir).is_ok() {
        remove_tree(dir)?;
    }
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    for path in [dir.to_owned(), dir.join("home"), dir.join("tmp"), dir.join("out")] {
        builder.create(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_limits_the_one_that_is_met_first_ends_a_build() {
        let secs = Millis::secs;
        let mut watch =
            Watch { started: secs(100), heard: secs(100), timeout: secs(50), silence: Some(secs(20)) };
        assert_eq!(watch.limit(), (secs(120), Stop::Silence(secs(20))));
        watch.heard = secs(119);
        assert_eq!(watch.limit(), (secs(139), Stop::Silence(secs(20))));
        watch.heard = secs(130);
        assert_eq!(watch.limit(), (secs(150), Stop::Timeout(secs(50))), "both at once: the plainer reason");
        watch.silence = None;
        watch.heard = secs(100);
        assert_eq!(watch.limit(), (secs(150), Stop::Timeout(secs(50))));
        watch.silence = Some(Millis(u64::MAX));
        assert_eq!(watch.limit(), (secs(150), Stop::Timeout(secs(50))), "a limit beyond all time");
    }
}
