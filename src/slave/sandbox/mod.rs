//! The sandbox: what stands between a build, which runs strangers' code, and the machine.
//!
//! A [`Plan`] says what is to stand, for one command. The slave starts itself once more with the plan as its first
//! arguments, and that process ([`launch`]) makes the walls and becomes, or watches, the command:
//!
//! ```text
//! slave ──spawn──► piw-slave --contain PLAN COMMAND        joins the control group, leaves the user, mount, pid, ipc,
//!                    │                                     uts and (without a network) net namespace
//!                    └─fork─► first process of the sandbox new root, /proc; takes in orphans; its end is everybody's
//!                               └─spawn─► piw-slave --confine PLAN COMMAND
//!                                           │              rlimits, no new privileges, Landlock, seccomp
//!                                           └─exec─► COMMAND
//! ```
//!
//! Without namespaces the first process is the watcher itself, and the slave kills what is left ([`super::builder::tree`]).
//! Which walls this machine can make is found by trial when the slave starts ([`probe`]); a build is never begun with
//! fewer than its slave told the master.

pub mod cgroup;
mod landlock;
pub mod launch;
mod mounts;
pub mod probe;
mod seccomp;
mod sys;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What one command may see, use and do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Users, mounts, processes, IPC of its own, and a root of its own.
    pub namespaces: bool,
    /// The machine's network; without it, which needs `namespaces`, there is a loopback interface of its own.
    pub network: bool,
    /// The version of Landlock to use, 0 for none.
    pub landlock: u32,
    /// Refuse the system calls that no build needs.
    pub seccomp: bool,
    /// The control group to be in.
    pub cgroup: Option<PathBuf>,
    /// An empty directory to make the new root on.
    pub root: PathBuf,
    /// What /tmp is.
    pub tmp: PathBuf,
    /// Where it may read, beside the system's own directories.
    pub read: Vec<PathBuf>,
    /// Where it may write; within what is hidden, too.
    pub write: Vec<PathBuf>,
    /// Files that are empty to it.
    pub hide: Vec<PathBuf>,
    /// The largest file that it may write, in bytes; 0 for any.
    pub file_bytes: u64,
    /// The most memory of its own that one process may have, in bytes; 0 for any.
    pub memory_bytes: u64,
    /// Processes and threads of its user, within the sandbox where it has a user of its own; 0 for any number.
    pub processes: u64,
}

impl Plan {
    /// The plan as words of a command line; [`Plan::parse`] reads them.
    pub fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        let mut flag = |name: &str, on: bool| {
            if on {
                words.push(name.into());
            }
        };
        flag("--namespaces", self.namespaces);
        flag("--network", self.network);
        flag("--seccomp", self.seccomp);
        for (name, value) in [
            ("--landlock", self.landlock.into()),
            ("--file-bytes", self.file_bytes),
            ("--memory-bytes", self.memory_bytes),
            ("--processes", self.processes),
        ] {
            words.extend([name.into(), value.to_string().into()]);
        }
        let one = |path: &Path| path.as_os_str().to_owned();
        let paths = [("--root", &self.root), ("--tmp", &self.tmp)].into_iter();
        let paths = paths.chain(self.cgroup.iter().map(|path| ("--cgroup", path)));
        let paths = paths.chain(self.read.iter().map(|path| ("--read", path)));
        let paths = paths.chain(self.write.iter().map(|path| ("--write", path)));
        let paths = paths.chain(self.hide.iter().map(|path| ("--hide", path)));
        words.extend(paths.flat_map(|(name, path)| [name.into(), one(path)]));
        words.push("--".into());
        words
    }

    /// Reads a plan up to its end; what follows is the command. None for anything that [`Plan::words`] does not make.
    pub fn parse(words: &mut impl Iterator<Item = OsString>) -> Option<Self> {
        let mut plan = Self::default();
        loop {
            let name = words.next()?.into_string().ok()?;
            match name.as_str() {
                "--" => return Some(plan),
                "--namespaces" => plan.namespaces = true,
                "--network" => plan.network = true,
                "--seccomp" => plan.seccomp = true,
                _ => plan.take(&name, words.next()?)?,
            }
        }
    }

    fn take(&mut self, name: &str, value: OsString) -> Option<()> {
        let number = || value.to_str()?.parse::<u64>().ok();
        match name {
            "--landlock" => self.landlock = u32::try_from(number()?).ok()?,
            "--file-bytes" => self.file_bytes = number()?,
            "--memory-bytes" => self.memory_bytes = number()?,
            "--processes" => self.processes = number()?,
            "--root" => self.root = value.into(),
            "--tmp" => self.tmp = value.into(),
            "--cgroup" => self.cgroup = Some(value.into()),
            "--read" => self.read.push(value.into()),
            "--write" => self.write.push(value.into()),
            "--hide" => self.hide.push(value.into()),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn a_plan_passes_through_a_command_line() {
        let plan = Plan {
            namespaces: true,
            landlock: 7,
            seccomp: true,
            cgroup: Some("/sys/fs/cgroup/x y".into()),
            root: "/w/root".into(),
            tmp: "/w/tmp".into(),
            read: vec!["/opt/python".into(), OsString::from_vec(vec![b'/', 0xff]).into()],
            write: vec!["--".into()],
            hide: vec!["/etc/key".into()],
            file_bytes: u64::MAX,
            memory_bytes: 1,
            processes: 512,
            ..Plan::default()
        };
        for plan in [plan, Plan::default()] {
            let mut words = plan.words().into_iter().chain(["pip".into()]);
            assert_eq!(Plan::parse(&mut words), Some(plan));
            assert_eq!(words.next(), Some("pip".into()), "the command follows");
        }
        for odd in [vec![], vec!["--read"], vec!["--processes", "x", "--"], vec!["--odd", "1", "--"]] {
            assert_eq!(Plan::parse(&mut odd.into_iter().map(OsString::from)), None);
        }
    }
}
