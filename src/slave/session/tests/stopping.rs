//! How a slave ends, and how it begins anew.

use super::*;

#[test]
fn the_first_signal_delivers_what_is_held_and_takes_nothing_new() {
    let mut rig = Rig::building();
    assert_eq!(rig.put(Input::Stop(OnTerm::Finish)), []);
    assert_eq!(rig.lose(), []);
    rig.connect();
    rig.put(hello(Resume::GoOn, 0));
    assert!(rig.put(Input::Ended(outcome(0, 1))).len() == 1, "BUILT");
    rig.put(send(0));
    rig.put(Input::TransferDone);
    rig.put(done(7));
    let out = rig.put(Input::Discarded);
    assert_eq!(out, [say_bye("stopped by its operator"), Effect::Exit { failure: false }]);
}

#[test]
fn a_signal_while_nothing_is_held_ends_at_once() {
    let mut away = Rig::new();
    assert_eq!(away.put(Input::Stop(OnTerm::Finish)), [Effect::Exit { failure: false }]);
    let mut asked = Rig::asked();
    assert_eq!(
        asked.put(Input::Stop(OnTerm::Finish)),
        [say_bye("stopped by its operator"), Effect::Exit { failure: false }]
    );
}

#[test]
fn the_second_signal_gives_the_job_back() {
    for mut rig in [Rig::building(), Rig::offered(1), Rig::sending()] {
        assert_eq!(rig.put(Input::Stop(OnTerm::Finish)), []);
        assert_eq!(rig.put(Input::Stop(OnTerm::Finish)).last(), Some(&Effect::DiscardBuild));
        assert_eq!(rig.put(Input::Stop(OnTerm::Finish)), [], "a third changes nothing");
        assert_eq!(
            rig.put(Input::Discarded),
            [say_bye("stopped by its operator"), Effect::Exit { failure: false }]
        );
    }
}

#[test]
fn a_signal_gives_the_job_back_at_once_where_that_is_wanted() {
    for mut rig in [Rig::building(), Rig::offered(1), Rig::sending()] {
        assert_eq!(rig.put(Input::Stop(OnTerm::Abort)).last(), Some(&Effect::DiscardBuild));
        assert_eq!(
            rig.put(Input::Discarded),
            [say_bye("stopped by its operator"), Effect::Exit { failure: false }]
        );
    }
    let out = Rig::asked().put(Input::Stop(OnTerm::Abort));
    assert_eq!(out, [say_bye("stopped by its operator"), Effect::Exit { failure: false }]);
}

#[test]
fn a_build_may_take_as_long_as_patience_lasts_and_is_given_back_then() {
    let patience = Millis::secs(60);
    let mut rig = Rig::building();
    let asked_at = rig.now;
    assert_eq!(rig.put(Input::Stop(OnTerm::Within(patience))), []);
    while !rig.wait().contains(&Effect::DiscardBuild) {}
    assert_eq!(rig.now, asked_at + patience);
    let bye = say_bye("stopped by its operator");
    assert_eq!(rig.put(Input::Discarded), [bye.clone(), Effect::Exit { failure: false }]);

    // delivered before; and nobody to deliver to
    let mut rig = Rig::offered(0);
    rig.put(Input::Stop(OnTerm::Within(patience)));
    rig.put(done(7));
    assert_eq!(rig.put(Input::Discarded), [bye, Effect::Exit { failure: false }]);
    let mut rig = Rig::offered(1);
    rig.lose();
    rig.put(Input::Stop(OnTerm::Within(patience)));
    let mut out = Vec::new();
    while !out.contains(&Effect::DiscardBuild) {
        out = rig.wait();
        if out == [Effect::Connect] {
            rig.lose();
        }
    }
    assert_eq!(rig.put(Input::Discarded), [Effect::Exit { failure: false }]);
}

#[test]
fn what_becomes_of_a_build_is_said_in_a_word_or_a_time() {
    for (text, on_term) in [
        ("finish", OnTerm::Finish),
        ("abort", OnTerm::Abort),
        ("0", OnTerm::Abort),
        ("10m", OnTerm::Within(Millis::secs(600))),
        (" 90 ", OnTerm::Within(Millis::secs(90))),
    ] {
        assert_eq!(text.parse(), Ok(on_term), "{text}");
    }
    for odd in ["", "Finish", "soon", "-1"] {
        assert!(odd.parse::<OnTerm>().unwrap_err().contains("neither finish nor abort"), "{odd}");
    }
}

