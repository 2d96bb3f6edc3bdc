//! The slave as boards run it: how large it is, and how much of the machine's memory it takes for itself (its build apart)
//! while it waits, builds, sends a long log and a large wheel. The real program and the real pip, under a master that does
//! what the bench wants.
//!
//! `PIW_BENCH_SLAVE` names the program to measure (the static one that `tools/bench` has built), `PIW_BENCH_BOARD` one for
//! boards, of which only the size is measured; without the first it is the one that cargo builds for this machine.

#[path = "../../tests/slave/index.rs"]
mod index;
#[path = "../../tests/slave/master.rs"]
mod master;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Instant;

use piwheels::wire::slave::{BuildEnd, FromSlave, Resume, ToSlave};
use piwheels::wire::{Sha256, file};

use crate::kit::account;
use crate::kit::farm::python;
use crate::row::{Goal, Rows};
use index::Index;
use master::{Master, Peer};

const KIB: f64 = 1024.0;
/// The largest that is asked for in one piece, and how many at a time.
const CHUNK: u64 = 256 * 1024;
const AT_ONCE: usize = 16;

/// A build that waits to be looked at.
const QUIET: &str = r#"
say("waiting at the gate")
while not os.path.exists("@GATE@"):
    time.sleep(0.02)
return make(directory)
"#;

/// A build that writes past pip, as compilers do: pip would look at every line.
const LOUD: &str = r#"
line = b"the compiler says something that is about as long as what compilers say, and says it again\n"
with open("/proc/%d/fd/1" % os.getppid(), "wb", buffering=0) as out:
    for n in range(@MIB@ * 16):
        piece = (line * 1000)[:65535] + b"\n"
        while piece:
            piece = piece[out.write(piece):]
return make(directory)
"#;

/// A build whose wheel is large, and made without holding it.
const LARGE: &str = r#"
import base64
name = NAME + "-1.0-py3-none-any.whl"
digest, size = hashlib.sha256(), @MIB@ << 20
with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
    with wheel.open(NAME + ".bin", "w") as member:
        for n in range(@MIB@):
            piece = os.urandom(1 << 20)
            digest.update(piece)
            member.write(piece)
    wheel.writestr(INFO + "/METADATA", META)
    wheel.writestr(INFO + "/WHEEL", WHEEL)
    known = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    record = "%s.bin,sha256=%s,%d\n" % (NAME, known, size)
    for path, text in ((INFO + "/METADATA", META), (INFO + "/WHEEL", WHEEL)):
        known = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += "%s,sha256=%s,%d\n" % (path, known, len(text))
    wheel.writestr(INFO + "/RECORD", record + INFO + "/RECORD,,\n")
return name
"#;

pub(crate) fn run(rows: &mut Rows, log_mib: usize, wheel_mib: usize) {
    let chosen = std::env::var_os("PIW_BENCH_SLAVE").map(PathBuf::from);
    let program = chosen.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_piw-slave").into());
    rows.note(&format!("slave: {}", program.display()));
    sizes(rows, &program, chosen.is_some());

    let slave = Slave::start(&program);
    slave.index.add("quiet", &QUIET.replace("@GATE@", &slave.gate().display().to_string()));
    slave.index.add("loud", &LOUD.replace("@MIB@", &log_mib.to_string()));
    slave.index.add("large", &LARGE.replace("@MIB@", &wheel_mib.to_string()));
    let (mut peer, held) = slave.master.greet();
    assert_eq!(held, None);
    peer.hello_with(&slave.index.url(), Resume::None, 0, 1 << 30);
    assert_eq!(peer.next(), FromSlave::Idle {});
    peer.send(&ToSlave::Sleep { seconds: 3600 });
    // once it says how it is, it has nothing left to do
    while !peer.sign_of_life() {}
    slave.row(rows, "slave, idle", "VmRSS", 2.0);

    slave.forget_peak();
    peer.send(&ToSlave::Wake {});
    take(&mut peer, "quiet");
    let mut log = Vec::new();
    peer.log_until(&mut log, "waiting at the gate");
    slave.row(rows, "slave, building", "VmRSS", 4.0);
    fs::write(slave.gate(), "").unwrap();
    built(&mut peer, &slave, log.len() as u64);
    peer.done();
    slave.row(rows, "slave, one build, peak", "VmHWM", 4.0);

    slave.forget_peak();
    let begun = Instant::now();
    take(&mut peer, "loud");
    let (logged, _) = built(&mut peer, &slave, 0);
    peer.done();
    assert!(logged >= (log_mib as u64) << 20, "{logged} bytes of log");
    rows.note(&format!(
        "slave: {:.0} MB of log, {:.0} MB/s with pip's own time",
        logged as f64 / 1e6,
        logged as f64 / 1e6 / begun.elapsed().as_secs_f64()
    ));
    slave.row(rows, &format!("slave, log {log_mib} MiB"), "VmHWM", 4.0);

    slave.forget_peak();
    take(&mut peer, "large");
    send(&mut peer, &slave, rows, wheel_mib);
    slave.row(rows, "slave, idle again", "VmRSS", 4.0);
}

