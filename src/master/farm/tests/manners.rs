//! What a slave must not say, and when it is too quiet or too loud.

use super::{BOUND, PURE};
use crate::VERSION;
use crate::domain::{BuildId, JobToken, Millis};
use crate::master::event::{ConnId, DiskAnswer, Event, Placed};
use crate::master::limits::{
    FILE_SILENCE, LOG_BACKLOG_BYTES, LOG_PIECE_COST, Limits, SLAVE_LEAVES, SLAVE_SILENCE,
};
use crate::master::query::{Adoption, Answer, Job};
use crate::master::testbed::{PLATFORM, Testbed, built, busy, hello, job_of, log, text, token};
use crate::wire::Channel;
use crate::wire::limits::LOG_BYTES;
use crate::wire::slave::{Board, BuildEnd, FromSlave, Held, Holding};

/// A slave brought into a state, by the state's name.
fn in_state(state: &str) -> (Testbed, ConnId, JobToken) {
    let mut bed = Testbed::new();
    let (slave, token) = match state {
        "greeting" => (bed.open(Channel::Slave), token(1)),
        "returning" => (bed.greet(Some(Held { token: token(1), state: Holding::Built })), token(1)),
        "idle" => (bed.slave(), token(1)),
        "waiting for an answer" | "asleep" => {
            let slave = bed.slave();
            bed.say(slave, FromSlave::Idle {});
            if state == "asleep" {
                bed.answer("claim", Answer::Claimed(None));
            }
            (slave, token(1))
        }
        _ => bed.building(1),
    };
    if state == "delivering" {
        bed.built(slave, token, BuildEnd::Built, &[(PURE, 5)]);
    }
    assert_eq!(bed.farm.slaves.slaves[&slave].state.name(), state);
    bed.said();
    (bed, slave, token)
}

#[test]
fn what_must_not_come_in_a_state_closes_the_connection_and_says_why() {
    let states = ["returning", "idle", "waiting for an answer", "asleep", "building", "delivering"];
    let sent = || FromSlave::Sent { index: 0 };
    let mut bad: Vec<(&str, FromSlave)> = Vec::new();
    for state in states {
        if !["idle", "asleep"].contains(&state) {
            bad.push((state, FromSlave::Idle {}));
        }
        if state != "building" {
            bad.push((state, log(0, 1)));
            bad.push((state, built(token(1), BuildEnd::Failed, &[])));
        }
        if state != "delivering" {
            bad.push((state, sent()));
        }
    }
    assert_eq!(bad.len(), 4 + 5 + 5 + 5);
    for (state, message) in bad {
        let (mut bed, slave, _) = in_state(state);
        let name = message.name();
        bed.say(slave, message);
        let expected = format!("{}: CLOSE ({name} while it is {state} [protocol])", slave.0);
        assert_eq!(bed.said(), [expected]);
    }
}

#[test]
fn only_hello_comes_first_and_only_once() {
    for message in [FromSlave::Idle {}, busy(), log(0, 1), built(token(1), BuildEnd::Failed, &[])] {
        let (mut bed, slave, _) = in_state("greeting");
        let name = message.name();
        bed.say(slave, message);
        assert_eq!(bed.said(), [format!("1: CLOSE ({name} before HELLO [protocol])")]);
    }
    for state in ["returning", "idle", "building", "delivering"] {
        let (mut bed, slave, _) = in_state(state);
        bed.say(slave, hello("cp311", None));
        assert_eq!(bed.said(), [format!("{}: CLOSE (a second HELLO [protocol])", slave.0)]);
    }
}

#[test]
fn a_peer_with_many_defects_is_closed_for_the_first() {
    let (mut bed, slave, _) = in_state("idle");
    bed.say(slave, log(0, 1));
    bed.said();
    for _ in 0..3 {
        bed.say(slave, log(0, 1));
        bed.say(slave, FromSlave::Sent { index: 0 });
        bed.say(slave, FromSlave::Idle {});
    }
    assert!(bed.said().is_empty(), "one line in the log, and no job for a connection that ends");

    let file = bed.open(Channel::File);
    bed.chunk(file, 0, 1);
    assert_eq!(bed.said().len(), 1);
    bed.chunk(file, 0, 1);
    assert!(bed.said().is_empty());
}

#[test]
fn a_job_claimed_for_a_connection_that_is_being_closed_goes_back() {
    let (mut bed, slave, _) = in_state("waiting for an answer");
    bed.say(slave, FromSlave::Idle {});
    bed.said();
    bed.hand_out(1);
    assert_eq!(bed.said(), ["ask release 1"]);
}

#[test]
fn who_may_not_be_here_is_told_bye_and_closed() {
    let refused = [
        (introduction("0.0", "cp311", PLATFORM), "this farm runs version"),
        (introduction(VERSION, "cp39", PLATFORM), "this farm does not build for cp39"),
        (introduction(VERSION, "py3", PLATFORM), "\"py3\" is not an ABI"),
        (introduction(VERSION, "cp311", ""), "\"\" is not a platform tag"),
        (introduction(VERSION, "cp311", "Linux-x"), "\"Linux-x\" is not a platform tag"),
    ];
    for (hello, reason) in refused {
        let mut bed = Testbed::new();
        let slave = bed.open(Channel::Slave);
        bed.say(slave, hello);
        let said = bed.said();
        assert_eq!(said[0], "1: BYE");
        assert!(said[1].starts_with(&format!("1: CLOSE ({reason}")), "{said:?}");
        bed.say(slave, introduction(VERSION, "cp311", PLATFORM));
        assert!(bed.said().is_empty(), "BYE is the last word");
    }
}

