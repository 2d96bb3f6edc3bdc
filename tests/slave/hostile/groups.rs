//! A slave with a control group of its own, as its unit gets it (`Delegate=yes`).

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use piwheels::wire::slave::BuildEnd::{Built, OutOfMemory, ProcessLimit};
use piwheels::wire::slave::Wall;

use super::{Den, Neighbour, case};
use crate::rig::{nobody, skip};

/// Made by root, for the account that slaves run as; gone with this.
struct Delegated(PathBuf);

impl Delegated {
    fn new(name: &str, (uid, gid): (u32, u32)) -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mounted = mounts.lines().find_map(|line| line.strip_prefix("cgroup2 ")?.split(' ').next());
        let path = Path::new(mounted.ok_or("there is no version 2 of control groups")?).join(name);
        // what the machine lets others have
        for controller in ["memory", "pids", "cpu"] {
            let file = path.parent().unwrap().join("cgroup.subtree_control");
            let _ = fs::write(file, format!("+{controller}"));
        }
        fs::create_dir(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let group = Self(path);
        for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
            chown(group.0.join(file), Some(uid), Some(gid)).map_err(|e| e.to_string())?;
        }
        Ok(group)
    }

    fn processes(&self, of: &str) -> Option<String> {
        fs::read_to_string(self.0.join(of).join("cgroup.procs")).ok()
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        for name in ["build", "piw-slave", ""] {
            let _ = fs::remove_dir(self.0.join(name));
        }
        assert!(std::thread::panicking() || !self.0.exists(), "{} is in use", self.0.display());
    }
}

#[test]
fn a_builds_control_group_is_empty_and_gone_when_it_is_over() {
    const TEST: &str = "hostile::groups";
    let Some(account) = nobody() else { return skip(TEST, "control groups are delegated by root") };
    // behind the slave, which is in it
    let group;
    let mut den = Den::new();
    match Delegated::new(&den.mark, account) {
        Ok(made) => group = made,
        Err(why) => return skip(TEST, &why),
    };
    let cases = [
        case("flees", "evil.flee()\nreturn make(directory)", Built, "flees-1.0-py3-none-any.whl ("),
        case("bomb", "evil.bomb()", ProcessLimit, "it had more than 60 processes and threads"),
        case("hogs", "evil.take_with_many()", OutOfMemory, "it used more than 314572800 bytes of memory"),
        case(
            "segments",
            "evil.take_as_segments()",
            OutOfMemory,
            "it used more than 314572800 bytes of memory",
        ),
    ];
    for case in &cases {
        den.add(case.name, case.body);
    }
    let _neighbour = Neighbour::of(&den);
    // root goes in, and nobody stays
    let text = "echo 0 >\"$1/cgroup.procs\" && uid=$2 gid=$3 && shift 3 && \
                exec setpriv --reuid=$uid --regid=$gid --clear-groups \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", text, "sh"]).arg(&group.0).args([account.0.to_string(), account.1.to_string()]);
    command.arg(den.rig.dir.path().join("piw-slave")).env_clear().env("PATH", "/usr/bin:/bin");
    command.current_dir("/").stdin(Stdio::null());
    den.run(command, &["--process-limit", "60", "--memory-limit", "300M"]);
    let slave = format!("{}\n", den.slave.as_ref().unwrap().pid());
    assert_eq!(group.processes("piw-slave"), Some(slave.clone()));
    let controllers = fs::read_to_string(group.0.join("cgroup.controllers")).unwrap();
    for (wall, name) in [(Wall::CgroupMemory, "memory"), (Wall::CgroupPids, "pids"), (Wall::CgroupCpu, "cpu")]
    {
        let there = controllers.split_whitespace().any(|controller| controller == name);
        assert_eq!(den.board.walls.contains(&wall), there, "{wall:?}: {controllers}");
    }
    for case in &cases {
        den.endure(std::slice::from_ref(case));
        assert_eq!(group.processes("build"), None, "{}: the group is gone", case.name);
        assert_eq!(group.processes("piw-slave"), Some(slave.clone()), "{}", case.name);
    }
}
