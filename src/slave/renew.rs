//! Beginning anew in the same process, with what is configured by then: options and variables are those that the program
//! was started with, files are read again.
//!
//! A configuration that is no good must not end a slave that runs. So it is tried before: by this same program, started
//! with [`CHECK`], which does all that comes before the first connection, and says on standard output how it went. Only
//! while nothing is being built: every process below a slave is its build's (`builder/tree.rs`).

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};

use super::start::{Refusal, Wishes};
use super::trees;
use crate::notify;

/// The first argument that makes `piw-slave` try its start; the second is the directory of the slave that asks.
pub const CHECK: &str = "--check-start";
/// What is said of a start that works.
const WORKS: &str = "works";
/// How long a start may take: a board may be slow, and its interpreter on a network.
const CHECK_LIMIT: Duration = Duration::from_secs(120);
/// More than this is no reason.
const LONGEST_REASON: usize = 4096;
/// In the directory of the slave that asks: where the one that tries has its own.
const CHECK_DIR: &str = "check";

/// What this process is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To build.
    Build,
    /// To find out whether it could, beside a slave that has this directory.
    Check(PathBuf),
    /// To read the configuration, and nothing else.
    Glance,
}

impl Purpose {
    /// What the first words of the command line ask for; they are taken from it.
    pub fn take(words: &mut std::iter::Peekable<impl Iterator<Item = OsString>>) -> Self {
        match words.next_if(|word| word == CHECK) {
            Some(_) => {
                // who asks may end meanwhile
                let _ = prctl::set_pdeathsig(Signal::SIGKILL);
                Self::Check(words.next().unwrap_or_default().into())
            }
            None => Self::Build,
        }
    }
}

/// Changes what is wished for so that it can be tried beside a slave that has the directory `held`: if it is the same one,
/// that is taken, and known to be good.
pub fn beside(held: &Path, wishes: &mut Wishes) {
    if wishes.dir.as_ref().and_then(|dir| dir.canonicalize().ok()).is_some_and(|dir| dir == held) {
        wishes.dir = Some(held.join(CHECK_DIR));
    }
}

/// The verdict of a [`Purpose::Check`], for standard output.
pub fn verdict(tried: Result<(), &str>) -> &str {
    tried.err().unwrap_or(WORKS)
}

/// To be called before anything that takes long. From here on SIGHUP waits until the event loop takes it: it would end
/// the program. And the kernel calls a program that was started as /proc/self/exe by the last part of that.
pub fn settle_in() -> Result<(), Refusal> {
    let mut hangup = SigSet::empty();
    hangup.add(Signal::SIGHUP);
    let settled = hangup.thread_block().and_then(|()| prctl::set_name(c"piw-slave"));
    settled.map_err(|e| Refusal(1, format!("cannot set up this process: {e}")))
}

/// Tries the start beside the slave that has `dir`; what is wrong, for people. Takes long: for a helper thread.
pub fn try_start(dir: &Path) -> Result<(), String> {
    let mut command = Command::new("/proc/self/exe");
    command.arg(CHECK).arg(dir).args(std::env::args_os().skip(1)).env_remove(notify::SOCKET);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let cannot = |e: io::Error| format!("the start cannot be tried: {e}");
    let mut child = command.spawn().map_err(cannot)?;
    let said = match child.stdout.take() {
        Some(output) => read(output, Instant::now() + CHECK_LIMIT),
        None => Ok(None),
    };
    if !matches!(said, Ok(Some(_))) {
        let _ = child.kill();
    }
    // the event loop takes note of every child that ends, so there may be nothing left to wait for
    let _ = child.wait();
    let _ = trees::remove(&dir.join(CHECK_DIR));
    match said.map_err(cannot)? {
        Some(said) if said.trim_end() == WORKS => Ok(()),
        Some(said) if said.trim_end().is_empty() => Err("its trial ended without a word".to_owned()),
        Some(said) => Err(said.trim_end().to_owned()),
        None => Err(format!("its trial takes longer than {} s", CHECK_LIMIT.as_secs())),
    }
}

/// Everything up to the end of the output; none if that does not come in time.
fn read(mut output: ChildStdout, until: Instant) -> io::Result<Option<String>> {
    let mut said = Vec::new();
    let mut buffer = [0; 512];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => continue,
            Err(e) => return Err(e.into()),
        }
        match output.read(&mut buffer)? {
            0 => return Ok(Some(String::from_utf8_lossy(&said).into_owned())),
            n => said.extend_from_slice(&buffer[..n.min(LONGEST_REASON.saturating_sub(said.len()))]),
        }
    }
}

/// Becomes this same program once more, with the words that it was started with. Nothing may be left to clean up.
/// Returns only when it cannot.
pub fn begin_anew() -> io::Error {
    let mut words = std::env::args_os();
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    // what is blocked stays blocked across exec; but for SIGHUP, which would end what has not begun yet
    let mut signals = SigSet::all();
    signals.remove(Signal::SIGHUP);
    if let Err(e) = signals.thread_unblock() {
        return e.into();
    }
    command.args(words).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> (Purpose, Vec<String>) {
        let mut words = words.iter().map(OsString::from).peekable();
        let purpose = Purpose::take(&mut words);
        (purpose, words.map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn a_trial_is_asked_for_by_the_first_word_and_never_by_another() {
        assert_eq!(words(&["-v"]), (Purpose::Build, vec!["-v".to_owned()]));
        assert_eq!(words(&["-v", CHECK]).0, Purpose::Build);
        assert_eq!(words(&[]).0, Purpose::Build);
    }
}
