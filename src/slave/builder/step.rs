//! The steps of a build, each one command in a sandbox of its own:
//!
//! ```text
//! fetch ──► build ──► check ──► [retag ──► recheck] ──► [install ──► import] ──► over
//!   ▲         │
//!   └─────────┘  without a network: something that the build asked for was not fetched
//! ```
//!
//! Retag gives the wheels the build tag that was asked for; what it wrote is looked at as what pip wrote was.
//! Fetch and install have the network and run nothing of any package; build and import run it, with the network only where
//! the operator leaves it to them.

use std::ffi::OsString;
use std::fs;
use std::io::{self, PipeReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Pid;

use super::command::{self, RUN_PIP};
use super::{Job, Settings};
use crate::slave::sandbox::{Plan, launch};

const FETCH: &str = include_str!("scripts/fetch.py");
const CHECK: &str = concat!(include_str!("scripts/needs.py"), "\n\n", include_str!("scripts/check.py"));
const RETAG: &str = include_str!("scripts/retag.py");
const INSTALL: &str = include_str!("scripts/install.py");
const IMPORT: &str = include_str!("scripts/import.py");

/// Where dpkg keeps which files are whose, as `needs.py` reads it.
const DPKG: &str = "/var/lib/dpkg/info";

/// Exit code of the scripts: there is no source distribution; the wheel is not sound; it cannot be installed here.
pub(super) const NO: i32 = 3;
/// Exit code of `fetch.py`: the index or a file could not be fetched.
pub(super) const NETWORK: i32 = 4;

/// See the module's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The source distribution; without a network for the build what that needs, too: these requirements, or, when there
    /// are none, those that it declares.
    Fetch(Vec<String>),
    Build,
    Check,
    Retag,
    Recheck,
    Install,
    Import,
}

const CHECK_DIRS: [&str; 4] = ["check", "check/home", "check/tmp", "check/venv"];

/// A build's directory. `log`, and what a step may not touch, stay out of its reach.
#[derive(Clone, Debug)]
pub(super) struct Dirs(pub(super) PathBuf);

impl Dirs {
    /// Everything that is needed, fresh, for nobody else to look into.
    pub(super) fn make(&self) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        if fs::symlink_metadata(&self.0).is_ok() {
            // one of the same number can only be of an earlier life
            crate::slave::trees::remove(&self.0)?;
        }
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700).create(&self.0)?;
        for name in ["root", "home", "tmp", "out", "fetched"].into_iter().chain(CHECK_DIRS) {
            builder.create(self.0.join(name))?;
        }
        Ok(())
    }

    /// What those use who look at a build's work, made anew: where there are few walls it could have been there.
    pub(super) fn renew(&self) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        crate::slave::trees::remove(&self.0.join("check"))?;
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700);
        CHECK_DIRS.iter().try_for_each(|name| builder.create(self.0.join(name)))
    }

    pub(super) fn out(&self) -> PathBuf {
        self.0.join("out")
    }

    fn fetched(&self) -> PathBuf {
        self.0.join("fetched")
    }

    fn venv(&self) -> PathBuf {
        self.0.join("check/venv")
    }

    /// HOME and TMPDIR. What a build has left in its own does not reach those who look at its work.
    fn homes(&self, step: &Step) -> (PathBuf, PathBuf) {
        let base = if *step == Step::Build { self.0.clone() } else { self.0.join("check") };
        (base.join("home"), base.join("tmp"))
    }

    /// The source distribution, once it is fetched.
    pub(super) fn sdist(&self) -> io::Result<PathBuf> {
        let mut names = fs::read_dir(self.fetched().join("sdist"))?;
        names.next().ok_or(io::ErrorKind::NotFound)?.map(|entry| entry.path())
    }
}

/// A step that runs.
#[derive(Debug)]
pub(super) struct Running {
    /// The launcher, whose session and group all of the step's processes are in unless they leave them.
    pub(super) launcher: Pid,
    /// What the step prints.
    pub(super) output: Option<PipeReader>,
    /// What the launcher says of its end.
    pub(super) end: PipeReader,
}

