//! Trees of files that strangers made: deeper than a path may be long, without rights, with every name that there is.
//!
//! They are walked from one open directory to the next, by single names, without recursion: a walk holds two or three
//! open files and, for each level that it is down, a name. It follows no links.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::libc::{S_IFDIR, S_IFMT};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// What a walk keeps of names that are still to come, and of files with several names: who makes more of them than any
/// package has is over the limit.
const MOST_PENDING: usize = 100_000;

/// Removes a file or a directory with all in it, also where a build has taken its own rights to it away.
pub fn remove(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let mut at = match open(parent, PLACE, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(()),
        place => place?,
    };
    let Some(mut down) = remove_entry(&at, &CString::new(name.as_bytes())?)? else { return Ok(()) };
    let mut above: Vec<(Id, CString)> = Vec::new();
    loop {
        let inside = enter(&at, &down, true)?;
        above.push((Id::of(&fstat(&at)?), down));
        at = inside;
        down = loop {
            if let Some(name) = clear(&at)? {
                break name;
            }
            let Some((id, name)) = above.pop() else { return Ok(()) };
            at = leave(&at, id)?;
            unlinkat(&at, name.as_c_str(), UnlinkatFlags::RemoveDir)?;
            if above.is_empty() {
                return Ok(());
            }
        };
    }
}

/// What the files below a directory take on the disk, in bytes; counting ends when it is more than `enough`. With
/// `unseal`, directories that their owner cannot look into are opened first, and stay so.
pub fn bytes(top: &Path, enough: u64, unseal: bool) -> u64 {
    let mut count = Count { total: 0, pending: 0, linked: HashSet::new() };
    // what cannot be looked at has changed or gone since, and is looked at the next time
    let _ = count.walk(top, enough, unseal);
    count.total
}

struct Count {
    total: u64,
    pending: usize,
    /// Files that have been counted by another of their names.
    linked: HashSet<Id>,
}

impl Count {
    fn walk(&mut self, top: &Path, enough: u64, unseal: bool) -> io::Result<()> {
        let mut at = open(top, PLACE, Mode::empty())?;
        let mut above: Vec<(Id, Vec<CString>)> = Vec::new();
        let mut here = self.list(&at)?;
        while self.total <= enough {
            if self.pending > MOST_PENDING || self.linked.len() > MOST_PENDING {
                self.total = u64::MAX;
            } else if let Some(name) = here.pop() {
                self.pending -= 1;
                let Ok(inside) = enter(&at, &name, unseal) else { continue };
                let Ok(names) = self.list(&inside) else { continue };
                above.push((Id::of(&fstat(&at)?), std::mem::replace(&mut here, names)));
                at = inside;
            } else {
                let Some((id, names)) = above.pop() else { break };
                at = leave(&at, id)?;
                here = names;
            }
        }
        Ok(())
    }

    /// Counts what is in a directory; the directories in it.
    fn list(&mut self, at: &OwnedFd) -> io::Result<Vec<CString>> {
        let mut directories = Vec::new();
        for entry in read(at)?.iter() {
            let entry = entry?;
            let name = entry.file_name();
            if is_dots(name) {
                continue;
            }
            let Ok(stat) = fstatat(at, name, AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
            if is_directory(&stat) {
                directories.push(name.to_owned());
                self.pending += 1;
                if self.pending > MOST_PENDING {
                    break;
                }
            } else if stat.st_nlink > 1 && !self.linked.insert(Id::of(&stat)) {
                continue;
            }
            // a link's own size, and what a file has, not how long it says it is; the name alone takes something
            self.total += (u64::try_from(stat.st_blocks).unwrap_or(0) * 512).max(512);
        }
        Ok(directories)
    }
}

/// A place to go on from, which need not be readable.
const PLACE: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Id(u64, u64);

impl Id {
    fn of(stat: &FileStat) -> Self {
        #[allow(
            clippy::useless_conversion,
            clippy::unnecessary_cast,
            reason = "their types differ between systems"
        )]
        Self(stat.st_dev as u64, stat.st_ino as u64)
    }
}