#[test]
fn another_configuration_waits_for_the_build_and_for_a_trial_and_then_it_begins_anew() {
    let mut rig = Rig::building();
    assert_eq!(rig.put(Input::Renew(Ok(()))), []);
    assert_eq!(rig.put(Input::Renew(Ok(()))), [], "once is enough");
    assert_eq!(rig.reports.iter().filter(|line| line.contains("when the build is delivered")).count(), 1);
    rig.put(Input::Ended(outcome(0, 0)));
    assert_eq!(rig.put(done(7)), [Effect::StopTransfer, Effect::DiscardBuild]);
    assert_eq!(rig.put(Input::Discarded), [Effect::TryStart], "and no IDLE");
    for _ in 0..3 {
        assert_eq!(rig.wait(), [Effect::SendBusy], "it is there meanwhile");
    }
    let bye = say_bye("begins anew, with another configuration");
    assert_eq!(rig.put(Input::Tried(Ok(()))), [bye, Effect::Renew]);
    assert_eq!((rig.put(Input::Tick), rig.session.next_deadline()), (vec![], None));

    let mut away = Rig::new();
    assert_eq!(away.put(Input::Renew(Ok(()))), [Effect::TryStart]);
    assert_eq!(away.put(Input::Tried(Ok(()))), [Effect::Renew], "nobody to say BYE to");
}

#[test]
fn a_configuration_that_is_no_good_changes_nothing() {
    let mut rig = Rig::building();
    assert_eq!(rig.put(Input::Renew(Err("f.conf, line 2: odd".into()))), []);
    assert!(
        rig.reports.last().unwrap().contains("the old one stays: f.conf, line 2: odd"),
        "{:?}",
        rig.reports
    );
    // good at first, then edited once more
    assert_eq!(rig.put(Input::Renew(Ok(()))), []);
    assert_eq!(rig.put(Input::Renew(Err("f.conf, line 3: odd".into()))), []);
    rig.put(Input::Ended(outcome(0, 0)));
    rig.put(done(7));
    assert_eq!(rig.put(Input::Discarded), [Effect::Send(FromSlave::Idle {})]);
    // what only the trial finds out
    rig.put(Input::Message(ToSlave::Sleep { seconds: 3 }));
    assert_eq!(rig.put(Input::Renew(Ok(()))), [Effect::TryStart]);
    assert_eq!(rig.put(Input::Message(ToSlave::Wake {})), [], "work has to wait");
    let out = rig.put(Input::Tried(Err("no such interpreter".into())));
    assert_eq!(out, [Effect::Send(FromSlave::Idle {})]);
    assert!(rig.reports.last().unwrap().ends_with("the old one stays: no such interpreter"));
    assert_eq!(rig.put(Input::Tried(Ok(()))), [], "nothing is tried any more");
}

#[test]
fn a_job_that_comes_while_the_start_is_tried_is_built_first() {
    let mut rig = Rig::asked();
    assert_eq!(rig.put(Input::Renew(Ok(()))), [Effect::TryStart]);
    assert!(matches!(rig.put(build())[..], [Effect::StartBuild { .. }]), "it was asked for before");
    assert_eq!(rig.put(Input::Tried(Ok(()))), []);
    rig.put(Input::Ended(outcome(0, 0)));
    rig.put(done(7));
    assert_eq!(rig.put(Input::Discarded), [Effect::TryStart], "once more: much may have changed");
}

#[test]
fn a_wish_to_stop_goes_before_one_to_begin_anew() {
    let gone = [say_bye("stopped by its operator"), Effect::Exit { failure: false }];
    let mut rig = Rig::asked();
    rig.put(Input::Renew(Ok(())));
    assert_eq!(rig.put(Input::Stop(OnTerm::Finish)), gone);
    assert_eq!(rig.put(Input::Tried(Ok(()))), []);
    let mut rig = Rig::building();
    rig.put(Input::Stop(OnTerm::Finish));
    assert_eq!(rig.put(Input::Renew(Ok(()))), []);
    assert_eq!(rig.put(Input::Stop(OnTerm::Finish)), [Effect::DiscardBuild], "the second signal");
    assert_eq!(rig.put(Input::Discarded), gone);
}

#[test]
fn what_it_is_doing_is_said_in_a_line() {
    let mut unfit = Rig::new();
    unfit.unfit = Some("it is too hot");
    unfit.connect();
    unfit.put(hello(Resume::None, 0));
    let mut away = Rig::building();
    away.lose();
    let mut stopping = Rig::offered(1);
    stopping.put(Input::Stop(OnTerm::Finish));
    let mut renewing = Rig::building();
    renewing.put(Input::Renew(Ok(())));
    for (rig, line) in [
        (Rig::new(), "has no job; not connected to its master"),
        (Rig::asked(), "has no job"),
        (unfit, "asks for no job: it is too hot"),
        (Rig::building(), "builds foo 1.0 (build 7)"),
        (away, "builds foo 1.0 (build 7); not connected to its master"),
        (stopping, "delivers foo 1.0 (build 7); then stops"),
        (renewing, "builds foo 1.0 (build 7); then reads its configuration anew"),
    ] {
        assert_eq!(rig.session.standing(), line);
    }
}
