//! The account that tests run programs as: our own, or an ordinary one when we are root, because PostgreSQL refuses
//! root and the farm's programs are not meant for it. `PIW_TEST_USER` names that one; `nobody` otherwise.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{User, geteuid};

/// The ordinary account to use in our place, when we are root.
pub(crate) fn ordinary() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    let name = std::env::var("PIW_TEST_USER").unwrap_or_else(|_| "nobody".to_owned());
    let user = User::from_name(&name).unwrap();
    Some(user.unwrap_or_else(|| panic!("account {name} does not exist; name another in PIW_TEST_USER")))
}

/// A command that runs as the ordinary account, in a directory it may be in.
pub(crate) fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir("/");
    if let Some(user) = ordinary() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw()).env("HOME", "/");
    }
    command
}

/// Gives a path to the ordinary account.
pub(crate) fn give(path: &Path) {
    if let Some(user) = ordinary() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
}

/// Makes a program runnable by the ordinary account, which may not be allowed into the build's directory: copied into
/// `dir` when we are root, as it is otherwise.
pub(crate) fn runnable(program: &str, dir: &Path) -> PathBuf {
    let program = PathBuf::from(program);
    if ordinary().is_none() {
        return program;
    }
    let copy = dir.join(program.file_name().unwrap());
    if copy.exists() {
        return copy;
    }
    fs::copy(&program, &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    copy
}
