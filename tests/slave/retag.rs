//! The build tag that a slave gives the wheels of a rebuild.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::rig::Rig;

/// Gives the tag, and looks at wheels, in each build.
const RETAG: &str = include_str!("../../src/slave/builder/scripts/retag.py");
const CHECK: &str = concat!(
    include_str!("../../src/slave/builder/scripts/needs.py"),
    "\n\n",
    include_str!("../../src/slave/builder/scripts/check.py")
);
/// Makes wheels of foo 1.0 in a directory for each case; argv: DIRECTORY.
const MAKE: &str = include_str!("retag.py");
/// Says what is in a wheel; argv: WHEEL.
const LOOK: &str = include_str!("look.py");

fn python(script: &str, directory: &Path, rest: &[&str]) -> Output {
    Command::new("/usr/bin/python3").args(["-I", "-c", script]).arg(directory).args(rest).output().unwrap()
}

fn made() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let output = python(MAKE, dir.path(), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    dir
}

/// Gives the wheels of a directory tag 3; the exit code and what was printed.
fn retag(directory: &Path) -> (Option<i32>, String) {
    let output = python(RETAG, directory, &["3"]);
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(printed).unwrap())
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A wheel's entries, in their order.
fn look(wheel: &Path) -> Vec<Value> {
    let output = python(LOOK, wheel, &[]);
    assert!(output.status.success(), "{wheel:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn copy_of(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in names(directory) {
        fs::copy(directory.join(&name), copy.path().join(&name)).unwrap();
    }
    copy
}

const PLAIN: &str = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n";

#[test]
fn a_wheel_gets_the_tag_and_keeps_everything_else() {
    let dir = made();
    let last = format!("{PLAIN}Tag: py3-none-any\nBuild: 3\n");
    let in_place = format!("{PLAIN}Build: 3\nTag: py3-none-any\n");
    for (case, wheel) in [
        ("packed", last.clone()),
        ("stored", last.clone()),
        ("streamed", last.clone()),
        ("long", last.clone()),
        ("long-streamed", last.clone()),
        ("comment", last.clone()),
        ("windows", last.replace('\n', "\r\n")),
        ("no-newline", last.clone()),
        ("had-one", in_place.clone()),
        ("had-two", in_place),
        ("had-this", last.clone()),
        ("behind-header", format!("{last}\nBuild: 5\n")),
    ] {
        let directory = dir.path().join(case);
        let again = copy_of(&directory);
        let before = look(&directory.join(&names(&directory)[0]));
        assert_eq!(retag(&directory), (Some(0), String::new()), "{case}");
        assert_eq!(names(&directory), ["foo-1.0-3-py3-none-any.whl"], "{case}");
        let file = directory.join("foo-1.0-3-py3-none-any.whl");
        let after = look(&file);
        assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(&after) {
            let name = after[0][0].as_str().unwrap();
            assert_eq!(before[0], after[0], "{case}: {name}: name, time, rights, packing");
            if name.ends_with("/WHEEL") {
                assert_eq!(after[2], wheel, "{case}");
            } else if !name.ends_with("/RECORD") {
                assert_eq!(before, after, "{case}: {name}: byte for byte");
            }
        }
        let checked = python(CHECK, &directory, &["foo", "1.0"]);
        assert_eq!(checked.status.code(), Some(0), "{case}: {}", String::from_utf8_lossy(&checked.stdout));
        retag(again.path());
        let other = fs::read(again.path().join("foo-1.0-3-py3-none-any.whl")).unwrap();
        assert!(fs::read(&file).unwrap() == other, "{case}: two runs make the same file");
    }
    let two = dir.path().join("two-wheels");
    assert_eq!(retag(&two), (Some(0), String::new()));
    assert_eq!(names(&two), ["foo-1.0-3-py2-none-any.whl", "foo-1.0-3-py3-none-any.whl"]);
}