/// What is on the disk. Goal: 1 MiB.
fn sizes(rows: &mut Rows, program: &Path, is_static: bool) {
    let size = |program: &Path| fs::metadata(program).unwrap().len() as f64 / KIB;
    let name = if is_static { "slave, static" } else { "slave, this machine's" };
    rows.add(name, size(program), KIB, "KiB", Goal::Within);
    match std::env::var_os("PIW_BENCH_BOARD").map(PathBuf::from) {
        Some(board) => rows.add("slave, armv7", size(&board), KIB, "KiB", Goal::Within),
        None => rows.note("slave: PIW_BENCH_BOARD names no program for boards"),
    }
}

/// Hands out a job to a slave that asks for one.
fn take(peer: &mut Peer, package: &str) {
    assert_eq!(peer.next(), FromSlave::Idle {});
    peer.build(package);
}

/// Reads on until BUILT, where so much of the log is known; the length of all of it, and the one file.
fn built(peer: &mut Peer, slave: &Slave, mut logged: u64) -> (u64, (u64, Sha256)) {
    let mut end = Vec::new();
    loop {
        match peer.next() {
            FromSlave::Log { offset, data } => {
                assert_eq!(offset, logged, "without gaps");
                logged += data.len() as u64;
                end = data.to_vec();
            }
            FromSlave::Built { end: BuildEnd::Built, log_bytes, files, .. } => {
                assert_eq!(log_bytes, logged);
                return (logged, (files[0].size, files[0].sha256));
            }
            other => panic!("{other:?}\n{}\n{}", String::from_utf8_lossy(&end), slave.said()),
        }
    }
}

/// The large wheel: from pip's end to its last byte here, in two rows.
fn send(peer: &mut Peer, slave: &Slave, rows: &mut Rows, mib: usize) {
    let (_, (size, sha256)) = built(peer, slave, 0);
    slave.row(rows, &format!("slave, wheel {mib} MiB"), "VmHWM", 4.0);
    slave.forget_peak();
    let mut data = vec![0; size as usize];
    let begun = Instant::now();
    peer.send(&ToSlave::Send { index: 0, transfer: [1; 16] });
    let (mut files, _) = slave.master.transfer();
    let ranges: Vec<(u64, u32)> = (0..size)
        .step_by(CHUNK as usize)
        .map(|at| (at, u32::try_from(CHUNK.min(size - at)).unwrap()))
        .collect();
    for some in ranges.chunks(AT_ONCE) {
        files.fetch(some, &mut data);
    }
    let took = begun.elapsed().as_secs_f64();
    slave.row(rows, &format!("slave, sends {mib} MiB"), "VmHWM", 4.0);
    rows.note(&format!("slave: sent at {:.0} MB/s", size as f64 / 1e6 / took));
    files.send_file(&file::ToSlave::Done {});
    assert_eq!(peer.next(), FromSlave::Sent { index: 0 });
    assert_eq!(Sha256::of(&data), sha256);
    peer.done();
    assert_eq!(peer.next(), FromSlave::Idle {});
    peer.send(&ToSlave::Sleep { seconds: 3600 });
    while !peer.sign_of_life() {}
}

/// The program, its index and its master.
struct Slave {
    child: Child,
    master: Master,
    index: Index,
    // last, so that everything in it has ended before it goes
    dir: tempfile::TempDir,
}

impl Slave {
    fn start(program: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let work = dir.path().join("work");
        fs::create_dir(&work).unwrap();
        account::give(&work);
        let index = Index::new(dir.path());
        let master = Master::new();
        let (slave_port, file_port) = master.ports();
        let mut command = account::command(account::runnable(program.to_str().unwrap(), dir.path()));
        command.args(["-v", "--master", "127.0.0.1", "--log-limit", "1G", "--python"]).arg(python());
        command.arg("--slave-port").arg(slave_port.to_string()).arg("--file-port").arg(file_port.to_string());
        command
            .arg("--expose")
            .arg(dir.path())
            .arg("--dir")
            .arg(&work)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        let said = File::create(dir.path().join("said")).unwrap();
        let child = command.stdin(Stdio::null()).stderr(said).spawn().unwrap();
        Self { child, master, index, dir }
    }

    fn gate(&self) -> PathBuf {
        self.dir.path().join("gate")
    }

    fn said(&self) -> String {
        fs::read_to_string(self.dir.path().join("said")).unwrap_or_default()
    }

    /// A field of proc(5)'s status, in KiB.
    fn status(&self, field: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(&format!("{field}:"))).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// From here on `VmHWM` is the peak of what comes.
    fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// One figure of its memory, beside a limit in MiB; how much of it now is nobody else's.
    fn row(&self, rows: &mut Rows, name: &str, field: &str, limit_mib: f64) {
        rows.add(name, self.status(field), limit_mib * KIB, "KiB", Goal::Within);
        rows.note(&format!("  of which its own, at this moment: {} KiB", self.status("RssAnon")));
    }
}

impl Drop for Slave {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
