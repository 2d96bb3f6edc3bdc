//! Real installers on an index of the farm, served by nginx with its recipe, with a second index behind it: pip as
//! Raspberry Pi OS has it (Bullseye 20.3.4, Bookworm 23.0.1, Trixie 25.1.1) and a newer one, and uv.
//!
//! `PIW_TEST_CLIENTS` is the directory that `tools/web/prepare` installed them into; nothing else than the two indexes is
//! asked for anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use piwheels::domain::Sha256;

use crate::kit::account;
use crate::kit::farm::{python, text};
use crate::server::{Kind, Server, skip};
use crate::site::{Site, has, release};

/// The pip that knows `--uploaded-prior-to`.
const NEWEST_PIP: &str = "pip-26.3";

/// A tool of the tests' clients, as it was installed; why not, where it was not.
pub(crate) fn client(name: &str) -> Result<PathBuf, String> {
    let clients = std::env::var_os("PIW_TEST_CLIENTS")
        .ok_or("PIW_TEST_CLIENTS is not set: tools/test prepares the clients")?;
    let dir = Path::new(&clients).join(name);
    if dir.is_dir() { Ok(dir) } else { Err(format!("there is no {name} in {}", clients.display())) }
}

/// The farm's index and another one, and a place to install to.
struct Bench {
    site: Site,
    farm: Server,
    next: Server,
    _beside: Site,
    dir: tempfile::TempDir,
    tool: Tool,
}

enum Tool {
    Pip(PathBuf),
    Uv(PathBuf),
}

impl Bench {
    fn start(kind: Kind, tool: &str) -> Result<Self, String> {
        let home = client(tool)?;
        let tool = if tool == "uv" { Tool::Uv(home) } else { Tool::Pip(home) };
        let site = Site::usual();
        let mut beside = Site::new();
        beside.offer("elsewhere", &[release("1.0")]);
        beside.offer("part", &[release("2.0"), release("1.0")]);
        beside.finish();
        let farm = Server::start(kind, &site.www())?;
        let next = Server::start(kind, &beside.www())?;
        let dir = tempfile::tempdir().unwrap();
        account::give(dir.path());
        let bench = Self { site, farm, next, _beside: beside, dir, tool };
        match bench.command().arg("--version").output().unwrap() {
            output if output.status.success() => Ok(bench),
            output => Err(format!("it does not start with {}: {}", python().display(), text(&output).trim())),
        }
    }

    /// The tool, with nothing of this machine's settings.
    fn command(&self) -> Command {
        let mut command = match &self.tool {
            Tool::Pip(home) => {
                let mut command = account::command(python());
                command.env_clear().env("PYTHONPATH", home).args(["-m", "pip"]);
                command
            }
            Tool::Uv(home) => {
                let mut command = account::command(home.join("bin/uv"));
                command.env_clear().args(["--no-config", "--color", "never"]);
                command
            }
        };
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.dir.path()).env("PIP_CONFIG_FILE", "/dev/null");
        command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_NO_INPUT", "1").env("PIP_RETRIES", "0");
        command.env("UV_HTTP_RETRIES", "0").env("UV_PYTHON_DOWNLOADS", "never");
        command
    }

    /// `install` from the farm's index, into a directory of its own.
    fn install(&self, name: &str, arguments: &[&str]) -> (PathBuf, Output) {
        let index = match self.tool {
            Tool::Pip(_) => "--index-url",
            Tool::Uv(_) => "--default-index",
        };
        self.install_from(name, &[index, &self.farm.simple()], arguments)
    }

    fn install_from(&self, name: &str, indexes: &[&str], arguments: &[&str]) -> (PathBuf, Output) {
        let target = self.dir.path().join(name);
        let mut command = self.command();
        match self.tool {
            Tool::Pip(_) => command.args(["install", "--no-cache-dir"]),
            Tool::Uv(_) => command.args(["pip", "install"]).arg("--python").arg(python()),
        };
        let output = command.arg("--target").arg(&target).args(indexes).args(arguments).output().unwrap();
        (target, output)
    }

    /// Installs from the farm's index, and asserts which version came.
    fn gets(&self, name: &str, arguments: &[&str], project: &str, version: &str) -> Output {
        let (target, output) = self.install(name, arguments);
        assert_got(&target, &output, project, version);
        output
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.farm.log()).unwrap()
    }
}

