//! The directory in which a slave builds: its own, locked, and empty when the slave begins and ends.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::builder::BUILD_DIR_PREFIX;
use super::trees;

const LOCK_FILE: &str = "piw-slave.lock";

/// A slave's directory, locked as long as this lives.
#[derive(Debug)]
pub struct Workdir {
    path: PathBuf,
    /// Made by this process, and to be removed with everything in it.
    private: bool,
    _lock: Flock<File>,
}

impl Workdir {
    /// Takes the directory that was named, and clears it of what a slave that died there has left; without one, makes
    /// a fresh one in `$TMPDIR` or `/tmp`. The error is for people.
    pub fn open(given: Option<&Path>) -> Result<Self, String> {
        let (path, private) = match given {
            Some(path) => {
                let cannot =
                    |e: io::Error| format!("cannot use {}: {e}; name another with --dir", path.display());
                DirBuilder::new().mode(0o700).recursive(true).create(path).map_err(cannot)?;
                (fs::canonicalize(path).map_err(cannot)?, false)
            }
            None => (make_private(&std::env::temp_dir())?, true),
        };
        let lock = take_lock(&path)?;
        let workdir = Self { path, private, _lock: lock };
        workdir.clear()?;
        Ok(workdir)
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what builds have left, under the lock.
    fn clear(&self) -> Result<(), String> {
        let cannot = |e: io::Error| format!("cannot clear {}: {e}", self.path.display());
        for entry in fs::read_dir(&self.path).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            if is_build_dir(&entry.file_name().to_string_lossy()) {
                log::info!("removing {}, which an earlier slave has left", entry.path().display());
                trees::remove(&entry.path()).map_err(cannot)?;
            }
        }
        Ok(())
    }

    /// Ends the use of it: one made for this process goes, one that was named stays, empty.
    pub fn close(self) {
        let removed =
            if self.private { trees::remove(&self.path).map_err(|e| e.to_string()) } else { self.clear() };
        if let Err(e) = removed {
            log::warn!("{} is left: {e}", self.path.display());
        }
    }
}

fn is_build_dir(name: &str) -> bool {
    name.strip_prefix(BUILD_DIR_PREFIX)
        .is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
}

/// A directory of this process alone. In a directory for all, a name that exists already is somebody else's.
fn make_private(parent: &Path) -> Result<PathBuf, String> {
    let parent = fs::canonicalize(parent).map_err(|e| format!("cannot use {}: {e}", parent.display()))?;
    let pid = std::process::id();
    for attempt in 0..100 {
        let name =
            if attempt == 0 { format!("piw-slave-{pid}") } else { format!("piw-slave-{pid}-{attempt}") };
        let path = parent.join(name);
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(format!("cannot make {}: {e}", path.display())),
        }
    }
    Err(format!("too many directories of dead slaves in {}", parent.display()))
}

fn take_lock(dir: &Path) -> Result<Flock<File>, String> {
    let path = dir.join(LOCK_FILE);
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|e| format!("cannot open {}: {e}", path.display()))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, e)| match e {
        Errno::EWOULDBLOCK => format!("another slave builds in {}; give each its own --dir", dir.display()),
        e => format!("cannot lock {}: {e}", path.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_named_directory_is_cleared_of_dead_builds_and_of_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["build-12/home", "build-x", "mine"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let workdir = Workdir::open(Some(dir.path())).unwrap();
        let mut names: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["build-x", "mine", LOCK_FILE]);
        fs::create_dir(dir.path().join("build-13")).unwrap();
        workdir.close();
        assert!(!dir.path().join("build-13").exists() && dir.path().join("mine").exists());
    }

    #[test]
    fn two_slaves_do_not_share_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = Workdir::open(Some(dir.path())).unwrap();
        fs::create_dir(dir.path().join("build-1")).unwrap();
        assert!(Workdir::open(Some(dir.path())).unwrap_err().contains("another slave"));
        assert!(dir.path().join("build-1").exists());
        drop(first);
        Workdir::open(Some(dir.path())).unwrap();
    }

    #[test]
    fn an_unnamed_directory_is_private_and_goes_with_its_slave() {
        let parent = tempfile::tempdir().unwrap();
        let path = make_private(parent.path()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_ne!(make_private(parent.path()).unwrap(), path, "never one that was there before");
    }
}
