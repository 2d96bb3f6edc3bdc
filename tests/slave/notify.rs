//! What the slave tells the service manager that started it.

use nix::sys::signal::Signal;
use piwheels::wire::slave::{BuildEnd, FromSlave, Resume, ToSlave};

use crate::manager::Manager;
use crate::rig::Rig;
use crate::text;

#[test]
fn a_service_manager_hears_how_the_slave_is_and_what_it_does() {
    let rig = Rig::new();
    rig.index.add("foo", "say('variables', sorted(os.environ))\nreturn make(directory)");
    let manager = Manager::listen(rig.dir.path());
    let mut slave = rig.start_configured("", |command| {
        command.env("NOTIFY_SOCKET", manager.path()).env("WATCHDOG_USEC", "2000000").env("WATCHDOG_PID", "");
    });
    assert_eq!(manager.next(), "READY=1", "before its master lets it in: that one may be away");
    manager.wait_for("STATUS=has no job; not connected to its master");
    manager.wait_for("WATCHDOG=1");
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    manager.wait_for("STATUS=builds foo 1.0 (build 7)");
    let mut log = Vec::new();
    assert_eq!(peer.built(&mut log).end, BuildEnd::Built);
    manager.wait_for("STATUS=delivers foo 1.0 (build 7)");
    let log = text(&log);
    assert!(log.contains("variables ["), "{log}");
    for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        assert!(!log.contains(variable), "a build speaks for nobody: {log}");
    }
    peer.done();
    assert_eq!(peer.next(), FromSlave::Idle {});
    manager.wait_for("STATUS=has no job");
    for _ in 0..2 {
        manager.wait_for("WATCHDOG=1");
    }

    // a bad configuration is over with READY, a good one with that of the program that comes after
    rig.configure("timeout = soon\n");
    slave.signal(Signal::SIGHUP);
    manager.wait_for("RELOADING=1\nMONOTONIC_USEC=");
    manager.wait_for("READY=1");
    rig.configure("label = other\n");
    slave.signal(Signal::SIGHUP);
    manager.wait_for("RELOADING=1\nMONOTONIC_USEC=");
    let until = manager.wait_for("READY=1");
    assert!(until.iter().all(|words| words.starts_with("STATUS=")), "{until:?}");
    assert!(peer.bye().contains("another configuration"), "it had ended before it said READY");
    let (mut peer, _, label) = rig.master.introduce();
    assert_eq!(label, "other");
    peer.hello("", Resume::None, 0);
    assert_eq!(peer.next(), FromSlave::Idle {});
    peer.send(&ToSlave::Sleep { seconds: 3600 });
    slave.signal(Signal::SIGTERM);
    let before = manager.wait_for("STOPPING=1");
    assert!(!before.iter().any(|words| words.contains("RELOADING") || words.contains("READY")), "{before:?}");
    peer.bye();
    assert_eq!(slave.wait().code(), Some(0));
}

#[test]
fn signs_of_life_are_for_the_process_that_the_manager_watches() {
    let rig = Rig::new();
    let manager = Manager::listen(rig.dir.path());
    let mut slave = rig.start_configured("", |command| {
        command.env("NOTIFY_SOCKET", manager.path()).env("WATCHDOG_USEC", "20000").env("WATCHDOG_PID", "1");
    });
    let (mut peer, _) = rig.master.greet();
    peer.hello("", Resume::None, 0);
    assert_eq!(peer.next(), FromSlave::Idle {});
    // a sign of life for the master is 250 such for the manager, had it asked for them
    peer.send(&ToSlave::Sleep { seconds: 3600 });
    peer.busy();
    slave.signal(Signal::SIGTERM);
    loop {
        let said = manager.next();
        assert_ne!(said, "WATCHDOG=1");
        if said == "STOPPING=1" {
            break;
        }
    }
    assert_eq!(slave.wait().code(), Some(0));
}
