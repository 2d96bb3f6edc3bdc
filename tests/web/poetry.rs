//! Poetry on an index of the farm: it locks, and installs what it locked.

use std::fs;
use std::process::{Command, Output};

use piwheels::domain::Sha256;

use crate::clients::client;
use crate::kit::account;
use crate::kit::farm::{python, text};
use crate::server::{Kind, Server, skip};
use crate::site::{Site, has};

#[test]
fn poetry_locks_with_hashes_and_installs_what_it_locked() {
    let test = "poetry_locks_with_hashes_and_installs_what_it_locked";
    let site = Site::usual();
    let (home, server) =
        match client("poetry").and_then(|home| Ok((home, Server::start(Kind::Nginx, &site.www())?))) {
            Ok(found) => found,
            Err(reason) => return skip(test, &reason),
        };
    let dir = tempfile::tempdir().unwrap();
    account::give(dir.path());
    let project = dir.path().join("project");
    fs::create_dir(&project).unwrap();
    account::give(&project);
    fs::write(
        project.join("pyproject.toml"),
        format!(
            "[project]\nname = \"mine\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"app\"]\n\
             [tool.poetry]\npackage-mode = false\n\
             [[tool.poetry.source]]\nname = \"farm\"\nurl = \"{}\"\npriority = \"primary\"\n",
            server.simple()
        ),
    )
    .unwrap();
    let poetry = |arguments: &[&str]| -> Output {
        let mut command: Command = account::command(python());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", dir.path()).env("PYTHONPATH", &home);
        command.env("POETRY_VIRTUALENVS_IN_PROJECT", "true").env("POETRY_NO_INTERACTION", "1");
        command.env("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring");
        command.args(["-m", "poetry", "--no-ansi", "-C"]).arg(&project).args(arguments).output().unwrap()
    };
    let version = poetry(&["--version"]);
    if !version.status.success() {
        return skip(test, text(&version).trim());
    }
    let locked = poetry(&["lock"]);
    assert!(locked.status.success(), "{}", text(&locked));
    let lock = fs::read_to_string(project.join("poetry.lock")).unwrap();
    let digest = Sha256::of(&site.read("simple/lib/lib-1.0-py3-none-any.whl")).to_string();
    assert!(lock.contains(&format!("lib-1.0-py3-none-any.whl\", hash = \"sha256:{digest}\"")), "{lock}");
    let installed = poetry(&["install"]);
    assert!(installed.status.success(), "{}", text(&installed));
    let packages = fs::read_dir(project.join(".venv/lib"))
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path()
        .join("site-packages");
    assert!(has(&packages, "app", "1.0") && has(&packages, "lib", "1.0"), "{}", text(&installed));
}
