//! A finished build on its way into the index: the publish order, and what stands in its way.

use super::{BOUND, PURE};
use crate::domain::{BuildId, JobToken, Millis, Sha256};
use crate::master::event::{Checked, ConnId, DiskAnswer, Placed, TransferId};
use crate::master::limits::DISK_RETRY;
use crate::master::query::{Adoption, Answer, Logged, Query};
use crate::master::testbed::{Testbed, digest, job_of, log};
use crate::wire::slave::{BuildEnd, FromSlave, Holding};

/// A slave that offers these files of build 1 and was told SEND for the first.
fn offering(files: &[(&str, u64)]) -> (Testbed, ConnId, JobToken) {
    let mut bed = Testbed::new();
    let (slave, token) = bed.building(1);
    bed.built(slave, token, BuildEnd::Built, files);
    bed.said();
    (bed, slave, token)
}

/// The same with one file, sent and being brought into place.
fn placing() -> (Testbed, ConnId, JobToken) {
    let (mut bed, slave, token) = offering(&[(PURE, 5)]);
    bed.deliver_all(slave);
    assert_eq!(bed.said().last().unwrap(), "place 1 [t1]");
    (bed, slave, token)
}

#[test]
fn two_files_are_fetched_checked_placed_and_committed_before_done() {
    let mut bed = Testbed::new();
    let (slave, token) = bed.building(1);
    bed.say(slave, log(0, 100));
    bed.disk(DiskAnswer::LogWritten(BuildId(1), 100));
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5), (BOUND, 7)]);
    assert_eq!(bed.said(), ["log 1 0+100", "open t1 5", "1: SEND 0"]);

    bed.file_hello();
    assert_eq!(bed.said(), ["2: FETCH 0+5"]);
    bed.chunk(ConnId(2), 0, 5);
    assert_eq!(bed.said(), ["write t1 0+5"]);
    bed.disk(DiskAnswer::Written(TransferId(1), 0, 5));
    assert_eq!(bed.said(), [format!("check t1 {PURE}"), "2: file DONE".to_owned()]);
    bed.say(slave, FromSlave::Sent { index: 0 });
    assert!(bed.said().is_empty(), "the next file waits for the check");
    bed.sound(1);
    assert_eq!(bed.said(), ["open t2 7", "1: SEND 1"]);

    let transfer = bed.key;
    let again = crate::wire::file::FromSlave::Hello { transfer };
    bed.put(crate::master::event::Event::File(ConnId(2), again));
    bed.chunk(ConnId(2), 0, 7);
    bed.disk(DiskAnswer::Written(TransferId(2), 0, 7));
    bed.sound(2);
    let check = format!("check t2 {BOUND}");
    assert_eq!(bed.said(), ["2: FETCH 0+7", "write t2 0+7", &check, "2: file DONE"]);
    bed.say(slave, FromSlave::Sent { index: 1 });
    assert_eq!(bed.said(), ["place 1 [t1 t2] log"]);
    bed.placed(1, Placed::Durable);
    assert_eq!(bed.said(), ["ask log-build 1 built 2 files"]);
    bed.recorded(1);
    assert_eq!(bed.said(), ["discard log 1", "ask rewrites-due 64", "1: DONE 1"]);
    assert!(bed.farm.slaves.jobs.is_empty());

    bed.say(slave, FromSlave::Idle {});
    assert_eq!(bed.said(), ["ask claim cp311"]);
}

#[test]
fn the_record_says_what_was_checked() {
    let (mut bed, ..) = placing();
    bed.placed(1, Placed::Durable);
    let Some((_, Query::LogBuild(record))) = bed.questions.back() else { panic!("{:?}", bed.questions) };
    let [file] = &record.files[..] else { panic!("{record:?}") };
    assert_eq!((file.filename.as_str(), file.size, file.sha256), (PURE, 5, digest(PURE)));
    assert_eq!(
        (file.python_tag.as_str(), file.abi_tag.as_str(), file.platform_tag.as_str()),
        ("py3", "none", "any")
    );
    assert_eq!((file.requires_python.as_deref(), file.metadata_sha256), (Some(">=3.9"), Sha256([5; 32])));
    assert_eq!(file.requires_dist, ["bar>=1"]);
    assert_eq!((record.slave.as_str(), record.duration_ms, record.log_bytes), ("pi", 1500, 0));
}