fn introduction(software: &str, abi: &str, platform: &str) -> FromSlave {
    FromSlave::Hello {
        software: text(software),
        label: text("pi"),
        timeout_secs: 10_800,
        python_tag: text("311"),
        abi_tag: text(abi),
        platform_tag: text(platform),
        board: Board::default(),
        held: None,
    }
}

#[test]
fn a_log_with_a_gap_closes_the_connection_and_the_job_waits() {
    let (mut bed, slave, _) = in_state("building");
    bed.say(slave, log(0, 10));
    bed.say(slave, log(11, 10));
    assert_eq!(bed.said(), ["log 1 0+10", "1: CLOSE (LOG at 11, where 10 was next [protocol])"]);
    assert_eq!(bed.farm.slaves.jobs[&BuildId(1)].log_bytes, 10);
}

#[test]
fn a_log_over_its_limit_ends_the_build() {
    let mut bed = Testbed::with(Limits { log_bytes: 100, ..Limits::default() });
    let (slave, token) = bed.building(1);
    bed.say(slave, log(0, 100));
    bed.say(slave, log(100, 1));
    let closed = "1: CLOSE (its log is over 100 bytes [protocol])";
    assert_eq!(bed.said(), ["log 1 0+100", "place 1 [] log remark", closed]);
    bed.cut(slave);
    bed.placed(1, Placed::Durable);
    // back before the commit, still building: its next words are over the limit again
    let adopted = crate::master::query::Adoption::Live(job_of(token));
    let slave = bed.come_back(token, Holding::Building, adopted);
    bed.said();
    bed.recorded(1);
    assert_eq!(
        bed.said(),
        ["discard log 1".to_owned(), format!("{}: CLOSE", slave.0)],
        "DONE may not come while it builds"
    );
    assert!(bed.farm.slaves.jobs.is_empty());
}

#[test]
fn a_log_that_waits_for_the_disk_holds_its_slave_until_half_is_written() {
    let (mut bed, slave, _) = in_state("building");
    let pieces = LOG_BACKLOG_BYTES / (LOG_BYTES as u64 + LOG_PIECE_COST);
    let mut offset = 0;
    for _ in 0..pieces {
        bed.say(slave, log(offset, LOG_BYTES));
        offset += LOG_BYTES as u64;
    }
    assert!(!bed.said().contains(&"1: hold".to_owned()), "the limit itself is allowed");
    bed.say(slave, log(offset, LOG_BYTES));
    bed.say(slave, log(offset + LOG_BYTES as u64, 1));
    let said = bed.said();
    assert_eq!(said.iter().filter(|w| *w == "1: hold").count(), 1, "{said:?}");

    // what is not read cannot be heard
    bed.wait(SLAVE_SILENCE + SLAVE_SILENCE);
    bed.wait(SLAVE_SILENCE + SLAVE_SILENCE);
    assert!(bed.said_beside_housekeeping().is_empty());

    let mut left = (pieces + 1) * (LOG_BYTES as u64 + LOG_PIECE_COST) + 1 + LOG_PIECE_COST;
    while left > LOG_BACKLOG_BYTES / 2 {
        assert!(bed.said().is_empty(), "not before half of it is written");
        bed.disk(DiskAnswer::LogWritten(BuildId(1), LOG_BYTES as u64));
        left -= LOG_BYTES as u64 + LOG_PIECE_COST;
    }
    assert_eq!(bed.said(), ["1: resume"]);
    bed.disk(DiskAnswer::LogWritten(BuildId(1), LOG_BYTES as u64));
    assert!(bed.said().is_empty());
    bed.wait(SLAVE_SILENCE + Millis(1));
    assert_eq!(bed.said_beside_housekeeping(), ["1: CLOSE (silent for 30 s)"]);
}

#[test]
fn busy_keeps_a_slave_and_silence_closes_it_once() {
    let (mut bed, slave, _) = in_state("building");
    bed.wait(SLAVE_SILENCE);
    bed.say(slave, busy());
    bed.wait(SLAVE_SILENCE);
    assert!(bed.said_beside_housekeeping().is_empty());
    bed.wait(Millis(1));
    bed.wait(Millis(250));
    assert_eq!(bed.said_beside_housekeeping(), ["1: CLOSE (silent for 30 s)"]);
}

#[test]
fn a_file_connection_that_owes_bytes_is_closed_for_silence_once() {
    let (mut bed, slave, _) = in_state("delivering");
    bed.file_hello();
    bed.wait_alive(FILE_SILENCE, &[slave]);
    bed.said();
    bed.wait(Millis(1));
    bed.wait(Millis(250));
    assert_eq!(bed.said_beside_housekeeping(), ["2: CLOSE (silent for 60 s in a transfer)"]);
}

