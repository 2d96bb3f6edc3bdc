//! The spool as a place: whose it is, and what of it is left over.
//!
//! It knows the names that this program writes there; not what is in the files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::master::disk;

/// Written and removed to see whether a directory can be written to.
pub const PROBE: &str = ".piw-probe";
/// Locked by the master whose spool it is; holds the number of its process.
const LOCK: &str = ".piw-lock";
/// What names begin with in which `piw audit` keeps how far it is.
pub const AUDIT: &str = ".piw-audit";
/// Names of strangers that a log line lists.
const NAMED: usize = 5;

/// The spool is this process's, until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the spool. The error is for people.
    pub fn take(spool: &Path) -> Result<Self, String> {
        let at = spool.display();
        let failed = |e: io::Error| format!("{at} is not writable for this account: {e}");
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(spool.join(LOCK))
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = Read::by_ref(&mut file).take(20).read_to_string(&mut holder);
                let holder = holder.trim();
                return Err(format!(
                    "another piw-master (process {}) uses the spool {at}: stop it, or name another place with \
                     --spool-path",
                    if holder.is_empty() { "unknown" } else { holder }
                ));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(format!("cannot lock {at}: {error}")),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { _file: file })
    }

    /// Takes a web tree, where a file of ours would be served: the directory itself is locked. Where the file system cannot
    /// do that, nothing is locked, and the log says so. The error is for people.
    pub fn take_output(output: &Path) -> Result<Self, String> {
        let at = output.display();
        let file = File::open(output).map_err(|e| format!("{at} cannot be opened: {e}"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
                let inode = file.metadata().map(|found| found.ino()).unwrap_or_default();
                let holder = holder(&locks, inode).unwrap_or("unknown");
                return Err(format!(
                    "another piw-master (process {holder}) writes {at}: stop it, or name another place with --output-path"
                ));
            }
            Err(std::fs::TryLockError::Error(error)) => {
                log::warn!(
                    "{at} cannot be locked ({error}): that no other piw-master writes there is yours to see to"
                );
            }
        }
        Ok(Self { _file: file })
    }
}

/// The process that has a lock on the file of this inode, as /proc/locks has it: `1: FLOCK ADVISORY WRITE 4711 08:01:42 0 EOF`.
fn holder(locks: &str, inode: u64) -> Option<&str> {
    let inode = format!(":{inode}");
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "FLOCK").skip(3);
        let (pid, file) = (words.next()?, words.next()?);
        file.ends_with(&inode).then_some(pid)
    })
}

/// What is left of transfers and logs is kept for this long: their slaves may come back and go on with them.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Clears the spool of what a master before this one left there and nobody goes on with. Only what bears a name of this
/// program's and is a file is removed; the rest is somebody else's, and named in the log.
pub fn clear(spool: &Path) -> io::Result<()> {
    let mut strangers: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(spool)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == LOCK || name.to_str().is_some_and(|name| name.starts_with(AUDIT)) {
            continue;
        }
        if entry.file_type()?.is_file() && name.to_str().is_some_and(is_ours) {
            let age = entry.metadata()?.modified().ok().and_then(|at| at.elapsed().ok());
            // a clock that went back makes nothing old
            if name.to_str().is_some_and(goes_on) && age.is_none_or(|age| age < KEPT) {
                continue;
            }
            disk::remove(&entry.path())?;
        } else {
            strangers.push(name.into());
        }
    }
    if !strangers.is_empty() {
        let named: Vec<String> = strangers.iter().take(NAMED).map(|n| n.display().to_string()).collect();
        let more = if strangers.len() > NAMED { ", …" } else { "" };
        log::warn!(
            "{}: left alone, for piw-master did not write it: {}{more} ({} in all)",
            spool.display(),
            named.join(", "),
            strangers.len()
        );
    }
    Ok(())
}

/// Whether a master after this one can go on with a file of this name: a transfer's part and its journal, or a log. Not with
/// what a tool was sending, which is gone.
fn goes_on(name: &str) -> bool {
    !name.starts_with('i') && (name.ends_with(".have") || name.ends_with(".whl") || name.ends_with(".log"))
}

