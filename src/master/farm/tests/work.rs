//! Who gets work, who sleeps and is woken, and whose leases are renewed.

use crate::domain::{BuildId, Millis};
use crate::master::event::{ConnId, Out};
use crate::master::limits::{Limits, POPULARITY_EVERY, SWEEP_EVERY};
use crate::master::query::{Adoption, Answer, Swept};
use crate::master::testbed::{Testbed, abi, busy, job, text, token, words};
use crate::wire::slave::{FromSlave, Holding};

/// A slave that found nothing and sleeps.
fn asleep(bed: &mut Testbed) -> ConnId {
    let slave = bed.slave();
    bed.say(slave, FromSlave::Idle {});
    bed.answer("claim", Answer::Claimed(None));
    assert_eq!(bed.said(), ["ask claim cp311".to_owned(), format!("{}: SLEEP", slave.0)]);
    slave
}

/// One job comes into the queue of cp311.
fn arrives(bed: &mut Testbed) {
    let opened = vec![abi("cp311")];
    if bed.under_way("sweep") == 0 {
        bed.wait(SWEEP_EVERY);
        bed.said();
    }
    bed.answer("sweep", Answer::Swept(Swept { opened, ..Swept::default() }));
}

#[test]
fn a_slave_that_found_nothing_sleeps_and_is_woken_by_work() {
    let mut bed = Testbed::new();
    let first = asleep(&mut bed);
    let second = asleep(&mut bed);
    arrives(&mut bed);
    assert_eq!(bed.said(), ["1: WAKE", "2: WAKE"], "a sweep does not say how many jobs it queued");
    bed.say(first, FromSlave::Idle {});
    bed.hand_out(1);
    assert_eq!(bed.said(), ["ask claim cp311", "1: BUILD 1"]);
    bed.say(second, FromSlave::Idle {});
    bed.answer("claim", Answer::Claimed(None));
    assert_eq!(bed.said(), ["ask claim cp311", "2: SLEEP"]);
    arrives(&mut bed);
    assert_eq!(bed.said(), ["2: WAKE"]);
}

#[test]
fn work_that_arrives_during_a_claim_is_claimed_again() {
    let mut bed = Testbed::new();
    let slave = bed.slave();
    bed.say(slave, FromSlave::Idle {});
    arrives(&mut bed);
    bed.said();
    bed.answer("claim", Answer::Claimed(None));
    assert_eq!(bed.said(), ["ask claim cp311"], "not slept on");
    bed.answer("claim", Answer::Claimed(None));
    assert_eq!(bed.said(), ["1: SLEEP"]);
}

#[test]
fn a_job_that_is_stopped_while_it_is_claimed_is_given_back() {
    let mut bed = Testbed::new();
    let slave = bed.slave();
    bed.say(slave, FromSlave::Idle {});
    bed.said();
    bed.farm.stop_builds(&[BuildId(1)], &mut Out::default());
    bed.hand_out(1);
    assert_eq!(bed.said(), ["ask release 1", "ask claim cp311"]);
    bed.hand_out(2);
    assert_eq!(bed.said(), ["1: BUILD 2"]);
}

#[test]
fn a_job_that_is_stopped_under_a_thief_is_not_handed_to_its_owner() {
    let mut bed = Testbed::new();
    let slave = bed.slave();
    bed.say(slave, FromSlave::Idle {});
    let thief = bed.come_back(token(1), Holding::Building, Adoption::Live(job(1)));
    bed.cut(thief);
    bed.farm.stop_builds(&[BuildId(1)], &mut Out::default());
    bed.said();
    bed.hand_out(1);
    assert_eq!(bed.said(), ["discard log 1", "ask release 1", "ask claim cp311"]);
    bed.hand_out(2);
    assert_eq!(bed.said(), ["1: BUILD 2"]);
}

#[test]
fn a_slave_that_is_gone_or_leaving_is_not_woken_in_anothers_place() {
    let mut bed = Testbed::new();
    let gone = asleep(&mut bed);
    let leaving = bed.slave();
    bed.say(leaving, FromSlave::Idle {});
    bed.say(leaving, FromSlave::Bye { reason: text("enough") });
    bed.answer("claim", Answer::Claimed(None));
    bed.said();
    asleep(&mut bed);
    bed.cut(gone);
    arrives(&mut bed);
    assert_eq!(bed.said(), ["3: WAKE"]);
}

#[test]
fn a_sleeper_that_says_bye_does_not_take_the_wake_up_with_it() {
    let mut bed = Testbed::new();
    let leaving = asleep(&mut bed);
    asleep(&mut bed);
    bed.say(leaving, FromSlave::Bye { reason: text("enough") });
    bed.said();
    arrives(&mut bed);
    assert_eq!(bed.said(), ["2: WAKE"]);
}

