//! The administrator's commands, what monitors see of them, and slaves' clocks.

use crate::domain::Millis;
use crate::master::event::{ConnId, Event, Placed};
use crate::master::limits::MONITORS;
use crate::master::query::{Adoption, Answer};
use crate::master::testbed::{Testbed, WALL, abi, busy_at, job_of, text};
use crate::wire::Channel;
use crate::wire::control::{FromTool, How, When};
use crate::wire::slave::{BuildEnd, FromSlave, Holding};
use crate::wire::status::FromMonitor;

/// A bench with the administrator's tool as connection 1.
fn bed() -> (Testbed, ConnId) {
    let mut bed = Testbed::new();
    let tool = bed.open(Channel::Control);
    (bed, tool)
}

fn order(bed: &mut Testbed, command: FromTool) -> Vec<String> {
    bed.said();
    bed.put(Event::Control(ConnId(1), command));
    let mut said = bed.said();
    said[1..].sort();
    said
}

fn asleep(bed: &mut Testbed) -> ConnId {
    let slave = bed.slave();
    bed.say(slave, FromSlave::Idle {});
    bed.answer("claim", Answer::Claimed(None));
    bed.said();
    slave
}

#[test]
fn a_paused_farm_hands_nothing_out_and_builds_go_on() {
    let (mut bed, _) = bed();
    let (builder, token) = bed.building(1);
    let sleeper = asleep(&mut bed);
    let asking = bed.slave();
    bed.say(asking, FromSlave::Idle {});
    assert_eq!(order(&mut bed, FromTool::Pause {}), ["1: DONE 3"]);
    bed.hand_out(2);
    assert_eq!(bed.said(), ["ask release 2", "4: SLEEP"], "the job is not kept");
    bed.answer("release", Answer::Released(Some(abi("cp311"))));
    assert!(bed.said().is_empty(), "nobody is woken for it");
    bed.built(builder, token, BuildEnd::Failed, &[]);
    bed.placed(1, Placed::Durable);
    bed.recorded(1);
    bed.said();
    bed.say(builder, FromSlave::Idle {});
    assert_eq!(bed.said(), ["2: SLEEP"]);
    assert_eq!(order(&mut bed, FromTool::Resume {}), ["1: DONE 3", "2: WAKE", "3: WAKE", "4: WAKE"]);
    bed.say(sleeper, FromSlave::Idle {});
    bed.hand_out(3);
    assert_eq!(bed.said(), ["ask claim cp311", "3: BUILD 3"]);
}

#[test]
fn a_slave_told_to_sleep_gets_nothing_until_wake_not_even_under_another_connection() {
    let (mut bed, _) = bed();
    let slave = asleep(&mut bed);
    assert_eq!(order(&mut bed, FromTool::Sleep { slave: Some(1) }), ["1: DONE 1"]);
    bed.say(slave, FromSlave::Idle {});
    assert_eq!(bed.said(), ["2: SLEEP"], "nothing is asked for");
    bed.cut(slave);
    let again = bed.slave();
    bed.say(again, FromSlave::Idle {});
    assert_eq!(bed.said(), ["3: SLEEP"]);
    assert_eq!(order(&mut bed, FromTool::Resume {}), ["1: DONE 1"], "that is another matter");
    assert_eq!(order(&mut bed, FromTool::Wake { slave: Some(2) }), ["1: DONE 1", "3: WAKE"]);
    assert_eq!(order(&mut bed, FromTool::Wake { slave: Some(2) }), ["1: DONE 1"], "WAKE is under way");
    bed.say(again, FromSlave::Idle {});
    bed.hand_out(1);
    assert_eq!(bed.said(), ["ask claim cp311", "3: BUILD 1"]);
}

#[test]
fn a_wake_up_for_a_slave_that_was_told_to_sleep_meanwhile_goes_to_another() {
    let (mut bed, _) = bed();
    let first = asleep(&mut bed);
    let (builder, _) = bed.building(1);
    bed.say(builder, FromSlave::Bye { reason: text("enough") });
    bed.said();
    bed.answer("release", Answer::Released(Some(abi("cp311"))));
    assert_eq!(bed.said(), ["2: WAKE"]);
    let second = asleep(&mut bed);
    order(&mut bed, FromTool::Sleep { slave: Some(1) });
    bed.say(first, FromSlave::Idle {});
    assert_eq!(bed.said(), ["2: SLEEP".to_owned(), format!("{}: WAKE", second.0)]);
}

