//! The command that builds, its environment, and how it is started.
//!
//! The slave takes its signals through a signalfd and has them blocked, and a blocked signal stays blocked across fork
//! and exec: pip would not hear SIGTERM. Between the two therefore comes this same program once more, started with
//! [`LAUNCH`], which puts the signals right, gives up every way to more rights, and becomes pip.

use std::ffi::{OsStr, OsString};
use std::io::PipeWriter;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};

use super::{Job, Settings};

/// The first argument that makes `piw-slave` a launcher.
pub const LAUNCH: &str = "--launch-build";
/// Where programs are looked for when the slave itself was not told.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Variables of the slave's own environment that a build gets too, when they are set: how to reach an index.
const PASSED: [&str; 17] = [
    "PIP_CERT",
    "PIP_TRUSTED_HOST",
    "PIP_PROXY",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_FIND_LINKS",
    "PIP_EXTRA_INDEX_URL",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// Runs pip as `-m pip` does, except that it tells of every page of an index that it could not read. By itself it passes
/// over those below `-v -v` and then finds no source distribution, as if the index had none. Where a later pip keeps that
/// word elsewhere, it is as silent as before, and nothing else changes.
const RUN_PIP: &str = r#"import logging, runpy
def louder(record):
    if record.levelno < 30 and str(record.msg).startswith("Could not fetch URL"):
        record.levelno, record.levelname = 30, "WARNING"
    return True
pages = logging.getLogger("pip._internal.index.collector")
pages.setLevel(logging.DEBUG)
pages.addFilter(louder)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"#;

/// The arguments of pip for a job; `out` is where wheels go.
pub fn pip_arguments(job: &Job, out: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::with_capacity(20);
    // without -v pip keeps what a backend prints to itself, unless it fails
    arguments.extend(["wheel", "-v", "--no-deps", "--no-cache-dir", "--no-binary"].map(Into::into));
    arguments.push(job.package.clone().into());
    arguments.extend(["--wheel-dir".into(), out.into()]);
    arguments.extend(["--disable-pip-version-check", "--no-input", "--progress-bar", "off"].map(Into::into));
    if !job.index_url.is_empty() {
        arguments.extend(["--index-url".into(), job.index_url.clone().into()]);
    }
    arguments.push(job.requirement().into());
    arguments
}

/// The command line for people. An index's password stays out of it: logs are published.
pub fn shown(settings: &Settings, arguments: &[OsString]) -> String {
    let words: Vec<String> =
        arguments.iter().map(|word| without_credentials(&word.to_string_lossy())).collect();
    format!(
        "piw-slave {}: {} ({}) -m pip {}",
        crate::VERSION,
        settings.python.display(),
        settings.interpreter,
        words.join(" ")
    )
}

fn without_credentials(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => word.to_owned(),
    }
}