#[test]
fn a_slave_that_was_told_bye_and_stays_is_closed_once() {
    let (mut bed, slave, _) = in_state("building");
    bed.put(Event::Stop);
    bed.said();
    bed.wait_alive(SLAVE_LEAVES + Millis::secs(3), &[slave]);
    let said = bed.said_beside_housekeeping();
    let closed: Vec<_> = said.iter().filter(|w| w.contains("CLOSE")).collect();
    assert_eq!(closed, ["1: CLOSE (told BYE, and still there)"]);
}

#[test]
fn files_that_no_honest_slave_names_are_recorded_and_close_the_connection() {
    for (files, reason) in [
        (&[("../foo-1.0-py3-none-any.whl", 5)][..], "not a wheel's file name"),
        (&[(PURE, 0)], "has no bytes"),
        (&[(PURE, 5), (PURE, 5)], "is named twice"),
        (&[], "BUILT as Built with 0 files"),
    ] {
        let (mut bed, slave, token) = in_state("building");
        bed.built(slave, token, BuildEnd::Built, files);
        let said = bed.said();
        assert_eq!(said[0], "place 1 [] log remark");
        assert!(said[1].contains("CLOSE") && said[1].contains(reason), "{said:?}");
        bed.placed(1, Placed::Durable);
        assert_eq!(bed.said(), ["ask log-build 1 bad-wheel 0 files"]);
    }
    let (mut bed, slave, token) = in_state("building");
    bed.built(slave, token, BuildEnd::Failed, &[(PURE, 5)]);
    assert!(bed.said()[1].contains("CLOSE (BUILT as Failed with 1 files [protocol])"));
}

#[test]
fn files_that_are_not_for_this_farm_are_recorded_and_the_slave_goes_on() {
    let over = Limits::default().wheel_bytes + 1;
    for files in [
        &[("bar-1.0-py3-none-any.whl", 5)][..],
        &[("foo-1.1-py3-none-any.whl", 5)],
        &[("foo-1.0-cp312-cp312-linux_armv7l.whl", 5)],
        &[("foo-1.0-cp311-cp311-linux_x86_64.whl", 5)],
        &[("foo-1.0-1234567890123456-py3-none-any.whl", 5)],
        &[(PURE, over)],
        &[(PURE, 5), (BOUND, over)],
    ] {
        let (mut bed, slave, token) = in_state("building");
        bed.built(slave, token, BuildEnd::Built, files);
        assert_eq!(bed.said(), ["place 1 [] log remark"]);
        bed.placed(1, Placed::Durable);
        bed.recorded(1);
        assert_eq!(bed.said(), ["ask log-build 1 bad-wheel 0 files", "discard log 1", "1: DONE 1"]);
    }
}

/// A master that was started anew learns of the tag with the job.
#[test]
fn the_wheels_of_a_rebuild_have_the_build_tag_that_was_asked_for() {
    for (name, sound) in [
        ("foo-1.0-2-py3-none-any.whl", true),
        (PURE, false),
        ("foo-1.0-1-py3-none-any.whl", false),
        ("foo-1.0-2b-py3-none-any.whl", false),
    ] {
        let mut bed = Testbed::new();
        let job = Job { build_tag: 2, ..job_of(token(1)) };
        let slave = bed.come_back(job.token, Holding::Built, Adoption::Live(job));
        bed.said();
        bed.built(slave, token(1), BuildEnd::Built, &[(name, 5)]);
        let expected: &[&str] = if sound { &["open t1 5", "1: SEND 0"] } else { &["place 1 [] log remark"] };
        assert_eq!(bed.said(), expected, "{name}");
    }
}

#[test]
fn a_build_of_more_files_than_the_operator_allows_is_recorded_without_them() {
    let (mut bed, slave, token) = in_state("building");
    bed.farm.limits.files = 1;
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5), (BOUND, 5)]);
    assert_eq!(bed.said(), ["place 1 [] log remark"]);
}

#[test]
fn a_token_that_is_not_the_jobs_is_not_believed() {
    let (mut bed, slave, mut token) = in_state("building");
    token.secret[0] ^= 1;
    bed.built(slave, token, BuildEnd::Failed, &[]);
    assert_eq!(bed.said(), ["1: CLOSE (BUILT with a token that is not its job's [protocol])"]);
    assert!(!bed.farm.publisher.has(BuildId(1)));
}

#[test]
fn sent_for_another_file_or_twice_closes_the_connection() {
    let (mut bed, slave, _) = in_state("delivering");
    bed.say(slave, FromSlave::Sent { index: 1 });
    assert_eq!(bed.said(), ["1: CLOSE (SENT for file 1, which was not asked for [protocol])"]);
    let (mut bed, slave, _) = in_state("delivering");
    bed.say(slave, FromSlave::Sent { index: 0 });
    bed.say(slave, FromSlave::Sent { index: 0 });
    assert_eq!(bed.said(), ["1: CLOSE (SENT for file 0, which was not asked for [protocol])"]);
}
