//! Slaves that are lost at every step of a delivery, and come back or do not.

use super::{BOUND, PURE};
use crate::domain::{BuildId, JobToken, Millis};
use crate::master::event::{ConnId, DiskAnswer, Placed, TransferId};
use crate::master::limits::{DISK_RETRY, Limits};
use crate::master::query::{Adoption, Answer, Logged, Swept};
use crate::master::testbed::{Testbed, job_of, log, sound};
use crate::wire::slave::{BuildEnd, FromSlave, Held, Holding};

fn offering() -> (Testbed, ConnId, JobToken) {
    let mut bed = Testbed::new();
    let (slave, token) = bed.building(1);
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5)]);
    bed.said();
    (bed, slave, token)
}

/// The slave comes back, is adopted, and offers its build again. What that led to.
fn back(bed: &mut Testbed, token: JobToken) -> (ConnId, Vec<String>) {
    let slave = bed.come_back(token, Holding::Built, Adoption::Live(job_of(token)));
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5)]);
    let mut said = bed.said();
    assert_eq!(said.remove(0), "ask adopt 1");
    assert_eq!(said.remove(0), format!("{}: HELLO GoOn 0", slave.0));
    (slave, said)
}

/// From the slave's SENT to DONE, with one record.
fn finish(bed: &mut Testbed, slave: ConnId) {
    bed.placed(1, Placed::Durable);
    assert_eq!(bed.under_way("log-build"), 1);
    bed.recorded(1);
    assert_eq!(bed.said().last(), Some(&format!("{}: DONE 1", slave.0)));
    assert_eq!(bed.under_way("log-build"), 0);
    assert!(bed.farm.slaves.jobs.is_empty());
}

fn expired(build: i64) -> Answer {
    let expired = vec![(BuildId(build), "pi".to_owned(), "foo 1.0".to_owned())];
    Answer::Swept(Swept { expired, ..Swept::default() })
}

#[test]
fn lost_while_building_the_log_goes_on_where_it_was() {
    let mut bed = Testbed::new();
    let (slave, token) = bed.building(1);
    bed.say(slave, log(0, 100));
    bed.cut(slave);
    bed.said();
    let slave = bed.come_back(token, Holding::Building, Adoption::Live(job_of(token)));
    assert_eq!(bed.said(), ["ask adopt 1", "2: HELLO GoOn 100"]);
    bed.say(slave, log(100, 5));
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5)]);
    assert_eq!(bed.said(), ["log 1 100+5", "open t1 5", "2: SEND 0"]);
    bed.deliver_all(slave);
    finish(&mut bed, slave);
}

#[test]
fn a_master_that_knows_nothing_of_the_job_takes_the_log_from_its_beginning() {
    let mut bed = Testbed::new();
    let token = crate::master::testbed::token(1);
    bed.come_back(token, Holding::Built, Adoption::Live(job_of(token)));
    assert_eq!(bed.said(), ["ask adopt 1", "1: HELLO GoOn 0"]);
}

#[test]
fn lost_while_fetching_the_transfer_goes_on_with_what_is_missing() {
    let chunk = 64 << 10;
    let size = chunk as u64 + 9;
    let mut bed = Testbed::new();
    let (slave, token) = bed.building(1);
    bed.built(slave, token, BuildEnd::Built, &[(PURE, size)]);
    let conn = bed.file_hello();
    bed.chunk(conn, 0, chunk);
    bed.disk(DiskAnswer::Written(TransferId(1), 0, chunk as u64));
    bed.cut(conn);
    bed.cut(slave);
    bed.said();
    let slave = bed.come_back(token, Holding::Built, Adoption::Live(job_of(token)));
    bed.built(slave, token, BuildEnd::Built, &[(PURE, size)]);
    assert_eq!(bed.said().last().unwrap(), "3: SEND 0");
    let conn = bed.file_hello();
    assert_eq!(bed.said(), [format!("4: FETCH {chunk}+9")]);
    bed.chunk(conn, chunk as u64, 9);
    bed.disk(DiskAnswer::Written(TransferId(1), chunk as u64, 9));
    bed.sound(1);
    bed.say(slave, FromSlave::Sent { index: 0 });
    finish(&mut bed, slave);
}

