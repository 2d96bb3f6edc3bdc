//! Control groups (version 2): limits and counts for all processes of a build together, where the slave's own group was
//! delegated to it (`Delegate=yes` in its unit).
//!
//! ```text
//! the slave's group ─┬─ piw-slave   this process, since a group with limits for groups below it may hold none itself
//!                    └─ build       one build at a time
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// What is asked of the kernel, and can be missing one by one: Raspberry Pi OS has no `memory` unless it is told to.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// The group of the slave itself.
const OWN: &str = "piw-slave";

/// The slave's share of the processors is as large as that of a hundred builds': its signs of life must get through.
const BUILD_CPU_WEIGHT: &str = "10";

/// A group that is this slave's to divide.
#[derive(Clone, Debug)]
pub struct Groups {
    base: PathBuf,
    /// Of [`CONTROLLERS`], which work.
    works: [bool; 3],
}

/// What a build has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The most memory that all its processes had together, in bytes; 0 where it is not known.
    pub peak_memory: u64,
    /// Processor time of all its processes, in milliseconds.
    pub cpu_ms: u64,
    /// Its memory limit made the kernel kill it.
    pub out_of_memory: bool,
    /// It was refused a process for its limit of processes.
    pub out_of_processes: bool,
}

impl Groups {
    /// Divides the group that this process is in. The error says for people why there is none.
    pub fn take() -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|e| e.to_string())?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|e| e.to_string())?;
        let base = place(&own, &mounts).ok_or("there is no version 2 of control groups")?;
        Self::divide(base)
    }

    fn divide(mut base: PathBuf) -> Result<Self, String> {
        // divided already, by this process before it became itself anew
        if base.file_name().is_some_and(|name| name == OWN) {
            base.pop();
        }
        let not_ours = |e: std::io::Error| format!("{} is not this slave's to divide: {e}", base.display());
        let own = base.join(OWN);
        make(&own).map_err(not_ours)?;
        fs::write(own.join("cgroup.procs"), "0").map_err(not_ours)?;
        let works = CONTROLLERS
            .map(|name| fs::write(base.join("cgroup.subtree_control"), format!("+{name}")).is_ok());
        let groups = Self { base, works };
        // one that a slave has left that was killed
        groups.build().remove();
        Ok(groups)
    }

    /// Whether memory, processes and processors can be limited.
    pub fn works(&self) -> [bool; 3] {
        self.works
    }

    fn build(&self) -> Group {
        Group { path: self.base.join("build"), works: self.works }
    }

    /// A fresh group for a build. 0 for no limit.
    pub fn start(&self, memory_bytes: u64, processes: u64) -> Result<Group, String> {
        let group = self.build();
        let cannot =
            |e: std::io::Error| format!("cannot make the control group {}: {e}", group.path.display());
        make(&group.path).map_err(cannot)?;
        let [memory, pids, cpu] = self.works;
        let write = |file: &str, value: &str| fs::write(group.path.join(file), value);
        if memory && memory_bytes > 0 {
            write("memory.max", &memory_bytes.to_string()).map_err(cannot)?;
            // without swap, or with a kernel that does not count it, there is nothing to limit
            let _ = write("memory.swap.max", "0");
            let _ = write("memory.oom.group", "1");
        }
        if pids && processes > 0 {
            write("pids.max", &processes.to_string()).map_err(cannot)?;
        }
        if cpu {
            let _ = write("cpu.weight", BUILD_CPU_WEIGHT);
        }
        Ok(group)
    }
}

/// One build's group.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
    works: [bool; 3],
}

impl Group {
    /// Where it is; a launcher joins it by itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its processes have used so far.
    pub fn usage(&self) -> Usage {
        let read = |file: &str| fs::read_to_string(self.path.join(file)).unwrap_or_default();
        let [memory, pids, _] = self.works;
        Usage {
            peak_memory: if memory { read("memory.peak").trim().parse().unwrap_or(0) } else { 0 },
            cpu_ms: field(&read("cpu.stat"), "usage_usec").unwrap_or(0) / 1000,
            out_of_memory: memory && field(&read("memory.events"), "oom_kill").unwrap_or(0) > 0,
            out_of_processes: pids && field(&read("pids.events"), "max").unwrap_or(0) > 0,
        }
    }

    /// Kills all its processes at once, where the kernel can (5.14).
    pub fn kill(&self) {
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
    }

    /// Removes it. One in which something still dies is removed before the next build.
    pub fn remove(&self) {
        self.kill();
        match fs::remove_dir(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                log::debug!("the control group {} stays for now: {e}", self.path.display());
            }
            _ => {}
        }
    }
}

fn make(path: &Path) -> std::io::Result<()> {
    match fs::create_dir(path) {
        Err(e) if e.raw_os_error() == Some(Errno::EEXIST as i32) => Ok(()),
        done => done,
    }
}

/// Where this process's group is, from /proc/self/cgroup and /proc/self/mountinfo.
pub(crate) fn place(own: &str, mounts: &str) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let (root, mounted) = mounts.lines().find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        if !kind.starts_with("cgroup2 ") {
            return None;
        }
        let mut fields = fields.split(' ').skip(3);
        Some((fields.next()?, fields.next()?))
    })?;
    let below = Path::new(path).strip_prefix(root).ok()?;
    Some(Path::new(mounted).join(below))
}

/// The number behind a name, in lines like `oom_kill 3`.
pub(crate) fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slaves_group_is_found_where_version_2_is_mounted() {
        let mounts = "24 1 0:22 / /sys rw - sysfs sysfs rw\n\
                      30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let own = "0::/system.slice/piw-slave@1.service\n";
        let expected = Path::new("/sys/fs/cgroup/system.slice/piw-slave@1.service");
        assert_eq!(place(own, mounts).as_deref(), Some(expected));
        let inside = mounts.replace("0:26 /", "0:26 /system.slice");
        assert_eq!(place(own, &inside).as_deref(), Some(Path::new("/sys/fs/cgroup/piw-slave@1.service")));
        assert_eq!(place("4:memory:/x\n", mounts), None);
        assert_eq!(place(own, "24 1 0:22 / /sys rw - sysfs sysfs rw\n"), None);
    }

    #[test]
    fn counts_are_read_by_their_names() {
        let events = "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n";
        assert_eq!(
            (field(events, "oom_kill"), field(events, "max"), field(events, "x")),
            (Some(3), Some(12), None)
        );
        assert_eq!(field("usage_usec 1500000\nuser_usec 1\n", "usage_usec"), Some(1_500_000));
    }

    /// A directory is no control group, but it shows what is written where.
    #[test]
    fn a_build_gets_its_limits() {
        let dir = tempfile::tempdir().unwrap();
        let groups = Groups { base: dir.path().to_owned(), works: [true, true, false] };
        let group = groups.start(1 << 30, 512).unwrap();
        let read = |file: &str| fs::read_to_string(group.path().join(file)).ok();
        assert_eq!(read("memory.max").as_deref(), Some("1073741824"));
        assert_eq!(read("pids.max").as_deref(), Some("512"));
        assert_eq!(read("cpu.weight"), None);
        fs::write(group.path().join("memory.events"), "oom_kill 1\n").unwrap();
        assert_eq!(group.usage(), Usage { out_of_memory: true, ..Usage::default() });
    }
}
