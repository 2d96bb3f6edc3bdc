//! `piw-import`: wheels that somebody has are published as if the farm had built them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use nix::sys::signal::Signal;
use piwheels::admin::client::{Client, ImportQueue, Queue};
use piwheels::domain::Sha256;
use piwheels::options::Patience;
use piwheels::wire::import::{FromTool, ToTool};
use piwheels::wire::slave::BuiltFile;
use piwheels::wire::{Blob, List, Text};
use serde_json::Value;

use crate::chain::{install_and_run, skip};
use crate::kit::account;
use crate::kit::farm::{Farm, abi_of, python, text};
use crate::kit::sdist::Recipe;
use crate::kit::wait::{PATIENCE, until};
use crate::kit::wheel::Wheel;

impl Farm {
    /// Runs `piw-import -y`; its exit code, and what it printed.
    pub(crate) fn import(&self, arguments: &[&str]) -> (i32, String) {
        self.tool("piw-import", &[&["-y"], arguments].concat(), "")
    }

    /// Imports a wheel, which works.
    pub(crate) fn import_wheel(&self, wheel: &Wheel) -> PathBuf {
        let path = wheel.save(&self.path("run"));
        let (code, said) = self.import(&[path.to_str().unwrap()]);
        assert_eq!(code, 0, "{said}\n{}", self.logs());
        path
    }

    fn in_spool(&self, begin: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("spool")).unwrap().flatten().map(|entry| entry.path());
        let is_it = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(begin);
        entries.filter(is_it).collect()
    }

    fn published(&self) -> i64 {
        self.count("SELECT count(*) FROM piw.file")
    }

    /// The import channel, spoken by hand: a tool whose wheel is asked for, and which has sent nothing yet.
    fn half_an_import(&self, wheel: &Wheel) -> Client {
        let address = format!("ipc://{}", self.path("run/import").display());
        let queue = Queue::import(
            &ImportQueue { import_queue: address.parse().unwrap() },
            Patience { tool_timeout: None },
        );
        let mut client = Client::connect(&queue, PATIENCE).unwrap();
        let bytes = wheel.bytes();
        let file = BuiltFile {
            filename: Text::new(wheel.filename()).unwrap(),
            size: bytes.len() as u64,
            sha256: Sha256::of(&bytes),
        };
        let message = FromTool::Import {
            package: Text::default(),
            version: Text::default(),
            abi: Text::default(),
            duration_ms: 0,
            output: Blob::new(Bytes::from_static(b"x")).unwrap(),
            files: List::new(vec![file]).unwrap(),
            create: true,
        };
        client.send(|out| message.encode(out)).unwrap();
        assert_eq!(client.next(ToTool::decode).unwrap(), ToTool::Send { index: 0 });
        assert!(matches!(client.next(ToTool::decode).unwrap(), ToTool::Fetch { offset: 0, .. }));
        client
    }
}

/// Runs a command line at a terminal, with these answers: its exit code, and what was to be seen. None where there is no
/// script(1).
pub(crate) fn at_a_terminal(command: &Command, answers: &str) -> Option<(i32, String)> {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let line: Vec<_> = words.iter().map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut terminal = account::command("script");
    terminal.args(["-qec", &line.join(" "), "/dev/null"]).env("SHELL", "/bin/sh");
    let child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            skip("questions at a terminal", &format!("script(1): {error}"));
            return None;
        }
    };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some((output.status.code().unwrap_or(-1), text(&output)))
}

