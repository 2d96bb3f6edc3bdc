//! The main job as a new user meets it: `tools/quickstart`, with the programs that were built for the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::kit::account;
use crate::kit::farm::{python, text};

fn quickstart(dir: &Path, arguments: &[&str]) -> Output {
    let programs: PathBuf = Path::new(env!("CARGO_BIN_EXE_piw")).parent().unwrap().to_owned();
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/quickstart"));
    command.arg("--dir").arg(dir).args(arguments);
    command.env("PIW_BIN", programs).env("PYTHON", python());
    if let Some(user) = account::ordinary() {
        command.env("PIW_USER", user.name);
    }
    command.output().unwrap()
}

/// Processes whose command line names this directory, or what it links to.
fn processes_of(dir: &Path) -> Vec<String> {
    let places = [dir.display().to_string(), std::fs::canonicalize(dir).unwrap().display().to_string()];
    let lines = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        places.iter().any(|place| line.contains(place.as_str())).then_some(line)
    });
    lines.collect()
}

#[test]
fn quickstart_builds_installs_says_what_failed_and_leaves_no_process_behind() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("farm");
    let first = quickstart(&dir, &["--once", "markupsafe==2.1.5", "BeautifulSoup==3.2.1"]);
    let printed = text(&first);
    assert_eq!(first.status.code(), Some(1), "one package failed\n{printed}");
    let row = |name: &str| {
        printed.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{printed}"))
    };
    assert!(row("markupsafe  ").contains("installed"), "{printed}");
    assert!(row("beautifulsoup  ").contains("failed"), "{printed}");
    assert!(printed.contains("SyntaxError"), "the end of the failed build's log is shown\n{printed}");
    assert_eq!(processes_of(&dir), Vec::<String>::new());
    assert!(dir.join("www/simple/markupsafe/index.html").is_file());

    let second = quickstart(&dir, &["--once", "markupsafe==2.1.5"]);
    let printed = text(&second);
    assert_eq!(second.status.code(), Some(0), "{printed}");
    assert!(
        !printed.contains("Creating a private PostgreSQL cluster"),
        "the second run reuses the first's\n{printed}"
    );
    assert_eq!(processes_of(&dir), Vec::<String>::new());

    let unknown = quickstart(&dir, &["--once", "no-such-package-on-any-index-6f1b"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown).contains("no such package on the index"), "{}", text(&unknown));
    let stop = quickstart(&dir, &["--stop"]);
    assert_eq!(stop.status.code(), Some(0), "{}", text(&stop));
    let real = std::fs::canonicalize(&dir).unwrap();
    std::fs::remove_dir_all(real).unwrap();
}
