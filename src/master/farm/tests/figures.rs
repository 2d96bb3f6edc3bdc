//! The farm in numbers: what it counts, and what it asks the database by the clock.

use super::PURE;
use crate::domain::Millis;
use crate::master::event::{DiskAnswer, Event, Placed, TransferId};
use crate::master::limits::{FIGURES_EVERY, FIGURES_REST_MAX};
use crate::master::metrics::families;
use crate::master::metrics::sheet::{Format, Sheet};
use crate::master::query::{Answer, Figures, QueueSize, Statistics};
use crate::master::testbed::{Testbed, WALL, abi, busy_at, text as short};
use crate::wire::Channel;
use crate::wire::control::FromTool;
use crate::wire::slave::{BuildEnd, FromSlave};

/// The text that the farm makes.
fn text(bed: &Testbed) -> String {
    let mut sheet = Sheet::new(Format::Prometheus);
    families::farm(&mut sheet, &bed.farm.figures(bed.now));
    sheet.finish()
}

/// The value of a series.
fn value(bed: &Testbed, series: &str) -> Option<String> {
    let text = text(bed);
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.map(|line| line[series.len() + 1..].to_owned())
}

fn asked(bed: &mut Testbed) -> usize {
    bed.said().iter().filter(|word| *word == "ask figures").count()
}

#[test]
fn the_database_is_asked_by_the_clock_once_at_a_time_and_only_where_metrics_are_served() {
    let mut bed = Testbed::new();
    bed.wait(Millis::secs(60));
    assert_eq!(asked(&mut bed), 0, "nobody wants to know");
    bed.farm.measure();
    bed.wait(Millis(250));
    assert_eq!(asked(&mut bed), 1);
    assert_eq!(value(&bed, "piwheels_files"), None, "what is not known is not 0");
    bed.wait(FIGURES_EVERY + FIGURES_EVERY);
    assert_eq!(asked(&mut bed), 0, "it has not answered");
    let statistics = Statistics { files_count: 7, delayed: 3, ..Statistics::default() };
    let queue = vec![QueueSize { abi: abi("cp311"), class: 1, jobs: 5 }];
    bed.answer("figures", Answer::Figures(Box::new(Figures { statistics, queue })));
    bed.wait(Millis::secs(2));
    assert_eq!(asked(&mut bed), 0, "what took long is asked seldom");
    let known = |bed: &Testbed| {
        let series = [
            "piwheels_files",
            "piwheels_waiting_jobs{for=\"time\"}",
            "piwheels_queue_jobs{abi=\"cp311\",class=\"new\"}",
            "piwheels_database_numbers_age_seconds",
        ];
        series.map(|series| value(bed, series).unwrap_or_default())
    };
    assert_eq!(known(&bed), ["7", "3", "5", "2"]);
    bed.wait(FIGURES_REST_MAX - Millis::secs(2));
    assert_eq!(asked(&mut bed), 1);
    bed.answer("figures", Answer::Failed("it is away".to_owned()));
    bed.wait(FIGURES_EVERY);
    assert_eq!(known(&bed), ["7", "3", "5", "65"], "the numbers of before, and how old they are");
    assert_eq!(asked(&mut bed), 1, "and it is asked again");
}

#[test]
fn builds_transfers_and_files_are_counted_as_they_end() {
    let mut bed = Testbed::new();
    bed.wait(Millis(250));
    let built = "piwheels_builds_total{abi=\"cp311\",outcome=\"built\"}";
    let failed = "piwheels_builds_total{abi=\"cp311\",outcome=\"failed\"}";
    assert_eq!((value(&bed, built), value(&bed, failed)), (Some("0".to_owned()), Some("0".to_owned())));
    bed.said();
    let (first, token) = bed.building(1);
    bed.built(first, token, BuildEnd::Failed, &[]);
    bed.placed(1, Placed::Durable);
    assert_eq!(value(&bed, failed).as_deref(), Some("0"), "it is not recorded yet");
    bed.recorded(1);
    bed.cut(first);
    bed.said();
    let (second, token) = bed.building(2);
    bed.built(second, token, BuildEnd::Built, &[(PURE, 5)]);
    bed.deliver_all(second);
    bed.placed(2, Placed::Durable);
    bed.recorded(2);
    for (series, wanted) in [
        (built, "1"),
        (failed, "1"),
        ("piwheels_build_duration_seconds_count", "2"),
        ("piwheels_published_files_total", "1"),
        ("piwheels_published_bytes_total", "5"),
        ("piwheels_transfer_bytes_total", "5"),
        ("piwheels_transfers_ended_total{result=\"sound\"}", "1"),
        ("piwheels_transfers", "0"),
    ] {
        assert_eq!(value(&bed, series).as_deref(), Some(wanted), "{series}");
    }
    bed.disk(DiskAnswer::TransferFailed(TransferId(9), "no space".to_owned()));
    assert_eq!(value(&bed, "piwheels_transfers_ended_total{result=\"disk\"}").as_deref(), Some("1"));
}

#[test]
fn a_slave_counts_for_its_abi_and_for_what_keeps_it_from_working() {
    let mut bed = Testbed::new();
    bed.wait(Millis(250));
    bed.said();
    let slave = bed.slave();
    let state = |bed: &Testbed, state: &str| {
        value(bed, &format!("piwheels_slaves{{abi=\"cp311\",state=\"{state}\"}}")).unwrap_or_default()
    };
    assert_eq!((state(&bed, "idle"), state(&bed, "unfit")), ("1".to_owned(), "0".to_owned()));
    assert_eq!(value(&bed, "piwheels_slaves{abi=\"cp312\",state=\"idle\"}").as_deref(), Some("0"));
    let mut busy = busy_at(WALL + bed.now);
    if let FromSlave::Busy { holds_back, .. } = &mut busy {
        *holds_back = Some(short("its disk is full"));
    }
    bed.say(slave, busy);
    assert_eq!((state(&bed, "idle"), state(&bed, "unfit")), ("0".to_owned(), "1".to_owned()));
    assert_eq!(value(&bed, "piwheels_mode{mode=\"paused\"}").as_deref(), Some("0"));
    let tool = bed.open(Channel::Control);
    bed.put(Event::Control(tool, FromTool::Pause {}));
    assert_eq!(value(&bed, "piwheels_mode{mode=\"paused\"}").as_deref(), Some("1"));
    assert_eq!(value(&bed, "piwheels_mode{mode=\"running\"}").as_deref(), Some("0"));
}

#[test]
fn the_time_of_the_start_stays_when_the_clock_is_set() {
    let mut bed = Testbed::new();
    bed.wait(Millis(250));
    let started = value(&bed, "process_start_time_seconds").unwrap();
    assert_eq!(started, "1700000000");
    bed.put(Event::Tick(WALL + bed.now + Millis::secs(3600)));
    assert_eq!(value(&bed, "process_start_time_seconds").unwrap(), started);
}
