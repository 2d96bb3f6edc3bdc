//! The end: slaves finish what they build, or are told to go; nothing that is half done is left.

use super::PURE;
use crate::domain::Millis;
use crate::master::event::{ConnId, Event, Placed};
use crate::master::farm::stopping::LEAVE_TIME;
use crate::master::limits::Limits;
use crate::master::query::{Adoption, Answer, Swept};
use crate::master::testbed::{Testbed, busy, hello, job_of, log, text, token};
use crate::wire::Channel;
use crate::wire::slave::{BuildEnd, FromSlave, Held, Holding};

/// Everything that the clock asked the database for is answered.
fn answer_housekeeping(bed: &mut Testbed) {
    while bed.under_way("sweep") > 0 {
        bed.answer("sweep", Answer::Swept(Swept::default()));
    }
    while bed.under_way("renew") > 0 {
        bed.answer("renew", Answer::Renewed);
    }
    while bed.under_way("rewrites-due") > 0 {
        bed.answer("rewrites-due", Answer::RewritesDue { due: Vec::new(), more: false });
    }
}

fn bye(bed: &mut Testbed, slave: ConnId) {
    bed.say(slave, FromSlave::Bye { reason: text("told to go") });
    bed.cut(slave);
}

#[test]
fn a_farm_without_slaves_ends_at_once_and_once() {
    let mut bed = Testbed::new();
    bed.put(Event::Drain);
    assert_eq!(bed.said(), ["stop listening", "exit"]);
    bed.put(Event::Drain);
    bed.put(Event::Stop);
    bed.wait(LEAVE_TIME + LEAVE_TIME);
    assert!(bed.said().is_empty());
}

#[test]
fn draining_tells_idle_slaves_to_go_and_lets_the_others_finish() {
    let mut bed = Testbed::new();
    let idle = bed.slave();
    let sleeper = bed.slave();
    bed.say(sleeper, FromSlave::Idle {});
    bed.answer("claim", Answer::Claimed(None));
    bed.said();
    let (builder, token) = bed.building(7);
    bed.put(Event::Drain);
    let mut said = bed.said();
    said.sort();
    assert_eq!(said, ["1: BYE", "2: BYE", "stop listening"]);
    bye(&mut bed, idle);
    bye(&mut bed, sleeper);
    bed.built(builder, token, BuildEnd::Built, &[(PURE, 5)]);
    bed.deliver(1, 5);
    bed.sound(1);
    bed.say(builder, FromSlave::Sent { index: 0 });
    bed.placed(7, Placed::Durable);
    bed.said();
    bed.recorded(7);
    assert_eq!(bed.said(), ["discard log 7", "ask rewrites-due 64", "3: DONE 7", "3: BYE"]);
    bye(&mut bed, builder);
    assert_eq!(bed.said(), ["3: CLOSE"], "its page is being asked for");
    answer_housekeeping(&mut bed);
    assert_eq!(bed.said(), ["exit"]);
}

#[test]
fn while_draining_leases_are_renewed_and_leases_that_ran_out_are_looked_for() {
    let mut bed = Testbed::new();
    let (slave, _) = bed.building(1);
    bed.put(Event::Drain);
    for _ in 0..2 {
        bed.wait(Millis(Limits::default().lease.0 / 5));
        assert_eq!((bed.under_way("renew"), bed.under_way("sweep")), (1, 0), "leases are renewed first");
        bed.answer("renew", Answer::Renewed);
        bed.wait(Millis(1));
        assert_eq!((bed.under_way("renew"), bed.under_way("sweep")), (0, 1));
        answer_housekeeping(&mut bed);
        bed.say(slave, busy());
    }
}

#[test]
fn while_draining_a_claim_under_way_gives_its_job_back() {
    let mut bed = Testbed::new();
    let (lucky, unlucky) = (bed.slave(), bed.slave());
    bed.say(lucky, FromSlave::Idle {});
    bed.say(unlucky, FromSlave::Idle {});
    bed.put(Event::Drain);
    assert_eq!(bed.said(), ["ask claim cp311", "ask claim cp311", "stop listening"]);
    bed.hand_out(1);
    assert_eq!(bed.said(), ["ask release 1", "1: BYE"]);
    bed.answer("claim", Answer::Claimed(None));
    assert_eq!(bed.said(), ["2: BYE"]);
    bye(&mut bed, lucky);
    bye(&mut bed, unlucky);
    assert_eq!(bed.said(), ["1: CLOSE", "2: CLOSE"], "the job is not back yet");
    bed.answer("release", Answer::Released(None));
    assert_eq!(bed.said(), ["exit"]);
}

