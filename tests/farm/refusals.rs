//! What the programs refuse, and what they say then.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use piwheels::wire::Channel;
use piwheels::wire::slave::ToSlave;

use crate::kit::account;
use crate::kit::cluster::{MASTER, SUPERUSER};
use crate::kit::farm::{Farm, text};
use crate::kit::peer::{Peer, hello};
use crate::kit::wait::until;

fn refused(mut command: Command, code: i32, words: &[&str]) {
    let output = command.output().unwrap();
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(code), "{printed}");
    for word in words {
        assert!(printed.contains(word), "no {word:?} in: {printed}");
    }
}

#[test]
fn slaves_of_another_version_or_abi_are_told_why_and_sent_away() {
    let farm = Farm::start(&["cp311"], &[]);
    for (software, abi, reason) in [
        ("0.0.1", "cp311", "the slave 0.0.1: upgrade the slave"),
        (piwheels::VERSION, "cp310", "'piw abi add cp310' makes it"),
        (piwheels::VERSION, "abi3", "is not an ABI tag to build for"),
    ] {
        let mut slave = Peer::connect(farm.slave_port, Channel::Slave);
        slave.say(&hello(software, "odd", abi, None));
        match slave.hear() {
            Some(ToSlave::Bye { reason: told }) => assert!(told.contains(reason), "{told}"),
            other => panic!("{other:?}"),
        }
        assert!(slave.is_dropped());
        farm.master().wait_for_line(0, &["dropped:", reason]);
    }
    // an ABI that is added while the master runs is built for at once
    farm.piw(&["abi", "add", "cp310"]);
    let mut slave = Peer::connect(farm.slave_port, Channel::Slave);
    slave.say(&hello(piwheels::VERSION, "late", "cp310", None));
    assert!(matches!(slave.hear(), Some(ToSlave::Hello { .. })));
}

#[test]
fn a_master_that_cannot_work_says_what_to_do() {
    let mut farm = Farm::start(&[], &[]);
    // it has the first one's addresses, and nothing else of it
    let (output, spool) = (farm.path("run/www"), farm.path("run/spool"));
    let dsn = farm.cluster.database().dsn(MASTER);
    let master = |more: &[&str]| {
        let mut command = farm.master_command(&["--spool-path", spool.to_str().unwrap(), "-d", &dsn]);
        command.arg("-o").arg(&output).args(more);
        command
    };
    for lease in ["0s", "500ms", "25h"] {
        refused(master(&["--lease", lease]), 2, &["--lease must be between 1s and 24h"]);
    }
    refused(master(&["--lease", "soon"]), 2, &["soon", "is not a duration"]);
    let mut odd = master(&[]);
    odd.env("PIW_LEASE", OsStr::from_bytes(b"3\xff0s"));
    refused(odd, 2, &["PIW_LEASE", "is not UTF-8"]);
    refused(master(&["--slave-queue", "5555"]), 2, &["is not an address"]);
    for queue in ["--import-queue", "--status-queue", "--control-queue"] {
        refused(master(&[queue, "tcp://127.0.0.1:1"]), 2, &[queue, "must be an ipc:// address"]);
    }
    refused(master(&["--slave-silence", "9s"]), 2, &["--slave-silence must be between 10s and 1h"]);
    refused(master(&["--max-log", "15K"]), 2, &["--max-log must be 16K at least"]);
    // bounds hold wherever they are set: in a file, a variable, on the command line
    let file = farm.path("run/odd.conf");
    for (key, value, words) in [
        ("max-files", "0", "--max-files must be between 1 and 64"),
        ("max-files", "65", "--max-files must be between 1 and 64"),
        ("max-wheel", "0", "--max-wheel must be 1 at least"),
        ("max-messages", "0", "--max-messages must be 1 at least"),
        ("max-per-address", "0", "--max-per-address must be 1 at least"),
        ("handshake-time", "0", "--handshake-time must be between 1s and 5m"),
        ("transfer-patience", "1s", "--transfer-patience must be between 1m and 24h"),
        ("chunk", "1M", "--chunk must be between 16K and 256K"),
        ("transfer-memory", "1M", "--transfer-memory a window at least"),
    ] {
        std::fs::write(&file, format!("{key} = {value}\n")).unwrap();
        refused(master(&["-c", file.to_str().unwrap()]), 2, &[words]);
        refused(master(&[&format!("--{key}={value}")]), 2, &[words]);
    }
    refused(master(&["--pypi-simple", "file:///x"]), 2, &["must begin with http:// or https://"]);
    let inside = output.join("spool");
    refused(master(&["--spool-path", inside.to_str().unwrap()]), 2, &["must be outside the web site"]);
    refused(master(&["-o", "/proc/x"]), 1, &["cannot make /proc/x"]);
    refused(
        master(&["-d", "postgres:///nonesuch?host=/nonesuch"]),
        1,
        &["cannot connect to database nonesuch"],
    );
    let above = farm.dsn().replace(&format!("{MASTER}@"), &format!("{SUPERUSER}@"));
    refused(master(&["-d", &above]), 1, &["the role postgres is a super-user", "piw-initdb"]);
    refused(master(&[]), 1, &["cannot listen on 127.0.0.1"]);
    refused(
        master(&["--slave-queue", "tcp://0.0.0.0:0"]),
        1,
        &["can be reached from other machines", "--insecure"],
    );
    let log = farm.path("run/second.log");
    refused(master(&["--slave-queue", "tcp://*:0", "-l", log.to_str().unwrap()]), 1, &["cannot listen on"]);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("piw-master WARNING: tcp://*:0: only this machine's own programs can connect"),
        "{log}"
    );
    let socket = farm.path("run/import");
    let free = ["--slave-queue", "tcp://127.0.0.1:0", "--file-queue", "tcp://127.0.0.1:0"];
    refused(master(&free), 1, &["is a piw-master running already?"]);
    farm.master.take().unwrap().kill();
    assert!(socket.exists(), "a killed master leaves its socket");
    farm.start_master();
}

