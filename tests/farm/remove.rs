//! `piw-remove`: what is removed is gone from every page and the disk before the tool returns.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::chain::install_and_run;
use crate::import::at_a_terminal;
use crate::kit::farm::{Farm, abi_of, python};
use crate::kit::sdist::Recipe;
use crate::kit::wheel::Wheel;

impl Farm {
    fn remove(&self, arguments: &[&str]) -> (i32, String) {
        self.tool("piw-remove", &[&["-y"], arguments].concat(), "")
    }

    /// Everything that names or is a file: pages, twins, wheels, METADATA.
    fn traces(&self, needle: &str) -> Vec<String> {
        fn look(dir: &Path, needle: &str, found: &mut Vec<String>) {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    look(&path, needle, found);
                } else if path.file_name().unwrap().to_string_lossy().contains(needle)
                    || fs::read(&path).is_ok_and(|b| b.windows(needle.len()).any(|w| w == needle.as_bytes()))
                {
                    found.push(path.display().to_string());
                }
            }
        }
        let mut found = Vec::new();
        look(&self.path("www/simple"), needle, &mut found);
        look(&self.path("www/project"), needle, &mut found);
        found
    }
}

#[test]
fn a_removed_version_is_gone_before_the_tool_returns_and_its_name_never_has_other_bytes() {
    let python = python();
    let abi = abi_of(&python);
    let farm = Farm::start(&[&abi], &[]);
    let (old, new) = (Wheel::pure("gone", "1.0", "old"), Wheel::pure("gone", "2.0", "new"));
    let path = farm.import_wheel(&old);
    farm.import_wheel(&new);
    let (code, said) = farm.remove(&["gone", "2.0"]);
    assert_eq!((code, said.trim()), (0, "gone 2.0: 1 file removed"), "{}", farm.logs());
    assert_eq!(farm.traces(&new.filename()), Vec::<String>::new());
    assert!(!farm.traces(&old.filename()).is_empty());
    let installed = install_and_run(&farm, &python, &["gone"], "import gone; print(gone.SAYS)");
    assert_eq!(installed.trim(), "old");

    let (code, said) = farm.remove(&["gone", "2.0"]);
    assert_eq!((code, said.trim()), (0, "gone 2.0: nothing to do, nothing changed"));
    let other = Wheel { says: "other", ..new }.save(&farm.path("run"));
    let (code, said) = farm.import(&[other.to_str().unwrap()]);
    assert!(code == 1 && said.contains("a name never comes back with others"), "{said}");

    // the whole package: no page of it is left
    let (code, said) = farm.remove(&["--json", "Gone"]);
    assert_eq!(code, 0, "{said}");
    let line: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&line["ok"], &line["files"], &line["page"]), (&true.into(), &1.into(), &"written".into()));
    assert_eq!(farm.traces(&old.filename()), Vec::<String>::new());
    assert!(!farm.path("www/simple/gone/index.html").exists());
    assert!(!farm.path("www/simple/gone/index.v1_json").exists());
    assert_eq!(farm.crawl(), 0);
    // with its own bytes it may come back at once
    let (code, said) = farm.import(&[path.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(farm.crawl(), 1);
    farm.audit();
}

#[test]
fn what_the_farm_built_is_built_again_unless_it_is_skipped_and_forgotten_builds_lose_their_logs() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    farm.index.offer(&Recipe::native("plain", "1.0"));
    let slave = farm.start_slave("one");
    farm.piw(&["add", "plain"]);
    farm.wait_for_state("plain", &abi, "built");
    farm.crawl();
    let (code, said) = farm.remove(&["plain", "1.0"]);
    assert_eq!(code, 0, "{said}");
    let again = farm.wait_for_state("plain", &abi, "built");
    let name = again["files"][0]["filename"].as_str().unwrap();
    assert!(name.starts_with("plain-1.0-1-"), "the old name is not taken again: {name}");
    farm.crawl();
    let log = farm
        .path("www")
        .join(piwheels::domain::log_path(piwheels::domain::BuildId(again["build_id"].as_i64().unwrap())));
    assert!(log.exists());
    let (code, said) = farm.remove(&["plain==1.0", "--skip=broken on these boards", "--builds"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("1 file removed; 2 builds forgotten; skipped: broken on these boards"), "{said}");
    assert!(farm.piw(&["why", "plain"]).contains("broken on these boards"));
    assert_eq!(farm.crawl(), 0);
    farm.piw(&["stats"]);
    crate::kit::wait::until("its log to go", || farm.logs(), || (!log.exists()).then_some(()));
    assert_eq!(farm.count("SELECT count(*) FROM piw.queue"), 0);
    drop(slave);
    farm.audit();
}

#[test]
fn a_yanked_version_stays_and_pip_takes_it_only_by_its_number() {
    let python = python();
    let abi = abi_of(&python);
    let farm = Farm::start(&[&abi], &[]);
    farm.import_wheel(&Wheel::pure("drawn", "1.0", "old"));
    farm.import_wheel(&Wheel::pure("drawn", "2.0", "new"));
    let (code, said) = farm.remove(&["drawn", "2.0", "--yank", "--reason", "eats <data>"]);
    assert_eq!((code, said.trim()), (0, "drawn 2.0: marked as yanked"));
    let page = fs::read_to_string(farm.path("www/simple/drawn/index.html")).unwrap();
    assert!(page.contains("data-yanked=\"eats &lt;data&gt;\""), "{page}");
    let code = "import drawn; print(drawn.SAYS)";
    assert_eq!(install_and_run(&farm, &python, &["drawn"], code).trim(), "old");
    fs::remove_dir_all(farm.path("run/venv")).unwrap();
    assert_eq!(install_and_run(&farm, &python, &["drawn==2.0"], code).trim(), "new");
    let (code, said) = farm.remove(&["drawn", "2.0", "--yank", "--reason", "eats <data>"]);
    assert_eq!((code, said.trim()), (0, "drawn 2.0: nothing to do, nothing changed"));
    let (code, said) = farm.remove(&["drawn", "2.0", "--unyank"]);
    assert_eq!((code, said.trim()), (0, "drawn 2.0: yanked no more"));
    let page = fs::read_to_string(farm.path("www/simple/drawn/index.html")).unwrap();
    assert!(!page.contains("data-yanked"), "{page}");
    assert_eq!(farm.crawl(), 2);
    farm.audit();
}

#[test]
fn it_asks_at_a_terminal_and_refuses_without_one() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    farm.import_wheel(&Wheel::pure("kept", "1.0", "x"));
    let (code, said) = farm.tool("piw-remove", &["kept"], "y\n");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("no terminal: -y (--yes)"), "{said}");
    for arguments in [&["kept", "--yank", "--builds"][..], &["kept", "not a version"], &["kept>1"], &[]] {
        let (code, said) = farm.tool("piw-remove", arguments, "");
        assert_eq!(code, 2, "{arguments:?}: {said}");
    }
    let command = farm.tool_command("piw-remove", &["kept"]);
    let Some((code, said)) = at_a_terminal(&command, "n\n") else { return };
    assert!(code == 2 && said.contains("Remove all files of ALL versions of kept? [y/N]"), "{code} {said}");
    assert_eq!(farm.crawl(), 1);
    let Some((code, said)) = at_a_terminal(&command, "yes\n") else { return };
    assert_eq!(code, 0, "{said}");
    assert_eq!(farm.crawl(), 0);
    farm.audit();
}

