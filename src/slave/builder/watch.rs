//! What a build uses, looked at every second, and the limit that it meets first.
//!
//! Control groups and rlimits stop what grows too large where they can; this is what ends a build for it, whatever the
//! kernel offers, since it counts all processes of the build together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::statvfs::statvfs;

use super::tree;
use crate::domain::Millis;
use crate::slave::trees;

/// Between two looks.
pub(super) const LOOK_EVERY: Millis = Millis::secs(1);
/// A look at the files of a build takes time: not more often than this, where the disk tells of more than it may write,
/// and than that, where it does not: others may have removed as much meanwhile.
const COUNT_EVERY: Millis = Millis::secs(10);
const COUNT_ANYWAY_EVERY: Millis = Millis::secs(30);
const COUNTER_STACK: usize = 128 * 1024;

/// What a build may use. 0 for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The time that it may take.
    pub time: Millis,
    /// How long it may print nothing.
    pub silence: Millis,
    /// What it may print, in bytes.
    pub output_bytes: u64,
    /// The largest wheel, in bytes.
    pub wheel_bytes: u64,
    /// All its files together, in bytes.
    pub disk_bytes: u64,
    /// Memory of all its processes together, in bytes.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u64,
}

/// What makes the slave end a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Time,
    Silence,
    Output,
    /// A wheel of this name.
    Wheel(String),
    Disk,
    Memory,
    Processes,
    /// The master said so.
    Cancelled,
}

#[derive(Debug)]
pub(super) struct Watch {
    limits: Limits,
    dir: PathBuf,
    started: Millis,
    /// When something was read of its output last.
    heard: Millis,
    printed: u64,
    look_at: Millis,
    /// Free on the disk when it began, in bytes.
    free_then: u64,
    /// Memory of the machine that was shared then, in bytes.
    shared_then: u64,
    count_at: Millis,
    count_anyway_at: Millis,
    /// Bytes of its files, as a helper has counted them last.
    files: Arc<AtomicU64>,
    peak_memory: u64,
}

impl Watch {
    pub(super) fn new(now: Millis, limits: Limits, dir: &Path) -> Self {
        Self {
            limits,
            dir: dir.to_owned(),
            started: now,
            heard: now,
            printed: 0,
            look_at: now + LOOK_EVERY,
            free_then: free(dir),
            shared_then: shared(),
            count_at: now,
            count_anyway_at: now + COUNT_ANYWAY_EVERY,
            files: Arc::default(),
            peak_memory: 0,
        }
    }

    pub(super) fn started(&self) -> Millis {
        self.started
    }

    /// The largest memory that was seen, in bytes.
    pub(super) fn peak_memory(&self) -> u64 {
        self.peak_memory
    }

    /// It printed something.
    pub(super) fn heard(&mut self, now: Millis, bytes: usize) {
        self.heard = now;
        self.printed += bytes as u64;
    }

    /// Another command of the same build begins: it has said nothing yet.
    pub(super) fn begin(&mut self, now: Millis) {
        self.heard = now;
    }

    /// When [`Watch::stop`] is due at the latest.
    pub(super) fn next_deadline(&self) -> Millis {
        self.limit().map_or(self.look_at, |(at, _)| at.min(self.look_at))
    }

    /// Of time and silence, the limit that it meets next, and when.
    fn limit(&self) -> Option<(Millis, Stop)> {
        let at = |from: Millis, limit: Millis, stop| (limit.0 > 0).then(|| (from + limit, stop));
        let time = at(self.started, self.limits.time, Stop::Time);
        let silence = at(self.heard, self.limits.silence, Stop::Silence);
        // both at once: the plainer reason
        time.into_iter().chain(silence).min_by_key(|(at, _)| *at)
    }

    /// Whether a limit is met now.
    pub(super) fn stop(&mut self, now: Millis) -> Option<Stop> {
        if self.limits.output_bytes > 0 && self.printed > self.limits.output_bytes {
            return Some(Stop::Output);
        }
        if let Some((at, stop)) = self.limit()
            && now >= at
        {
            return Some(stop);
        }
        if now < self.look_at {
            return None;
        }
        self.look_at = now + LOOK_EVERY;
        self.look(now)
    }

    fn look(&mut self, now: Millis) -> Option<Stop> {
        let Limits { memory_bytes, processes, disk_bytes, .. } = self.limits;
        let used = tree::measure();
        self.peak_memory = self.peak_memory.max(used.memory);
        if processes > 0 && used.tasks > processes {
            return Some(Stop::Processes);
        }
        // pages that processes share are counted for each of them; the exact count costs more, and comes second
        if memory_bytes > 0 && used.memory > memory_bytes {
            let exact = tree::exact_memory();
            self.peak_memory = exact;
            if exact > memory_bytes {
                return Some(Stop::Memory);
            }
        }
        // files in memory and segments belong to no process, unless one has them mapped; more than a build may have at all
        // is its own
        if memory_bytes > 0 && shared().saturating_sub(self.shared_then) > memory_bytes {
            return Some(Stop::Memory);
        }
        if disk_bytes == 0 {
            return None;
        }
        if self.files.load(Ordering::Relaxed) > disk_bytes {
            return Some(Stop::Disk);
        }
        // others write to the same disk: what is gone of it may not be this build's, but what is not gone is not
        let gone = self.free_then.saturating_sub(free(&self.dir)) > disk_bytes;
        let due = now >= if gone { self.count_at } else { self.count_anyway_at };
        if due && Arc::strong_count(&self.files) == 1 {
            (self.count_at, self.count_anyway_at) = (now + COUNT_EVERY, now + COUNT_ANYWAY_EVERY);
            let (files, dir) = (self.files.clone(), self.dir.clone());
            let count = move || {
                let bytes = trees::bytes(&dir, disk_bytes, gone).saturating_add(tree::unlinked(&dir));
                files.store(bytes, Ordering::Relaxed);
            };
            let counter = std::thread::Builder::new().name("disk count".to_owned()).stack_size(COUNTER_STACK);
            // without a thread the next look tries again
            let _ = counter.spawn(count);
        }
        None
    }
}

/// Memory of the whole machine that is in files and segments, in bytes; 0 where it is not told.
fn shared() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Shmem:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// What can be written to the file system of `dir`, in bytes.
fn free(dir: &Path) -> u64 {
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "they are u32 on some systems")]
    statvfs(dir).map_or(0, |fs| (fs.fragment_size() as u64).saturating_mul(fs.blocks_available() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_limits_the_one_that_is_met_first_ends_a_build() {
        let secs = Millis::secs;
        let limits = Limits { time: secs(50), silence: secs(20), ..Limits::default() };
        let mut watch = Watch::new(secs(100), limits, Path::new("/"));
        assert_eq!(watch.limit(), Some((secs(120), Stop::Silence)));
        watch.heard(secs(119), 1);
        assert_eq!(watch.limit(), Some((secs(139), Stop::Silence)));
        watch.heard(secs(130), 1);
        assert_eq!(watch.limit(), Some((secs(150), Stop::Time)), "both at once: the plainer reason");
        watch.limits.silence = Millis(0);
        watch.heard(secs(100), 1);
        assert_eq!(watch.limit(), Some((secs(150), Stop::Time)));
        watch.limits = Limits { output_bytes: 4, ..Limits::default() };
        assert_eq!((watch.limit(), watch.stop(secs(100))), (None, None));
        watch.heard(secs(100), 2);
        assert_eq!(watch.stop(secs(100)), Some(Stop::Output), "after five bytes");
    }
}
