//! Every process of a build, however it tried to get away: sessions and groups of its own, double forks, deaf ears.
//!
//! The slave is a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER): whatever loses its parent becomes its child. All
//! it ever starts are builds, one at a time; so every descendant of this process belongs to the one build.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

/// How often a sweep looks again for what was forked meanwhile.
const ROUNDS: usize = 8;
/// Of one process, files without a name that are looked at.
const MOST_FILES: usize = 4096;

/// Makes this process the parent of every orphan below it.
pub fn adopt_orphans() -> nix::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)
}

/// Kills every descendant. Returns whether none is left; otherwise call again soon, and [`reap`] before that.
pub fn sweep() -> bool {
    for _ in 0..ROUNDS {
        let left = descendants(getpid());
        if left.iter().all(|process| process.dead) {
            return left.is_empty();
        }
        for process in left {
            // Gone already is as good; anything else shows in the next round.
            let _ = kill(process.pid, Signal::SIGKILL);
        }
    }
    false
}

/// Takes the exit status of every child that has ended, without waiting; that of `main`, if it is among them.
pub fn reap(main: Option<Pid>) -> Option<WaitStatus> {
    let mut found = None;
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(status @ (WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..))) => {
                if Some(pid) == main {
                    found = Some(status);
                }
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return found,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => {
                log::error!("waitpid: {e}");
                return found;
            }
        }
    }
}

/// What the build's processes use together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Processes and threads.
    pub tasks: u64,
    /// Memory, in bytes; pages that several share are counted for each.
    pub memory: u64,
}

/// Looks at every descendant.
pub fn measure() -> Used {
    let mut used = Used::default();
    for process in descendants(getpid()) {
        used.tasks += process.threads;
        used.memory += resident(process.pid).unwrap_or(0);
    }
    used
}

/// The memory of a process, in bytes. That of one whose first thread has ended is its other threads'.
fn resident(pid: Pid) -> Option<u64> {
    let pages = |path: &Path| field(&fs::read(path.join("stat")).ok()?, RESIDENT);
    let place = PathBuf::from(format!("/proc/{pid}"));
    let pages = match pages(&place)? {
        0 => fs::read_dir(place.join("task")).ok()?.flatten().filter_map(|task| pages(&task.path())).max()?,
        pages => pages,
    };
    Some(pages * page_bytes())
}

/// The memory of every descendant, in bytes, where each of those that share a page counts a part of it. Costs more.
pub fn exact_memory() -> u64 {
    let share = |pid: Pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    // one whose share cannot be read counts as a whole, so that nobody hides by it
    let whole = |pid: Pid| resident(pid).map(|bytes| bytes / 1024);
    descendants(getpid()).iter().filter_map(|p| share(p.pid).or_else(|| whole(p.pid))).sum::<u64>() * 1024
}

/// What open files take on the disk of `dir` that have no name any more, in bytes.
pub fn unlinked(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(disk) = fs::metadata(dir).map(|metadata| metadata.dev()) else { return 0 };
    let mut known = HashMap::new();
    for process in descendants(getpid()) {
        let Ok(files) = fs::read_dir(format!("/proc/{}/fd", process.pid)) else { continue };
        let files = files.flatten().filter_map(|file| fs::metadata(file.path()).ok());
        let files = files.filter(|file| file.is_file() && file.nlink() == 0 && file.dev() == disk);
        known.extend(files.take(MOST_FILES).map(|file| (file.ino(), file.blocks() * 512)));
    }
    known.values().sum()
}

fn page_bytes() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

/// Processes and threads of this process's user on the whole machine: its limit of processes counts them all.
pub fn tasks_of_user() -> u64 {
    use std::os::unix::fs::MetadataExt;
    let own = nix::unistd::geteuid().as_raw();
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    let stats = entries.flatten().filter(|entry| entry.metadata().is_ok_and(|m| m.uid() == own));
    stats.filter_map(|entry| field(&fs::read(entry.path().join("stat")).ok()?, THREADS)).sum()
}

/// Of a line of /proc/PID/stat, counted from the state (proc(5) counts that as the third).
const THREADS: usize = 17;
const RESIDENT: usize = 21;

pub(super) fn field(stat: &[u8], at: usize) -> Option<u64> {
    let after_name = stat.iter().rposition(|b| *b == b')')? + 1;
    let mut fields = stat[after_name..].split(|b| *b == b' ').filter(|field| !field.is_empty());
    std::str::from_utf8(fields.nth(at)?).ok()?.trim_end().parse().ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    pid: Pid,
    threads: u64,
    /// All of it, and waiting for its parent to take note. One whose first thread has ended looks so, too.
    dead: bool,
}

/// The processes below `root` as /proc shows them now.
fn descendants(root: Pid) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // A process may end between the listing and here.
        let Ok(stat) = fs::read(entry.path().join("stat")) else { continue };
        if let Some((parent, zombie)) = parent_and_death(&stat) {
            let threads = field(&stat, THREADS).unwrap_or(1);
            let dead = zombie && threads <= 1;
            children.entry(parent).or_default().push(Process { pid: Pid::from_raw(pid), threads, dead });
        }
    }
    let mut found = Vec::new();
    let mut open = vec![root.as_raw()];
    while let Some(pid) = open.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            open.push(child.pid.as_raw());
            found.push(child);
        }
    }
    found
}

/// From a line of /proc/PID/stat (`pid (name) state parent …`, where the name may hold anything): the parent, and
/// whether its first thread is a zombie.
pub(super) fn parent_and_death(stat: &[u8]) -> Option<(i32, bool)> {
    let after_name = stat.iter().rposition(|b| *b == b')')? + 1;
    let mut fields = stat[after_name..].split(|b| *b == b' ').filter(|field| !field.is_empty());
    let state = fields.next()?;
    let parent = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    Some((parent, matches!(state, b"Z" | b"X")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent_and_death(b"12 (cat) S 7 12 12 0"), Some((7, false)));
        assert_eq!(parent_and_death(b"12 (a) S 9 (b) R 8 1 1"), Some((8, false)));
        assert_eq!(parent_and_death(b"12 (\xff\n) Z 1 0"), Some((1, true)));
        assert_eq!(parent_and_death(b""), None);
        assert_eq!(parent_and_death(b"12 (cat) S"), None);
    }

    #[test]
    fn children_and_grandchildren_are_seen() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 1000 & echo $!; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line)
            .unwrap();
        let grandchild = Pid::from_raw(line.trim().parse().unwrap());
        let seen: Vec<_> = descendants(getpid()).into_iter().map(|process| process.pid).collect();
        kill(grandchild, Signal::SIGKILL).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen.contains(&Pid::from_raw(child.id() as i32)), "{seen:?}");
        assert!(seen.contains(&grandchild), "{seen:?}");
    }
}