#[test]
fn lists_are_worked_through_and_what_is_not_known_is_said() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    for (name, version) in [("a", "1.0"), ("a", "2.0"), ("b", "1.0"), ("c", "1.0")] {
        farm.import_wheel(&Wheel::pure(name, version, "x"));
    }
    let list = "a 1.0\nnobody\n{\"package\":\"b\",\"skip\":\"why not\"}\na 3.0\n";
    let (code, said) = farm.tool("piw-remove", &["-"], list);
    assert_eq!(code, 2, "{said}");
    let (code, said) = farm.tool("piw-remove", &["-y", "--json", "--keep-going", "-"], list);
    assert_eq!(code, 1, "{said}");
    let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let ok: Vec<_> = lines.iter().map(|line| line["ok"].as_bool().unwrap()).collect();
    assert_eq!(ok, [true, false, true, false], "{said}");
    assert!(lines[1]["errors"][0].as_str().unwrap().contains("nobody is not known to this farm"), "{said}");
    assert!(lines[3]["errors"][0].as_str().unwrap().contains("does not know that version of a"), "{said}");
    assert!(said.contains("2 of 4 failed"), "{said}");
    assert_eq!(farm.crawl(), 2);
    assert!(farm.piw(&["why", "b"]).contains("why not"));
    let (code, said) = farm.tool("piw-remove", &["-y", "-0", "-"], "a\0c 1.0\0");
    assert_eq!(code, 0, "{said}");
    assert_eq!(farm.crawl(), 0);
    farm.audit();
}

#[test]
fn a_page_that_cannot_be_written_is_waited_for_a_bounded_time_and_named() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    let wheel = Wheel::pure("stuck", "1.0", "x");
    farm.import_wheel(&wheel);
    farm.crawl();
    // a directory where the page's twin is to be: it cannot go
    let twin = farm.path("www/simple/stuck/index.html.gz");
    fs::remove_file(&twin).unwrap();
    fs::create_dir(&twin).unwrap();
    let (code, said) = farm.remove(&["stuck"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("stuck: it is gone from the database, but its page is not written yet"), "{said}");
    fs::remove_dir(&twin).unwrap();
    let (code, said) = farm.remove(&["stuck"]);
    assert_eq!((code, said.trim()), (0, "stuck: nothing to do, nothing changed"), "the page was waited for");
    assert_eq!(farm.traces(&wheel.filename()), Vec::<String>::new());
    farm.audit();
}
