//! Which walls this machine can make: each is tried, with a command that does nothing, when the slave starts.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use super::cgroup::Groups;
use super::{Plan, landlock, launch, seccomp};
use crate::wire::slave::Wall;

/// What this machine can hold a build back with.
#[derive(Clone, Debug)]
pub struct Strength {
    /// Each wall, and why it cannot be had where it cannot.
    pub walls: Vec<(Wall, Result<(), String>)>,
    /// What a build's plan begins with.
    pub plan: Plan,
    /// The control groups, where they are delegated.
    pub groups: Option<Groups>,
}

impl Strength {
    /// Tries everything; `dir` is a directory to try in, which has empty directories `root` and `tmp`. Builds are to have a network if `network`. The error is for
    /// people: no command can be run at all.
    pub fn find(dir: &Path, network: bool) -> Result<Self, String> {
        let (root, tmp) = (dir.join("root"), dir.join("tmp"));
        let plain = Plan { network: true, root, tmp, ..Plan::default() };
        attempt(&plain).map_err(|reason| format!("no command can be started in a sandbox: {reason}"))?;
        let namespaces = attempt(&Plan { namespaces: true, ..plain.clone() });
        let no_network = attempt(&Plan { namespaces: true, network: false, ..plain.clone() });
        let no_network = no_network.and_then(|()| match network {
            true => Err("can be had, with --net off".to_owned()),
            false => Ok(()),
        });
        let seccomp = match seccomp::program() {
            None => Err("the system calls of this architecture are not known".to_owned()),
            Some(_) => attempt(&Plan { seccomp: true, ..plain.clone() }),
        };
        let landlock = landlock::version()
            .and_then(|version| attempt(&Plan { landlock: version, ..plain.clone() }).map(|()| version));
        let groups = Groups::take();
        let works = match &groups {
            Ok(groups) => ["memory", "pids", "cpu"]
                .iter()
                .zip(groups.works())
                .map(|(name, works)| {
                    if works {
                        Ok(())
                    } else {
                        Err(format!("the kernel or the delegation has no controller {name}"))
                    }
                })
                .collect(),
            Err(reason) => vec![Err(reason.clone()); 3],
        };
        let mut plan = Plan {
            namespaces: namespaces.is_ok(),
            network: no_network.is_err(),
            seccomp: seccomp.is_ok(),
            landlock: *landlock.as_ref().unwrap_or(&0),
            ..plain
        };
        // each for itself does not mean all together
        let together = attempt(&plan);
        (plan.root, plan.tmp) = Default::default();
        let mut works = works.into_iter();
        let mut next = || works.next().unwrap_or(Ok(()));
        let walls = vec![
            (Wall::Namespaces, namespaces.clone()),
            (Wall::ReadOnly, namespaces.or_else(|reason| landlock.clone().map(drop).map_err(|_| reason))),
            (Wall::NetOff, no_network),
            (Wall::NoNewPrivileges, Ok(())),
            (Wall::Seccomp, seccomp),
            (Wall::Landlock, landlock.map(drop)),
            (Wall::CgroupMemory, next()),
            (Wall::CgroupPids, next()),
            (Wall::CgroupCpu, next()),
            (Wall::Rlimits, Ok(())),
            (Wall::TreeKill, Ok(())),
        ];
        together.map_err(|reason| format!("the walls that stand alone do not stand together: {reason}"))?;
        Ok(Self { walls, plan, groups: groups.ok() })
    }

    /// The walls that stand.
    pub fn standing(&self) -> Vec<Wall> {
        self.walls.iter().filter(|(_, stands)| stands.is_ok()).map(|(wall, _)| *wall).collect()
    }

    /// Of the walls that are required, those that do not stand, each with the reason.
    pub fn missing(&self, required: &[Wall]) -> Vec<String> {
        let reasons = self.walls.iter().filter_map(|(wall, stands)| Some((wall, stands.as_ref().err()?)));
        let reasons = reasons.filter(|(wall, _)| required.contains(wall));
        reasons.map(|(wall, reason)| format!("{}: {reason}", wall.name())).collect()
    }
}

/// Runs a command that does nothing.
fn attempt(plan: &Plan) -> Result<(), String> {
    run(plan, Path::new("/bin/true"), |command| {
        command.env_clear();
    })
}

/// Runs a program under a plan, with the arguments and the environment that it is `given`, and waits for its end. The
/// error is for people: why there was no sandbox, or the last line of one that failed.
pub fn run(plan: &Plan, program: &Path, given: impl FnOnce(&mut Command)) -> Result<(), String> {
    let (mut reader, writer) = std::io::pipe().map_err(|e| e.to_string())?;
    let mut command = launch::command(plan, program);
    given(&mut command);
    command.stdin(writer).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = command.output().map_err(|e| e.to_string())?;
    // the writing end goes with it
    drop(command);
    let mut said = String::new();
    reader.read_to_string(&mut said).map_err(|e| e.to_string())?;
    match launch::read(&said) {
        Some(Ok(ended)) if ended.code == Some(0) => Ok(()),
        Some(Err(reason)) => Err(reason),
        _ => {
            let text = String::from_utf8_lossy(&output.stderr);
            let line = text.lines().next_back().unwrap_or("the command did not run");
            Err(line.trim_start_matches("piw-slave: ").to_owned())
        }
    }
}
