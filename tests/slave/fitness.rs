//! A machine that is not fit for a job asks for none, and says why.

use piwheels::wire::slave::{BuildEnd, FromSlave, Resume, ToSlave};

use crate::rig::Rig;

#[test]
fn a_slave_whose_disk_is_below_its_floor_asks_for_nothing_and_says_why() {
    let rig = Rig::new();
    let slave = rig.start(&["--disk-floor", "1000000T"]);
    let (mut peer, _) = rig.master.greet();
    peer.hello(&rig.index.url(), Resume::None, 0);
    // the first is said at once, the next with the signs of life; in their place IDLE would have come
    for _ in 0..3 {
        let (vitals, reason) = peer.busy();
        assert!(vitals.disk_free > 0, "{vitals:?}");
        let reason = reason.expect("a reason");
        assert!(reason.contains("less than 1000000T is free"), "{reason}");
    }
    peer.send(&ToSlave::Wake {});
    assert!(peer.busy().1.is_some(), "work that arrives changes nothing");
    let said = slave.said();
    assert_eq!(said.matches("asks for no job: its disk is full").count(), 1, "{said}");
}

#[test]
fn a_slave_whose_machine_is_as_it_should_be_takes_a_job() {
    let rig = Rig::new();
    rig.index.add("foo", "return make(directory)");
    let slave = rig.start(&["--disk-floor", "4K", "--max-temperature", "150"]);
    let mut peer = rig.master.hand_out(&rig.index.url(), "foo");
    assert_eq!(peer.built(&mut Vec::new()).end, BuildEnd::Built);
    peer.done();
    assert_eq!(peer.next(), FromSlave::Idle {});
    assert!(!slave.said().contains("asks for no job"), "{}", slave.said());
}
