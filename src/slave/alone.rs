//! `piw-slave --build PACKAGE==VERSION --out DIR`: one build without a master, in the same sandbox, under the same limits,
//! with the same report. What an author of a package repeats a failure with.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{AccessFlags, access};

use super::builder::{Build, Job, LOG_FILE, Progress, tree};
use super::json::Json;
use super::session::{Outcome, check_version};
use super::start::{Ready, Refusal};
use super::trees;
use crate::domain::wheel::check_build_tag;
use crate::domain::{BuildId, Millis, ProjectName};
use crate::wire::slave::{Board, BuildEnd, BuildReport};

/// A build has a number; this one is nobody else's.
const NUMBER: BuildId = BuildId(1);
const COPY_BYTES: usize = 16 * 1024;

/// What is to be built, from `PACKAGE==VERSION`; with a build tag for its wheels, unless that is 0.
pub fn job(requirement: &str, index_url: Option<String>, build_tag: u64) -> Result<Job, Refusal> {
    let usage = |line: String| Refusal(2, line);
    let (name, version) = requirement
        .split_once("==")
        .ok_or_else(|| usage(format!("--build {requirement}: must be of the form PACKAGE==VERSION")))?;
    let package =
        ProjectName::parse(name.trim()).map_err(|e| usage(format!("--build {requirement}: {e}")))?;
    let version = version.trim();
    check_version(version).map_err(|e| usage(format!("--build {requirement}: {e}")))?;
    check_build_tag(build_tag).map_err(|e| usage(format!("--build-tag: {e}")))?;
    Ok(Job {
        build: NUMBER,
        package: package.as_str().to_owned(),
        version: version.to_owned(),
        build_tag,
        index_url: index_url.unwrap_or_default(),
        log_limit: u64::MAX,
    })
}

/// Builds it; the log goes to standard error as it comes, wheels and the whole log to `out`, the report as one JSON object
/// to standard output. Returns whether it was built; the error is this machine's.
pub fn build(ready: &Ready, board: &Board, job: &Job, out: &Path) -> Result<bool, Refusal> {
    let cannot = |e: io::Error| Refusal(1, format!("cannot build: {e}"));
    // before hours of building
    let usable =
        fs::create_dir_all(out).and_then(|()| Ok(access(out, AccessFlags::W_OK | AccessFlags::X_OK)?));
    usable.map_err(|e| Refusal(2, format!("--out {}: {e}", out.display())))?;
    let dir = ready.settings.build_dir(job.build);
    let outcome = run(ready, job, &dir);
    let kept = outcome.and_then(|outcome| keep(&outcome, job, &dir, out).map(|()| outcome).map_err(cannot));
    let removed = trees::remove(&dir);
    let outcome = kept?;
    removed.map_err(|e| Refusal(1, format!("{} is left: {e}", dir.display())))?;
    // nobody may be reading
    let _ = writeln!(io::stdout(), "{}", json(job, &outcome, board));
    Ok(outcome.end == BuildEnd::Built)
}

fn run(ready: &Ready, job: &Job, dir: &Path) -> Result<Outcome, Refusal> {
    let cannot = |e: Errno| Refusal(1, format!("cannot build: {e}"));
    let mut mask = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        mask.add(signal);
    }
    mask.thread_block().map_err(cannot)?;
    tree::adopt_orphans().map_err(cannot)?;
    let signals =
        SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map_err(cannot)?;
    let begun = Instant::now();
    let now = || Millis(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    let mut build = Build::start(now(), &ready.settings, job).map_err(|line| Refusal(1, line))?;
    let mut shown = 0;
    loop {
        wait(&build, &signals, now())?;
        while let Ok(Some(info)) = signals.read_signal() {
            if info.ssi_signo != Signal::SIGCHLD as u32 {
                build.cancel(now());
            }
        }
        if tree::reap(Some(build.launcher())).is_some() {
            build.child_ended(now());
        }
        build.read(now());
        shown = show(dir, shown, build.log_bytes());
        match build.step(now()) {
            Progress::Going => {}
            Progress::Over => break,
            Progress::Cannot(reason) => return Err(Refusal(1, format!("cannot build: {reason}"))),
        }
    }
    let outcome = build.finish(now()).run();
    show(dir, shown, outcome.log_bytes);
    Ok(outcome)
}