#[test]
fn lost_after_the_last_byte_and_before_sent_it_says_sent_again() {
    let (mut bed, slave, token) = offering();
    bed.deliver(1, 5);
    bed.cut(slave);
    bed.sound(1);
    bed.said();
    let (slave, said) = back(&mut bed, token);
    assert_eq!(said, ["3: SEND 0"], "under the key that it had");
    let conn = bed.file_hello();
    assert_eq!(bed.said(), [format!("{}: file DONE", conn.0)]);
    bed.say(slave, FromSlave::Sent { index: 0 });
    assert_eq!(bed.said(), ["place 1 [t1]"]);
    finish(&mut bed, slave);
}

#[test]
fn lost_while_its_files_are_placed_it_hears_done_when_it_is_back() {
    let (mut bed, slave, token) = offering();
    bed.deliver_all(slave);
    bed.cut(slave);
    bed.said();
    let (slave, said) = back(&mut bed, token);
    assert!(said.is_empty(), "{said:?}");
    finish(&mut bed, slave);
}

#[test]
fn lost_while_its_build_is_committed_it_hears_done_when_it_is_back() {
    let (mut bed, slave, token) = offering();
    bed.deliver_all(slave);
    bed.placed(1, Placed::Durable);
    bed.cut(slave);
    bed.said();
    let (slave, said) = back(&mut bed, token);
    assert!(said.is_empty(), "{said:?}");
    bed.recorded(1);
    assert_eq!(bed.said().last(), Some(&format!("{}: DONE 1", slave.0)));
}

#[test]
fn a_build_that_was_recorded_meanwhile_is_dropped() {
    let (mut bed, slave, token) = offering();
    bed.deliver_all(slave);
    bed.placed(1, Placed::Durable);
    bed.cut(slave);
    bed.recorded(1);
    bed.said();
    let slave = bed.come_back(token, Holding::Built, Adoption::Recorded);
    assert_eq!(bed.said(), ["ask adopt 1".to_owned(), format!("{}: HELLO Drop 0", slave.0)]);
    bed.say(slave, FromSlave::Idle {});
    assert_eq!(bed.said(), ["ask claim cp311"]);
}

#[test]
fn a_slave_that_is_back_is_told_neither_send_nor_done_before_it_offers_again() {
    // the check of the first file ends between HELLO and BUILT
    let mut bed = Testbed::new();
    let (slave, token) = bed.building(1);
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5), (BOUND, 7)]);
    bed.deliver(1, 5);
    bed.say(slave, FromSlave::Sent { index: 0 });
    bed.cut(slave);
    let slave = bed.come_back(token, Holding::Built, Adoption::Live(job_of(token)));
    bed.said();
    bed.sound(1);
    assert_eq!(bed.said(), ["open t2 7"], "the slave still sends its log");
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5), (BOUND, 7)]);
    assert_eq!(bed.said(), [format!("{}: SEND 1", slave.0)]);
    // the commit ends there
    bed.deliver(2, 7);
    bed.sound(2);
    bed.say(slave, FromSlave::Sent { index: 1 });
    bed.placed(1, Placed::Durable);
    bed.cut(slave);
    let slave = bed.come_back(token, Holding::Built, Adoption::Live(job_of(token)));
    bed.said();
    bed.recorded(1);
    let said = bed.said();
    assert_eq!(said.last(), Some(&format!("{}: CLOSE", slave.0)), "it comes again and is told drop");
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5), (BOUND, 7)]);
    assert!(bed.said().is_empty(), "what crosses the end of the connection is nobody's defect");
}

