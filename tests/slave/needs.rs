//! What wheels need of Debian: the script that looks at them, against odd files and a dpkg of the test's own.

use std::process::Command;

#[test]
fn what_a_library_asks_for_is_read_whatever_it_is_and_its_packages_are_found() {
    let script = [
        include_str!("../../src/slave/builder/scripts/needs.py"),
        include_str!("elf.py"),
        include_str!("needs.py"),
    ]
    .join("\n\n");
    let done = Command::new("/usr/bin/python3").args(["-I", "-c", &script]).output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && done.stdout == b"done\n", "{errors}");
}