#[test]
fn a_sleeper_that_holds_back_does_not_take_the_wake_up_with_it() {
    let mut bed = Testbed::new();
    let unfit = asleep(&mut bed);
    asleep(&mut bed);
    asleep(&mut bed);
    let FromSlave::Busy { vitals, .. } = busy() else { panic!("a sign of life") };
    bed.say(unfit, FromSlave::Busy { vitals, holds_back: Some(text("its disk is full")) });
    let mut out = Out::default();
    bed.farm.arrived(&abi("cp311"), &mut out);
    assert_eq!(words(&mut out), ["1: WAKE", "2: WAKE"], "it may be fit again by now");
}

#[test]
fn a_job_that_was_claimed_for_a_slave_that_is_gone_goes_back_and_wakes_another() {
    let mut bed = Testbed::new();
    asleep(&mut bed);
    let gone = bed.slave();
    bed.say(gone, FromSlave::Idle {});
    bed.cut(gone);
    bed.said();
    bed.hand_out(1);
    assert_eq!(bed.said(), ["ask release 1"]);
    bed.answer("release", Answer::Released(Some(abi("cp311"))));
    assert_eq!(bed.said(), ["1: WAKE"]);
    assert!(bed.farm.slaves.jobs.is_empty());
}

#[test]
fn a_claim_that_the_database_refuses_lets_the_slave_sleep() {
    let mut bed = Testbed::new();
    let slave = bed.slave();
    bed.say(slave, FromSlave::Idle {});
    bed.answer("claim", Answer::Refused("odd".to_owned()));
    assert_eq!(bed.said(), ["ask claim cp311", "1: SLEEP"]);
    bed.say(slave, FromSlave::Idle {});
    assert_eq!(bed.said(), ["ask claim cp311"]);
}

#[test]
fn leases_are_renewed_five_times_in_their_time_and_only_for_slaves_that_are_there() {
    let lease = Limits::default().lease;
    let mut bed = Testbed::new();
    let (_, _) = bed.building(1);
    let (away, _) = bed.building(2);
    bed.wait(Millis(1));
    assert!(bed.said().contains(&"ask renew [1, 2]".to_owned()));
    bed.answer("renew", Answer::Renewed);
    bed.cut(away);
    for _ in 0..5 {
        assert_eq!(bed.under_way("renew"), 0);
        bed.wait(Millis(lease.0 / 5));
        assert!(bed.said().contains(&"ask renew [1]".to_owned()));
        bed.say(ConnId(1), busy());
        bed.answer("renew", Answer::Renewed);
    }
}

#[test]
fn one_sweep_at_a_time_and_at_once_again_when_more_is_due() {
    let mut bed = Testbed::new();
    bed.wait(Millis(1));
    bed.wait(SWEEP_EVERY);
    assert_eq!(bed.under_way("sweep"), 1);
    bed.said();
    bed.answer("sweep", Answer::Swept(Swept { more: true, ..Swept::default() }));
    assert_eq!(bed.said(), ["ask sweep"]);
    bed.answer("sweep", Answer::Swept(Swept::default()));
    assert!(bed.said().is_empty());
    bed.wait(SWEEP_EVERY);
    assert_eq!(bed.under_way("sweep"), 1);
    bed.answer("sweep", Answer::Refused("odd".to_owned()));
    bed.wait(SWEEP_EVERY);
    assert_eq!(bed.under_way("sweep"), 1, "a refusal does not end sweeping");
}

#[test]
fn of_expired_builds_that_nobody_here_knows_the_log_is_kept() {
    let mut bed = Testbed::new();
    bed.wait(Millis(1));
    bed.said();
    let expired = vec![(BuildId(9), "pi".to_owned(), "foo 1.0".to_owned())];
    bed.answer("sweep", Answer::Swept(Swept { expired, ..Swept::default() }));
    assert_eq!(bed.said(), ["keep log 9"], "a master before this one may have written it");
}

#[test]
fn popularity_is_looked_at_every_ten_minutes_and_at_once_again_while_there_is_more() {
    let mut bed = Testbed::new();
    // the farm began at 0, long ago by now
    bed.wait(Millis(1));
    assert_eq!(bed.under_way("roll-popularity"), 1);
    bed.wait(POPULARITY_EVERY);
    assert_eq!(bed.under_way("roll-popularity"), 1, "one at a time");
    for _ in 0..3 {
        bed.answer("roll-popularity", Answer::PopularityRolled(500));
        bed.wait(Millis(250));
        assert_eq!(bed.under_way("roll-popularity"), 1);
    }
    for end in [Answer::PopularityRolled(0), Answer::Refused("odd".to_owned())] {
        bed.answer("roll-popularity", end);
        bed.wait(POPULARITY_EVERY - Millis(1));
        assert_eq!(bed.under_way("roll-popularity"), 0, "today's look is done");
        bed.wait(Millis(1));
        assert_eq!(bed.under_way("roll-popularity"), 1);
    }
}
