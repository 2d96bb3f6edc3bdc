//! What monitors see beside the slaves: recorded builds, trends, the database's numbers and silence, logs.

use crate::domain::{JobToken, Millis};
use crate::master::event::{ConnId, Event, Placed};
use crate::master::limits::{LOG_TAIL_BYTES, RECENT_BUILDS};
use crate::master::query::Answer;
use crate::master::testbed::{Testbed, WALL, busy_at, log};
use crate::wire::Channel;
use crate::wire::slave::BuildEnd;
use crate::wire::status::FromMonitor;

/// A monitor that has the first picture.
fn monitor(bed: &mut Testbed) -> ConnId {
    let monitor = bed.open(Channel::Status);
    bed.put(Event::Monitor(monitor, FromMonitor::Hello {}));
    monitor
}

fn subscribe(bed: &mut Testbed, monitor: ConnId, slave: Option<u32>) -> Vec<String> {
    bed.said();
    bed.put(Event::Monitor(monitor, FromMonitor::Subscribe { slave }));
    bed.said()
}

/// What that monitor is told at the next tick.
fn told(bed: &mut Testbed, monitor: ConnId) -> Vec<String> {
    bed.said();
    bed.wait(Millis(250));
    let mut said = bed.said();
    let to = format!("{}: ", monitor.0);
    said.retain(|word| word.starts_with(&to) && !word.ends_with("STATS"));
    said.iter().map(|word| word[to.len()..].to_owned()).collect()
}

/// A new slave that builds.
fn building(bed: &mut Testbed, build: i64) -> (ConnId, JobToken) {
    bed.said();
    bed.building(build)
}

fn build(bed: &mut Testbed, build: i64) {
    let (builder, token) = building(bed, build);
    bed.built(builder, token, BuildEnd::Failed, &[]);
    bed.placed(build, Placed::Durable);
    bed.recorded(build);
    bed.cut(builder);
}

#[test]
fn the_database_and_the_machine_are_asked_by_the_clock_and_more_often_while_somebody_watches() {
    let mut bed = Testbed::new();
    let asked = |bed: &mut Testbed, span: Millis| {
        let mut asked = 0;
        for _ in 0..span.0 / 250 {
            bed.wait(Millis(250));
            while bed.under_way("statistics") > 0 {
                asked += 1;
                bed.answer("statistics", Answer::Statistics(Box::default()));
                bed.put(Event::Surveyed(Box::default()));
            }
        }
        asked
    };
    assert_eq!(asked(&mut bed, Millis::secs(120)), 4, "nobody watches");
    let first = monitor(&mut bed);
    assert_eq!(asked(&mut bed, Millis::secs(60)), 12);
    bed.cut(first);
    assert!((3..=5).contains(&asked(&mut bed, Millis::secs(120))), "nobody watches any more");
}

#[test]
fn one_question_and_one_look_are_under_way_at_a_time() {
    let mut bed = Testbed::new();
    let first = monitor(&mut bed);
    bed.wait(Millis(250));
    let said = bed.said();
    assert!(said.contains(&"ask statistics".to_owned()) && said.contains(&"look at the machine".to_owned()));
    for _ in 0..40 {
        bed.wait(Millis(250));
    }
    let said = bed.said();
    assert!(!said.iter().any(|word| word == "ask statistics" || word.starts_with("look")), "{said:?}");
    bed.put(Event::Surveyed(Box::default()));
    bed.answer("statistics", Answer::Statistics(Box::default()));
    assert_eq!(told(&mut bed, first), ["HEALTH", "FARM"]);
}

#[test]
fn a_database_that_does_not_answer_is_told_once_and_again_when_it_does() {
    let mut bed = Testbed::new();
    bed.wait(Millis(250));
    let monitor = monitor(&mut bed);
    let silent: Vec<_> = (0..20).map(|_| told(&mut bed, monitor).concat()).collect();
    assert_eq!(silent.iter().filter(|word| *word == "HEALTHFARM").count(), 1, "{silent:?}");
    assert_eq!(silent[10..12], ["", "HEALTHFARM"], "after 3 s");
    bed.answer("statistics", Answer::Failed("it is away".to_owned()));
    assert_eq!(told(&mut bed, monitor), ["HEALTH", "FARM"]);
}

#[test]
fn a_new_monitor_gets_the_last_builds_and_how_all_ended() {
    let mut bed = Testbed::new();
    bed.wait(Millis(250));
    for n in 1..=RECENT_BUILDS as i64 + 3 {
        build(&mut bed, n);
    }
    bed.said();
    monitor(&mut bed);
    let said = bed.said();
    let recorded: Vec<_> = said.iter().filter(|word| word.contains("recorded")).collect();
    assert_eq!(recorded.len(), RECENT_BUILDS);
    assert!(recorded[0].ends_with("recorded 4 failed") && recorded[49].ends_with("recorded 53 failed"));
    assert_eq!(
        said.iter().position(|word| word.ends_with("STATS")),
        Some(1),
        "the picture of before is as it was"
    );
    let last: Vec<&str> = said[said.len() - 3..].iter().filter_map(|word| word.split(": ").last()).collect();
    assert_eq!(last, ["OUTCOMES", "HEALTH", "FARM"]);
}

