//! The page of slaves: written when something of it changed, not too often, one at a time.

use crate::domain::Millis;
use crate::master::event::{ConnId, Event, PageAnswer};
use crate::master::hub::PublicSlave;
use crate::master::limits::SLAVES_PAGE_WINDOW;
use crate::master::testbed::{PLATFORM, Testbed, busy, hello, text};
use crate::wire::Channel;
use crate::wire::slave::FromSlave;

/// The next look at the slaves.
fn tick(bed: &mut Testbed) -> Option<Vec<PublicSlave>> {
    bed.wait(Millis(250));
    bed.said();
    let asked = bed.pages_of_slaves.pop();
    assert!(bed.pages_of_slaves.is_empty());
    asked
}

fn written(bed: &mut Testbed, result: Result<(), String>) {
    bed.put(Event::Page(PageAnswer::SlavesWritten(result)));
}

/// Waits for the next page, which is written; how long it took.
fn page(bed: &mut Testbed, alive: &[ConnId]) -> (Vec<PublicSlave>, Millis) {
    let begun = bed.now;
    for _ in 0..100 {
        alive.iter().for_each(|slave| bed.say(*slave, busy()));
        if let Some(page) = tick(bed) {
            written(bed, Ok(()));
            return (page, bed.now - begun);
        }
    }
    panic!("no page");
}

/// A farm whose first page is written.
fn bed() -> Testbed {
    let mut bed = Testbed::new();
    assert_eq!(tick(&mut bed), Some(vec![]), "what the master before this one wrote is not so any more");
    written(&mut bed, Ok(()));
    bed
}

fn busy_with(temperature: i16, throttled: bool, reason: Option<&str>) -> FromSlave {
    let mut message = busy();
    if let FromSlave::Busy { vitals, holds_back } = &mut message {
        (vitals.temperature, vitals.throttled) = (Some(temperature), Some(throttled));
        *holds_back = reason.map(text);
    }
    message
}

#[test]
fn what_happens_within_the_window_is_one_page_and_without_a_change_there_is_none() {
    let mut bed = bed();
    let (slave, _) = bed.building(7);
    bed.say(slave, busy_with(483, true, Some("its disk is full")));
    // not let in yet: nobody's matter
    bed.open(Channel::Slave);
    let (all, after) = page(&mut bed, &[]);
    assert!(after >= SLAVES_PAGE_WINDOW - Millis(250), "{after:?}");
    let expected = PublicSlave {
        label: "pi".to_owned(),
        abi: "cp311".to_owned(),
        platform: PLATFORM.to_owned(),
        board: Default::default(),
        doing: "building",
        job: Some(("foo".to_owned(), "1.0".to_owned())),
        temperature: Some(48),
        throttled: true,
        holds_back: Some("its disk is full".to_owned()),
    };
    assert_eq!(all, [expected]);
    // tenths are nobody's matter either
    for _ in 0..60 {
        bed.say(slave, busy_with(484, true, Some("its disk is full")));
        assert_eq!(tick(&mut bed), None);
    }
    bed.say(slave, busy_with(485, true, Some("its disk is full")));
    assert_eq!(tick(&mut bed).unwrap()[0].temperature, Some(49), "the window is long over: at once");
    written(&mut bed, Ok(()));
    bed.say(slave, busy_with(485, false, None));
    let (all, _) = page(&mut bed, &[]);
    assert_eq!((all[0].throttled, all[0].holds_back.clone()), (false, None));
    bed.cut(slave);
    assert_eq!(page(&mut bed, &[]).0, []);
}

#[test]
fn slaves_stand_by_their_labels() {
    let mut bed = bed();
    let mut alive = Vec::new();
    for label in ["pi-2", "pi-3", "pi-1", "pi-2"] {
        let slave = bed.open(Channel::Slave);
        let mut message = hello("cp311", None);
        if let FromSlave::Hello { label: said, .. } = &mut message {
            *said = text(label);
        }
        bed.say(slave, message);
        alive.push(slave);
    }
    let labels: Vec<_> = page(&mut bed, &alive).0.into_iter().map(|slave| slave.label).collect();
    assert_eq!(labels, ["pi-1", "pi-2", "pi-2", "pi-3"]);
}

#[test]
fn a_page_that_is_being_written_is_waited_for_and_one_that_failed_is_tried_again() {
    let mut bed = Testbed::new();
    assert_eq!(tick(&mut bed), Some(vec![]));
    let slave = bed.slave();
    for _ in 0..200 {
        bed.say(slave, busy());
        assert_eq!(tick(&mut bed), None, "the disk hangs");
    }
    written(&mut bed, Err("no space".to_owned()));
    assert_eq!(tick(&mut bed).map(|page| page.len()), Some(1));
    written(&mut bed, Err("no space".to_owned()));
    let (again, after) = page(&mut bed, &[slave]);
    assert!(again.len() == 1 && after >= SLAVES_PAGE_WINDOW - Millis(250), "{after:?}");
}

#[test]
fn a_master_that_ends_leaves_no_slaves_on_the_page() {
    let mut bed = bed();
    bed.building(1);
    bed.put(Event::Stop);
    bed.wait(Millis::secs(60));
    assert!(bed.said().contains(&"exit".to_owned()));
    assert_eq!(bed.pages_of_slaves.last(), Some(&vec![]));
}