#[test]
fn an_imported_wheel_is_installed_by_pip_as_soon_as_the_tool_returns() {
    let python = python();
    let abi = abi_of(&python);
    let farm = Farm::start(&[&abi], &[]);
    let wheel = Wheel::native("Brought", "1.0", "hello", &abi).with_ballast(3_000_000);
    let path = wheel.save(&farm.path("run"));
    let log = farm.path("run/build-log");
    fs::write(&log, "made by hand\n").unwrap();
    let (code, said) = farm.import(&[
        "--duration",
        "1m30s",
        "--output",
        log.to_str().unwrap(),
        "--package",
        "brought",
        "--package-version",
        "1.0.0",
        path.to_str().unwrap(),
    ]);
    assert_eq!(code, 0, "{said}\n{}", farm.logs());
    assert!(said.contains("brought is new to this farm"), "{said}");
    assert!(said.contains(&format!("{}: published for {abi}", wheel.filename())), "{said}");
    // no waiting: the page is there
    let page = fs::read_to_string(farm.path("www/simple/brought/index.html")).unwrap();
    assert!(page.contains(&wheel.filename()), "{page}");
    assert!(path.exists(), "nothing is deleted that is not to be");
    let build = farm.why("brought", &abi).unwrap();
    assert_eq!((&build["state"], &build["duration_ms"]), (&Value::from("built"), &Value::from(90_000)));
    assert!(farm.build_log(&build).contains("made by hand"));
    let installed = install_and_run(&farm, &python, &["Brought"], "import brought; print(brought.SAYS)");
    assert_eq!(installed.trim(), "hello");
    assert_eq!(farm.look("SELECT display FROM piw.package"), "Brought", "as METADATA spells it");
    assert_eq!(farm.crawl(), 1);
    farm.wait_for_empty_spool();

    // the same again changes nothing and says so
    let (code, said) = farm.import(&["-d", path.to_str().unwrap()]);
    assert_eq!((code, farm.count("SELECT count(*) FROM piw.build")), (0, 1), "{said}");
    assert!(said.contains("published already, nothing changed"), "{said}");
    assert!(!path.exists(), "with -d it goes, for the farm has it");
    // nor do other bytes take its name
    let other = Wheel { says: "other", ..wheel };
    let path = other.save(&farm.path("run"));
    let (code, said) = farm.import(&["--delete", path.to_str().unwrap()]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is published already, with other bytes"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(path.exists(), "what was not taken stays");
    farm.audit();
}

#[test]
fn several_files_of_one_build_come_at_once_and_what_they_serve_is_not_built() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    farm.index.offer(&Recipe::pure("both", "1.0"));
    farm.piw(&["add", "both"]);
    let native = Wheel::native("both", "1.0", "native", &abi).save(&farm.path("run"));
    let pure = Wheel::pure("both", "1.0", "pure").save(&farm.path("run"));
    let (code, said) = farm.import(&["--json", "-d", native.to_str().unwrap(), pure.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    let line: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&line["ok"], &line["changed"], &line["state"]),
        (&true.into(), &true.into(), &"imported".into())
    );
    assert_eq!((&line["files"].as_array().unwrap().len(), &line["abi"]), (&2, &Value::from(abi.as_str())));
    assert!(!native.exists() && !pure.exists());
    assert_eq!(farm.count("SELECT count(DISTINCT build_id) FROM piw.file"), 1, "one build");
    assert_eq!(farm.count("SELECT count(*) FROM piw.queue"), 0, "nothing of it is to be built any more");
    assert_eq!(farm.crawl(), 2);
    farm.audit();
}

