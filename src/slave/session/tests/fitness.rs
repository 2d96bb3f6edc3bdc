//! A machine that is not fit for a job.

use super::*;

#[test]
fn a_machine_that_is_not_fit_asks_for_nothing_and_says_why() {
    let mut rig = Rig::new();
    rig.unfit = Some("its disk is full");
    rig.connect();
    assert_eq!(rig.put(hello(Resume::None, 0)), [Effect::SendBusy], "told at once");
    assert_eq!(rig.session.holds_back().as_deref(), Some("its disk is full"));
    for _ in 0..20 {
        let before = rig.now;
        assert_eq!(rig.wait(), [Effect::SendBusy]);
        assert_eq!(rig.now, before + BUSY_EVERY);
    }
    let said = |rig: &Rig, what| rig.reports.iter().filter(|line| line.contains(what)).count();
    assert_eq!(said(&rig, "asks for no job: its disk is full"), 1, "{:?}", rig.reports);
    rig.unfit = Some("it is too hot");
    assert_eq!(rig.wait(), [Effect::SendBusy]);
    assert_eq!(rig.session.holds_back().as_deref(), Some("it is too hot"));
    rig.unfit = None;
    assert_eq!(rig.wait(), [Effect::SendBusy, Effect::Send(FromSlave::Idle {})]);
    assert_eq!(rig.session.holds_back(), None);
    assert_eq!((said(&rig, "it is too hot"), said(&rig, "fit for a job again")), (1, 1), "{:?}", rig.reports);
    assert!(matches!(rig.put(build())[..], [Effect::StartBuild { .. }]));
}

#[test]
fn whether_the_machine_is_fit_is_looked_at_before_each_idle() {
    let mut rig = Rig::asked();
    rig.put(Input::Message(ToSlave::Sleep { seconds: 600 }));
    rig.unfit = Some("it is too hot");
    assert_eq!(rig.put(Input::Message(ToSlave::Wake {})), [Effect::SendBusy], "woken, and not fit");
    assert_eq!(rig.put(Input::Message(ToSlave::Wake {})), [], "and again: it changes nothing");
    let mut rig = Rig::asked();
    rig.put(Input::Message(ToSlave::Sleep { seconds: 3 }));
    rig.unfit = Some("it is too hot");
    assert_eq!(rig.wait(), [Effect::SendBusy], "its time is up");
    // the connection may come and go meanwhile
    rig.lose();
    rig.connect();
    assert_eq!(rig.put(hello(Resume::None, 0)), [Effect::SendBusy]);
    assert_eq!(rig.reports.iter().filter(|line| line.contains("asks for no job")).count(), 1);
}

#[test]
fn what_a_build_does_to_its_machine_is_looked_at_when_the_build_is_gone() {
    for mut rig in [Rig::building(), Rig::offered(1), Rig::sending()] {
        rig.unfit = Some("its disk is full");
        assert_eq!(rig.wait(), [Effect::SendBusy], "{}", rig.session.place());
        assert_eq!(rig.session.holds_back(), None);
        assert!(!rig.reports.iter().any(|line| line.contains("its disk is full")), "{:?}", rig.reports);
    }
    let mut rig = Rig::offered(0);
    rig.unfit = Some("its disk is full");
    rig.put(done(7));
    assert_eq!(rig.put(Input::Discarded), [Effect::SendBusy]);
    assert_eq!(rig.session.holds_back().as_deref(), Some("its disk is full"));
}

#[test]
fn a_job_that_was_asked_for_is_taken_whatever_came_over_the_machine_since() {
    let mut rig = Rig::asked();
    rig.unfit = Some("it is too hot");
    assert_eq!(rig.wait(), [Effect::SendBusy]);
    assert!(matches!(rig.put(build())[..], [Effect::StartBuild { .. }]));
    assert_eq!(rig.session.holds_back(), None);
}
