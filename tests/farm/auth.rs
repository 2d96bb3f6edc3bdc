//! Keys of slaves: who has one is let in under its name, who has none or another's is not, and nobody notices.

use std::os::unix::fs::PermissionsExt;

use bytes::BytesMut;
use nix::sys::signal::Signal;
use piwheels::domain::Sha256;
use piwheels::wire::auth::Key;
use piwheels::wire::slave::{FromSlave, ToSlave, Vitals};
use piwheels::wire::{Channel, file};

use crate::kit::account;
use crate::kit::farm::{Farm, abi_of, python, text};
use crate::kit::peer::{Peer, hello, serve_on};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

/// The key in a line of `--add-slave`.
fn key(line: &str) -> Key {
    let hex = line.split_whitespace().nth(1).unwrap();
    let bytes: Vec<u8> =
        (0..64).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
    Key(bytes.try_into().unwrap())
}

fn busy() -> FromSlave {
    FromSlave::Busy {
        vitals: Vitals {
            load1_centi: 0,
            cpus: 4,
            memory_total: 1 << 30,
            memory_free: 1 << 29,
            disk_total: 1 << 34,
            disk_free: 1 << 33,
            temperature: None,
            clock_ms: 0,
            throttled: None,
        },
        holds_back: None,
    }
}

type Attack = fn(&mut Peer) -> BytesMut;

/// A farm whose master knows these names, and their keys.
fn farm_with_keys<const N: usize>(names: [&str; N]) -> (Farm, [Key; N]) {
    let mut farm = Farm::start(&["cp311"], &[]);
    let keys = names.map(|name| key(&farm.add_key(name)));
    farm.kill_master();
    farm.start_master();
    (farm, keys)
}

fn key_file(farm: &Farm, name: &str, line: &str) -> String {
    let path = farm.path("run").join(name);
    std::fs::write(&path, line).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    account::give(&path);
    path.display().to_string()
}

#[test]
fn a_slave_with_a_key_builds_and_delivers_and_one_with_another_key_waits() {
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    let line = farm.add_key("pi-1");
    farm.kill_master();
    farm.start_master();
    farm.index.offer(&Recipe::native("x", "1.0"));
    let false_line = format!("pi-1 {}\n", "ab".repeat(32));
    let thief = key_file(&farm, "false", &false_line);
    let thief = farm.start_slave_with("thief", &python(), &["--key-file", &thief]);
    thief.wait_for_line(0, &["does not have this slave's key", "next attempt"]);
    farm.master()
        .wait_for_line(0, &["dropped: it hung up when it was to prove the key of pi-1", "[wrong-key]"]);
    let own = key_file(&farm, "own", &line);
    let slave = farm.start_slave_with("a-label-of-its-own", &python(), &["--key-file", &own]);
    farm.piw(&["add", "x"]);
    let build = farm.wait_for_state("x", &abi, "built");
    assert_eq!(build["slave"], "pi-1", "the name is that of the key");
    assert_eq!(farm.crawl(), 1);
    assert!(!slave.log().contains(line.split_whitespace().nth(1).unwrap()));
    assert!(!farm.master().log().contains(line.split_whitespace().nth(1).unwrap()));
}

#[test]
fn who_cannot_prove_its_name_is_refused_and_counted() {
    let (farm, [one]) = farm_with_keys(["pi-1"]);
    let mut bystander = Peer::slave_as(farm.slave_port, "pi-1", &one);
    let refused = Peer::connect_as(farm.slave_port, Channel::Slave, "pi-9", &one).err().unwrap();
    assert!(refused.contains("has no key here"), "{refused}");
    farm.master().wait_for_line(0, &["dropped", "[unknown-name]"]);
    // it knows the name and not the key: whatever it sends as a proof
    let (auth, _) = piwheels::wire::auth::Claim::new(
        Key([0; 32]),
        piwheels::wire::Text::new("pi-1").unwrap(),
        Channel::Slave,
        [1; 32],
    );
    let mut liar = Peer::connect(farm.slave_port, Channel::Slave);
    liar.say_auth(&auth);
    let Some(piwheels::wire::auth::ToClaimant::Challenge { proof, .. }) = liar.hear_auth() else { panic!() };
    liar.say_auth(&piwheels::wire::auth::FromClaimant::Proof { proof });
    assert!(matches!(liar.hear_auth(), Some(piwheels::wire::auth::ToClaimant::Refused { .. })));
    assert!(liar.is_dropped());
    farm.master().wait_for_line(0, &["dropped", "[wrong-key]", "pi-1"]);
    // a proof of the slave channel is none on the file channel
    assert!(Peer::connect_as(farm.file_port, Channel::File, "pi-1", &one).is_ok());
    bystander.say(&FromSlave::Idle {});
    assert!(matches!(bystander.hear(), Some(ToSlave::Sleep { .. })));
}

