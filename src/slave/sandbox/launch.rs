//! The launcher: this program started once more, to make a sandbox and to run one command in it (see the room's head).
//!
//! What becomes of the command is written to standard input, which the slave gives it as a pipe to write to: the command
//! itself has /dev/null there. A sandbox that cannot be made is told in the same way, and the command is not run.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, UsageWho, getrusage, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, getegid, geteuid, getppid, sethostname, setsid};

use super::landlock::{self, Access};
use super::{Plan, mounts, seccomp, sys};
use crate::slave::builder::tree;

/// The first argument that makes `piw-slave` a launcher.
pub const CONTAIN: &str = "--contain";
/// The first argument of the last stage, which becomes the command.
pub const CONFINE: &str = "--confine";
/// Exit code of a launcher that could not make the sandbox.
const NO_SANDBOX: u8 = 125;
/// Exit codes of the last stage: it could not be confined; the command is not there.
const CANNOT_CONFINE: u8 = 126;
const CANNOT_RUN: u8 = 127;

/// What a launcher without namespaces is sent when the slave dies: nobody else could find what has fled by then. The slave
/// itself sends it to the whole group, when a build is to end; who is meant shows by whose child this process is.
const SLAVE_GONE: Signal = Signal::SIGTERM;
/// Between two looks for what a sweep has left.
const SWEEP_EVERY: Duration = Duration::from_millis(20);

/// What became of a command in its sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Processor time of it and of all its children that were waited for, in milliseconds.
    pub cpu_ms: u64,
    /// The largest memory of a single one of these processes, in bytes.
    pub peak_memory: u64,
}

/// What the launcher says to the slave: how the command ended, or why it was not run.
pub type Result = std::result::Result<Ended, String>;

/// Reads what a launcher has written; none where it was killed before it could.
pub fn read(text: &str) -> Option<Result> {
    if let Some(reason) = text.strip_prefix("no sandbox: ") {
        return Some(Err(reason.trim_end().to_owned()));
    }
    let mut words = text.strip_suffix('\n')?.split(' ');
    let how = words.next()?;
    let mut number = || words.next()?.parse::<u64>().ok();
    let value = i32::try_from(number()?).ok();
    let ended = Ended { cpu_ms: number()?, peak_memory: number()?, ..Ended::default() };
    match how {
        "exit" => Some(Ok(Ended { code: value, ..ended })),
        "signal" => Some(Ok(Ended { signal: value, ..ended })),
        _ => None,
    }
}

/// The launcher's command line in front of a command's own.
pub fn command(plan: &Plan, program: &Path) -> Command {
    // Not current_exe(): after an upgrade that path names another program, or none.
    let mut command = Command::new("/proc/self/exe");
    command.arg(CONTAIN).args(plan.words()).arg(program);
    command
}

/// Runs the stage that the first argument names, if it names one.
pub fn stage(words: &mut std::iter::Peekable<impl Iterator<Item = OsString>>) -> Option<ExitCode> {
    let stage = words.next_if(|word| word == CONTAIN || word == CONFINE)?;
    let Some(plan) = Plan::parse(words) else {
        eprintln!("piw-slave: {} is for the slave's own use", AsRef::<OsStr>::as_ref(&stage).display());
        return Some(ExitCode::from(2));
    };
    let words: Vec<OsString> = words.collect();
    Some(ExitCode::from(if stage == CONTAIN { contain(&plan, &words) } else { confine(&plan, &words) }))
}

fn contain(plan: &Plan, words: &[OsString]) -> u8 {
    close_the_rest();
    let Ok(report) = io::stdin().as_fd().try_clone_to_owned().map(File::from) else { return NO_SANDBOX };
    match run(plan, words, &report) {
        Ok(code) => code,
        Err(reason) => {
            let _ = writeln!(&report, "no sandbox: {reason}");
            NO_SANDBOX
        }
    }
}

/// Closes what whoever started the slave has left open to it, and what would go on to the build.
fn close_the_rest() {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // that of the list itself is closed already
        let _ = nix::unistd::close(number);
    }
}

fn cannot<E: Display>(what: &'static str) -> impl Fn(E) -> String {
    move |e| format!("cannot {what}: {e}")
}

fn run(plan: &Plan, words: &[OsString], report: &File) -> std::result::Result<u8, String> {
    // without the slave's terminal, where somebody may type; and in a group of its own, to be told to end
    setsid().map_err(cannot("leave the slave's session"))?;
    if let Some(group) = &plan.cgroup {
        std::fs::write(group.join("cgroup.procs"), "0").map_err(cannot("join the control group"))?;
    }
    if plan.namespaces {
        leave_namespaces(plan)?;
    } else if !plan.network {
        return Err("no network without namespaces".to_owned());
    }
    // nothing of the build may look into this process, whose user it has
    prctl::set_dumpable(false).map_err(cannot("hide the launcher"))?;
    // a build whose slave was killed must not go on unseen
    let end = if plan.namespaces { Signal::SIGKILL } else { SLAVE_GONE };
    prctl::set_pdeathsig(end).map_err(cannot("ask for the slave's end"))?;
    if !plan.namespaces {
        prctl::set_child_subreaper(true).map_err(cannot("take in orphans"))?;
        return watch(plan, words, report);
    }
    match sys::fork().map_err(cannot("fork"))? {
        ForkResult::Parent { child } => Ok(wait_for(child)),
        ForkResult::Child => {
            let begun = first_process(plan, words, report);
            if let Err(reason) = &begun {
                let _ = writeln!(&*report, "no sandbox: {reason}");
            }
            Ok(begun.unwrap_or(NO_SANDBOX))
        }
    }
}

