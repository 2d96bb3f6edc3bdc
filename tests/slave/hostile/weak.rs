//! Machines that lack walls: nothing of a build outlives it there either, and HELLO says what is missing.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

use piwheels::wire::slave::BuildEnd::{Built, LogLimit, OutOfMemory, ProcessLimit};
use piwheels::wire::slave::Wall;

use super::{Case, Den, ESCAPING, HANGING, HANGING_LIMITS, case};
use crate::rig::{Rig, nobody, skip, wait_until};

const WITHOUT: &str = include_str!("without.py");

/// What the kernel is to lack.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weak {
    pub(super) namespaces: bool,
    pub(super) landlock: bool,
    pub(super) seccomp: bool,
}

impl Weak {
    /// Whether builds have a file system of their own.
    pub(super) fn is_strong(self) -> bool {
        !self.namespaces
    }

    /// What starts a slave on such a machine; none, said aloud, where that cannot be had.
    pub(super) fn command(self) -> Option<Vec<String>> {
        let all = [(self.namespaces, "namespaces"), (self.landlock, "landlock"), (self.seccomp, "seccomp")];
        let names: Vec<_> = all.into_iter().filter(|(lacks, _)| *lacks).map(|(_, name)| name).collect();
        if names.is_empty() {
            return Some(Vec::new());
        }
        let command = ["/usr/bin/python3", "-c", WITHOUT, &names.join(",")].map(str::to_owned);
        let tried = Command::new(&command[0]).args(&command[1..]).arg("/bin/true").output().unwrap();
        if !tried.status.success() {
            skip("hostile::weak", String::from_utf8_lossy(&tried.stderr).trim());
            return None;
        }
        Some(command.to_vec())
    }
}

pub(super) const WEAKEST: Weak = Weak { namespaces: true, landlock: true, seccomp: true };

/// A slave without walls endures these.
fn endure(weak: Weak, arguments: &[&str], cases: &[Case]) {
    let Some(before) = weak.command() else { return };
    let mut den = Den::new();
    for case in cases {
        den.add(case.name, case.body);
    }
    den.start(&before, arguments);
    let lacks =
        [(weak.namespaces, Wall::Namespaces), (weak.landlock, Wall::Landlock), (weak.seccomp, Wall::Seccomp)];
    for (lacks, wall) in lacks {
        assert!(!lacks || !den.board.walls.contains(&wall), "{wall:?}: {:?}", den.board);
    }
    for wall in [Wall::NoNewPrivileges, Wall::Rlimits, Wall::TreeKill] {
        assert!(den.board.walls.contains(&wall), "{wall:?}: {:?}", den.board);
    }
    den.endure(cases);
}

#[test]
fn nothing_of_a_build_outlives_it_without_walls() {
    let more = [
        // the launcher, which is the parent of pip there
        case(
            "orphan",
            "evil.flee()\nos.kill(evil.grandparent(), 9)\ntime.sleep(1000)",
            OutOfMemory,
            "pip was killed",
        ),
    ];
    let cases: Vec<Case> = ESCAPING.into_iter().chain(more).collect();
    endure(WEAKEST, &[], &cases);
}

#[test]
fn limits_hold_without_walls() {
    let cases = [
        case("bomb", "evil.bomb()", ProcessLimit, "it had more than 100 processes and threads"),
        case(
            "plainbomb",
            "while True: os.fork()",
            ProcessLimit,
            "it had more than 100 processes and threads",
        ),
        case("hogs", "evil.take_with_many()", OutOfMemory, "it used more than 314572800 bytes of memory"),
        case(
            "headless",
            "evil.take_without_a_head()",
            OutOfMemory,
            "it used more than 314572800 bytes of memory",
        ),
        case("shouts", "while True:\n    say('x' * 1000)", LogLimit, "it printed more than 262144 bytes"),
    ];
    endure(WEAKEST, &["--process-limit", "100", "--memory-limit", "300M", "--output-limit", "256K"], &cases);
}

#[test]
fn what_else_the_account_runs_is_not_counted_as_the_builds() {
    let Some(before) = WEAKEST.command() else { return };
    let mut den = Den::new();
    let body = "wait = evil.WORK + '/begun', evil.WORK + '/crowded'\nopen(wait[0], 'w').close()\n\
                while not os.path.exists(wait[1]): time.sleep(0.05)\nfor path in wait: os.remove(path)\n\
                assert os.system('true') == 0\nreturn make(directory)";
    den.add("neighbours", body);
    den.start(&before, &["--process-limit", "100"]);
    let work = den.rig.work();
    let crowd = thread::spawn(move || {
        wait_until("the build has begun", || work.join("begun").exists());
        let code = "import sys, threading\nend = threading.Event()\n\
                    for _ in range(300): threading.Thread(target=end.wait).start()\n\
                    print(flush=True)\nsys.stdin.read()\nend.set()";
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", code]).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some((uid, gid)) = nobody() {
            command.uid(uid).gid(gid);
        }
        let mut crowd = command.spawn().unwrap();
        BufReader::new(crowd.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
        fs::write(work.join("crowded"), "").unwrap();
        crowd
    });
    let (end, log) = den.build("neighbours");
    let mut crowd = crowd.join().unwrap();
    drop(crowd.stdin.take());
    assert!(crowd.wait().unwrap().success());
    assert_eq!(end, Built, "{log}");
}