#[test]
fn replayed_reordered_and_forged_frames_end_that_connection_only() {
    let (farm, [one, two]) = farm_with_keys(["pi-1", "pi-2"]);
    let mut bystander = Peer::slave_as(farm.slave_port, "pi-2", &two);
    let attacks: [(&str, Attack); 4] = [
        ("replayed", |peer| {
            let mut twice = peer.sealed(&busy());
            let again = twice.clone();
            twice.extend_from_slice(&again);
            twice
        }),
        ("reordered", |peer| {
            let _lost = peer.sealed(&busy());
            peer.sealed(&busy())
        }),
        ("bad-seal", |_| {
            let mut bare = BytesMut::new();
            busy().encode(&mut bare);
            bare
        }),
        ("bad-seal", |peer| {
            // the seal of one message under another
            let busy = peer.sealed(&busy());
            let mut idle = BytesMut::new();
            piwheels::wire::frame::put(&mut idle, 0x02, |out| {
                out.extend_from_slice(&busy[5..busy.len() - 4])
            });
            idle
        }),
    ];
    for (kind, attack) in attacks {
        let from = farm.master().log().len();
        let mut peer = Peer::slave_as(farm.slave_port, "pi-1", &one);
        let bytes = attack(&mut peer);
        peer.raw(&bytes);
        assert!(peer.is_dropped());
        farm.master().wait_for_line(from, &[&format!("[{kind}]")]);
    }
    bystander.say(&FromSlave::Idle {});
    assert!(matches!(bystander.hear(), Some(ToSlave::Sleep { .. })));
}

#[test]
fn a_transfer_is_delivered_by_the_slave_it_was_asked_of_and_by_nobody_else() {
    let (farm, [one, two]) = farm_with_keys(["pi-1", "pi-2"]);
    farm.index.offer(&Recipe::native("x", "1.0"));
    farm.piw(&["add", "x"]);
    let mut slave = Peer::slave_as(farm.slave_port, "pi-1", &one);
    let (token, _) = slave.take_job();
    let bytes = super::hostile::wheel("x", "1.0");
    slave.offer(token, &[("x-1.0-cp311-cp311-linux_x86_64.whl", bytes.len() as u64, Sha256::of(&bytes))]);
    let Some(ToSlave::Send { transfer, .. }) = slave.hear() else { panic!("no SEND\n{}", farm.logs()) };
    // another slave, and a peer without a key on this machine, have seen the number of the transfer go by
    for mut thief in [
        Peer::connect_as(farm.file_port, Channel::File, "pi-2", &two).unwrap(),
        Peer::connect(farm.file_port, Channel::File),
    ] {
        let from = farm.master().log().len();
        thief.say_file(&file::FromSlave::Hello { transfer });
        assert!(thief.is_dropped());
        farm.master().wait_for_line(from, &["dropped", "names a transfer of pi-1", "[not-its-own]"]);
    }
    let own = Peer::connect_as(farm.file_port, Channel::File, "pi-1", &one).unwrap();
    serve_on(own, transfer, &bytes).unwrap();
    slave.say(&FromSlave::Sent { index: 0 });
    assert!(matches!(slave.hear(), Some(ToSlave::Done { .. })), "{}", farm.logs());
    assert_eq!(farm.crawl(), 1);
}

#[test]
fn a_job_of_one_slave_is_not_taken_up_by_another() {
    let (farm, [one, two]) = farm_with_keys(["pi-1", "pi-2"]);
    farm.index.offer(&Recipe::native("x", "1.0"));
    farm.piw(&["add", "x"]);
    let mut slave = Peer::slave_as(farm.slave_port, "pi-1", &one);
    let (token, _) = slave.take_job();
    let held = piwheels::wire::slave::Held { token, state: piwheels::wire::slave::Holding::Building };
    let mut thief = Peer::connect_as(farm.slave_port, Channel::Slave, "pi-2", &two).unwrap();
    thief.say(&hello(piwheels::VERSION, "pi-1", "cp311", Some(held)));
    assert!(thief.is_dropped());
    farm.master().wait_for_line(0, &["names the job of another slave", "[not-its-own]"]);
    slave.offer(token, &[]);
    assert!(matches!(slave.hear(), Some(ToSlave::Done { .. }) | None));
}

#[test]
fn a_revoked_slave_is_dropped_at_once_and_comes_back_only_with_a_new_key() {
    let (farm, [one, two]) = farm_with_keys(["pi-1", "pi-2"]);
    let mut slave = Peer::slave_as(farm.slave_port, "pi-1", &one);
    let mut bystander = Peer::slave_as(farm.slave_port, "pi-2", &two);
    farm.revoke("pi-1");
    farm.piw(&["reload-keys"]);
    assert!(slave.is_dropped());
    farm.master().wait_for_line(0, &["dropped", "[revoked]"]);
    let refused = Peer::connect_as(farm.slave_port, Channel::Slave, "pi-1", &one).err().unwrap();
    assert!(refused.contains("has no key here"), "{refused}");
    let again = key(&farm.add_key("pi-1"));
    assert_ne!(again, one);
    farm.master().signal(Signal::SIGHUP);
    until(
        "the new key",
        || farm.logs(),
        || Peer::connect_as(farm.slave_port, Channel::Slave, "pi-1", &again).ok(),
    );
    bystander.say(&FromSlave::Idle {});
    assert!(matches!(bystander.hear(), Some(ToSlave::Sleep { .. })));
    // a file that cannot be read changes nothing
    std::fs::set_permissions(farm.path("run/keys"), std::fs::Permissions::from_mode(0o644)).unwrap();
    farm.master().signal(Signal::SIGHUP);
    farm.master().wait_for_line(0, &["chmod 600", "stay in force"]);
    assert!(Peer::connect_as(farm.slave_port, Channel::Slave, "pi-2", &two).is_ok());
}

