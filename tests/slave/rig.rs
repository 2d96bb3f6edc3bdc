//! A real `piw-slave` with a place to work in. Where the tests run as root, the slave runs as `nobody`: it refuses root.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};

use crate::index::Index;
use crate::master::{Master, PATIENCE};

pub(crate) struct Rig {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) index: Index,
    pub(crate) master: Master,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        open_to_all(dir.path());
        // the clone's own directory may not be one that nobody can enter
        fs::copy(env!("CARGO_BIN_EXE_piw-slave"), dir.path().join("piw-slave")).unwrap();
        open_to_all(&dir.path().join("piw-slave"));
        let work = dir.path().join("work");
        fs::create_dir(&work).unwrap();
        if let Some((uid, gid)) = nobody() {
            chown(&work, Some(uid), Some(gid)).unwrap();
        }
        let index = Index::new(dir.path());
        Self { dir, index, master: Master::new() }
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// A file that only this test knows of; backends wait for it.
    pub(crate) fn gate(&self) -> PathBuf {
        self.dir.path().join("gate")
    }

    pub(crate) fn open_gate(&self) {
        fs::write(self.gate(), "").unwrap();
    }

    /// A command that runs the slave with nothing of this environment, as a user it accepts.
    pub(crate) fn command(&self) -> Command {
        self.command_through(&[])
    }

    /// The same, started by another command, which becomes the slave.
    pub(crate) fn command_through(&self, before: &[String]) -> Command {
        let program = self.dir.path().join("piw-slave");
        match before {
            [] => self.command_of(program),
            [first, rest @ ..] => {
                let mut command = self.command_of(first);
                command.args(rest).arg(program);
                command
            }
        }
    }

    /// The same for any program.
    pub(crate) fn command_of(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/").stdin(Stdio::null());
        // the disk that tests run on may be small, and is not what most are about
        command.env("PIW_DISK_FLOOR", "0");
        if let Some((uid, gid)) = nobody() {
            command.uid(uid).gid(gid);
        }
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Slave {
        let expose = ["--expose", self.dir.path().to_str().unwrap()];
        self.run(self.command(), &[&expose, arguments].concat())
    }

    /// Starts the slave by a command, with what it needs to know and these arguments.
    pub(crate) fn run(&self, mut command: Command, arguments: &[&str]) -> Slave {
        let (slave_port, file_port) = self.master.ports();
        command.args(["-v", "-v", "--master", "127.0.0.1", "--python", "/usr/bin/python3"]);
        command.args(["--slave-port", &slave_port.to_string(), "--file-port", &file_port.to_string()]);
        command.arg("--dir").arg(self.work()).args(arguments);
        self.begin(command)
    }

    /// Writes the slave's configuration file: what it needs here, and these lines.
    pub(crate) fn configure(&self, lines: &str) -> PathBuf {
        let (slave_port, file_port) = self.master.ports();
        let file = self.dir.path().join("slave.conf");
        let needed = format!(
            "master = 127.0.0.1\nslave-port = {slave_port}\nfile-port = {file_port}\npython = /usr/bin/python3\n\
             dir = {}\nexpose = {}\nverbose = 2\n",
            self.work().display(),
            self.dir.path().display()
        );
        fs::write(&file, needed + lines).unwrap();
        file
    }

    /// Starts a slave that has everything from its configuration file.
    pub(crate) fn start_configured(&self, lines: &str, change: impl FnOnce(&mut Command)) -> Slave {
        let file = self.configure(lines);
        self.spawn(|command| change(command.arg("-c").arg(file)))
    }

    pub(crate) fn spawn(&self, change: impl FnOnce(&mut Command)) -> Slave {
        let mut command = self.command();
        change(&mut command);
        self.begin(command)
    }

    fn begin(&self, mut command: Command) -> Slave {
        let said = self.dir.path().join("said");
        let child = command.stderr(File::create(&said).unwrap()).spawn().unwrap();
        Slave { child, said }
    }

    /// What is in the slave's directory but its lock.
    pub(crate) fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.work()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "piw-slave.lock").collect()
    }

    /// Waits until nothing of a build is left.
    pub(crate) fn wait_until_clear(&self) {
        wait_until("the build's directory to go", || self.left().is_empty());
    }
}

pub(crate) fn open_to_all(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// Whom to run the slave as, if that is not who we are.
pub(crate) fn nobody() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let user = User::from_name("nobody").unwrap().expect("an account named nobody");
    Some((user.uid.as_raw(), user.gid.as_raw()))
}

pub(crate) struct Slave {
    child: Child,
    said: PathBuf,
}

impl Slave {
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the slave to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Slave {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the slave said:\n{}", self.said());
        }
        if self.child.try_wait().ok().flatten().is_none() {
            // twice: do not deliver, but do not leave processes either
            let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
            let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT);
            let deadline = Instant::now() + Duration::from_secs(20);
            while self.child.try_wait().ok().flatten().is_none() {
                if Instant::now() > deadline {
                    let _ = self.child.kill();
                }
                std::thread::park_timeout(Duration::from_millis(10));
            }
        }
    }
}

pub(crate) fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Notes what cannot be tested here, where the runner shows it.
pub(crate) fn skip(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
    if let Some(file) = std::env::var_os("PIW_TEST_SKIPPED") {
        let mut file = File::options().append(true).create(true).open(file).unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}

/// Processes with this text in their command line.
pub(crate) fn processes(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit())
            && String::from_utf8_lossy(&line).contains(mark)
        {
            found.push(format!(
                "{:?}: {}",
                entry.file_name(),
                String::from_utf8_lossy(&line).replace('\0', " ")
            ));
        }
    }
    found
}