#[test]
fn a_wake_up_for_a_slave_that_is_lost_or_killed_meanwhile_goes_to_another() {
    for killed in [false, true] {
        let (mut bed, _) = bed();
        let first = asleep(&mut bed);
        let (builder, _) = bed.building(1);
        bed.say(builder, FromSlave::Bye { reason: text("enough") });
        bed.said();
        bed.answer("release", Answer::Released(Some(abi("cp311"))));
        assert_eq!(bed.said(), ["2: WAKE"]);
        let second = asleep(&mut bed);
        if killed {
            order(&mut bed, FromTool::Kill { slave: Some(1), when: When::NextIdle });
        }
        bed.cut(first);
        assert_eq!(bed.said(), [format!("{}: WAKE", second.0)]);
    }
}

#[test]
fn kill_at_the_next_idle_lets_the_build_be_delivered() {
    let (mut bed, _) = bed();
    let (builder, token) = bed.building(1);
    let sleeper = asleep(&mut bed);
    let kill = FromTool::Kill { slave: None, when: When::NextIdle };
    assert_eq!(order(&mut bed, kill), ["1: DONE 2".to_owned(), format!("{}: BYE", sleeper.0)]);
    bed.built(builder, token, BuildEnd::Failed, &[]);
    bed.placed(1, Placed::Durable);
    bed.recorded(1);
    bed.said();
    bed.say(builder, FromSlave::Idle {});
    assert_eq!(bed.said(), ["2: BYE"]);
}

#[test]
fn kill_now_gives_the_job_back() {
    let (mut bed, _) = bed();
    let (slave, _) = bed.building(1);
    let kill = FromTool::Kill { slave: Some(1), when: When::Now };
    assert_eq!(order(&mut bed, kill), ["1: DONE 1", "2: BYE"]);
    bed.say(slave, FromSlave::Bye { reason: text("told to go") });
    assert_eq!(bed.said(), ["discard log 1", "ask release 1", "2: CLOSE"]);
}

#[test]
fn one_that_is_killed_while_the_database_is_asked_about_it_goes_with_the_answer() {
    let (mut bed, _) = bed();
    let asking = bed.slave();
    bed.say(asking, FromSlave::Idle {});
    let kill = FromTool::Kill { slave: None, when: When::Now };
    assert_eq!(order(&mut bed, kill.clone()), ["1: DONE 1"]);
    bed.hand_out(1);
    assert_eq!(bed.said(), ["ask release 1", "2: BYE"]);
    bed.cut(asking);

    let token = crate::master::testbed::token(5);
    let back = bed.greet(Some(crate::wire::slave::Held { token, state: Holding::Building }));
    assert_eq!(order(&mut bed, kill), ["1: DONE 1"]);
    bed.answer("adopt", Answer::Adopted(Adoption::Live(job_of(token))));
    assert_eq!(bed.said(), ["3: HELLO GoOn 0", "3: BYE"]);
    bed.say(back, FromSlave::Bye { reason: text("told to go") });
    assert_eq!(bed.said(), ["discard log 5", "ask release 5", "3: CLOSE"]);
}

#[test]
fn skip_cancels_the_build_once_and_again_for_a_slave_that_comes_back() {
    let (mut bed, _) = bed();
    let (slave, token) = bed.building(1);
    assert_eq!(order(&mut bed, FromTool::Skip { slave: 1 }), ["1: DONE 1", "2: CANCEL"]);
    assert_eq!(order(&mut bed, FromTool::Skip { slave: 1 }), ["1: DONE 1"]);
    bed.cut(slave);
    let back = bed.come_back(token, Holding::Building, Adoption::Live(job_of(token)));
    assert_eq!(bed.said(), ["ask adopt 1", "3: HELLO GoOn 0", "3: CANCEL"]);
    bed.built(back, token, BuildEnd::Cancelled, &[]);
    assert_eq!(
        order(&mut bed, FromTool::Skip { slave: 2 })[0],
        "1: ERROR slave 2 has finished build 1 and delivers it"
    );
    bed.placed(1, Placed::Durable);
    assert_eq!(bed.said(), ["ask log-build 1 cancelled 0 files"]);
    bed.recorded(1);
    assert_eq!(bed.said(), ["discard log 1", "3: DONE 1"]);
    assert_eq!(order(&mut bed, FromTool::Skip { slave: 2 })[0], "1: ERROR slave 2 builds nothing");
}