#[test]
fn a_wheel_that_cannot_have_one_is_said_to_be_bad() {
    let dir = made();
    for (case, wrong) in [
        ("one-name", "would have the name of another wheel beside it with build tag 3"),
        ("no-wheel", "has 0 files foo-1.0.dist-info/WHEEL"),
        ("no-record", "has 0 files foo-1.0.dist-info/RECORD"),
        ("wheel-twice", "has 2 files foo-1.0.dist-info/WHEEL"),
        ("two-infos", "has 2 .dist-info directories"),
        ("signed", "is signed, and would not be with a build tag: it has foo-1.0.dist-info/RECORD.jws"),
        ("signed-too", "is signed, and would not be with a build tag: it has foo-1.0.dist-info/RECORD.p7s"),
        ("record-without", "its RECORD has 0 lines for foo-1.0.dist-info/WHEEL"),
        ("record-twice", "its RECORD has 2 lines for foo-1.0.dist-info/WHEEL"),
        ("folded", "its WHEEL has lines that go on"),
        ("other-packing", "has foo-1.0.dist-info/WHEEL encrypted, or packed in a way that is not known here"),
        ("large-record", "foo-1.0.dist-info/RECORD has 20971520 bytes"),
        ("bomb", "has foo-1.0.dist-info/WHEEL with other bytes than it promises"),
        ("two-ends", "is no zip archive of one part that ends where it should"),
        ("text", "is no zip archive"),
        ("cut", "is no zip archive"),
        ("before", "has a directory that is not at its end"),
        ("behind", "is no zip archive of one part that ends where it should"),
        ("encrypted", "has foo-1.0.dist-info/WHEEL encrypted, or packed in a way that is not known here"),
        ("other-header", "has an entry that is not what its directory says: foo-1.0.dist-info/WHEEL"),
    ] {
        let (code, said) = retag(&dir.path().join(case));
        assert_eq!((code, said.lines().count()), (Some(3), 1), "{case}: {said}");
        assert!(said.starts_with("piw-slave: bad wheel: foo-1.0-"), "{case}: {said}");
        assert!(said.contains(&format!(".whl {wrong}")), "{case}: {said}");
    }
}

/// Builds foo 1.0, whose backend has this body, with a build tag: exit code, report and log.
fn build(rig: &Rig, body: &str, tag: &str) -> (Option<i32>, Value, String) {
    rig.index.add("foo", body);
    let mut command = rig.command();
    command.args([
        "--build",
        "foo==1.0",
        "--build-tag",
        tag,
        "--python",
        "/usr/bin/python3",
        "--import-test",
    ]);
    command.args(["--index-url", &rig.index.url()]).arg("--dir").arg(rig.work()).arg("--out").arg(out(rig));
    let output = command.arg("--expose").arg(rig.dir.path()).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), log)
}

fn out(rig: &Rig) -> PathBuf {
    rig.work().join("wheels")
}

#[test]
fn what_a_slave_builds_with_a_tag_is_checked_and_imported_as_it_is_offered() {
    let rig = Rig::new();
    let (code, report, log) = build(&rig, "return make(directory, 1000)", "12");
    assert_eq!((code, &report["outcome"]), (Some(0), &"built".into()), "{log}");
    assert_eq!(report["files"][0]["filename"], "foo-1.0-12-py3-none-any.whl");
    for line in [
        "checking what was built",
        "giving it build tag 12",
        "checking what has that tag now",
        "imported foo",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    let wheel = fs::read(out(&rig).join("foo-1.0-12-py3-none-any.whl")).unwrap();
    assert_eq!(report["files"][0]["sha256"], piwheels::wire::Sha256::of(&wheel).to_string());
    assert_eq!(rig.left(), ["wheels"]);
}

#[test]
fn a_tag_of_the_backends_own_gives_way_and_stays_where_none_is_asked_for() {
    // as a backend does that was told a build number
    let body = "global WHEEL\nWHEEL += 'Build: 7\\n'\nname = make(directory)\n\
                new = name.replace('-py3', '-7-py3')\n\
                os.rename(os.path.join(directory, name), os.path.join(directory, new))\nreturn new";
    for (tag, built) in [("8", "foo-1.0-8-py3-none-any.whl"), ("0", "foo-1.0-7-py3-none-any.whl")] {
        let rig = Rig::new();
        let (code, report, log) = build(&rig, body, tag);
        assert_eq!((code, &report["outcome"]), (Some(0), &"built".into()), "{log}");
        assert_eq!(report["files"][0]["filename"], built, "{log}");
    }
}

#[test]
fn a_name_and_a_wheel_that_disagree_or_a_wheel_that_cannot_have_the_tag_are_bad() {
    let rename = "name = make(directory)\nnew = name.replace('-py3', '-7-py3')\n\
                  os.rename(os.path.join(directory, name), os.path.join(directory, new))\nreturn new";
    let signed = "name = make(directory)\nwith zipfile.ZipFile(os.path.join(directory, name), 'a') as z:\n    \
                  z.writestr(INFO + '/RECORD.jws', '{}')\nreturn name";
    let digits = "global WHEEL\nWHEEL += 'Build: 1234567890123456\\n'\nname = make(directory)\n\
                  new = name.replace('-py3', '-1234567890123456-py3')\n\
                  os.rename(os.path.join(directory, name), os.path.join(directory, new))\nreturn new";
    for (body, tag, wrong) in [
        (rename, "0", "its WHEEL has build tag '', its file name '7'"),
        (signed, "1", "is signed, and would not be with a build tag: it has foo-1.0.dist-info/RECORD.jws"),
        (digits, "0", "its build tag has more than 15 digits"),
    ] {
        let rig = Rig::new();
        let (code, report, log) = build(&rig, body, tag);
        assert_eq!((code, &report["outcome"]), (Some(1), &"bad-wheel".into()), "{log}");
        assert!(log.lines().last().unwrap().contains(wrong), "{log}");
        assert_eq!(rig.left(), ["wheels"]);
    }
}