#[test]
fn time_and_silence_are_limited_without_walls() {
    endure(WEAKEST, &HANGING_LIMITS, &HANGING);
}

#[test]
fn nothing_outlives_a_build_without_namespaces() {
    let cases = [
        case("flees", "evil.flee()\nreturn make(directory)", Built, "flees-1.0-py3-none-any.whl ("),
        case("bomb", "evil.bomb()", ProcessLimit, "it had more than 100 processes and threads"),
        case("litters", "evil.litter(say)\nevil.unlitter()\nreturn make(directory)", Built, "litters-1.0"),
    ];
    endure(Weak { namespaces: true, ..Weak::default() }, &["--process-limit", "100"], &cases);
}

/// Runs it to its end, which must come before it connects to anybody; exit code and what it said.
fn refused(rig: &Rig, before: &[String], arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = rig.command_through(before);
    command.args([
        "-m",
        "127.0.0.1",
        "--slave-port",
        &rig.master.ports().0.to_string(),
        "--python",
        "/usr/bin/python3",
    ]);
    let output = command.arg("--dir").arg(rig.work()).args(arguments).output().unwrap();
    rig.master.slaves.set_nonblocking(true).unwrap();
    assert!(rig.master.slaves.accept().is_err(), "nobody has connected");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(rig.left(), [""; 0]);
    (output.status.code(), said)
}

#[test]
fn walls_that_are_required_and_missing_are_named_before_anybody_is_connected_to() {
    let rig = Rig::new();
    let (code, said) = refused(&rig, &[], &["--require", "namespaces,moat"]);
    assert!(code == Some(2) && said.contains("\"moat\" is none of namespaces, "), "{code:?}: {said}");
    let Some(before) = WEAKEST.command() else { return };
    for (wall, reason) in [
        ("namespaces", "namespaces: cannot make namespaces: EPERM: Operation not permitted"),
        ("read-only", "read-only: "),
        ("net-off", "net-off: "),
        ("landlock", "landlock: the kernel has no Landlock: Function not implemented"),
        ("seccomp", "seccomp: cannot filter system calls: "),
    ] {
        let (code, said) = refused(&rig, &before, &["--require", wall]);
        assert_eq!(code, Some(2), "{said}");
        let expected = format!("piw-slave: what --require asks for cannot be had here: {reason}");
        assert!(said.starts_with(&expected), "{said}");
    }
    let (code, said) = refused(&rig, &before, &["--net", "off"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.starts_with("piw-slave: --net off cannot be had here: net-off: cannot make namespaces: "),
        "{said}"
    );
}

/// As `sysctl user.max_user_namespaces=0` does for a whole machine.
#[test]
fn a_machine_that_allows_no_namespaces_is_told_so() {
    let text = "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps=-all --inh-caps=-all \"$@\"";
    let before =
        ["unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c", text, "sh"].map(str::to_owned);
    let rig = Rig::new();
    let mut tried = rig.command_of(&before[0]);
    let tried = tried.args(&before[1..]).arg("/bin/true").output().unwrap();
    if !tried.status.success() {
        return skip("hostile::weak", String::from_utf8_lossy(&tried.stderr).trim());
    }
    let (code, said) = refused(&rig, &before, &["--require", "namespaces"]);
    assert_eq!(code, Some(2), "{said}");
    let expected =
        "piw-slave: what --require asks for cannot be had here: namespaces: cannot make namespaces: ENOSPC: ";
    assert!(said.starts_with(expected), "{said}");
}

/// Which walls stand is this machine's matter; that they are told as they are is not.
#[test]
fn the_walls_of_this_machine_are_told() {
    let mut den = Den::new();
    den.start(&[], &[]);
    let told = den.board.walls.clone();
    let user_namespaces =
        den.rig.command_of("unshare").args(["--user", "--map-current-user", "true"]).status();
    assert_eq!(told.contains(&Wall::Namespaces), user_namespaces.unwrap().success(), "{told:?}");
    assert!(told.contains(&Wall::ReadOnly) || !told.contains(&Wall::Namespaces), "{told:?}");
    assert!(!told.contains(&Wall::NetOff), "builds have a network: {told:?}");
    assert_eq!(
        told.contains(&Wall::Seccomp),
        cfg!(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))
    );
    for wall in [Wall::NoNewPrivileges, Wall::Rlimits, Wall::TreeKill] {
        assert!(told.contains(&wall), "{wall:?}: {told:?}");
    }
    assert!(!den.board.machine.is_empty() && den.board.os.contains("Linux"), "{:?}", den.board);
    if nobody().is_none() {
        skip("hostile::weak", "whose account this is, is not known: control groups are not looked at");
    }
}