/// Starts a step.
pub(super) fn start(
    step: &Step,
    settings: &Settings,
    job: &Job,
    dirs: &Dirs,
    plan: Plan,
) -> io::Result<Running> {
    let plan = plan_for(step, settings, job, dirs, plan);
    let python = if *step == Step::Import { dirs.venv().join("bin/python") } else { settings.python.clone() };
    let (output, writer) = io::pipe()?;
    let (end, end_writer) = io::pipe()?;
    for pipe in [&output, &end] {
        use nix::fcntl::{FcntlArg, OFlag, fcntl};
        fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let (home, tmp) = dirs.homes(step);
    let mut command = launch::command(&plan, &python);
    command.args(arguments(step, settings, job, dirs)?);
    command
        .env_clear()
        .envs(command::environment(&home, &tmp, !job.index_url.is_empty(), |name| std::env::var_os(name)));
    if *step == Step::Build && !settings.network {
        // for a pip that the build runs by itself, as setuptools does
        command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", dirs.fetched().join("deps"));
        command.env_remove("PIP_EXTRA_INDEX_URL").env_remove("PIP_INDEX_URL");
    }
    command.current_dir(&tmp);
    command.stdin(end_writer).stdout(writer.try_clone()?).stderr(writer);
    let child = spawn(command)?;
    Ok(Running { launcher: child, output: Some(output), end })
}

/// The command, and with it this process's ends for writing, is dropped here.
fn spawn(mut command: Command) -> io::Result<Pid> {
    Ok(Pid::from_raw(command.spawn()?.id().cast_signed()))
}

fn plan_for(step: &Step, settings: &Settings, job: &Job, dirs: &Dirs, plan: Plan) -> Plan {
    let (home, tmp) = dirs.homes(step);
    let mut plan = Plan { root: dirs.0.join("root"), tmp: tmp.clone(), ..plan };
    plan.read.extend(job.index_url.strip_prefix("file://").map(PathBuf::from));
    plan.write.extend([home, tmp]);
    match step {
        Step::Fetch(_) => plan.write.push(dirs.fetched()),
        Step::Build => {
            plan.read.push(dirs.fetched());
            plan.write.push(dirs.out());
        }
        Step::Check | Step::Recheck => {
            plan.read.push(dirs.out());
            // which package a library is in; there are systems without
            plan.read.extend(Some(PathBuf::from(DPKG)).filter(|path| path.is_dir()));
        }
        Step::Retag => plan.write.push(dirs.out()),
        Step::Install => {
            plan.read.push(dirs.out());
            plan.write.push(dirs.venv());
        }
        Step::Import => plan.read.extend([dirs.out(), dirs.venv()]),
    }
    plan.network = match step {
        Step::Fetch(_) | Step::Install => true,
        Step::Build | Step::Import => settings.network,
        Step::Check | Step::Retag | Step::Recheck => !plan.namespaces,
    };
    plan
}

fn arguments(step: &Step, settings: &Settings, job: &Job, dirs: &Dirs) -> io::Result<Vec<OsString>> {
    let script = |text: &str, rest: Vec<OsString>| [vec!["-c".into(), text.into()], rest].concat();
    // of its own work it reads nothing that a build could have put beside it
    let alone = |text: &str, rest: Vec<OsString>| [vec!["-I".into()], script(text, rest)].concat();
    let index: Vec<OsString> = match job.index_url.as_str() {
        "" => Vec::new(),
        url => vec!["--index-url".into(), url.into()],
    };
    let out = || OsString::from(dirs.out());
    Ok(match step {
        Step::Fetch(more) => {
            let mode = if settings.network { "sdist" } else { "deps" };
            let mut rest: Vec<OsString> =
                vec![dirs.fetched().into(), (&job.package).into(), (&job.version).into(), mode.into()];
            rest.extend(index);
            rest.push("--".into());
            rest.extend(more.iter().map(OsString::from));
            alone(FETCH, rest)
        }
        Step::Build => {
            let from = (!settings.network).then(|| dirs.fetched().join("deps"));
            script(RUN_PIP, command::pip_arguments(job, &dirs.out(), &dirs.sdist()?, from.as_deref()))
        }
        Step::Check | Step::Recheck => {
            alone(CHECK, vec![out(), (&job.package).into(), (&job.version).into()])
        }
        Step::Retag => alone(RETAG, vec![out(), job.build_tag.to_string().into()]),
        Step::Install => alone(INSTALL, [vec![out(), dirs.venv().into()], index].concat()),
        Step::Import => alone(IMPORT, vec![out()]),
    })
}

/// The last name of a path, for people.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