/// Leaves the machine's namespaces; this process keeps its user, and nobody else's.
fn leave_namespaces(plan: &Plan) -> std::result::Result<(), String> {
    let (uid, gid) = (geteuid(), getegid());
    let mut flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if !plan.network {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags).map_err(cannot("make namespaces"))?;
    let map = |file: &str, text: String| std::fs::write(format!("/proc/self/{file}"), text);
    map("setgroups", "deny".to_owned())
        .and_then(|()| map("uid_map", format!("{uid} {uid} 1\n")))
        .and_then(|()| map("gid_map", format!("{gid} {gid} 1\n")))
        .map_err(cannot("take its user along into the namespace"))
}

/// The life of the sandbox's first process; when it ends, so does every process in the sandbox.
fn first_process(plan: &Plan, words: &[OsString], report: &File) -> std::result::Result<u8, String> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(cannot("ask for the launcher's end"))?;
    if !plan.network {
        sys::loopback_up().map_err(cannot("bring up the loopback interface"))?;
    }
    let _ = sethostname("localhost");
    mounts::enter(plan)?;
    watch(plan, words, report)
}

/// Starts the last stage, takes in orphans until that has ended, and reports how.
fn watch(plan: &Plan, words: &[OsString], report: &File) -> std::result::Result<u8, String> {
    let mut command = Command::new("/proc/self/exe");
    command.arg(CONFINE).args(plan.words()).args(words).stdin(Stdio::null());
    let slave = getppid();
    let mut signals = SigSet::empty();
    signals.extend([SLAVE_GONE, Signal::SIGCHLD]);
    signals.thread_block().map_err(cannot("wait for signals"))?;
    let child = command.spawn().map_err(cannot("start the build"))?;
    let main = Pid::from_raw(child.id().cast_signed());
    let status = loop {
        if let Some(status) = tree::reap(Some(main)) {
            break status;
        }
        // the first process of a namespace has no parent that it could see, and takes everybody along when it goes
        if !plan.namespaces && getppid() != slave {
            while !tree::sweep() {
                tree::reap(None);
                std::thread::sleep(SWEEP_EVERY);
            }
            return Ok(NO_SANDBOX);
        }
        signals.wait().map_err(cannot("wait for the build"))?;
    };
    let (how, code) = match status {
        WaitStatus::Signaled(_, signal, _) => {
            let signal = signal as i32;
            (format!("signal {signal}"), u8::try_from(128 + signal).unwrap_or(1))
        }
        status => {
            let code = if let WaitStatus::Exited(_, code) = status { code } else { 1 };
            (format!("exit {code}"), u8::try_from(code).unwrap_or(1))
        }
    };
    #[allow(clippy::useless_conversion, reason = "these are i32 on 32-bit systems")]
    let (cpu_ms, peak) = getrusage(UsageWho::RUSAGE_CHILDREN).map_or((0, 0), |usage| {
        let times = [usage.user_time(), usage.system_time()];
        let ms =
            times.iter().map(|t| i64::from(t.tv_sec()) * 1000 + i64::from(t.tv_usec()) / 1000).sum::<i64>();
        (ms, i64::from(usage.max_rss()) * 1024)
    });
    // who reads it may be gone, and nobody else wants to know
    let _ = writeln!(&*report, "{how} {cpu_ms} {peak}");
    Ok(code)
}

fn wait_for(child: Pid) -> u8 {
    loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, code)) => return u8::try_from(code).unwrap_or(1),
            Ok(WaitStatus::Signaled(_, signal, _)) => return u8::try_from(128 + signal as i32).unwrap_or(1),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return NO_SANDBOX,
        }
    }
}

/// The last stage: gives up what is left to give up, and becomes the command. Returns only when it cannot.
fn confine(plan: &Plan, words: &[OsString]) -> u8 {
    let Some((program, arguments)) = words.split_first() else { return CANNOT_RUN };
    if let Err(reason) = give_up(plan) {
        eprintln!("piw-slave: {reason}");
        return CANNOT_CONFINE;
    }
    // in a root of its own TMPDIR is not where it was, unless it may be written to
    let _ = std::env::set_current_dir(&plan.tmp).or_else(|_| std::env::set_current_dir("/tmp"));
    let error = Command::new(program).args(arguments).exec();
    eprintln!("piw-slave: cannot run {}: {error}", AsRef::<OsStr>::as_ref(program).display());
    CANNOT_RUN
}

