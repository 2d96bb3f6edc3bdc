//! What is built again is published beside what is there, under names that pip prefers.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::chain::install_and_run;
use crate::kit::farm::{Farm, abi_of, python};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

impl Farm {
    /// Waits until a project has so many files and its page is written: each name with its bytes.
    fn wait_for_files(&self, project: &str, count: usize) -> BTreeMap<String, Vec<u8>> {
        let sql = format!(
            "SELECT count(*) FROM piw.file f JOIN piw.package p USING (pkg_id) WHERE p.name = '{project}'"
        );
        until("its files", || self.logs(), || (self.count(&sql) == count as i64).then_some(()));
        self.crawl();
        let wheels =
            fs::read_dir(self.path("www/simple").join(project)).unwrap().flatten().map(|entry| entry.path());
        let wheels: Vec<PathBuf> =
            wheels.filter(|path| path.extension().is_some_and(|end| end == "whl")).collect();
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let files: BTreeMap<_, _> = wheels.iter().map(|path| (name(path), fs::read(path).unwrap())).collect();
        assert_eq!(files.len(), count, "{:?}", files.keys());
        files
    }
}

/// The build tag in each name, in the order of the names.
fn tags(files: &BTreeMap<String, Vec<u8>>) -> Vec<&str> {
    let is_tag = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
    files.keys().map(|name| name.split('-').nth(2).filter(is_tag).unwrap_or_default()).collect()
}

#[test]
fn a_real_package_that_is_built_again_is_installed_by_pip_and_its_old_files_stay() {
    let python = python();
    let abi = abi_of(&python);
    let farm = Farm::start_on_the_real_index(&[&abi]);
    let _slave = farm.start_slave("one");
    farm.piw(&["add", "markupsafe==2.1.5"]);
    let mut before = farm.wait_for_files("markupsafe", 1);
    assert_eq!(tags(&before), [""]);
    for (count, tag) in [(2, "1"), (3, "2")] {
        let said = farm.piw(&["requeue", "markupsafe==2.1.5", "--class", "built"]);
        assert!(
            said.contains("1 version queued again") && said.contains("what is published stays"),
            "{said}"
        );
        let after = farm.wait_for_files("markupsafe", count);
        assert!(tags(&after).contains(&tag), "{:?}", after.keys());
        for (name, bytes) in &before {
            assert!(after[name] == *bytes, "{name} is what it was");
        }
        before = after;
    }
    let code = "import importlib.metadata, markupsafe._speedups; \
                print(importlib.metadata.distribution('markupsafe').read_text('WHEEL'))";
    let installed = install_and_run(&farm, &python, &["markupsafe==2.1.5"], code);
    assert!(installed.contains("\nBuild: 2\n"), "pip takes the newest: {installed}");
    let why = farm.piw(&["why", "markupsafe==2.1.5"]);
    assert_eq!(why.matches(".whl").count(), 3, "{why}");
    farm.audit();
}

#[test]
fn withdrawn_names_are_not_taken_again_and_a_killed_master_knows_the_tag_it_asked_for() {
    let python = python();
    let abi = abi_of(&python);
    let mut farm = Farm::start(&[&abi], &[]);
    farm.index.offer(&Recipe::pure("plain", "1.0"));
    let _slave = farm.start_slave("one");
    farm.piw(&["add", "plain"]);
    let first = farm.wait_for_files("plain", 1);

    let gate = farm.gate("go");
    farm.index.offer(&Recipe::pure("plain", "1.0").behind(&gate));
    farm.piw(&["requeue", "plain", "--class", "built"]);
    farm.wait_for_state("plain", &abi, "building");
    farm.kill_master();
    farm.start_master();
    farm.open(&gate);
    let second = farm.wait_for_files("plain", 2);
    assert_eq!(tags(&second), ["1", ""]);
    assert!(first.iter().all(|(name, bytes)| second[name] == *bytes));
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 2, "the slave's build was taken up again");

    farm.execute(
        "SELECT piw._withdraw(ver_id, 'a test') FROM piw.version; SELECT piw._show(pkg_id) FROM piw.package",
    );
    until(
        "its page to go",
        || farm.logs(),
        || (!farm.path("www/simple/plain/index.html").exists()).then_some(()),
    );
    farm.execute("SELECT piw._judge(ver_id) FROM piw.version");
    farm.piw(&["add", "plain"]);
    let third = farm.wait_for_files("plain", 1);
    assert_eq!(tags(&third), ["2"], "{:?}", third.keys());
    let code =
        "import importlib.metadata; print(importlib.metadata.distribution('plain').read_text('WHEEL'))";
    assert!(install_and_run(&farm, &python, &["plain"], code).contains("\nBuild: 2\n"));
    farm.audit();
}
