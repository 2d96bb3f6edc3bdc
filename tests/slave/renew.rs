//! SIGHUP: another configuration, in the same process, and never at the cost of a build or of the slave.

use std::fs;

use nix::sys::signal::Signal;
use piwheels::wire::slave::{BuildEnd, FromSlave, Resume, ToSlave};

use crate::master::Peer;
use crate::rig::{Rig, Slave, wait_until};
use crate::waiting;

/// Lets in a slave that connects, and lets it sleep.
fn let_in(rig: &Rig, label: &str) -> Peer {
    let (mut peer, held, said) = rig.master.introduce();
    assert_eq!((held, said.as_str()), (None, label));
    peer.hello(&rig.index.url(), Resume::None, 0);
    assert_eq!(peer.next(), FromSlave::Idle {});
    peer.send(&ToSlave::Sleep { seconds: 3600 });
    peer
}

/// Sends SIGHUP, and waits until the slave says this once more.
fn reload(slave: &Slave, words: &str) {
    let before = slave.said().matches(words).count();
    slave.signal(Signal::SIGHUP);
    wait_until(words, || slave.said().matches(words).count() > before);
}

#[test]
fn another_label_is_the_next_hello_s_and_the_build_was_delivered_before() {
    let rig = Rig::new();
    rig.index.add("foo", &waiting(&rig));
    let mut slave = rig.start_configured("label = before\n", |_| {});
    let pid = slave.pid();
    let (mut peer, _, label) = rig.master.introduce();
    assert_eq!(label, "before");
    peer.hello(&rig.index.url(), Resume::None, 0);
    assert_eq!(peer.next(), FromSlave::Idle {});
    peer.build("foo");
    let mut log = Vec::new();
    peer.log_until(&mut log, "waiting at the gate");
    rig.configure("label = after\n");
    reload(&slave, "the configuration is read anew when the build is delivered");
    rig.open_gate();
    assert_eq!(peer.built(&mut log).end, BuildEnd::Built);
    peer.done();
    assert_eq!(peer.bye(), "begins anew, with another configuration");

    let mut peer = let_in(&rig, "after");
    assert_eq!(rig.left(), [""; 0]);
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(name.trim(), "piw-slave", "the same process, by its own name");
    // and again, now that it was started by itself
    rig.configure("label = last\n");
    slave.signal(Signal::SIGHUP);
    assert!(peer.bye().contains("another configuration"));
    let mut peer = let_in(&rig, "last");
    slave.signal(Signal::SIGTERM);
    assert_eq!(peer.bye(), "stopped by its operator");
    assert_eq!(slave.wait().code(), Some(0));
    assert!(!slave.said().contains("panicked"), "{}", slave.said());
}

#[test]
fn a_configuration_that_is_no_good_is_named_and_the_slave_goes_on() {
    let rig = Rig::new();
    let mut slave = rig.start_configured("label = good\n", |_| {});
    let mut peer = let_in(&rig, "good");
    let open = rig.dir.path().join("open.key");
    fs::write(&open, "").unwrap();
    for (lines, reason) in [
        ("timeout = soon\n".to_owned(), "soon"),
        ("label good\n".to_owned(), "line 8: not of the form"),
        ("log-limit = 1\n".to_owned(), "the log limit must be"),
        (format!("key-file = {}\n", open.display()), "open.key"),
        // what reading alone does not find out
        ("python = /no/such/python\n".to_owned(), "/no/such/python: cannot be run"),
        ("python = /bin/true\n".to_owned(), "does not answer"),
        ("dir = /proc/nowhere\n".to_owned(), "cannot use /proc/nowhere"),
        ("log-file = /proc/nowhere\n".to_owned(), "cannot open log file"),
    ] {
        rig.configure(&lines);
        reload(&slave, "the old one stays:");
        let said = slave.said();
        let line = said.lines().rfind(|line| line.contains("the old one stays:")).unwrap();
        assert!(line.contains(reason), "{lines}: {line}");
        peer.send(&ToSlave::Wake {});
        assert_eq!(peer.next(), FromSlave::Idle {}, "it goes on");
        peer.send(&ToSlave::Sleep { seconds: 3600 });
    }
    assert_eq!(rig.left(), [""; 0], "trials leave nothing");
    rig.configure("label = better\n");
    slave.signal(Signal::SIGHUP);
    assert!(peer.bye().contains("another configuration"));
    let mut peer = let_in(&rig, "better");
    slave.signal(Signal::SIGTERM);
    peer.bye();
    assert_eq!(slave.wait().code(), Some(0));
}

#[test]
fn a_directory_of_the_slaves_own_is_made_anew() {
    let rig = Rig::new();
    let conf = rig.configure("");
    let without: String = fs::read_to_string(&conf)
        .unwrap()
        .lines()
        .filter(|l| !l.starts_with("dir"))
        .collect::<Vec<_>>()
        .join("\n");
    fs::write(&conf, without).unwrap();
    let mut slave = rig.spawn(|command| {
        command.arg("-c").arg(&conf).env("TMPDIR", rig.work());
    });
    let own = [format!("piw-slave-{}", slave.pid())];
    let (mut peer, _) = rig.master.greet();
    assert_eq!(rig.left(), own);
    slave.signal(Signal::SIGHUP);
    peer.hello("", Resume::None, 0);
    loop {
        match peer.next() {
            FromSlave::Idle {} => peer.send(&ToSlave::Sleep { seconds: 3600 }),
            FromSlave::Bye { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    let (mut peer, _) = rig.master.greet();
    assert_eq!(rig.left(), own, "the one before is gone");
    slave.signal(Signal::SIGTERM);
    peer.bye();
    assert_eq!(slave.wait().code(), Some(0));
    assert_eq!(rig.left(), [""; 0]);
}