fn assert_got(target: &Path, output: &Output, project: &str, version: &str) {
    assert!(output.status.success(), "{}", text(output));
    let there: Vec<_> = fs::read_dir(target).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(has(target, project, version), "{project} {version} is not among {there:?}\n{}", text(output));
}

fn with_bench(test: &str, kind: Kind, tool: &str, check: impl FnOnce(&Bench)) {
    match Bench::start(kind, tool) {
        Ok(bench) => check(&bench),
        Err(reason) => skip(&format!("{test} ({tool}, {kind:?})"), &reason),
    }
}

/// What every installer must make of the farm's index.
fn everyday(bench: &Bench) {
    // what app requires is neither the yanked version nor the pre-release; the newer pinned is for other Pythons
    let (target, output) = bench.install("several", &["app", "pinned", "ODD_name"]);
    for project in ["app", "lib", "pinned", "odd-name"] {
        assert_got(&target, &output, project, "1.0");
    }
    assert!(fs::read_to_string(target.join("lib.py")).unwrap().starts_with("version = \"1.0\""));

    let yanked = bench.gets("yanked", &["lib==1.1"], "lib", "1.1");
    assert!(text(&yanked).contains("it eats <data>"), "the reason is shown\n{}", text(&yanked));
    let (_, missing) = bench.install("missing", &["elsewhere"]);
    assert!(!missing.status.success(), "{}", text(&missing));

    hashes(bench);
}

/// Locked requirements: the right hash installs, another does not.
fn hashes(bench: &Bench) {
    let digest = Sha256::of(&bench.site.read("simple/lib/lib-1.0-py3-none-any.whl")).to_string();
    let right = bench.file("right.txt", &format!("lib==1.0 --hash=sha256:{digest}\n"));
    bench.gets("right", &["--require-hashes", "-r", &right], "lib", "1.0");
    let wrong = bench.file("wrong.txt", &format!("lib==1.0 --hash=sha256:{}\n", "0".repeat(64)));
    let (target, output) = bench.install("wrong", &["--require-hashes", "-r", &wrong]);
    assert!(!output.status.success() && !has(&target, "lib", "1.0"), "{}", text(&output));
}

fn pip(version: &str, test: &str) {
    with_bench(test, Kind::Nginx, &format!("pip-{version}"), |bench| {
        everyday(bench);
        bench.gets("pre", &["--pre", "lib"], "lib", "2.0b1");
        let (farm, next) = (bench.farm.simple(), bench.next.simple());
        for (index, extra, name) in [(&farm, &next, "farm-first"), (&next, &farm, "farm-second")] {
            let indexes = ["--index-url", index, "--extra-index-url", extra];
            let (target, output) = bench.install_from(name, &indexes, &["elsewhere", "part", "lib"]);
            for (project, version) in [("elsewhere", "1.0"), ("part", "2.0"), ("lib", "1.0")] {
                assert_got(&target, &output, project, version);
            }
        }
        // from 23.2 on, it resolves by the small files beside the wheels
        let reads_metadata = version.split('.').next().unwrap().parse::<u32>().unwrap() >= 24;
        assert_eq!(
            bench.log().contains("lib-1.0-py3-none-any.whl.metadata"),
            reads_metadata,
            "{}",
            bench.log()
        );
    });
}

#[test]
fn the_pip_of_raspberry_pi_os_bullseye_installs_from_the_farm() {
    pip("20.3.4", "the_pip_of_raspberry_pi_os_bullseye_installs_from_the_farm");
}

#[test]
fn the_pip_of_raspberry_pi_os_bookworm_installs_from_the_farm() {
    pip("23.0.1", "the_pip_of_raspberry_pi_os_bookworm_installs_from_the_farm");
}

#[test]
fn the_pip_of_raspberry_pi_os_trixie_installs_from_the_farm() {
    pip("25.1.1", "the_pip_of_raspberry_pi_os_trixie_installs_from_the_farm");
}

#[test]
fn a_newer_pip_installs_from_the_farm() {
    pip(NEWEST_PIP.trim_start_matches("pip-"), "a_newer_pip_installs_from_the_farm");
}

