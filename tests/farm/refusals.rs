//! What the programs refuse, and what they say then.

use std::process::Command;

use nix::unistd::geteuid;
use piwheels::wire::Channel;
use piwheels::wire::slave::ToSlave;

use crate::kit::farm::{Farm, text};
use crate::kit::peer::{Peer, hello};

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
    let master = |more: &[&str]| farm.master_command(more);
    refused(master(&["--lease", "soon"]), 2, &["soon", "is not a duration"]);
    refused(master(&["--slave-queue", "5555"]), 2, &["is not an address"]);
    refused(master(&["--import-queue", "tcp://127.0.0.1:1"]), 2, &["must be an ipc:// address"]);
    refused(master(&["--pypi-simple", "file:///x"]), 2, &["must begin with http:// or https://"]);
    let inside = farm.path("www/spool");
    refused(master(&["--spool-path", inside.to_str().unwrap()]), 2, &["must be outside the web site"]);
    refused(master(&["-o", "/proc/x"]), 1, &["cannot make /proc/x"]);
    refused(
        master(&["-d", "postgres:///nonesuch?host=/nonesuch"]),
        1,
        &["cannot connect to database nonesuch"],
    );
    refused(master(&[]), 1, &["cannot listen on 127.0.0.1"]);
    refused(
        master(&["--slave-queue", "tcp://0.0.0.0:0"]),
        1,
        &["can be reached from other machines", "--insecure"],
    );
    let socket = farm.path("run/import");
    let free = ["--slave-queue", "tcp://127.0.0.1:0", "--file-queue", "tcp://127.0.0.1:0"];
    refused(master(&free), 1, &["is a piw-master running already?"]);
    farm.master.take().unwrap().kill();
    assert!(socket.exists(), "a killed master leaves its socket");
    farm.start_master();
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
    refused(farm.piw_command(&["add", "six six"]), 1, &["is not a requirement"]);
    refused(farm.piw_command(&["why", "six>1"]), 2, &["only == names one version"]);
    refused(farm.piw_command(&["frobnicate"]), 2, &["unrecognized subcommand"]);
}