#[test]
fn a_failed_build_is_recorded_without_send() {
    for (end, outcome) in [
        (BuildEnd::Failed, "failed"),
        (BuildEnd::Timeout, "timeout"),
        (BuildEnd::NoSdist, "no-sdist"),
        (BuildEnd::BadWheel, "bad-wheel"),
        (BuildEnd::Silence, "silence"),
        (BuildEnd::Network, "network"),
        (BuildEnd::OutOfMemory, "out-of-memory"),
        (BuildEnd::Disk, "disk"),
        (BuildEnd::LogLimit, "log-limit"),
        (BuildEnd::WheelLimit, "wheel-limit"),
        (BuildEnd::DiskLimit, "disk-limit"),
        (BuildEnd::ProcessLimit, "process-limit"),
    ] {
        let mut bed = Testbed::new();
        let (slave, token) = bed.building(1);
        bed.say(slave, log(0, 10));
        bed.built(slave, token, end, &[]);
        assert_eq!(bed.said(), ["log 1 0+10", "place 1 [] log"]);
        bed.placed(1, Placed::Durable);
        assert_eq!(bed.said(), [format!("ask log-build 1 {outcome} 0 files")]);
        bed.recorded(1);
        assert_eq!(bed.said(), ["discard log 1", "1: DONE 1"], "no page changes");
    }
}

#[test]
fn an_abi_that_a_build_opens_wakes_its_slave() {
    let mut bed = Testbed::new();
    let sleeper = bed.open(crate::wire::Channel::Slave);
    bed.say(sleeper, crate::master::testbed::hello("cp312", None));
    bed.say(sleeper, FromSlave::Idle {});
    bed.answer("claim", Answer::Claimed(None));
    bed.said();
    let (slave, token) = bed.building(1);
    bed.built(slave, token, BuildEnd::Failed, &[]);
    bed.placed(1, Placed::Durable);
    bed.said();
    let opened = Some(crate::master::testbed::abi("cp312"));
    bed.answer("log-build", Answer::Logged(Logged::Recorded { opened }));
    assert_eq!(bed.said(), ["discard log 1", "1: WAKE", "2: DONE 1"]);
}

#[test]
fn a_slave_hears_done_whatever_the_database_made_of_its_build() {
    for logged in [Logged::Duplicate, Logged::Superseded, Logged::Unknown] {
        let (mut bed, ..) = placing();
        bed.placed(1, Placed::Durable);
        bed.said();
        bed.answer("log-build", Answer::Logged(logged));
        assert_eq!(bed.said(), ["discard log 1", "1: DONE 1"]);
    }
}

#[test]
fn wrong_bytes_twice_and_then_the_right_ones_are_published() {
    let (mut bed, _, token) = offering(&[(PURE, 5)]);
    for transfer in [1, 2] {
        bed.deliver(transfer, 5);
        bed.said();
        let slave = bed.farm.slaves.jobs[&BuildId(1)].conn.unwrap();
        bed.disk(DiskAnswer::Checked(TransferId(transfer), Checked::WrongDigest { found: digest("x") }));
        let said = bed.said();
        assert_eq!(said[0], format!("discard t{transfer}"));
        assert!(said[1].starts_with(&format!("{}: CLOSE ({PURE} has other bytes", slave.0)), "{said:?}");
        assert_eq!(said.len(), 2, "{said:?}");
        bed.cut(slave);
        let slave = bed.come_back(token, Holding::Built, Adoption::Live(job_of(token)));
        bed.built(slave, token, BuildEnd::Built, &[(PURE, 5)]);
        let again = format!("{}: SEND 0", slave.0);
        assert_eq!(bed.said().last(), Some(&again));
    }
    bed.deliver(3, 5);
    bed.sound(3);
    let slave = bed.farm.slaves.jobs[&BuildId(1)].conn.unwrap();
    bed.say(slave, FromSlave::Sent { index: 0 });
    assert_eq!(bed.said().last().unwrap(), "place 1 [t3]");
}