fn wait(build: &Build, signals: &SignalFd, now: Millis) -> Result<(), Refusal> {
    let timeout = PollTimeout::try_from(build.next_deadline().since(now).0 + 1).unwrap_or(PollTimeout::MAX);
    let mut fds = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    fds.extend(build.pipe().map(|pipe| PollFd::new(pipe, PollFlags::POLLIN)));
    match poll(&mut fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(e) => Err(Refusal(1, format!("cannot wait for the build: {e}"))),
    }
}

/// Shows what the log has more; how far it is shown now.
fn show(dir: &Path, from: u64, to: u64) -> u64 {
    let Ok(log) = File::open(dir.join(LOG_FILE)) else { return from };
    let mut buffer = [0; COPY_BYTES];
    let mut at = from;
    while at < to {
        let most = buffer.len().min(usize::try_from(to - at).unwrap_or(COPY_BYTES));
        match log.read_at(&mut buffer[..most], at) {
            Ok(n) if n > 0 => {
                let _ = io::stderr().write_all(&buffer[..n]);
                at += n as u64;
            }
            _ => break,
        }
    }
    at
}

/// Copies what is worth keeping; a name that is there already is replaced.
fn keep(outcome: &Outcome, job: &Job, dir: &Path, out: &Path) -> io::Result<()> {
    let copy = |from: &Path, name: &str| {
        let part = out.join(format!("{name}.part"));
        fs::copy(from, &part)?;
        fs::rename(part, out.join(name))
    };
    for file in outcome.files.iter() {
        copy(&dir.join("out").join(&*file.filename), &file.filename)?;
    }
    copy(&dir.join(LOG_FILE), &format!("{}-{}.log", job.package, job.version))
}

fn json(job: &Job, outcome: &Outcome, board: &Board) -> String {
    let files = outcome.files.iter().map(|file| {
        Json::object()
            .text("filename", &file.filename)
            .member("size", file.size)
            .text("sha256", &file.sha256.to_string())
            .done()
    });
    let BuildReport {
        interpreter,
        pip,
        pip_arguments,
        compiler,
        sdist,
        requirements,
        peak_memory,
        cpu_ms,
        apt,
    } = &*outcome.report;
    let sdist = sdist.as_ref().map_or_else(
        || "null".to_owned(),
        |sdist| {
            Json::object()
                .text("filename", &sdist.filename)
                .member("size", sdist.size)
                .text("sha256", &sdist.sha256.to_string())
                .done()
        },
    );
    Json::object()
        .text("package", &job.package)
        .text("version", &job.version)
        .text("outcome", outcome.end.name())
        .member("duration_ms", outcome.duration.0)
        .member("files", Json::values(files))
        .text("interpreter", interpreter)
        .text("pip", pip)
        .text("pip_arguments", pip_arguments)
        .text("compiler", compiler)
        .member("sdist", sdist)
        .member("requirements", Json::list(requirements.iter().map(|text| &**text)))
        .member("peak_memory", *peak_memory)
        .member("cpu_ms", *cpu_ms)
        .member("apt", Json::list(apt.iter().map(|text| &**text)))
        .text("machine", &board.machine)
        .text("os", &board.os)
        .member("walls", Json::list(board.walls.iter().map(|wall| wall.name())))
        .done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_names_one_version() {
        let job = job("Foo_Bar == 1.0.post1", None, 0).unwrap();
        assert_eq!((job.package.as_str(), job.version.as_str()), ("foo-bar", "1.0.post1"));
        for odd in ["foo", "foo>=1", "==1", "foo==", "foo==-x", "foo==1 ; x"] {
            assert_eq!(super::job(odd, None, 0).unwrap_err().0, 2, "{odd}");
        }
    }
}