#[test]
fn what_is_no_wheel_of_its_name_is_refused_with_one_line_and_leaves_nothing() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &["--max-wheel", "1M"]);
    let dir = farm.path("run");
    let pure = |says| Wheel::pure("bad", "1.0", says);
    let lying = Wheel { metadata_version: Some("2.0"), ..pure("x") }.save(&dir);
    let (code, said) = farm.import(&[lying.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(
        said.contains("METADATA has version \"2.0\", not 1.0") && said.trim().lines().count() == 1,
        "{said}"
    );

    fs::write(&lying, "this is no zip").unwrap();
    let huge =
        Wheel { tags: "py3-none-linux_x86_64".to_owned(), ..pure("x").with_ballast(1 << 20) }.save(&dir);
    let other = Wheel { version: "2.0", ..pure("x") }.save(&dir);
    let foreign = Wheel::native("bad", "1.0", "x", "cp27").save(&dir);
    let no_name = dir.join("bad.whl");
    fs::write(&no_name, "x").unwrap();
    let empty = dir.join("empty-1.0-py3-none-any.whl");
    fs::write(&empty, "").unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    for (arguments, word) in [
        (vec![path(&lying)], "not a zip archive"),
        (vec![path(&huge)], "over 1048576 bytes (--max-wheel)"),
        (vec![path(&lying), path(&other)], "it is of version 2.0, not 1.0"),
        (vec![path(&foreign)], "this farm has no ABI \"cp27\""),
        (vec![path(&no_name)], "not a wheel's file name"),
        (vec![path(&empty)], "it is empty"),
        (vec![path(&dir.join("missing-1.0-py3-none-any.whl"))], "No such file"),
        (vec![path(&dir)], "not a file"),
        (vec!["--package".to_owned(), "good".to_owned(), path(&other)], "it is of bad, not of good"),
        (vec!["--abi".to_owned(), "soup".to_owned(), path(&other)], "soup"),
        (vec!["--output".to_owned(), "/nowhere".to_owned(), path(&other)], "--output /nowhere"),
    ] {
        let (code, said) = farm.import(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(code, 1, "{arguments:?}: {said}");
        assert!(said.contains(word) && said.trim().lines().count() == 1, "{arguments:?}: {said}");
    }
    let nothing = ["package", "version", "build", "file", "rewrite"];
    for table in nothing {
        let filter = if table == "rewrite" { " WHERE kind = 'project'" } else { "" };
        assert_eq!(farm.count(&format!("SELECT count(*) FROM piw.{table}{filter}")), 0, "{table}");
    }
    assert!(!farm.path("www/simple/bad").join(pure("x").filename()).exists());
    farm.wait_for_empty_spool();
    farm.audit();
}

#[test]
fn two_at_once_do_not_collide() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    let dir = farm.path("run");
    let command = |path: &Path| {
        let mut command = farm.tool_command("piw-import", &["-y", path.to_str().unwrap()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let one = Wheel::pure("one", "1.0", "one").with_ballast(4_000_000).save(&dir);
    let two = Wheel::pure("two", "1.0", "two").with_ballast(4_000_000).save(&dir);
    let running: Vec<_> = [&one, &two].into_iter().map(|path| command(path).spawn().unwrap()).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
    assert_eq!(farm.crawl(), 2);
    // the same name with other bytes: one of them, whole
    let same = |says| Wheel::pure("same", "1.0", says).with_ballast(4_000_000);
    let (a, b) = (dir.join("a"), dir.join("b"));
    for part in [&a, &b] {
        fs::create_dir(part).unwrap();
    }
    let paths = [same("a").save(&a), same("b").save(&b)];
    let running: Vec<_> = paths.iter().map(|path| command(path).spawn().unwrap()).collect();
    let outputs: Vec<_> = running.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let codes: Vec<_> = outputs.iter().map(|output| output.status.code().unwrap()).collect();
    let said: Vec<_> = outputs.iter().map(text).collect();
    assert!(codes == [0, 1] || codes == [1, 0], "{codes:?} {said:?}");
    assert_eq!(farm.crawl(), 3);
    farm.wait_for_empty_spool();
    farm.audit();
}

#[test]
fn a_tool_that_is_gone_in_mid_import_leaves_nothing_and_it_may_be_done_again() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    let wheel = Wheel::pure("half", "1.0", "x").with_ballast(1_000_000);
    let client = farm.half_an_import(&wheel);
    until("the file in the spool", || farm.logs(), || (!farm.in_spool("i").is_empty()).then_some(()));
    drop(client);
    farm.wait_for_empty_spool();
    assert_eq!((farm.published(), farm.count("SELECT count(*) FROM piw.package")), (0, 0));
    farm.import_wheel(&wheel);
    assert_eq!(farm.crawl(), 1);
    farm.audit();
}

#[test]
fn a_master_killed_in_mid_import_ends_the_tool_with_one_line_and_the_next_master_takes_it() {
    let abi = abi_of(&python());
    let mut farm = Farm::start_durable(&[&abi], &[]);
    let wheel = Wheel::pure("torn", "1.0", "x").with_ballast(24 << 20);
    let path = wheel.save(&farm.path("run"));
    let command = farm.tool_command("piw-import", &["-y", "-d", path.to_str().unwrap()]);
    let mut tool = farm.spawn(command, "import");
    until(
        "a part of it in the spool",
        || farm.logs(),
        || {
            let part =
                farm.in_spool("i").into_iter().find(|path| path.extension().is_some_and(|end| end == "whl"));
            part.filter(|path| fs::metadata(path).is_ok_and(|part| part.len() > 0))
        },
    );
    farm.master().signal(Signal::SIGSTOP);
    assert_eq!(farm.published(), 0, "in the middle");
    farm.kill_master();
    assert_eq!(tool.wait(), 1);
    let said = tool.log();
    assert!(said.contains("closed the connection") && said.trim().lines().count() == 1, "{said}");
    assert!(path.exists(), "-d waits for DONE");
    farm.start_master();
    farm.wait_for_empty_spool();
    assert!(!farm.path("www/simple/torn/index.html").exists());
    let (code, said) = farm.import(&["-d", path.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    assert!(!path.exists());
    assert_eq!(farm.crawl(), 1);
    farm.audit();
}

#[test]
fn lists_of_many_builds_are_worked_through_and_each_is_told() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    let dir = farm.path("run");
    let path = |name, version| Wheel::pure(name, version, "x").save(&dir).to_str().unwrap().to_owned();
    let (a, b, c) = (path("a", "1.0"), path("b", "1.0"), path("c", "1.0"));
    let missing = dir.join("missing-1.0-py3-none-any.whl").to_str().unwrap().to_owned();
    let object = serde_json::json!({"files": [b], "duration": "7s"});
    let list = format!("# builds\n{a}\n\n{missing}\n{object}\n");
    let (code, said) = farm.tool("piw-import", &["-"], &list);
    assert_eq!(code, 2, "nobody can be asked: {said}");
    assert!(said.contains("-y"), "{said}");
    let (code, said) = farm.tool("piw-import", &["-y", "-"], &list);
    assert_eq!((code, farm.published()), (1, 1), "the first failure ends it: {said}");
    let (code, said) = farm.tool("piw-import", &["-y", "--keep-going", "--json", "-"], &list);
    assert_eq!((code, farm.published()), (1, 2), "{said}");
    let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told: Vec<_> = lines.iter().map(|line| (line["ok"].clone(), line["changed"].clone())).collect();
    let (yes, no) = (Value::from(true), Value::from(false));
    assert_eq!(told, [(yes.clone(), no.clone()), (no.clone(), no), (yes.clone(), yes)], "{said}");
    assert!(lines[1]["errors"][0].as_str().unwrap().contains("No such file"), "{said}");
    assert!(said.contains("1 of 3 failed"), "{said}");
    assert_eq!(farm.why("b", &abi).unwrap()["duration_ms"], 7000);
    let (code, said) = farm.tool("piw-import", &["-y", "-0", "-"], &format!("{c}\0"));
    assert_eq!((code, farm.published()), (0, 3), "{said}");
    assert_eq!(farm.crawl(), 3);
    farm.audit();
}

#[test]
fn it_asks_at_a_terminal_and_no_is_no() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    let path = Wheel::pure("asked", "1.0", "x").save(&farm.path("run"));
    let (code, said) = farm.tool("piw-import", &[path.to_str().unwrap()], "y\n");
    assert_eq!((code, farm.published()), (2, 0), "without a terminal nobody is asked: {said}");
    assert!(said.contains("-y (--yes)"), "{said}");
    let command = farm.tool_command("piw-import", &[path.to_str().unwrap()]);
    for answers in ["n\n", "\n", "y\nn\n"] {
        let Some((code, said)) = at_a_terminal(&command, answers) else { return };
        assert_eq!((code, farm.published()), (2, 0), "{answers:?}: {said}");
        assert!(said.contains("SHA-256") && said.contains("Import this? [y/N]"), "{said}");
        assert!(said.contains("declined; nothing was changed"), "{said}");
    }
    let Some((code, said)) = at_a_terminal(&command, "y\ny\n") else { return };
    assert!(said.contains("asked is new to this farm. Make it? [y/N]"), "{said}");
    assert_eq!((code, farm.published()), (0, 1), "{said}");
    farm.audit();
}

#[test]
fn without_a_master_it_says_so_and_ends() {
    let mut farm = Farm::start(&[], &[]);
    let path = Wheel::pure("late", "1.0", "x").save(&farm.path("run"));
    farm.kill_master();
    for (tool, argument) in [("piw-import", path.to_str().unwrap()), ("piw-remove", "late")] {
        let (code, said) = farm.tool(tool, &["-y", argument], "");
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("no master at ipc://") && said.trim().lines().count() == 1, "{said}");
        let (code, said) =
            farm.tool(tool, &["-y", "--keep-going", "-"], &format!("{argument}\n{argument}\n"));
        assert_eq!((code, said.trim().lines().count()), (1, 1), "it is the same for all: {said}");
        assert_eq!(farm.tool(tool, &["--no-such-option"], "").0, 2);
        let (code, said) = farm.tool(tool, &["--version"], "");
        assert!(code == 0 && said.starts_with(tool), "{said}");
    }
    farm.start_master();
    let output = farm.piw_command(&["import", "-y", path.to_str().unwrap()]).output().unwrap();
    assert!(text(&output).contains("piw abi add"), "piw has the same verb: {}", text(&output));
}