#[test]
fn a_second_master_on_the_same_spool_is_refused_before_it_touches_it() {
    let mut farm = Farm::start(&[], &[]);
    let held = farm.path("spool/p99.gz");
    std::fs::write(&held, "half a wheel").unwrap();
    let second = farm.path("run/second");
    let elsewhere = format!("ipc://{}", second.display());
    let free = ["--slave-queue", "tcp://127.0.0.1:0", "--file-queue", "tcp://127.0.0.1:0"];
    let mut command = farm.master_command(&free);
    command.args(["--import-queue", &elsewhere]);
    let holder = format!("(process {})", farm.master().pid());
    refused(command, 1, &["another piw-master", &holder, "--spool-path"]);
    assert!(held.exists());
    // the lock goes with its process, and what is left is cleared then
    farm.kill_master();
    farm.start_master();
    assert!(!held.exists());
}

#[test]
fn fewer_open_files_than_connections_need_are_refused_with_both_numbers() {
    let mut farm = Farm::start(&[], &[]);
    farm.kill_master();
    let limited = |more: &[&str]| {
        let mut command = account::command("/bin/sh");
        let master = farm.master_command(more);
        command
            .args(["-c", "ulimit -n 1000 && exec \"$0\" \"$@\""])
            .arg(master.get_program())
            .args(master.get_args());
        command
    };
    let words =
        ["4096 connections need 4352 open files", "the limit is 1000", "ulimit -n", "--max-connections"];
    refused(limited(&[]), 1, &words);
    refused(limited(&["--max-connections", "744", "-o", "/proc/x"]), 1, &["cannot make /proc/x"]);
}

#[test]
fn a_spool_that_cannot_be_linked_into_the_output_is_refused_even_on_the_same_device() {
    let mut farm = Farm::start(&[], &[]);
    farm.kill_master();
    let spool = farm.path("spool");
    let Some(user) = account::ordinary() else { return };
    // in a place of its own for mounts, with the spool mounted onto itself, as an ordinary account
    let inside = |words: &mut dyn Iterator<Item = &OsStr>| {
        let script = "mount --bind \"$0\" \"$0\" && u=$1 g=$2 && shift 2 && \
                      exec setpriv --reuid \"$u\" --regid \"$g\" --clear-groups -- \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "/bin/sh", "-c", script]).arg(&spool);
        command.arg(user.uid.to_string()).arg(user.gid.to_string()).args(words);
        command
    };
    // mounting takes a right that root in a container may not have
    let mut probe = inside(&mut [OsStr::new("true")].into_iter());
    if !probe.output().is_ok_and(|output| output.status.success()) {
        return;
    }
    let master = farm.master_command(&[]);
    let command = inside(&mut std::iter::once(master.get_program()).chain(master.get_args()));
    refused(command, 2, &["must be on one file system, and in one mount of it"]);
}

#[test]
fn a_master_that_waits_for_its_database_can_be_stopped() {
    let mut farm = Farm::start(&[], &[]);
    farm.kill_master();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let dsn = format!("postgres://x@{}/x", silent.local_addr().unwrap());
    let mut master = farm.master_command(&["-d", &dsn]).stderr(Stdio::null()).spawn().unwrap();
    let connection = until("connection to the database", String::new, || silent.accept().ok());
    kill(Pid::from_raw(master.id() as i32), Signal::SIGTERM).unwrap();
    let ended = until("end of the master", String::new, || master.try_wait().unwrap());
    assert_eq!(ended.signal(), Some(Signal::SIGTERM as i32));
    drop(connection);
}

#[test]
fn a_database_of_another_version_is_refused_with_the_command_that_mends_it() {
    let mut farm = Farm::start(&[], &[]);
    farm.master.take().unwrap().kill();
    for (version, words) in
        [(0, ["version 0", "piw-initdb"]), (99, ["version 99", "install the newer piwheels"])]
    {
        farm.execute(&format!(
            "ALTER TABLE piw.meta DROP CONSTRAINT IF EXISTS meta_schema_version_check; \
                               UPDATE piw.meta SET schema_version = {version}"
        ));
        refused(farm.master_command(&[]), 1, &words);
    }
}

#[test]
fn nothing_runs_as_root() {
    if !geteuid().is_root() {
        // an ordinary user has no way to be root; the check is covered where the tests run as root
        return;
    }
    refused(Command::new(env!("CARGO_BIN_EXE_piw-master")), 1, &["must not run as root"]);
    refused(Command::new(env!("CARGO_BIN_EXE_piw-slave")), 1, &["root"]);
}

#[test]
fn a_tool_without_a_master_says_so_at_once() {
    let mut farm = Farm::start(&[], &[]);
    farm.master.take().unwrap().kill();
    refused(farm.piw_command(&["abi", "list"]), 1, &["no master at ipc://", "start piw-master"]);
    refused(farm.piw_command(&["add"]), 2, &["nothing to add"]);
    refused(farm.piw_command(&["add", "six six"]), 2, &["is not a requirement", "nothing was added"]);
    refused(farm.piw_command(&["why", "six>1"]), 2, &["only == names one version"]);
    refused(farm.piw_command(&["frobnicate"]), 2, &["unrecognized subcommand"]);
}