/// Whether the file writer, the index scribe or the start gives this name.
fn is_ours(name: &str) -> bool {
    let number = |prefix: &str, suffixes: &[&str]| {
        let Some(rest) = name.strip_prefix(prefix) else { return false };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0 && suffixes.contains(&&rest[digits..])
    };
    // what is staged, and what is written piece by piece
    let page = || {
        let staged = name.strip_prefix("p-").and_then(|rest| rest.split_once('-'));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let written = name.strip_prefix("p+").map(|page| page.strip_suffix(".gz").unwrap_or(page));
        staged.is_some_and(|(mark, file)| is_number(mark) && is_number(file))
            || written.is_some_and(|page| {
                ["index.html", "index.v1_json"].contains(&page)
                    || (page.starts_with("sitemap") && page.ends_with(".xml"))
            })
    };
    let part = || {
        let Some((stem, ending)) = name.strip_prefix(['t', 'i']).and_then(|rest| rest.rsplit_once('.'))
        else {
            return false;
        };
        let mut words = stem.split('-');
        let digits =
            |word: Option<&str>| word.is_some_and(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit()));
        let hex = |word: Option<&str>| {
            word.is_some_and(|w| w.len() == 16 && w.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        digits(words.next())
            && digits(words.next())
            && hex(words.next())
            && words.next().is_none()
            && ["whl", "have", "metadata"].contains(&ending)
    };
    part()
        || number("b", &[".log"])
        || number("p", &[".gz"])
        || page()
        || name == "p+metadata"
        || name == PROBE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_what_this_program_wrote_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let ours = [
            "t1-0-0123456789abcdef.metadata",
            "p7.gz",
            "p-12-3",
            "p+index.html",
            "p+index.v1_json.gz",
            "p+sitemap-2.xml",
            ".piw-probe",
            "t9-0-0123456789abcdef.whl",
            "b9.log",
            "i4-0-0123456789abcdef.whl",
            "i4-0-0123456789abcdef.have",
        ];
        let kept = ["t1-0-0123456789abcdef.whl", "t1-0-0123456789abcdef.have", "b7.log"];
        let others = [
            "backup.tar",
            "passwords",
            "thesis.tex",
            "t.whl",
            "t1-0-0123456789abcdef.whl.bak",
            "t1-0-0123.whl",
            "t1.whl",
            "b1.gz",
            "p7.log",
            "p-1-",
            "p-foo-1",
            "p+notes",
            "p+.gz",
        ];
        for name in ours.iter().chain(&others).chain(&kept) {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        for old in ["t9-0-0123456789abcdef.whl", "b9.log"] {
            let file = File::options().write(true).open(dir.path().join(old)).unwrap();
            file.set_modified(std::time::SystemTime::now() - KEPT - Duration::from_secs(1)).unwrap();
        }
        std::fs::create_dir(dir.path().join("t3-0-0123456789abcdef.whl")).unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("t2-0-0123456789abcdef.whl")).unwrap();
        clear(dir.path()).unwrap();
        let mut left = others.to_vec();
        left.extend(["t2-0-0123456789abcdef.whl", "t3-0-0123456789abcdef.whl"]);
        left.extend(kept);
        left.sort_unstable();
        assert_eq!(names(dir.path()), left);
        assert!(outside.path().exists());
    }

    #[test]
    fn a_spool_has_one_owner_at_a_time_and_clearing_leaves_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        clear(dir.path()).unwrap();
        let refused = Lock::take(dir.path()).unwrap_err();
        assert!(refused.contains(&format!("(process {})", std::process::id())), "{refused}");
        drop(lock);
        Lock::take(dir.path()).unwrap();
    }

    #[test]
    fn a_web_tree_has_one_owner_at_a_time_and_no_file_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take_output(dir.path()).unwrap();
        assert_eq!(names(dir.path()), [] as [&str; 0]);
        let refused = Lock::take_output(dir.path()).unwrap_err();
        assert!(refused.contains(&format!("(process {})", std::process::id())), "{refused}");
        drop(lock);
        Lock::take_output(dir.path()).unwrap();
        let locks =
            "1: POSIX  ADVISORY  WRITE 1 08:01:42 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 08:01:42 0 EOF\n";
        assert_eq!((holder(locks, 42), holder(locks, 2)), (Some("4711"), None));
    }
}