#[test]
fn while_draining_a_slave_that_comes_back_delivers() {
    let mut bed = Testbed::new();
    let token = token(1);
    let early = bed.greet(Some(Held { token, state: Holding::Built }));
    let late = bed.open(Channel::Slave);
    bed.put(Event::Drain);
    assert_eq!(bed.said(), ["ask adopt 1", "stop listening"], "BYE would cost them what they hold");
    bed.say(
        late,
        hello("cp311", Some(Held { token: crate::master::testbed::token(2), state: Holding::Built })),
    );
    bed.answer("adopt 1", Answer::Adopted(Adoption::Live(job_of(token))));
    bed.answer("adopt 2", Answer::Adopted(Adoption::Recorded));
    bed.built(early, token, BuildEnd::Failed, &[]);
    assert_eq!(bed.said(), ["ask adopt 2", "1: HELLO GoOn 0", "2: HELLO Drop 0", "place 1 []"]);
    bed.say(late, FromSlave::Idle {});
    assert_eq!(bed.said(), ["2: BYE"]);
    bye(&mut bed, late);
    bed.placed(1, Placed::Durable);
    bed.recorded(1);
    bye(&mut bed, early);
    let said = bed.said();
    assert_eq!(said[said.len() - 4..], ["1: DONE 1", "1: BYE", "1: CLOSE", "exit"]);
}

#[test]
fn while_draining_a_new_slave_is_told_to_go() {
    let mut bed = Testbed::new();
    let slave = bed.open(Channel::Slave);
    bed.put(Event::Drain);
    bed.say(slave, hello("cp311", None));
    assert_eq!(bed.said(), ["stop listening", "1: BYE"]);
    bye(&mut bed, slave);
    assert_eq!(bed.said(), ["1: CLOSE", "exit"]);
}

#[test]
fn the_second_signal_tells_everybody_to_go_and_takes_their_jobs_back() {
    let mut bed = Testbed::new();
    let (slave, token) = bed.building(1);
    bed.put(Event::Drain);
    bed.put(Event::Stop);
    assert_eq!(bed.said(), ["stop listening", "1: BYE"]);
    // what crosses BYE is no defect: the slave's own BYE is still to come, and gives the job back
    bed.say(slave, log(0, 5));
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5)]);
    bed.say(slave, busy());
    assert!(bed.said().is_empty());
    bye(&mut bed, slave);
    assert_eq!(bed.said(), ["discard log 1", "ask release 1", "1: CLOSE"]);
    bed.answer("release", Answer::Released(None));
    assert_eq!(bed.said(), ["exit"]);
}

#[test]
fn the_second_signal_waits_for_nobody_longer_than_its_time() {
    let mut bed = Testbed::new();
    bed.building(1);
    bed.put(Event::Stop);
    assert_eq!(bed.said(), ["stop listening", "1: BYE"]);
    bed.wait(LEAVE_TIME - Millis(1));
    assert!(bed.said().is_empty());
    bed.wait(Millis(1));
    assert_eq!(bed.said(), ["exit"]);
    bed.wait(LEAVE_TIME);
    assert!(bed.said().is_empty());
}

#[test]
fn the_second_signal_waits_for_a_build_that_is_being_committed() {
    let mut bed = Testbed::new();
    let (slave, token) = bed.building(1);
    bed.built(slave, token, BuildEnd::Failed, &[]);
    bed.put(Event::Stop);
    bye(&mut bed, slave);
    bed.said();
    bed.placed(1, Placed::Durable);
    assert_eq!(bed.said(), ["ask log-build 1 failed 0 files"]);
    bed.recorded(1);
    assert_eq!(bed.said(), ["discard log 1", "exit"]);
}

#[test]
fn the_second_signal_does_not_cost_a_slave_the_build_that_it_delivers() {
    let mut bed = Testbed::new();
    let (delivers, token) = bed.building(1);
    bed.built(delivers, token, BuildEnd::Built, &[(PURE, 5)]);
    bed.said();
    let (commits, token) = bed.building(2);
    bed.built(commits, token, BuildEnd::Failed, &[]);
    bed.said();
    bed.put(Event::Stop);
    assert_eq!(bed.said(), ["stop listening", "1: CLOSE"], "BYE would have the slaves delete their builds");
    bed.placed(2, Placed::Durable);
    bed.recorded(2);
    assert_eq!(bed.said(), ["ask log-build 2 failed 0 files", "discard log 2", "2: DONE 2", "2: BYE"]);
}