#[test]
fn wrong_bytes_three_times_are_recorded_as_lost_and_the_slave_is_told_when_it_is_back() {
    let (mut bed, mut slave, token) = offering(&[(PURE, 5)]);
    for transfer in 1..=3 {
        bed.deliver(transfer, 5);
        bed.said();
        bed.disk(DiskAnswer::Checked(TransferId(transfer), Checked::WrongDigest { found: digest("x") }));
        if transfer < 3 {
            bed.cut(slave);
            slave = bed.come_back(token, Holding::Built, Adoption::Live(job_of(token)));
            bed.built(slave, token, BuildEnd::Built, &[(PURE, 5)]);
        }
    }
    let said = bed.said();
    assert_eq!(said[..2], ["discard t3", "place 1 [] log remark"]);
    assert!(said[2].contains("CLOSE"), "{said:?}");
    bed.cut(slave);
    bed.placed(1, Placed::Durable);
    assert_eq!(bed.said(), ["ask log-build 1 lost-transfer 0 files"]);
    // it is back before the commit, and offers the same again
    let slave = bed.come_back(token, Holding::Built, Adoption::Live(job_of(token)));
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5)]);
    bed.said();
    bed.recorded(1);
    assert_eq!(bed.said(), ["discard log 1".to_owned(), format!("{}: DONE 1", slave.0)]);
}

#[test]
fn what_is_no_wheel_of_the_version_is_recorded_when_the_slave_has_said_sent() {
    let (mut bed, slave, _) = offering(&[(PURE, 5), (BOUND, 7)]);
    bed.deliver_all(slave);
    bed.deliver(2, 7);
    bed.said();
    bed.disk(DiskAnswer::Checked(TransferId(2), Checked::BadWheel("no METADATA".to_owned())));
    assert!(bed.said().is_empty(), "SENT is under way, and would come after DONE");
    bed.say(slave, FromSlave::Sent { index: 1 });
    assert_eq!(bed.said(), ["discard t2", "discard t1", "place 1 [] log remark"]);
    bed.placed(1, Placed::Durable);
    bed.recorded(1);
    assert_eq!(bed.said(), ["ask log-build 1 bad-wheel 0 files", "discard log 1", "1: DONE 1"]);
}

#[test]
fn a_transfer_that_the_disk_refused_is_fetched_again_after_its_time_and_not_before() {
    let (mut bed, slave, token) = offering(&[(PURE, 5)]);
    let conn = bed.file_hello();
    bed.chunk(conn, 0, 5);
    bed.said();
    bed.disk(DiskAnswer::TransferFailed(TransferId(1), "no space".to_owned()));
    assert_eq!(bed.said(), ["discard t1", "1: CLOSE"], "it serves the transfer, and would not take SEND");
    bed.cut(slave);
    let slave = bed.come_back(token, Holding::Built, Adoption::Live(job_of(token)));
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5)]);
    bed.said();
    bed.wait_alive(DISK_RETRY - Millis::secs(1), &[slave]);
    assert!(bed.said_beside_housekeeping().is_empty());
    bed.wait(Millis::secs(1));
    assert_eq!(bed.said_beside_housekeeping(), ["open t2 5", "3: SEND 0"]);
    bed.deliver(2, 5);
    bed.sound(2);
    bed.say(slave, FromSlave::Sent { index: 0 });
    assert_eq!(bed.said().last().unwrap(), "place 1 [t2]");
}

#[test]
fn a_slave_that_has_said_sent_stays_while_the_disk_is_full() {
    let (mut bed, slave, _) = offering(&[(PURE, 5)]);
    bed.deliver(1, 5);
    bed.say(slave, FromSlave::Sent { index: 0 });
    bed.said();
    bed.disk(DiskAnswer::TransferFailed(TransferId(1), "no space".to_owned()));
    assert_eq!(bed.said(), ["discard t1"]);
    bed.wait_alive(DISK_RETRY, &[slave]);
    assert_eq!(bed.said_beside_housekeeping(), ["open t2 5", "1: SEND 0"]);
}

#[test]
fn a_build_that_cannot_be_placed_is_placed_again_after_its_time_and_not_before() {
    let (mut bed, slave, _) = placing();
    bed.placed(1, Placed::Failed("no space".to_owned()));
    bed.wait_alive(DISK_RETRY - Millis::secs(1), &[slave]);
    assert!(bed.said_beside_housekeeping().is_empty());
    bed.wait(Millis::secs(1));
    assert_eq!(bed.said_beside_housekeeping(), ["place 1 [t1]"]);
    bed.placed(1, Placed::Durable);
    bed.recorded(1);
    assert_eq!(bed.said().last().unwrap(), "1: DONE 1");
}