#[test]
fn of_a_flood_of_builds_a_monitor_gets_the_last_at_each_look() {
    let mut bed = Testbed::new();
    bed.wait(Millis(250));
    let monitor = monitor(&mut bed);
    for n in 1..=RECENT_BUILDS as i64 * 2 {
        build(&mut bed, n);
    }
    let told = told(&mut bed, monitor);
    assert_eq!(told.iter().filter(|word| word.starts_with("recorded")).count(), RECENT_BUILDS);
    assert!(told.contains(&"recorded 100 failed".to_owned()) && told.contains(&"OUTCOMES".to_owned()));
}

#[test]
fn a_new_monitor_gets_the_trend_of_each_slave() {
    let mut bed = Testbed::new();
    bed.wait(Millis(250));
    let (builder, _) = building(&mut bed, 1);
    for _ in 0..70 {
        bed.say(builder, busy_at(WALL + bed.now));
        bed.wait(Millis::secs(10));
    }
    bed.said();
    monitor(&mut bed);
    let said = bed.said();
    assert!(said.iter().any(|word| word.ends_with(": trend 1 of 60")), "{said:?}");
}

#[test]
fn the_log_of_a_build_comes_to_who_asked_for_it_and_its_end_at_once() {
    let mut bed = Testbed::new();
    bed.wait(Millis(250));
    let (first, _) = building(&mut bed, 7);
    let (second, _) = building(&mut bed, 8);
    bed.say(first, log(0, 3000));
    bed.say(first, log(3000, 3000));
    let (one, other) = (monitor(&mut bed), monitor(&mut bed));
    let tail = format!("{}: log of 1, 7 {}+{LOG_TAIL_BYTES}", one.0, 6000 - LOG_TAIL_BYTES);
    assert_eq!(subscribe(&mut bed, one, Some(1)), [tail]);
    assert_eq!(subscribe(&mut bed, other, Some(2)), [] as [&str; 0], "it has not said anything");
    let logs = |bed: &mut Testbed| {
        let mut said = bed.said();
        said.retain(|word| word.contains("log of"));
        said
    };
    bed.say(first, log(6000, 10));
    bed.say(second, log(0, 20));
    assert_eq!(
        logs(&mut bed),
        [format!("{}: log of 1, 7 6000+10", one.0), format!("{}: log of 2, 8 0+20", other.0)]
    );
    assert_eq!(subscribe(&mut bed, one, None), [] as [&str; 0]);
    bed.say(first, log(6010, 10));
    assert_eq!(logs(&mut bed), [] as [&str; 0]);
    // a slave that is gone, or never was, has no log
    assert_eq!(subscribe(&mut bed, one, Some(99)), [] as [&str; 0]);
    bed.cut(second);
    bed.wait(Millis(250));
    assert_eq!(subscribe(&mut bed, one, Some(2)), [] as [&str; 0]);
}

#[test]
fn a_monitor_says_hello_first() {
    let mut bed = Testbed::new();
    let monitor = bed.open(Channel::Status);
    assert_eq!(subscribe(&mut bed, monitor, Some(1)), ["1: CLOSE (SUBSCRIBE before HELLO)"]);
}

#[test]
fn who_comes_between_two_looks_is_told_of_no_build_twice() {
    let mut bed = Testbed::new();
    bed.wait(Millis(250));
    let first = monitor(&mut bed);
    build(&mut bed, 1);
    bed.said();
    let late = monitor(&mut bed);
    let said = bed.said();
    for conn in [first, late] {
        let told = said.iter().filter(|word| **word == format!("{}: recorded 1 failed", conn.0));
        assert_eq!(told.count(), 1, "{said:?}");
    }
    bed.wait(Millis(250));
    let said = bed.said();
    assert!(!said.iter().any(|word| word.contains("recorded")), "{said:?}");
}

#[test]
fn a_slave_that_goes_before_the_next_look_is_gone_for_who_saw_it() {
    let mut bed = Testbed::new();
    bed.wait(Millis(250));
    bed.said();
    let slave = bed.slave();
    let monitor = monitor(&mut bed);
    let shown = format!("{}: slave 1 ", monitor.0);
    assert!(bed.said().iter().any(|word| word.starts_with(&shown)));
    bed.cut(slave);
    assert!(told(&mut bed, monitor).contains(&"gone 1".to_owned()));
}
