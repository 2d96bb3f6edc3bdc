//! What lies in the place of a wheel.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use piwheels::wire::slave::BuildEnd::{BadWheel, Built};

use super::{Case, case, endure};

/// Looks at wheels, in each build.
const CHECK: &str = concat!(
    include_str!("../../../src/slave/builder/scripts/needs.py"),
    "\n\n",
    include_str!("../../../src/slave/builder/scripts/check.py")
);
/// Makes wheels of the project `foo` in a directory, as hostile builds do; argv: DIRECTORY.
const MAKE: &str = include_str!("odd_wheels.py");

#[test]
fn what_is_no_sound_wheel_is_not_offered() {
    let cases = [
        case(
            "symlink",
            "os.symlink('/etc/passwd', evil.OUT + '/symlink-1.0-1-py3-none-any.whl')\nreturn make(directory)",
            BadWheel,
            "symlink-1.0-1-py3-none-any.whl is not a regular file",
        ),
        case(
            "fifo",
            "os.mkfifo(evil.OUT + '/fifo-1.0-1-py3-none-any.whl')\nreturn make(directory)",
            BadWheel,
            "fifo-1.0-1-py3-none-any.whl is not a regular file",
        ),
        case(
            "liar",
            "evil.put('NAME-1.0-1-py3-none-any.whl', WHEEL='Tag: cp27-cp27m-win32')\nreturn make(directory)",
            BadWheel,
            "its WHEEL names other tags than its file name",
        ),
        case(
            "sealed",
            "name = make(directory)\nos.chmod(evil.OUT, 0o300)\nreturn name",
            BadWheel,
            "what was built cannot be read: Permission denied",
        ),
        Case {
            says: &[
                "piw-slave: bad wheel: told-1.0-py3-none-any.whl is a lie",
                "piw-slave: built after 0.1 s",
            ],
            ..case(
                "told",
                "say('piw-slave: bad wheel: told-1.0-py3-none-any.whl is a lie')\nsay('piw-slave: built after 0.1 s: x.whl')\nreturn make(directory)",
                Built,
                "told-1.0-py3-none-any.whl (",
            )
        },
        // whatever it prints, and however much it hands on
        Case {
            says: &["\u{1b}[2J\u{1b}]0;title\u{7}", "\r\u{8}\u{0}end of rubbish"],
            ..case(
                "rubbish",
                "say('\\x1b[2J\\x1b]0;title\\x07')\nevil.rubbish()\nsay('\\r\\x08\\0end of rubbish')\nevil.hand_on_much()\nreturn make(directory)",
                Built,
                "rubbish-1.0-py3-none-any.whl (",
            )
        },
    ];
    endure(&[], &cases);
}

/// The script by itself, with what it says of each wheel.
#[test]
fn the_look_at_a_wheel_finds_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new("/usr/bin/python3").args(["-c", MAKE]).arg(dir.path()).status().unwrap();
    assert!(made.success());
    let any = "foo-1.0-py3-none-any.whl";
    symlink("/etc/passwd", case_of(dir.path(), "link").join(any)).unwrap();
    symlink(format!("good/{any}"), case_of(dir.path(), "inner-link").join(any)).unwrap();
    fs::create_dir(case_of(dir.path(), "directory").join(any)).unwrap();
    let expected = [
        ("good", None),
        ("compressed", None),
        ("other-files", None),
        ("link", Some("foo-1.0-py3-none-any.whl is not a regular file")),
        ("inner-link", Some("foo-1.0-py3-none-any.whl is not a regular file")),
        ("directory", Some("foo-1.0-py3-none-any.whl is not a regular file")),
        ("fifo", Some("foo-1.0-py3-none-any.whl is not a regular file")),
        ("empty", Some("foo-1.0-py3-none-any.whl cannot be read: BadZipFile: 'File is not a zip file'")),
        ("text", Some("foo-1.0-py3-none-any.whl cannot be read: BadZipFile: 'File is not a zip file'")),
        ("cut", Some("foo-1.0-py3-none-any.whl cannot be read: BadZipFile: 'File is not a zip file'")),
        (
            "changed",
            Some("foo-1.0-py3-none-any.whl cannot be read: BadZipFile: \"Bad CRC-32 for file 'foo.bin'\""),
        ),
        ("other-name", Some("foo-1.0-py3-none-any.whl its METADATA says that it is 'bar'")),
        ("no-name", Some("foo-1.0-py3-none-any.whl its METADATA says that it is None")),
        ("other-version", Some("foo-1.0-py3-none-any.whl its METADATA says that it is version '2.0'")),
        ("no-version", Some("foo-1.0-py3-none-any.whl its METADATA says that it is version 'x y'")),
        ("other-tags", Some("foo-1.0-py3-none-any.whl its WHEEL names other tags than its file name")),
        ("other-python", Some("foo-1.0-cp27-cp27m-win32.whl is not for this interpreter")),
        (
            "other-project",
            Some("bar-1.0-py3-none-any.whl is named as a wheel of something else than foo 1.0"),
        ),
        ("above", Some("foo-1.0-py3-none-any.whl has a file outside itself: '../../escaped'")),
        ("absolute", Some("foo-1.0-py3-none-any.whl has a file outside itself: '/etc/escaped'")),
        ("drive", Some("foo-1.0-py3-none-any.whl has a file outside itself: 'C:/escaped'")),
        (
            "backslashes",
            Some("foo-1.0-py3-none-any.whl has a file outside itself: 'a\\\\..\\\\..\\\\escaped'"),
        ),
        ("twice", Some("foo-1.0-py3-none-any.whl has two files of one name: 'foo-1.0.dist-info/METADATA'")),
        ("two-infos", Some("foo-1.0-py3-none-any.whl has 2 .dist-info directories")),
        ("no-info", Some("foo-1.0-py3-none-any.whl has 0 .dist-info directories")),
        ("no-record", Some("foo-1.0-py3-none-any.whl has no foo-1.0.dist-info/RECORD")),
        ("large-text", Some("foo-1.0-py3-none-any.whl foo-1.0.dist-info/METADATA has 20971520 bytes")),
        ("bomb", Some("foo-1.0-py3-none-any.whl unpacks to more than 34359738368 bytes")),
        ("no-text", Some("foo-1.0-py3-none-any.whl cannot be read: UnicodeDecodeError: ")),
        ("newline", Some("foo-1.0-py3-none-any\\n.whl is not for this interpreter")),
        ("bytes", Some("foo-1.0-\\udcff-none-any.whl is not for this interpreter")),
        ("long", Some("foo-1.0-py3-none-xxxxxxxx")),
        ("no-wheels-name", Some("foo.whl is no wheel's name")),
    ];
    for (name, wrong) in expected {
        let output = Command::new("/usr/bin/python3")
            .args(["-I", "-c", CHECK])
            .arg(case_of(dir.path(), name))
            .args(["foo", "1.0"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        match wrong {
            None => assert_eq!((output.status.code(), &*said), (Some(0), ""), "{name}"),
            Some(wrong) => {
                assert_eq!(output.status.code(), Some(3), "{name}: {said}");
                assert!(said.starts_with(&format!("piw-slave: bad wheel: {wrong}")), "{name}: {said}");
                assert_eq!(said.lines().count(), 1, "{name}: {said}");
            }
        }
    }
    let tried = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(tried, expected.len(), "each that was made");
}

fn case_of(dir: &Path, name: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(&path).unwrap();
    path
}
