//! `piw-slave --build` and `--check`: without a master, for authors of packages and owners of boards.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use piwheels::wire::Sha256;
use serde_json::Value;

use crate::rig::{Rig, processes, wait_until};

/// Starts `--build foo==1.0` from the rig's index, into the directory [`out`].
fn start(rig: &Rig, arguments: &[&str]) -> Child {
    let mut command = rig.command();
    command.args(["--build", "foo==1.0", "--python", "/usr/bin/python3", "--index-url", &rig.index.url()]);
    command.arg("--dir").arg(rig.work()).arg("--out").arg(out(rig)).arg("--expose").arg(rig.dir.path());
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Within the slave's directory, since that is the one place where it may write.
fn out(rig: &Rig) -> PathBuf {
    rig.work().join("wheels")
}

fn build(rig: &Rig, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let Output { status, stdout, stderr } = start(rig, arguments).wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&stderr).into_owned();
    let report = serde_json::from_slice(&stdout).unwrap_or_else(|e| panic!("{e}: {log}"));
    (status.code(), report, log)
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn a_package_is_built_alone_with_everything_that_a_report_says() {
    let rig = Rig::new();
    rig.index.add("foo", "say('hello from the build')\nreturn make(directory)");
    let (code, report, log) = build(&rig, &["--import-test"]);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!((&report["package"], &report["version"]), (&"foo".into(), &"1.0".into()));
    assert_eq!(report["outcome"], "built");
    let file = &report["files"][0];
    let wheel = fs::read(out(&rig).join(file["filename"].as_str().unwrap())).unwrap();
    assert_eq!(file["sha256"], Sha256::of(&wheel).to_string());
    assert_eq!(file["size"], wheel.len());
    assert_eq!(report["sdist"]["filename"], "foo-1.0.tar.gz");
    assert_eq!(report["sdist"]["sha256"].as_str().unwrap().len(), 64);
    assert!(report["interpreter"].as_str().unwrap().starts_with("CPython 3."), "{report}");
    assert!(report["pip_arguments"].as_str().unwrap().contains("--no-binary foo"), "{report}");
    assert!(report["peak_memory"].as_u64().unwrap() > 1 << 20 && report["cpu_ms"].as_u64().unwrap() > 0);
    assert!(strings(&report["walls"]).contains(&"no-new-privileges"), "{report}");
    assert!(log.contains("hello from the build") && log.contains("imported foo"), "{log}");
    assert_eq!(fs::read_to_string(out(&rig).join("foo-1.0.log")).unwrap(), log, "the log is what was shown");
    assert_eq!(rig.left(), ["wheels"]);
}

/// Its wheel holds a library that asks for one of Debian's, for one that every system has and for one that nobody has. What
/// the build itself says is no word of whoever looks at the wheel.
#[test]
fn the_packages_that_a_wheel_needs_are_named() {
    if !std::path::Path::new("/var/lib/dpkg/info").is_dir() {
        crate::rig::skip("the_packages_that_a_wheel_needs_are_named", "there is no dpkg");
        return;
    }
    let rig = Rig::new();
    let body = "print('piw-slave: needs sudo', flush=True)\nname = make(directory)\n\
                with zipfile.ZipFile(os.path.join(directory, name), 'a') as z:\n    \
                z.writestr('foo/_foo.so', elf(['liblzma.so.5', 'libc.so.6', 'libnobody.so.7']))\nreturn name";
    rig.index.add("foo", &format!("{}\n{body}", include_str!("elf.py")));
    let (code, report, log) = build(&rig, &[]);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(strings(&report["apt"]), ["liblzma5"], "{log}");
}

#[test]
fn a_package_that_fails_alone_ends_with_1_and_says_why() {
    let rig = Rig::new();
    rig.index.add("foo", "raise SystemExit('there is no such header')");
    let (code, report, log) = build(&rig, &[]);
    assert_eq!((code, &report["outcome"]), (Some(1), &"failed".into()), "{log}");
    assert_eq!(strings(&report["files"]), [""; 0]);
    assert!(log.contains("there is no such header"), "{log}");
    assert_eq!(rig.left(), ["wheels"]);
}

/// The module that the wheel has says that it needs a library which nobody has.
#[test]
fn a_wheel_whose_module_cannot_be_imported_is_not_one_to_offer() {
    let rig = Rig::new();
    let body = "name = make(directory)\nwith zipfile.ZipFile(os.path.join(directory, name), 'a') as z:\n    \
                z.writestr('other.py', 'import no_such_library')\nreturn name";
    rig.index.add("foo", body);
    let (code, report, log) = build(&rig, &["--import-test"]);
    assert_eq!((code, &report["outcome"]), (Some(1), &"bad-wheel".into()), "{log}");
    assert!(log.lines().last().unwrap().contains("its module other cannot be imported"), "{log}");
    let (code, report, log) = build(&rig, &[]);
    assert_eq!((code, &report["outcome"]), (Some(0), &"built".into()), "without the test: {log}");
}

#[test]
fn what_a_wheel_requires_and_nobody_has_says_nothing_against_it() {
    let rig = Rig::new();
    let body = "global META\nMETA += 'Requires-Dist: nowhere\\n'\nreturn make(directory)";
    rig.index.add("foo", body);
    let (code, report, log) = build(&rig, &["--import-test"]);
    assert_eq!((code, &report["outcome"]), (Some(0), &"built".into()), "{log}");
    assert!(log.contains("it cannot be installed here with what it requires, and is not imported"), "{log}");
}

/// What a build needs: a wheel that it declares, which requires another; a source distribution that it declares, which
/// needs something itself; and what its backend asks for when it is run.
#[test]
fn without_a_network_everything_that_a_build_needs_is_fetched_before() {
    let rig = Rig::new();
    for name in ["inner", "asked", "helper"] {
        rig.index.add_requiring(
            name,
            "return make(directory)",
            if name == "helper" { &["inner"] } else { &[] },
            &[],
        );
    }
    // setuptools and wheel are fetched for whoever may want them, and this index has none
    let body = "import asked, helper\nimport socket\nsay('interfaces', socket.if_nameindex())\nreturn make(directory)";
    rig.index.add_requiring("foo", body, &["helper"], &["asked"]);
    let (code, report, log) = build(&rig, &["--net", "off"]);
    assert_eq!((code, &report["outcome"]), (Some(0), &"built".into()), "{log}");
    assert!(log.contains("the build wants asked, which was not fetched yet"), "{log}");
    assert!(log.contains("interfaces [(1, 'lo')]"), "loopback and nothing else: {log}");
    assert_eq!(strings(&report["requirements"]), ["helper-1.0", "asked-1.0"], "{log}");
    assert!(strings(&report["walls"]).contains(&"net-off"));
    assert!(report["pip_arguments"].as_str().unwrap().contains("--no-index --find-links deps"), "{report}");
}

#[test]
fn what_is_nowhere_is_missed_and_not_looked_for_without_end() {
    let rig = Rig::new();
    rig.index.add_requiring("foo", "return make(directory)", &[], &["nowhere"]);
    let (code, report, log) = build(&rig, &["--net", "off"]);
    assert_eq!((code, &report["outcome"]), (Some(1), &"failed".into()), "{log}");
    assert!(log.contains("nothing on the index satisfies nowhere"), "{log}");
    assert!(log.matches("the build wants nowhere").count() < 5, "{log}");
}

#[test]
fn a_signal_ends_a_build_alone_and_leaves_nothing_of_it() {
    let rig = Rig::new();
    let mark = format!("piw-test-mark-alone-{}", std::process::id());
    rig.index.add("foo", &crate::escaping(&rig, &mark).replace("build-7", "build-1"));
    let child = start(&rig, &[]);
    wait_until("the build to get away", || processes(&mark).len() == 1);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["outcome"]), (Some(1), &"cancelled".into()));
    assert_eq!(processes(&mark), [""; 0]);
    assert_eq!(rig.left(), ["wheels"]);
}