fn is_directory(stat: &FileStat) -> bool {
    stat.st_mode & S_IFMT == S_IFDIR
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

fn read(at: &OwnedFd) -> nix::Result<Dir> {
    Dir::openat(at, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

/// Goes down into a directory; with `unseal` so that its owner can do everything there.
fn enter(at: &OwnedFd, name: &CStr, unseal: bool) -> io::Result<OwnedFd> {
    let inside = openat(at, name, PLACE, Mode::empty())?;
    if unseal && fstat(&inside)?.st_mode & 0o700 != 0o700 {
        // not by its name, which may by now be another's
        let place = format!("/proc/self/fd/{}", inside.as_fd().as_raw_fd());
        fs::set_permissions(place, Permissions::from_mode(0o700))?;
    }
    Ok(inside)
}

/// Goes up again, to where it came from and nowhere else.
fn leave(at: &OwnedFd, to: Id) -> io::Result<OwnedFd> {
    let up = openat(at, "..", PLACE, Mode::empty())?;
    match Id::of(&fstat(&up)?) == to {
        true => Ok(up),
        false => Err(io::Error::other("a directory was moved while it was looked through")),
    }
}

/// Removes what is in a directory, up to a directory that is not empty, which it names.
fn clear(at: &OwnedFd) -> io::Result<Option<CString>> {
    loop {
        let mut found = false;
        for entry in read(at)?.iter() {
            let entry = entry?;
            let name = entry.file_name();
            if is_dots(name) {
                continue;
            }
            found = true;
            if let Some(name) = remove_entry(at, name)? {
                return Ok(Some(name));
            }
        }
        // what is removed while it is listed may hide what follows
        if !found {
            return Ok(None);
        }
    }
}

/// Removes it, or names it if it is a directory with something in it.
fn remove_entry(at: &OwnedFd, name: &CStr) -> io::Result<Option<CString>> {
    match unlinkat(at, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => return Ok(None),
        Err(Errno::EISDIR) => {}
        Err(e) => return Err(e.into()),
    }
    match unlinkat(at, name, UnlinkatFlags::RemoveDir) {
        Ok(()) => Ok(None),
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(Some(name.to_owned())),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A path of `levels` directories, longer than any path may be.
    fn dig(top: &Path, levels: usize) -> OwnedFd {
        let name = CString::new("d".repeat(200)).unwrap();
        let mut at = open(top, PLACE, Mode::empty()).unwrap();
        for _ in 0..levels {
            nix::sys::stat::mkdirat(&at, name.as_c_str(), Mode::S_IRWXU).unwrap();
            at = enter(&at, &name, false).unwrap();
        }
        at
    }

    #[test]
    fn a_tree_goes_however_deep_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        fs::create_dir(&top).unwrap();
        let bottom = dig(&top, 3000);
        openat(&bottom, "file", OFlag::O_CREAT | OFlag::O_WRONLY, Mode::S_IRWXU).unwrap();
        drop(bottom);
        // as small as the slave's helpers are
        let helper = std::thread::Builder::new().stack_size(128 * 1024);
        helper.spawn(move || remove(&top)).unwrap().join().unwrap().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_tree_without_rights_goes_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, other) = (dir.path().join("tree"), dir.path().join("other"));
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("kept"), "x").unwrap();
        fs::write(tree.join("a/b/file"), "x").unwrap();
        for number in 0..3000 {
            fs::create_dir(tree.join(format!("a/{number}"))).unwrap();
            fs::write(tree.join(format!("a/{number}/file")), "x").unwrap();
        }
        symlink(&other, tree.join("a/link")).unwrap();
        symlink(&other, dir.path().join("link")).unwrap();
        for sealed in ["a/b", "a", ""] {
            fs::set_permissions(tree.join(sealed), Permissions::from_mode(0o000)).unwrap();
        }
        for gone in ["tree", "tree", "link", "nowhere/at/all"] {
            remove(&dir.path().join(gone)).unwrap();
        }
        let left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["other"]);
        assert!(other.join("kept").exists());
    }

    #[test]
    fn files_are_counted_by_what_they_take() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/b"), vec![7; 100_000]).unwrap();
        // as long as a disk, with nothing in it
        fs::File::create(dir.path().join("hole")).unwrap().set_len(1 << 40).unwrap();
        symlink("/", dir.path().join("link")).unwrap();
        // another name of the same file takes nothing
        for number in 0..100 {
            fs::hard_link(dir.path().join("a/b"), dir.path().join(format!("a/{number}"))).unwrap();
        }
        let counted = bytes(dir.path(), u64::MAX, false);
        assert!((100_000..1_000_000).contains(&counted), "{counted}");
        assert!(bytes(dir.path(), 50_000, false) > 50_000);
    }

    #[test]
    fn files_are_counted_where_nobody_looks() {
        let dir = tempfile::tempdir().unwrap();
        let bottom = dig(dir.path(), 100);
        let file = openat(&bottom, "file", OFlag::O_CREAT | OFlag::O_WRONLY, Mode::S_IRWXU).unwrap();
        nix::unistd::write(&file, &[7; 1_000_000]).unwrap();
        assert!(bytes(dir.path(), u64::MAX, false) > 1_000_000);
        // root sees it anyway
        let sealed = dir.path().join("d".repeat(200));
        fs::set_permissions(&sealed, Permissions::from_mode(0o000)).unwrap();
        assert!(bytes(dir.path(), u64::MAX, true) > 1_000_000);
        remove(&sealed).unwrap();
    }
}