#[test]
fn names_and_files_of_keys_are_checked() {
    let farm = Farm::start(&["cp311"], &[]);
    let run = |options: &[&str]| {
        let output = farm.master_command(options).output().unwrap();
        (output.status.code(), text(&output))
    };
    farm.add_key("pi-1");
    for (options, code, words) in [
        (&["--add-slave", "pi-1"][..], 2, "has a key already"),
        (&["--add-slave", "../pi"], 2, "a slave's name has"),
        (&["--revoke", "pi-2"], 2, "pi-2 has no key"),
        (&["--add-slave", "a", "--revoke", "b"], 2, "cannot be used with"),
    ] {
        let (exit, said) = run(options);
        assert_eq!(exit, Some(code), "{options:?}: {said}");
        assert!(said.contains(words), "{options:?}: {said}");
    }
    let two = format!("a {0}\nb {0}\n", "ab".repeat(32));
    let two = key_file(&farm, "two", &two);
    let mut slave = farm.start_slave_with("two", &python(), &["--key-file", &two]);
    assert_eq!(slave.wait(), 2);
    assert!(slave.log().contains("must have one key"), "{}", slave.log());
}

#[test]
fn a_peer_of_another_machine_needs_a_key() {
    let Some(address) = outside_address() else {
        eprintln!("skipped: this machine has no address but loopback");
        return;
    };
    let (mut farm, [one]) = farm_with_keys(["pi-1"]);
    farm.kill_master();
    let (slaves, files) = (format!("tcp://*:{}", farm.slave_port), format!("tcp://*:{}", farm.file_port));
    farm.use_addresses(&slaves, &files);
    farm.start_master();
    let mut stranger = Peer::connect_to(&address, farm.slave_port, Channel::Slave);
    stranger.say(&hello(piwheels::VERSION, "stranger", "cp311", None));
    let Some(piwheels::wire::auth::ToClaimant::Refused { reason }) = stranger.hear_auth() else {
        panic!("{}", farm.logs())
    };
    assert!(reason.contains("--key-file"), "{}", &*reason);
    assert!(stranger.is_dropped());
    farm.master().wait_for_line(0, &["dropped", "[not-authenticated]"]);
    // the real slave says what the master said, and keeps trying
    let slave = farm.start_slave_with("keyless", &python(), &["-m", &address]);
    slave.wait_for_line(0, &["refused:", "without a key", "next attempt"]);
    Peer::slave_as(farm.slave_port, "pi-1", &one);
}

/// An address of this machine that is not loopback.
fn outside_address() -> Option<String> {
    let addresses = nix::ifaddrs::getifaddrs().ok()?;
    let found = addresses.filter_map(|found| Some(found.address?.as_sockaddr_in()?.ip()));
    found.filter(|ip| !ip.is_loopback()).map(|ip| ip.to_string()).next()
}

#[test]
fn too_many_connections_too_many_messages_and_half_a_frame_cost_the_peer_only() {
    let farm = Farm::start(
        &["cp311"],
        &["--max-per-address", "6", "--max-messages", "50", "--handshake-time", "1s"],
    );
    let mut bystander = Peer::slave(farm.slave_port, "bystander", None);
    // it sends a byte of its HELLO and no more
    let mut slow = Peer::connect(farm.slave_port, Channel::Slave);
    slow.raw(&[0]);
    assert!(slow.is_dropped());
    farm.master().wait_for_line(0, &["dropped", "[too-slow]", "within 1 s"]);
    // the address is full with the bystander and five more
    let mut others: Vec<Peer> =
        (0..5).map(|n| Peer::slave(farm.slave_port, &format!("other-{n}"), None)).collect();
    assert!(Peer::connect(farm.slave_port, Channel::Slave).is_dropped());
    farm.master().wait_for_line(0, &["closed at once", "6 connections from its address"]);
    // one that sends messages as fast as it can is listened to as far as its allowance goes, and loses none
    let mut flood = BytesMut::new();
    for _ in 0..300 {
        busy().encode(&mut flood);
    }
    FromSlave::Idle {}.encode(&mut flood);
    let begun = std::time::Instant::now();
    others[0].raw(&flood);
    bystander.say(&FromSlave::Idle {});
    assert!(matches!(bystander.hear(), Some(ToSlave::Sleep { .. })));
    assert!(matches!(others[0].hear(), Some(ToSlave::Sleep { .. })), "{}", farm.logs());
    assert!(begun.elapsed().as_millis() >= 1500, "its hundred messages too many waited for their time");
}
