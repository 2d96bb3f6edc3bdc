//! A package index of local files, with source distributions that behave as a test wants. They bring their own build
//! backend, so that pip fetches nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every backend begins with. `make` writes a wheel with a payload that no compression makes smaller.
const BACKEND: &str = r#"
import hashlib, os, subprocess, sys, textwrap, time, zipfile

NAME = "@NAME@"
META = "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % NAME
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
INFO = NAME + "-1.0.dist-info"

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    os.mkdir(os.path.join(directory, INFO))
    for name, text in (("METADATA", META), ("WHEEL", WHEEL)):
        with open(os.path.join(directory, INFO, name), "w") as f:
            f.write(text)
    return INFO

def make(directory, blocks=1):
    name = NAME + "-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as z:
        z.writestr(NAME + ".py", "answer = 42\n")
        z.writestr(NAME + ".bin", b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(blocks)))
        z.writestr(INFO + "/METADATA", META)
        z.writestr(INFO + "/WHEEL", WHEEL)
        z.writestr(INFO + "/RECORD", INFO + "/WHEEL,,\n" + INFO + "/RECORD,,\n")
    return name

def say(*words):
    # pip shows a backend's output only when it fails: speak past it, as compilers with a terminal do
    with open("/proc/%d/fd/1" % os.getppid(), "w") as f:
        print(*words, file=f, flush=True)

def build_wheel(directory, config_settings=None, metadata_directory=None):
"#;

pub(crate) struct Index {
    dir: PathBuf,
    /// Name and text of what lies beside every backend, as modules that it may import.
    pub(crate) beside: Vec<(&'static str, String)>,
}

impl Index {
    pub(crate) fn new(dir: &Path) -> Self {
        let dir = dir.join("index");
        fs::create_dir(&dir).unwrap();
        Self { dir, beside: Vec::new() }
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}/simple", self.dir.display())
    }

    /// Adds version 1.0 of a package whose `build_wheel(directory, …)` has this body.
    pub(crate) fn add(&self, name: &str, body: &str) {
        self.add_requiring(name, body, &[], &[]);
    }

    /// The same for one whose build requires these, as it declares and as its backend says when it is asked.
    pub(crate) fn add_requiring(&self, name: &str, body: &str, declared: &[&str], asked: &[&str]) {
        let source = self.dir.join(format!("{name}-1.0"));
        fs::create_dir(&source).unwrap();
        let body: String = body.trim().lines().map(|line| format!("    {line}\n")).collect();
        let hook =
            format!("def get_requires_for_build_wheel(config_settings=None):\n    return {asked:?}\n\n");
        let backend =
            BACKEND.replace("@NAME@", name).replace("def build_wheel", &format!("{hook}def build_wheel"));
        fs::write(source.join("backend.py"), backend + &body).unwrap();
        for (name, text) in &self.beside {
            fs::write(source.join(name), text).unwrap();
        }
        let project = format!(
            "[build-system]\nrequires = {declared:?}\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n"
        );
        fs::write(source.join("pyproject.toml"), project).unwrap();
        fs::write(source.join("PKG-INFO"), format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"))
            .unwrap();
        let page = self.dir.join("simple").join(name);
        fs::create_dir_all(&page).unwrap();
        let archive = format!("{name}-1.0.tar.gz");
        let made = Command::new("tar")
            .arg("-czf")
            .arg(page.join(&archive))
            .arg("-C")
            .arg(&self.dir)
            .arg(format!("{name}-1.0"))
            .status();
        assert!(made.unwrap().success());
        fs::write(page.join("index.html"), format!("<!DOCTYPE html><a href=\"{archive}\">{archive}</a>"))
            .unwrap();
    }
}