#[test]
fn a_name_that_is_published_with_the_same_bytes_is_placed_again() {
    let (mut bed, ..) = placing();
    bed.placed(1, Placed::Taken(vec![PURE.to_owned()]));
    assert_eq!(bed.said(), [format!("ask files-known {PURE}")]);
    bed.answer("files-known", Answer::FilesKnown(vec![(PURE.to_owned(), digest(PURE))]));
    assert_eq!(bed.said(), ["place 1 [t1]"]);
}

#[test]
fn a_name_that_is_published_with_other_bytes_keeps_them() {
    let (mut bed, ..) = placing();
    bed.placed(1, Placed::Taken(vec![PURE.to_owned()]));
    bed.said();
    bed.answer("files-known", Answer::FilesKnown(vec![(PURE.to_owned(), digest("other"))]));
    assert_eq!(bed.said(), ["discard t1", "place 1 [] log remark"]);
    bed.placed(1, Placed::Durable);
    assert_eq!(bed.said(), ["ask log-build 1 bad-wheel 0 files"]);
}

#[test]
fn bytes_under_a_name_that_no_row_knows_may_be_replaced() {
    let (mut bed, ..) = placing();
    bed.placed(1, Placed::Taken(vec![PURE.to_owned()]));
    bed.said();
    bed.answer("files-known", Answer::FilesKnown(Vec::new()));
    assert_eq!(bed.said(), [format!("place 1 [t1] unclaimed {PURE}")]);
}

#[test]
fn a_name_that_stays_taken_is_tried_again_after_a_while_and_not_in_a_circle() {
    let (mut bed, slave, _) = placing();
    bed.placed(1, Placed::Taken(vec![PURE.to_owned()]));
    bed.answer("files-known", Answer::FilesKnown(vec![(PURE.to_owned(), digest(PURE))]));
    bed.said();
    bed.placed(1, Placed::Taken(vec![PURE.to_owned()]));
    assert!(bed.said().is_empty(), "row and disk disagree; asking either again at once changes nothing");
    bed.wait_alive(DISK_RETRY, &[slave]);
    assert_eq!(bed.said_beside_housekeeping(), ["place 1 [t1]"]);
    bed.placed(1, Placed::Taken(vec![PURE.to_owned()]));
    assert_eq!(bed.said(), [format!("ask files-known {PURE}")]);
}

#[test]
fn rows_that_the_database_refuses_are_recorded_without_files_and_tried_again_but_never_acknowledged_unrecorded()
 {
    let (mut bed, slave, ..) = placing();
    bed.placed(1, Placed::Durable);
    bed.said();
    bed.answer("log-build", Answer::Refused("odd rows".to_owned()));
    assert_eq!(bed.said(), ["discard t1", "place 1 [] log remark"]);
    bed.placed(1, Placed::Durable);
    assert_eq!(bed.said(), ["ask log-build 1 bad-wheel 0 files"]);
    bed.answer("log-build", Answer::Refused("odd report".to_owned()));
    assert_eq!(bed.said(), ["place 1 [] log remark"], "again without what the slave says of it");
    bed.placed(1, Placed::Durable);
    assert_eq!(bed.said(), ["ask log-build 1 bad-wheel 0 files"]);
    bed.answer("log-build", Answer::Refused("odd job".to_owned()));
    assert!(bed.said().is_empty(), "no DONE without a record");
    bed.wait_alive(DISK_RETRY, &[slave]);
    assert_eq!(bed.said_beside_housekeeping(), ["place 1 [] log remark"]);
    bed.placed(1, Placed::Durable);
    bed.said();
    bed.answer("log-build", Answer::Logged(Logged::Recorded { opened: None }));
    assert_eq!(bed.said(), ["discard log 1", "1: DONE 1"]);
}

#[test]
fn an_oracle_that_fails_costs_a_build_nothing() {
    let (mut bed, slave, ..) = placing();
    bed.placed(1, Placed::Durable);
    bed.said();
    bed.answer("log-build", Answer::Failed("it fell over".to_owned()));
    assert!(bed.said().is_empty(), "nothing is thrown away, and nothing acknowledged");
    bed.wait_alive(DISK_RETRY, &[slave]);
    assert_eq!(bed.said_beside_housekeeping(), ["place 1 [t1]"]);
    bed.placed(1, Placed::Durable);
    assert_eq!(bed.said(), ["ask log-build 1 built 1 files"]);
}
