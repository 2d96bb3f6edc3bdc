//! Hostile source distributions, one after the other, on a real slave: each must end as it should, leave no process and no
//! file, and be followed by the next job.

mod escape;
mod groups;
mod limits;
mod probe;
mod weak;
mod wheels;

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use piwheels::wire::slave::{Board, BuildEnd, FromSlave, Resume};

use crate::master::Peer;
use crate::rig::{Rig, Slave, nobody, processes};
use crate::text;

const EVIL: &str = include_str!("evil.py");
const PROBES: &str = include_str!("probes.py");

/// What a source distribution does, and what must become of it.
pub(crate) struct Case {
    /// The package's name.
    name: &'static str,
    /// The body of its backend's `build_wheel`; `evil` is the module of that name.
    body: &'static str,
    end: BuildEnd,
    /// Part of the log's last line.
    last: &'static str,
    /// Parts of the log.
    says: &'static [&'static str],
}

/// Becomes `end`, with `last` in its last line.
const fn case(name: &'static str, body: &'static str, end: BuildEnd, last: &'static str) -> Case {
    Case { name, body, end, last, says: &[] }
}

/// What hangs, in silence and loudly, hears no signal and has others that do so, too. For a slave with `--silence 4s` and
/// `--timeout 9s`.
const HANGING: [Case; 2] = [
    case(
        "sleeps",
        "evil.flee()\nevil.deaf()\nos.kill(os.getppid(), 19)\ntime.sleep(1000)",
        BuildEnd::Silence,
        "it printed nothing for 4 s; all its processes were killed",
    ),
    case(
        "deaf",
        "evil.flee()\nevil.deaf()\nos.kill(os.getppid(), 19)\nwhile True:\n    time.sleep(0.2)\n    say('here')",
        BuildEnd::Timeout,
        "the time limit of 9 s ended it; all its processes were killed",
    ),
];
const HANGING_LIMITS: [&str; 4] = ["--silence", "4s", "--timeout", "9s"];

/// What builds its wheel, and would leave something behind, whatever walls there are.
const ESCAPING: [Case; 5] = [
    case("flees", "evil.flee()\nreturn make(directory)", BuildEnd::Built, "flees-1.0-py3-none-any.whl ("),
    case("headless", "evil.without_a_head()\nreturn make(directory)", BuildEnd::Built, "headless-1.0"),
    case("holds", "evil.hold_the_log()\nreturn make(directory)", BuildEnd::Built, "holds-1.0"),
    case("exchanges", "evil.exchange(make)\nreturn make(directory)", BuildEnd::Built, "exchanges-1.0"),
    case(
        "influences",
        "evil.to_influence()\nevil.put('NAME-1.0-1-py3-none-any.whl', METADATA='Name: x')\nreturn make(directory)",
        BuildEnd::BadWheel,
        "its METADATA says that it is 'x'",
    ),
];

/// A slave, and all around it that a build might reach.
pub(crate) struct Den {
    // before the rig, whose directory it lives in
    pub(crate) slave: Option<Slave>,
    peer: Option<Peer>,
    pub(crate) rig: Rig,
    /// In the name of whatever a build leaves.
    mark: String,
    listener: TcpListener,
    pub(crate) board: Board,
}

impl Den {
    pub(crate) fn new() -> Self {
        let mut rig = Rig::new();
        let dir = rig.dir.path().to_owned();
        let name = dir.file_name().and_then(OsStr::to_str).unwrap();
        let mark = format!("piw-mark-{}-{}", std::process::id(), name.trim_start_matches('.'));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = format!(
            "RIG, WORK = {dir:?}, {:?}\nBUILD = WORK + '/build-7'\nOUT = BUILD + '/out'\nMARK = {mark:?}\nPORT = {}\n",
            rig.work(),
            listener.local_addr().unwrap().port()
        );
        rig.index.beside =
            vec![("place.py", place), ("evil.py", EVIL.to_owned()), ("probes.py", PROBES.to_owned())];
        let home = dir.join("home");
        fs::create_dir(&home).unwrap();
        fs::write(home.join("secret"), "the secret").unwrap();
        for path in [&home, &home.join("secret")] {
            give_away(path);
        }
        Self { rig, mark, listener, slave: None, peer: None, board: Board::default() }
    }

    /// Adds what is to be built.
    pub(crate) fn add(&self, name: &str, body: &str) {
        let body = format!(
            "import evil, probes\nsay('@pid namespace', os.readlink('/proc/self/ns/pid'))\n{}",
            body.trim()
        );
        self.rig.index.add(name, &body);
    }

    /// Starts the slave through another command, which becomes it.
    pub(crate) fn start(&mut self, before: &[String], arguments: &[&str]) {
        self.run(self.rig.command_through(before), arguments);
    }

    /// The same by a command of any kind.
    fn run(&mut self, mut command: Command, arguments: &[&str]) {
        command.env("SECRET_OF_THE_SLAVE", format!("{}-secret", self.mark));
        let slave = self.rig.run(command, arguments);
        let shown = self.rig.dir.path().join("index/simple");
        fs::create_dir_all(&shown).unwrap();
        fs::write(shown.join("slave-pid"), slave.pid().to_string()).unwrap();
        let (mut peer, held, _, board) = self.rig.master.meet();
        assert_eq!(held, None);
        peer.hello(&self.rig.index.url(), Resume::None, 0);
        assert_eq!(peer.next(), FromSlave::Idle {});
        (self.slave, self.peer, self.board) = (Some(slave), Some(peer), board);
    }