#[test]
fn a_slave_lost_for_good_while_fetching_leaves_nothing_behind() {
    let mut bed = Testbed::new();
    let (slave, token) = bed.building(1);
    bed.say(slave, log(0, 5));
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5), (BOUND, 7)]);
    bed.deliver_all(slave);
    bed.file_hello();
    bed.cut(slave);
    bed.wait(Millis(1));
    bed.said();
    bed.answer("sweep", expired(1));
    let mut said = bed.said();
    said.sort();
    said.dedup();
    assert_eq!(said, ["discard t1", "discard t2", "keep log 1"]);
    assert_eq!(bed.farm.juggler.transfers(), 0);
    assert!(bed.farm.slaves.jobs.is_empty() && !bed.farm.publisher.has(BuildId(1)));
    // what the disk had to say of it comes late
    bed.disk(DiskAnswer::Written(TransferId(2), 0, 7));
    bed.disk(DiskAnswer::Checked(TransferId(2), sound()));
    bed.disk(DiskAnswer::TransferFailed(TransferId(2), "late".to_owned()));
    bed.placed(1, Placed::Durable);
    bed.wait(DISK_RETRY);
    assert!(bed.said_beside_housekeeping().is_empty());
}

#[test]
fn a_lease_that_ends_while_its_slave_is_there_is_taken_up_again() {
    let (mut bed, slave, token) = offering();
    bed.wait(Millis(1));
    assert_eq!(bed.under_way("sweep"), 0, "no sweep ends leases before they are renewed");
    bed.answer("renew", Answer::Renewed);
    bed.wait(Millis(1));
    bed.said();
    bed.answer("sweep", expired(1));
    assert_eq!(bed.said(), ["ask adopt 1"]);
    bed.answer("adopt", Answer::Adopted(Adoption::Live(job_of(token))));
    assert!(bed.said().is_empty());
    bed.deliver_all(slave);
    finish(&mut bed, slave);
}

#[test]
fn a_lease_that_ends_while_the_build_is_placed_does_not_lose_it() {
    let (mut bed, slave, _) = offering();
    bed.deliver_all(slave);
    bed.cut(slave);
    bed.wait(Millis(1));
    bed.answer("sweep", expired(1));
    bed.said();
    bed.placed(1, Placed::Failed("no space".to_owned()));
    bed.wait(DISK_RETRY);
    assert_eq!(bed.said_beside_housekeeping(), ["place 1 [t1]"]);
    bed.answer("sweep", expired(1));
    bed.placed(1, Placed::Durable);
    assert_eq!(bed.said_beside_housekeeping(), ["ask log-build 1 built 1 files"]);
    bed.answer("log-build", Answer::Logged(Logged::Superseded));
    assert!(bed.farm.slaves.jobs.is_empty());
}

#[test]
fn a_late_build_whose_slave_is_lost_again_is_thrown_away_though_no_sweep_names_it() {
    let lease = Limits::default().lease;
    let mut bed = Testbed::new();
    let token = crate::master::testbed::token(1);
    let slave = bed.come_back(token, Holding::Built, Adoption::Late(job_of(token)));
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5)]);
    assert_eq!(bed.said(), ["ask adopt 1", "1: HELLO GoOn 0", "open t1 5", "1: SEND 0"]);
    bed.cut(slave);
    bed.wait(lease - Millis(1));
    assert!(bed.said_beside_housekeeping().is_empty());
    assert_eq!(bed.farm.juggler.transfers(), 1, "it may come back until its lease would have ended");
    bed.wait(Millis::secs(1));
    let said = bed.said_beside_housekeeping();
    assert!(said.contains(&"discard t1".to_owned()) && said.contains(&"keep log 1".to_owned()), "{said:?}");
    assert_eq!(bed.farm.juggler.transfers(), 0);
    assert!(bed.farm.slaves.jobs.is_empty());
}