#[test]
fn pip_installs_what_was_there_at_a_moment() {
    with_bench("pip_installs_what_was_there_at_a_moment", Kind::Nginx, NEWEST_PIP, |bench| {
        bench.gets("now", &["aged"], "aged", "2.0");
        bench.gets("then", &["--uploaded-prior-to", "2026-03-01", "aged"], "aged", "1.0");
        let (_, output) = bench.install("before", &["--uploaded-prior-to", "2025-12-31", "aged"]);
        assert!(!output.status.success(), "{}", text(&output));
    });
}

#[test]
fn uv_installs_from_the_farm() {
    with_bench("uv_installs_from_the_farm", Kind::Nginx, "uv", |bench| {
        everyday(bench);
        bench.gets("pre", &["--prerelease", "allow", "lib"], "lib", "2.0b1");
        bench.gets("then", &["--exclude-newer", "2026-03-01", "aged"], "aged", "1.0");
        assert!(bench.log().contains("lib-1.0-py3-none-any.whl.metadata"), "{}", bench.log());
    });
}

#[test]
fn uv_goes_on_to_the_next_index_for_a_project_that_the_farm_does_not_have() {
    let test = "uv_goes_on_to_the_next_index_for_a_project_that_the_farm_does_not_have";
    with_bench(test, Kind::Nginx, "uv", |bench| {
        let (farm, next) = (bench.farm.simple(), bench.next.simple());
        let indexes = ["--index", &farm, "--default-index", &next];
        let (target, output) = bench.install_from("elsewhere", &indexes, &["elsewhere"]);
        assert_got(&target, &output, "elsewhere", "1.0");
        // of a project that the farm has, uv takes what the farm has
        let (target, output) = bench.install_from("part", &indexes, &["part"]);
        assert_got(&target, &output, "part", "1.0");
        let (_, output) = bench.install_from("newer", &indexes, &["part>=2"]);
        assert!(!output.status.success(), "{}", text(&output));
        // unless it is told to look everywhere
        let everywhere = [&indexes[..], &["--index-strategy", "unsafe-best-match"]].concat();
        let (target, output) = bench.install_from("best", &everywhere, &["part"]);
        assert_got(&target, &output, "part", "2.0");
    });
}

#[test]
fn uv_keeps_pages_and_wheels_and_asks_for_neither_again() {
    with_bench("uv_keeps_pages_and_wheels_and_asks_for_neither_again", Kind::Nginx, "uv", |bench| {
        bench.gets("first", &["app"], "app", "1.0");
        let before = bench.log();
        assert!(before.contains("/simple/app/"), "{before}");
        bench.gets("second", &["app"], "app", "1.0");
        assert_eq!(bench.log(), before, "ten minutes have not passed");
    });
}

#[test]
fn uv_locks_with_hashes_and_installs_what_it_locked() {
    with_bench("uv_locks_with_hashes_and_installs_what_it_locked", Kind::Nginx, "uv", |bench| {
        let wanted = bench.file("wanted.in", "app\n");
        let output = bench
            .command()
            .args([
                "pip",
                "compile",
                "--generate-hashes",
                "--default-index",
                &bench.farm.simple(),
                "--python",
            ])
            .arg(python())
            .arg(&wanted)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let locked = String::from_utf8(output.stdout).unwrap();
        let digest = Sha256::of(&bench.site.read("simple/lib/lib-1.0-py3-none-any.whl")).to_string();
        assert!(
            locked.contains("lib==1.0") && locked.contains(&format!("--hash=sha256:{digest}")),
            "{locked}"
        );
        let locked = bench.file("locked.txt", &locked);
        bench.gets("locked", &["--require-hashes", "-r", &locked], "lib", "1.0");
    });
}

#[test]
fn pip_and_uv_install_from_apache_and_caddy_as_well() {
    for kind in [Kind::Apache, Kind::Caddy] {
        for tool in ["pip-20.3.4", NEWEST_PIP, "uv"] {
            with_bench("pip_and_uv_install_from_apache_and_caddy_as_well", kind, tool, |bench| {
                let (target, output) = bench.install("several", &["app", "pinned", "ODD_name"]);
                for project in ["app", "lib", "pinned", "odd-name"] {
                    assert_got(&target, &output, project, "1.0");
                }
                hashes(bench);
            });
        }
    }
}
