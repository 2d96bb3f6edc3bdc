//! Landlock (landlock(7)): the kernel refuses every use of a file that no rule allows, whoever runs and whatever is
//! mounted. From version 2 on, since version 1 refuses every rename between directories, which builds do; its scopes
//! (version 6) keep signals and abstract sockets inside.

use std::io;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::sys::{self, Ruleset};

const OLDEST: u32 = 2;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEVICE: u64 = 1 << 15;

const READ: u64 = EXECUTE | READ_FILE | READ_DIR;
/// What may be done with a file that is no directory.
const FILE: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE;

/// Abstract sockets, and signals.
const SCOPES: u64 = 1 | 2;

/// How a path may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The names in directories, and nothing else.
    List,
    Read,
    Write,
}

/// The version that the kernel has, if it is new enough.
pub(super) fn version() -> Result<u32, String> {
    match sys::landlock_version() {
        Ok(version) if version >= OLDEST => Ok(version),
        Ok(version) => Err(format!("the kernel's Landlock has version {version}, {OLDEST} is needed")),
        Err(e) => Err(format!("the kernel has no Landlock: {e}")),
    }
}

/// Allows this process and its children these paths, and nothing else. Paths that are not there are passed over.
pub(super) fn enforce<'a>(
    version: u32,
    paths: impl IntoIterator<Item = (&'a Path, Access)>,
) -> io::Result<()> {
    let all = all(version);
    let ruleset =
        Ruleset { handled_files: all, handled_net: 0, scoped: if version >= 6 { SCOPES } else { 0 } };
    let known = match version {
        ..=3 => 8,
        4..=5 => 16,
        _ => 24,
    };
    let rules = sys::landlock_ruleset(&ruleset, known)?;
    for (path, access) in paths {
        let Ok(file) = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()) else { continue };
        let allowed = match access {
            Access::List => READ_DIR,
            Access::Read => READ,
            Access::Write => all,
        };
        let allowed = if path.is_dir() { allowed } else { allowed & FILE & all };
        sys::landlock_allow(&rules, &file, allowed)?;
    }
    sys::landlock_enforce(&rules)
}

/// Every action on files that this version knows.
const fn all(version: u32) -> u64 {
    let mut all = (REFER << 1) - 1;
    if version >= 3 {
        all |= TRUNCATE;
    }
    if version >= 5 {
        all |= IOCTL_DEVICE;
    }
    all
}
