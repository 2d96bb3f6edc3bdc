//! What pip is told, and the environment that builds get.

use std::ffi::OsString;
use std::path::Path;

use super::{Job, Settings};

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
pub(super) const RUN_PIP: &str = r#"import logging, runpy
def louder(record):
    if record.levelno < 30 and str(record.msg).startswith("Could not fetch URL"):
        record.levelno, record.levelname = 30, "WARNING"
    return True
pages = logging.getLogger("pip._internal.index.collector")
pages.setLevel(logging.DEBUG)
pages.addFilter(louder)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"#;

/// The arguments of pip that build a wheel of `sdist` into `out`. With `from` build requirements come from that directory
/// alone.
pub fn pip_arguments(job: &Job, out: &Path, sdist: &Path, from: Option<&Path>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::with_capacity(20);
    // --use-pep517: an environment of its own for every build, whatever the machine has installed;
    // without -v pip keeps what a backend prints to itself, unless it fails
    arguments.extend(
        ["wheel", "-v", "--no-deps", "--no-cache-dir", "--use-pep517", "--no-binary"].map(Into::into),
    );
    arguments.push(job.package.clone().into());
    arguments.extend(["--wheel-dir".into(), out.into()]);
    arguments.extend(["--disable-pip-version-check", "--no-input", "--progress-bar", "off"].map(Into::into));
    if let Some(from) = from {
        arguments.extend(["--no-index".into(), "--find-links".into(), from.into()]);
    } else if !job.index_url.is_empty() {
        arguments.extend(["--index-url".into(), job.index_url.clone().into()]);
    }
    arguments.push(sdist.into());
    arguments
}

/// The first line of a log: who builds what with what.
pub fn headline(settings: &Settings, job: &Job) -> String {
    format!(
        "piw-slave {}: {} ({}) builds {}",
        crate::VERSION,
        settings.python.display(),
        settings.interpreter,
        job.requirement()
    )
}

/// pip's arguments for people: without the names of this machine's directories and, since logs are published, without an
/// index's password.
pub fn shown(arguments: &[OsString]) -> String {
    let words = arguments.iter().map(|word| {
        let word = word.to_string_lossy();
        let name = word.starts_with('/').then(|| word.rsplit('/').next()).flatten();
        name.map_or_else(|| without_credentials(&word), str::to_owned)
    });
    words.collect::<Vec<_>>().join(" ")
}

fn without_credentials(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => word.to_owned(),
    }
}

/// The environment of whatever runs for a build, and nothing else of the slave's own.
pub fn environment(
    home: &Path,
    tmp: &Path,
    named_index: bool,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Vec<(String, OsString)> {
    let mut variables: Vec<(String, OsString)> = vec![
        ("PATH".into(), lookup("PATH").unwrap_or_else(|| PATH.into())),
        ("LANG".into(), "C.UTF-8".into()),
        ("XDG_CACHE_HOME".into(), home.join(".cache").into()),
        ("HOME".into(), home.into()),
        ("TMPDIR".into(), tmp.into()),
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

/// Those of the variables that name files which a build must be able to read.
pub fn named_files(lookup: impl Fn(&str) -> Option<OsString>) -> Vec<std::path::PathBuf> {
    let names = ["PIP_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_FIND_LINKS"];
    let values = names.into_iter().filter_map(lookup).filter_map(|value| value.into_string().ok());
    let words: Vec<String> =
        values.flat_map(|value| value.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    let paths = words.iter().map(|word| Path::new(word.strip_prefix("file://").unwrap_or(word)));
    paths.filter(|path| path.is_absolute() && path.exists()).map(Path::to_owned).collect()
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
            build_tag: 0,
            index_url: index_url.into(),
            log_limit: u64::MAX,
        }
    }

    #[test]
    fn pip_is_told_to_build_this_one_requirement_from_its_source() {
        let arguments =
            |url, from| pip_arguments(&job(url), Path::new("/b/out"), Path::new("/b/foo-1.0.tar.gz"), from);
        assert_eq!(
            shown(&arguments("", None)),
            "wheel -v --no-deps --no-cache-dir --use-pep517 --no-binary foo --wheel-dir out --disable-pip-version-check \
             --no-input --progress-bar off foo-1.0.tar.gz"
        );
        assert!(
            shown(&arguments("http://u:p@i/simple", None))
                .ends_with("--index-url http://***@i/simple foo-1.0.tar.gz")
        );
        let off = shown(&arguments("http://i/simple", Some(Path::new("/b/deps"))));
        assert!(off.ends_with("--no-index --find-links deps foo-1.0.tar.gz"), "{off}");
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
            let mut names: Vec<_> = environment(Path::new("/b/home"), Path::new("/b/tmp"), named, own)
                .into_iter()
                .map(|(name, _)| name)
                .collect();
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
        let variables = environment(Path::new("/b/home"), Path::new("/b/tmp"), true, own);
        assert!(variables.contains(&("HOME".into(), "/b/home".into())));
    }

    #[test]
    fn passwords_of_an_index_are_not_shown() {
        assert_eq!(without_credentials("https://u:p@w@i:8/simple?a@b"), "https://***@i:8/simple?a@b");
        assert_eq!(without_credentials("https://i/simple/@x"), "https://i/simple/@x");
        assert_eq!(without_credentials("foo==1.0"), "foo==1.0");
    }
}