/// The environment of whatever runs for a build in `dir`, and nothing else of the slave's own.
pub fn environment(
    dir: &Path,
    named_index: bool,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Vec<(String, OsString)> {
    let home = dir.join("home");
    let mut variables: Vec<(String, OsString)> = vec![
        ("PATH".into(), lookup("PATH").unwrap_or_else(|| PATH.into())),
        ("LANG".into(), "C.UTF-8".into()),
        ("XDG_CACHE_HOME".into(), home.join(".cache").into()),
        ("HOME".into(), home.into()),
        ("TMPDIR".into(), dir.join("tmp").into()),
        ("PIWHEELS_BUILD".into(), "1".into()),
        ("GIT_ALLOW_PROTOCOL".into(), "file".into()),
        ("PYTHONUNBUFFERED".into(), "1".into()),
    ];
    let index = if named_index { None } else { Some("PIP_INDEX_URL") };
    for name in PASSED.into_iter().chain(index) {
        if let Some(value) = lookup(name) {
            variables.push((name.to_owned(), value));
        }
    }
    variables
}

/// The whole command: output into `pipe`, a process group of its own, nothing inherited that is not meant.
pub fn command(
    settings: &Settings,
    job: &Job,
    dir: &Path,
    arguments: &[OsString],
    pipe: PipeWriter,
) -> std::io::Result<Command> {
    // Not current_exe(): after an upgrade that path names another program, or none.
    let mut command = Command::new("/proc/self/exe");
    command.arg(LAUNCH).arg(&settings.python).args(["-c", RUN_PIP]).args(arguments);
    command.env_clear().envs(environment(dir, !job.index_url.is_empty(), |name| std::env::var_os(name)));
    command.current_dir(dir.join("tmp")).process_group(0);
    command.stdin(Stdio::null()).stdout(pipe.try_clone()?).stderr(pipe);
    Ok(command)
}

/// The launcher: becomes the program that `words` name. Returns only when it cannot.
pub fn launch(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(program) = words.next() else {
        eprintln!("piw-slave: {LAUNCH} is for the slave's own use");
        return ExitCode::from(2);
    };
    let prepared = SigSet::all()
        .thread_unblock()
        // a build whose slave was killed must not go on unseen
        .and_then(|()| prctl::set_pdeathsig(Signal::SIGKILL))
        // a set-user-ID program could get out of the reach of kill(2)
        .and_then(|()| prctl::set_no_new_privs());
    if let Err(e) = prepared {
        eprintln!("piw-slave: cannot prepare the build's process: {e}");
        return ExitCode::from(126);
    }
    let error = Command::new(&program).args(words).exec();
    eprintln!("piw-slave: cannot run {}: {error}", AsRef::<OsStr>::as_ref(&program).display());
    ExitCode::from(127)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::BuildId;

    fn job(index_url: &str) -> Job {
        Job {
            build: BuildId(1),
            package: "foo".into(),
            version: "1.0".into(),
            index_url: index_url.into(),
            log_limit: u64::MAX,
        }
    }

    #[test]
    fn pip_is_told_to_build_this_one_requirement_from_its_source() {
        let words = |url| {
            let words: Vec<_> = pip_arguments(&job(url), Path::new("/b/out"))
                .into_iter()
                .map(|word| word.into_string().unwrap())
                .collect();
            words.join(" ")
        };
        assert_eq!(
            words(""),
            "wheel -v --no-deps --no-cache-dir --no-binary foo --wheel-dir /b/out --disable-pip-version-check \
             --no-input --progress-bar off foo==1.0"
        );
        assert!(words("http://i/simple").ends_with("--index-url http://i/simple foo==1.0"));
    }

    #[test]
    fn the_environment_holds_what_is_listed_and_nothing_else() {
        let own = |name: &str| match name {
            "PATH" => Some("/p".into()),
            "PIP_CERT" | "PIP_INDEX_URL" | "https_proxy" | "SECRET" | "HOME" | "SOURCE_DATE_EPOCH" => {
                Some("x".into())
            }
            _ => None,
        };
        let names = |named| {
            let mut names: Vec<_> =
                environment(Path::new("/b"), named, own).into_iter().map(|(name, _)| name).collect();
            names.sort();
            names
        };
        let always = [
            "GIT_ALLOW_PROTOCOL",
            "HOME",
            "LANG",
            "PATH",
            "PIP_CERT",
            "PIWHEELS_BUILD",
            "PYTHONUNBUFFERED",
            "TMPDIR",
            "XDG_CACHE_HOME",
            "https_proxy",
        ];
        assert_eq!(names(true), always);
        assert!(names(false).contains(&"PIP_INDEX_URL".to_owned()));
        let variables = environment(Path::new("/b"), true, own);
        assert!(variables.contains(&("HOME".into(), "/b/home".into())));
    }

    #[test]
    fn passwords_of_an_index_are_not_shown() {
        assert_eq!(without_credentials("https://u:p@w@i:8/simple?a@b"), "https://***@i:8/simple?a@b");
        assert_eq!(without_credentials("https://i/simple/@x"), "https://i/simple/@x");
        assert_eq!(without_credentials("foo==1.0"), "foo==1.0");
    }
}