#[test]
fn a_slave_that_is_not_there_is_named_in_the_answer() {
    let (mut bed, _) = bed();
    for command in [
        FromTool::Kill { slave: Some(9), when: When::Now },
        FromTool::Skip { slave: 9 },
        FromTool::Sleep { slave: Some(9) },
        FromTool::Wake { slave: Some(9) },
    ] {
        assert_eq!(order(&mut bed, command), ["1: ERROR no slave 9 is connected"]);
    }
}

#[test]
fn quit_is_the_same_as_the_signals() {
    let (mut bed, _) = bed();
    bed.building(1);
    let idle = bed.slave();
    let said = order(&mut bed, FromTool::Quit { how: How::Drain });
    assert_eq!(said, ["1: DONE 2".to_owned(), format!("{}: BYE", idle.0), "stop listening".to_owned()]);
    assert_eq!(
        order(&mut bed, FromTool::Resume {}),
        ["1: ERROR the master stops; nothing is handed out any more"]
    );
    assert_eq!(order(&mut bed, FromTool::Quit { how: How::Now }), ["1: DONE 2", "2: BYE"]);
}

#[test]
fn a_monitor_gets_the_whole_picture_and_then_what_changes() {
    let (mut bed, _) = bed();
    bed.wait(Millis(250));
    bed.said();
    let (builder, token) = bed.building(7);
    let monitor = bed.open(Channel::Status);
    bed.put(Event::Monitor(monitor, FromMonitor::Hello {}));
    assert_eq!(
        bed.said(),
        ["3: HELLO", "3: slave 1 Building 7", "3: STATS", "3: OUTCOMES", "3: HEALTH", "3: FARM"]
    );
    bed.wait(Millis(1000));
    bed.said();
    // whatever happens between two ticks is one message
    bed.built(builder, token, BuildEnd::Failed, &[]);
    bed.placed(7, Placed::Durable);
    bed.recorded(7);
    bed.say(builder, FromSlave::Idle {});
    bed.answer("claim", Answer::Claimed(None));
    bed.said();
    bed.wait(Millis(250));
    assert_eq!(bed.said_beside_housekeeping(), ["3: slave 1 Asleep", "3: recorded 7 failed", "3: OUTCOMES"]);
    bed.wait(Millis(250));
    assert!(bed.said_beside_housekeeping().is_empty(), "nothing changed");
    bed.say(builder, busy_at(WALL + bed.now));
    bed.cut(builder);
    bed.wait(Millis(500));
    assert_eq!(bed.said_beside_housekeeping(), ["3: gone 1", "3: STATS"]);
    bed.put(Event::Monitor(monitor, FromMonitor::Hello {}));
    assert_eq!(bed.said(), ["3: CLOSE (a second HELLO)"]);
}

#[test]
fn a_seventeenth_monitor_is_closed() {
    let (mut bed, _) = bed();
    for _ in 0..MONITORS {
        bed.open(Channel::Status);
    }
    assert!(bed.said().is_empty());
    let late = bed.open(Channel::Status);
    assert_eq!(bed.said(), [format!("{}: CLOSE (16 monitors are connected already)", late.0)]);
}

#[test]
fn how_far_a_slaves_clock_is_off_is_known_from_its_last_busy() {
    let (mut bed, _) = bed();
    let slave = bed.slave();
    let offset = |bed: &Testbed| bed.farm.slaves.slaves[&slave].clock_offset;
    bed.say(slave, busy_at(WALL));
    assert_eq!(offset(&bed), None, "no tick has told the time yet");
    bed.wait(Millis(250));
    bed.now = bed.now + Millis(100);
    bed.say(slave, busy_at(WALL + bed.now + Millis(1500)));
    assert_eq!(offset(&bed), Some(1500));
    bed.say(slave, busy_at(Millis(0)));
    assert_eq!(offset(&bed), Some(-((WALL + bed.now).0 as i64)), "a board without a clock");
    bed.say(slave, busy_at(Millis(u64::MAX)));
    assert_eq!(offset(&bed), Some(i64::MAX - (WALL + bed.now).0 as i64), "whatever it says");
    assert!(bed.said_beside_housekeeping().is_empty());
}