fn give_up(plan: &Plan) -> std::result::Result<(), String> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(cannot("ask for the launcher's end"))?;
    // The slave has its signals blocked, and that would stay so across fork and exec: pip would not hear SIGTERM.
    SigSet::all().thread_unblock().map_err(cannot("unblock signals"))?;
    limit(plan).map_err(cannot("limit the build"))?;
    // a set-user-ID program could get out of the reach of kill(2)
    prctl::set_no_new_privs().map_err(cannot("give up new privileges"))?;
    if plan.landlock > 0 {
        landlock::enforce(plan.landlock, files(plan).iter().map(|(path, access)| (path.as_path(), *access)))
            .map_err(cannot("enforce Landlock"))?;
    }
    if plan.seccomp {
        let program = seccomp::program().ok_or("cannot filter system calls of this architecture")?;
        sys::filter_system_calls(&program).map_err(cannot("filter system calls"))?;
    }
    Ok(())
}

fn limit(plan: &Plan) -> nix::Result<()> {
    let mut limits = vec![(Resource::RLIMIT_CORE, 0)];
    limits.extend(
        [
            (Resource::RLIMIT_FSIZE, plan.file_bytes),
            (Resource::RLIMIT_DATA, plan.memory_bytes),
            (Resource::RLIMIT_NPROC, plan.processes),
        ]
        .into_iter()
        .filter(|(_, most)| *most > 0),
    );
    for (resource, most) in limits {
        let (_, hard) = nix::sys::resource::getrlimit(resource)?;
        #[allow(clippy::useless_conversion, reason = "it is u32 on some systems")]
        let most = hard.min(most.try_into().unwrap_or(hard));
        setrlimit(resource, most, most)?;
    }
    Ok(())
}

/// What Landlock is to allow: in a root of its own, all that is there, since only what a build may see is there.
fn files(plan: &Plan) -> Vec<(PathBuf, Access)> {
    let mut files: Vec<(PathBuf, Access)> = if plan.namespaces {
        vec![("/".into(), Access::Read), ("/tmp".into(), Access::Write), ("/var/tmp".into(), Access::Write)]
    } else {
        let read = mounts::system().chain(plan.read.iter().cloned());
        let devices = mounts::DEVICES.into_iter().chain(["shm", "pts", "ptmx"]);
        let devices = devices.map(|name| (Path::new("/dev").join(name), Access::Write));
        let list = [(PathBuf::from("/dev"), Access::List)];
        read.flat_map(|path| around(path, &plan.hide)).chain(devices).chain(list).collect()
    };
    files.extend(plan.write.iter().map(|path| (path.clone(), Access::Write)));
    let own: &[&str] = if plan.namespaces { &["/dev", "/proc"] } else { &["/proc"] };
    files.extend(own.iter().map(|path| (path.into(), Access::Write)));
    files
}

/// What is to be readable, without the files that are hidden: what is allowed of a directory is allowed of all in it, so
/// that one with such a file is allowed piece by piece.
fn around(path: PathBuf, hidden: &[PathBuf]) -> Vec<(PathBuf, Access)> {
    let real = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    let mut within = hidden.iter().filter(|file| file.starts_with(&real)).peekable();
    if within.peek().is_none() {
        return vec![(path, Access::Read)];
    }
    let entries = std::fs::read_dir(&real).into_iter().flatten().flatten();
    // not where links lead to, which may be the hidden file
    let pieces = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    let mut allowed: Vec<_> = pieces.flat_map(|entry| around(entry.path(), hidden)).collect();
    if real.is_dir() {
        allowed.push((real, Access::List));
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_file_is_left_out_of_what_may_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(path("a/b")).unwrap();
        for name in ["file", "a/key", "a/other"] {
            std::fs::write(path(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(path("a/key"), path("link")).unwrap();
        let allowed = |hidden: &[PathBuf]| {
            let mut allowed = around(dir.path().to_owned(), hidden);
            allowed.sort_by(|(a, _), (b, _)| a.cmp(b));
            allowed
        };
        assert_eq!(allowed(&["/etc/key".into()]), [(dir.path().to_owned(), Access::Read)]);
        let expected =
            [("", Access::List), ("a", Access::List), ("a/b", Access::Read), ("a/other", Access::Read)];
        let mut expected: Vec<_> = expected.map(|(name, access)| (path(name), access)).into();
        expected[0].0 = dir.path().to_owned();
        expected.push((path("file"), Access::Read));
        assert_eq!(allowed(&[path("a/key")]), expected);
    }

    #[test]
    fn what_a_launcher_says_is_read() {
        let ended = Ended { code: Some(1), cpu_ms: 20, peak_memory: 4096, ..Ended::default() };
        assert_eq!(read("exit 1 20 4096\n"), Some(Ok(ended)));
        assert_eq!(read("signal 9 20 4096\n"), Some(Ok(Ended { code: None, signal: Some(9), ..ended })));
        assert_eq!(read("no sandbox: cannot x: y\n"), Some(Err("cannot x: y".to_owned())));
        for odd in ["", "exit", "exit 1 2\n", "exit 1 20 4096", "exit x 1 1\n", "gone 1 1 1\n"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