    /// Builds it, looks that nothing of it is left, and that the slave asks for the next job; how it ended, and its log.
    pub(crate) fn build(&mut self, name: &str) -> (BuildEnd, String) {
        let begun = Instant::now();
        let mut peer = self.peer.take().unwrap();
        peer.build(name);
        let mut log = Vec::new();
        let built = peer.built(&mut log);
        let log = text(&log);
        assert_eq!(built.files.is_empty(), built.end != BuildEnd::Built, "{name}: {log}");
        assert_eq!(self.processes_left(&log), [""; 0], "{name}: {log}");
        for file in &built.files {
            let path = self.rig.work().join("build-7/out").join(&*file.filename);
            let digest = piwheels::wire::Sha256::of(&fs::read(path).unwrap());
            assert_eq!(digest, file.sha256, "{name}: what was told is what is there");
        }
        let ended = Instant::now();
        peer.done();
        assert_eq!(peer.next(), FromSlave::Idle {}, "{name}: it goes on");
        eprintln!(
            "{name}: {:?} {:?} after BUILD, and {:?} after DONE the next job is asked for",
            built.end,
            ended - begun,
            ended.elapsed()
        );
        assert_eq!(self.rig.left(), [""; 0], "{name}: {}", self.slave.as_ref().unwrap().said());
        let left = self.files_left();
        assert!(left.is_empty(), "{name}: {left:?}: {log}");
        self.peer = Some(peer);
        (built.end, log)
    }

    /// Builds all of these.
    pub(crate) fn endure(&mut self, cases: &[Case]) {
        for case in cases {
            let (end, log) = self.build(case.name);
            let last = log.lines().last().unwrap();
            assert_eq!(end, case.end, "{}: {log}", case.name);
            assert!(last.starts_with("piw-slave: ") && last.contains(case.last), "{}: {log}", case.name);
            for part in case.says {
                assert!(log.contains(part), "{}: no {part:?} in {log}", case.name);
            }
        }
    }

    /// Processes that the slave has left: its children, what lies in the directory, what is in the build's namespace.
    fn processes_left(&self, log: &str) -> Vec<String> {
        let slave = self.slave.as_ref().unwrap().pid();
        let said = log.lines().find_map(|line| line.strip_prefix("@pid namespace "));
        let own = fs::read_link("/proc/self/ns/pid").unwrap();
        let namespace = said.filter(|said| own != Path::new(said));
        let mut left = processes(self.rig.work().to_str().unwrap());
        left.retain(|line| !line.starts_with(&format!("\"{slave}\": ")));
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            let inside = fs::read_link(entry.path().join("ns/pid"))
                .is_ok_and(|place| namespace.is_some_and(|own| place == Path::new(own)));
            if (inside && !is_anothers(pid, slave)) || parent(pid) == Some(slave) {
                left.push(format!(
                    "{pid}: {}",
                    fs::read_to_string(entry.path().join("stat")).unwrap_or_default()
                ));
            }
        }
        left
    }

    /// Files with the mark in their name, wherever a build could have put them.
    fn files_left(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let account = nix::unistd::User::from_name("nobody").unwrap().map(|user| user.dir);
        let shared =
            ["/", "/tmp", "/var/tmp", "/dev", "/dev/shm", "/dev/mqueue", "/run", "/home", "/root", "/srv"];
        let shared = shared.into_iter().map(PathBuf::from).chain(["/etc", "/usr/local"].map(PathBuf::from));
        for path in shared.chain(account) {
            self.look(&path, 1, &mut found);
        }
        self.look(self.rig.dir.path(), 8, &mut found);
        let segments = ["shm", "sem", "msg"]
            .map(|kind| fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default());
        // the key that evil.py asks for
        let key = 0x7069_7731_u32.to_string();
        assert!(!segments.concat().split_whitespace().any(|word| word == key), "{segments:?}");
        found
    }

    fn look(&self, dir: &Path, depth: u32, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().contains(&self.mark) {
                found.push(entry.path());
            }
            if depth > 1 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.look(&entry.path(), depth - 1, found);
            }
        }
    }
}

/// Somebody else with the slave's account, who has secrets and must not be harmed.
struct Neighbour(Child);

impl Neighbour {
    fn of(den: &Den) -> Self {
        let mut command = den.rig.command_of("/bin/sh");
        command.args(["-c", "read line; exit 7", &format!("{}-neighbour", den.mark)]);
        command.env("SECRET", format!("{}-secret", den.mark));
        Self(command.stdin(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // the end of its input is its own
        drop(self.0.stdin.take());
        let status = self.0.wait().unwrap();
        assert!(std::thread::panicking() || status.code() == Some(7), "somebody has killed it: {status}");
    }
}

/// A slave like this endures these.
pub(crate) fn endure(arguments: &[&str], cases: &[Case]) {
    let mut den = Den::new();
    let _neighbour = Neighbour::of(&den);
    for case in cases {
        den.add(case.name, case.body);
    }
    den.start(&[], arguments);
    den.endure(cases);
}

/// To the account that slaves run as, for its eyes alone.
fn give_away(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    if let Some((uid, gid)) = nobody() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

fn parent(pid: i32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Whether it belongs to another slave: the number of a namespace that is gone is soon another one's.
fn is_anothers(pid: i32, slave: u32) -> bool {
    let mut above = u32::try_from(pid).ok();
    while let Some(pid) = above.filter(|pid| *pid > 1 && *pid != slave) {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if name.trim_end() == "piw-slave" {
            return true;
        }
        above = i32::try_from(pid).ok().and_then(parent);
    }
    false
}
