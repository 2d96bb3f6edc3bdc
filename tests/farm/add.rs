//! `piw add`: everything or nothing.

use std::io::Write;
use std::process::Stdio;

use crate::kit::farm::{Farm, text};
use crate::kit::sdist::Recipe;

#[test]
fn unknown_packages_and_versions_are_named_and_nothing_is_half_done() {
    let farm = Farm::start(&["cp311"], &[]);
    farm.index.offer(&Recipe::pure("good", "1.0"));
    let output = farm.piw_command(&["add", "good", "nonesuch", "good==9.9", "good>2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output);
    assert!(printed.contains("piw: nonesuch: no such package on the index"), "{printed}");
    assert!(
        printed.contains("piw: good: no version ==9.9 with a source distribution; the newest is 1.0"),
        "{printed}"
    );
    assert!(printed.ends_with("piw: nothing was added\n"), "{printed}");
    assert_eq!(printed.lines().count(), 4, "one line for each: {printed}");
    assert_eq!(farm.count("SELECT count(*) FROM piw.version"), 0);
    let output = farm.piw_command(&["why", "good"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("not on this farm's list"), "{}", text(&output));
}

#[test]
fn the_newest_fitting_version_is_queued_under_its_canonical_name_and_twice_changes_nothing() {
    let farm = Farm::start(&["cp311"], &[]);
    for version in ["1.9", "1.10", "2.0b1"] {
        farm.index.offer(&Recipe::pure("good_package", version));
    }
    assert_eq!(farm.piw(&["add", "Good.Package"]), "good-package 1.10: queued for cp311\n");
    let again = farm.piw(&["add", "good-package==1.10"]);
    assert!(again.contains("was queued for cp311 already"), "{again}");
    farm.piw(&["add", "good-package<1.10"]);
    assert_eq!(farm.count("SELECT count(*) FROM piw.version"), 2);
    assert_eq!(farm.count("SELECT count(*) FROM piw.queue"), 2);
    farm.audit();
}

#[test]
fn lists_come_from_files_and_from_standard_input() {
    let farm = Farm::start(&["cp311"], &[]);
    for name in ["a", "b", "c"] {
        farm.index.offer(&Recipe::pure(name, "1.0"));
    }
    let list = farm.path("run/list.txt");
    std::fs::write(&list, "# ours\na==1.0 --hash=sha256:00\n\nb>=0.5 ; python_version >= '3'\n").unwrap();
    farm.piw(&["add", "-r", list.to_str().unwrap()]);
    let mut command = farm.piw_command(&["add", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"c\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output), "c 1.0: queued for cp311\n");
    assert_eq!(farm.count("SELECT count(*) FROM piw.queue"), 3);

    std::fs::write(&list, "a\n-e .\nb b\n").unwrap();
    let output = farm.piw_command(&["add", "-r", list.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("list.txt, line 2: the option -e"), "{}", text(&output));
    assert!(text(&output).contains("nothing was added"));
}

#[test]
fn what_is_for_another_system_is_left_out_of_a_list_and_named() {
    let farm = Farm::start(&["cp311"], &[]);
    farm.index.offer(&Recipe::pure("a", "1.0"));
    let list = farm.path("run/list.txt");
    std::fs::write(&list, "a\npywin32>=300 ; sys_platform == \"win32\"\n").unwrap();
    let output = farm.piw_command(&["add", "-r", list.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(text(&output), "a 1.0: queued for cp311\npiw: skipped: pywin32 is for another system\n");
    // a list with nothing for this system is no error, and adds nothing
    let output = farm.piw_command(&["add", "pywin32; os_name == 'nt'"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(farm.count("SELECT count(*) FROM piw.version"), 1);
}

#[test]
fn a_tool_whose_answer_nobody_reads_ends_without_a_word() {
    let farm = Farm::start(&["cp311"], &[]);
    farm.index.offer(&Recipe::pure("a", "1.0"));
    for arguments in [&["add", "a"][..], &["why", "a"], &["why", "--json", "a"], &["abi", "list"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = farm.piw_command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
        assert_eq!(text(&output), "", "{arguments:?}");
    }
}

#[test]
fn packages_added_before_any_abi_wait_for_one() {
    let farm = Farm::start(&[], &[]);
    farm.index.offer(&Recipe::pure("early", "1.0"));
    let said = farm.piw(&["add", "early"]);
    assert!(said.contains("on the list; queued when an ABI is added"), "{said}");
    let said = farm.piw(&["add", "early"]);
    assert!(said.contains("was on the list already; queued when an ABI is added"), "{said}");
    let said = farm.piw(&["abi", "add", "cp311"]);
    assert_eq!(said, "cp311: added; what the farm knows is queued for it in pieces, while it builds\n");
    farm.wait_for_state("early==1.0", "cp311", "queued");
    assert!(farm.piw(&["abi", "add", "cp39"]).starts_with("cp39: added; "));
    assert_eq!(farm.piw(&["abi", "add", "cp39"]), "cp39: was there already\n");
    let list = farm.piw(&["abi", "list"]);
    assert!(
        list.find("cp39").unwrap() < list.find("cp311").unwrap(),
        "by Python version, not by text: {list}"
    );
}
