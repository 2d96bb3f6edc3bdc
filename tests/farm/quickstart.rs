//! The main job as a new user meets it: `tools/quickstart`, with the programs that were built for the tests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::chain::skip;
use crate::kit::account;
use crate::kit::farm::{python, text};
use crate::kit::wait::PATIENCE;

fn quickstart(dir: &Path, arguments: &[&str]) -> Output {
    quickstart_command(dir, arguments).output().unwrap()
}

fn quickstart_command(dir: &Path, arguments: &[&str]) -> Command {
    let programs: PathBuf = Path::new(env!("CARGO_BIN_EXE_piw")).parent().unwrap().to_owned();
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/quickstart"));
    command.arg("--dir").arg(dir).args(arguments);
    command.env("PIW_BIN", programs).env("PYTHON", python());
    if let Some(user) = account::ordinary() {
        command.env("PIW_USER", user.name);
    }
    command
}

/// What the farm's web server answers to a GET with this `Accept`, all of it; the port is what quickstart printed.
fn fetch(printed: &str, path: &str, accept: &str) -> String {
    let address = printed.split("http://127.0.0.1:").nth(1).unwrap_or_else(|| panic!("{printed}"));
    let port: u16 = address.split('/').next().unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Whether nginx is here, where quickstart looks for it.
fn nginx_is_here() -> bool {
    let serve = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/web/serve");
    Command::new(serve).args(["nginx", "--find"]).output().unwrap().status.success()
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

#[test]
fn quickstart_serves_the_index_as_long_as_the_farm_goes_on() {
    let mode = || std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), mode()).unwrap();
    let dir = home.path().join("farm");
    let first = quickstart(&dir, &["markupsafe==2.1.5"]);
    let printed = text(&first);
    assert_eq!(first.status.code(), Some(0), "{printed}");
    let json = "application/vnd.pypi.simple.v1+json";
    let page = fetch(&printed, "/simple/markupsafe/", json);
    assert!(page.starts_with("HTTP/1.1 200") || page.starts_with("HTTP/1.0 200"), "{page}");
    if nginx_is_here() {
        assert!(page.contains(json) && page.contains("\"files\":"), "{page}");
        assert!(!printed.contains("http.server"), "{printed}");
    } else {
        skip("quickstart_serves_the_index_as_long_as_the_farm_goes_on (by nginx)", "nginx is not installed");
        assert!(page.contains("text/html") && printed.contains("no JSON pages"), "{page}{printed}");
    }

    // again: the same address, nothing started twice
    let again = quickstart(&dir, &["markupsafe==2.1.5"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    assert!(!text(&again).contains("Serving the index with"), "{}", text(&again));
    assert_eq!(
        fetch(&text(&again), "/simple/markupsafe/", json).split("\r\n\r\n").nth(1),
        page.split("\r\n\r\n").nth(1)
    );
    let stop = quickstart(&dir, &["--stop"]);
    assert_eq!(stop.status.code(), Some(0), "{}", text(&stop));
    assert_eq!(processes_of(&dir), Vec::<String>::new());

    // without nginx, with less
    let mut bare = quickstart_command(&dir, &["markupsafe==2.1.5"]);
    let without = home.path().join("servers/usr/sbin");
    std::fs::create_dir_all(&without).unwrap();
    std::fs::write(without.join("nginx"), "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(without.join("nginx"), mode()).unwrap();
    let bare = bare.env("PIW_WEB_SERVERS", home.path().join("servers")).output().unwrap();
    let printed = text(&bare);
    assert_eq!(bare.status.code(), Some(0), "{printed}");
    assert!(printed.contains("nginx does not start") && printed.contains("no JSON pages"), "{printed}");
    let page = fetch(&printed, "/simple/markupsafe/", json);
    assert!(page.contains("200 OK") && page.contains("text/html"), "{page}");
    let stop = quickstart(&dir, &["--stop"]);
    assert_eq!(stop.status.code(), Some(0), "{}", text(&stop));
    assert_eq!(processes_of(&dir), Vec::<String>::new());
    let real = std::fs::canonicalize(&dir).unwrap();
    std::fs::remove_dir_all(real).unwrap();
}