#[test]
fn late_and_building_is_dropped_late_and_built_goes_on() {
    let token = crate::master::testbed::token(1);
    let mut bed = Testbed::new();
    bed.come_back(token, Holding::Building, Adoption::Late(job_of(token)));
    assert_eq!(bed.said(), ["ask adopt 1", "1: HELLO Drop 0"]);
    assert!(bed.farm.slaves.jobs.is_empty());
    bed.come_back(token, Holding::Built, Adoption::Late(job_of(token)));
    assert_eq!(bed.said(), ["ask adopt 1", "2: HELLO GoOn 0"]);
    bed.come_back(token, Holding::Built, Adoption::Unknown);
    assert_eq!(bed.said(), ["ask adopt 1", "3: HELLO Drop 0"]);
    let slave = bed.greet(Some(Held { token, state: Holding::Built }));
    bed.answer("adopt", Answer::Refused("odd".to_owned()));
    assert_eq!(bed.said(), ["ask adopt 1".to_owned(), format!("{}: CLOSE", slave.0)], "it keeps its build");
}

#[test]
fn of_two_connections_with_one_token_the_older_is_closed() {
    let mut bed = Testbed::new();
    let (old, token) = bed.building(1);
    let new = bed.come_back(token, Holding::Building, Adoption::Live(job_of(token)));
    assert_eq!(bed.said(), ["ask adopt 1", "1: CLOSE", "2: HELLO GoOn 0"]);
    bed.say(old, log(0, 5));
    bed.built(old, token, BuildEnd::Failed, &[]);
    bed.cut(old);
    assert!(bed.said().is_empty(), "what the old one still said concerns nobody");
    bed.say(new, log(0, 5));
    bed.built(new, token, BuildEnd::Failed, &[]);
    assert_eq!(bed.said(), ["log 1 0+5", "place 1 [] log"]);
}

#[test]
fn a_second_offer_while_the_first_is_under_way_changes_nothing() {
    let (mut bed, slave, token) = offering();
    bed.cut(slave);
    let (slave, said) = back(&mut bed, token);
    assert_eq!(said, [format!("{}: SEND 0", slave.0)]);
    assert_eq!(bed.farm.juggler.transfers(), 1);
}

#[test]
fn bye_gives_an_unfinished_build_back() {
    let (mut bed, slave, _) = offering();
    bed.say(slave, FromSlave::Bye { reason: crate::master::testbed::text("enough") });
    assert_eq!(bed.said(), ["discard t1", "discard log 1", "ask release 1", "1: CLOSE"]);
    assert_eq!(bed.farm.juggler.transfers(), 0);

    let mut bed = Testbed::new();
    let (slave, _) = bed.building(2);
    bed.say(slave, log(0, 5));
    bed.said();
    bed.say(slave, FromSlave::Bye { reason: crate::master::testbed::text("enough") });
    assert_eq!(bed.said(), ["discard log 2", "ask release 2", "1: CLOSE"]);
}

#[test]
fn bye_does_not_give_a_build_back_that_needs_its_slave_no_more() {
    for disk_is_full in [false, true] {
        let (mut bed, slave, _) = offering();
        bed.deliver(1, 5);
        bed.sound(1);
        bed.say(slave, FromSlave::Sent { index: 0 });
        let after = if disk_is_full { Placed::Failed("full".to_owned()) } else { Placed::Durable };
        bed.placed(1, after);
        bed.said();
        bed.say(slave, FromSlave::Bye { reason: crate::master::testbed::text("enough") });
        assert_eq!(bed.said(), ["1: CLOSE"]);
        bed.cut(slave);
        if disk_is_full {
            bed.wait(DISK_RETRY);
            bed.placed(1, Placed::Durable);
        }
        bed.recorded(1);
        assert!(!bed.said().contains(&"ask release 1".to_owned()));
        assert!(bed.farm.slaves.jobs.is_empty());
    }
}