#[test]
fn wrong_usage_is_one_line_and_2() {
    let rig = Rig::new();
    for (arguments, said) in [
        (&["--build", "foo"][..], "PACKAGE==VERSION"),
        (&["--build", "foo==-r/etc/passwd"], "is not a version"),
        (&["--out", "wheels"], "--out, --index-url and --build-tag are for --build"),
        (&["--build", "foo==1.0", "--out", "/usr"], "--out /usr: "),
        (&["--check", "--require", "moat"], "\"moat\" is none of namespaces,"),
        (&["--check", "--net", "maybe"], "neither on nor off"),
        (&["--check", "--expose", "relative"], "not an absolute path"),
        (&["--check", "--python", "/no/such/python"], "/no/such/python: cannot be run"),
        (&["--check", "--require", "net-off"], "net-off: can be had, with --net off"),
    ] {
        let output = rig.command().arg("--dir").arg(rig.work()).args(arguments).output().unwrap();
        let said_was = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said_was}");
        assert!(said_was.contains(said) && said_was.lines().count() == 1, "{arguments:?}: {said_was}");
    }
    assert_eq!(rig.left(), [""; 0]);
}

#[test]
fn a_board_says_what_it_can_do() {
    let rig = Rig::new();
    let output = rig
        .command()
        .args(["--check", "--python", "/usr/bin/python3", "--dir"])
        .arg(rig.work())
        .output()
        .unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{table}");
    for what in
        ["interpreter", "C compiler", "memory", "disk", "namespaces", "seccomp", "landlock", "tree-kill"]
    {
        assert!(table.lines().any(|line| line.starts_with(what)), "{what}: {table}");
    }
    assert!(table.ends_with("This board can build.\n"), "{table}");
    assert_eq!(rig.left(), [""; 0]);
}
