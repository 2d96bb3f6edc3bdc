//! A master that is short of disk hands nothing out, takes no import in, and lets what runs deliver.

use crate::domain::Millis;
use crate::master::event::{ConnId, Disk, Event, Placed, Survey};
use crate::master::query::{Answer, Logged};
use crate::master::testbed::{Testbed, abi, digest, text};
use crate::wire::control::FromTool;
use crate::wire::slave::{BuildEnd, BuiltFile, FromSlave};
use crate::wire::status::Mode;
use crate::wire::{Blob, Channel, List, import};

const G: u64 = 1 << 30;
const PURE: &str = "foo-1.0-py3-none-any.whl";

/// The disk is looked at, and a tick comes.
fn disk_has(bed: &mut Testbed, free: u64) -> Vec<String> {
    bed.said();
    let disk = Disk { path: "/srv".to_owned(), size: 64 * G, free, inodes: None, inodes_free: None };
    bed.put(Event::Surveyed(Box::new(Survey { disks: vec![disk], ..Survey::default() })));
    bed.wait(Millis(0));
    let mut said = bed.said_beside_housekeeping();
    said.sort();
    said
}

fn order(bed: &mut Testbed, tool: ConnId, command: FromTool) -> Vec<String> {
    bed.said();
    bed.put(Event::Control(tool, command));
    bed.said()
}

fn asleep(bed: &mut Testbed) -> ConnId {
    let slave = bed.slave();
    bed.say(slave, FromSlave::Idle {});
    bed.answer("claim", Answer::Claimed(None));
    bed.said();
    slave
}

#[test]
fn nothing_is_handed_out_while_the_disk_is_short_and_all_are_woken_when_it_is_not() {
    let mut bed = Testbed::new();
    bed.wait(Millis(0));
    bed.said();
    let (builder, token) = bed.building(1);
    let sleeper = asleep(&mut bed);
    let asking = bed.slave();
    bed.say(asking, FromSlave::Idle {});
    assert_eq!(disk_has(&mut bed, G / 2), [] as [&str; 0], "nobody is told");
    assert_eq!(bed.farm.mode(), Mode::Held);
    bed.hand_out(2);
    assert_eq!(bed.said(), ["ask release 2", "3: SLEEP"], "the job is not kept");
    bed.answer("release", Answer::Released(Some(abi("cp311"))));
    assert_eq!(bed.said(), [] as [&str; 0], "nobody is woken for it");
    // what runs delivers
    bed.built(builder, token, BuildEnd::Built, &[(PURE, 5)]);
    bed.deliver_all(builder);
    bed.placed(1, Placed::Durable);
    bed.answer("log-build 1 ", Answer::Logged(Logged::Recorded { opened: None }));
    assert!(bed.said().contains(&"1: DONE 1".to_owned()));
    bed.say(builder, FromSlave::Idle {});
    assert_eq!(bed.said(), ["1: SLEEP"]);
    assert_eq!(disk_has(&mut bed, G + G / 8), [] as [&str; 0], "not at the first byte");
    assert_eq!(disk_has(&mut bed, 2 * G), ["1: WAKE", "2: WAKE", "3: WAKE"]);
    bed.say(sleeper, FromSlave::Idle {});
    bed.hand_out(3);
    assert_eq!(bed.said(), ["ask claim cp311", "2: BUILD 3"]);
}

#[test]
fn neither_an_order_nor_the_disk_undoes_the_other() {
    let mut bed = Testbed::new();
    bed.wait(Millis(0));
    let tool = bed.open(Channel::Control);
    bed.said();
    asleep(&mut bed);
    disk_has(&mut bed, 0);
    assert_eq!(order(&mut bed, tool, FromTool::Pause {}), ["1: DONE 1"]);
    assert_eq!(order(&mut bed, tool, FromTool::Resume {}), ["1: DONE 1"], "the disk is short all the same");
    assert_eq!(order(&mut bed, tool, FromTool::Wake { slave: None }), ["1: DONE 1"]);
    order(&mut bed, tool, FromTool::Pause {});
    assert_eq!(disk_has(&mut bed, 9 * G), [] as [&str; 0], "it is paused");
    assert_eq!(bed.farm.mode(), Mode::Paused);
    assert_eq!(order(&mut bed, tool, FromTool::Resume {}), ["1: DONE 1", "2: WAKE"]);
}

#[test]
fn what_is_promised_to_a_transfer_counts_until_it_is_here() {
    let mut bed = Testbed::new();
    bed.wait(Millis(0));
    bed.said();
    let (builder, token) = bed.building(1);
    disk_has(&mut bed, 2 * G);
    bed.built(builder, token, BuildEnd::Built, &[(PURE, G + 1)]);
    bed.wait(Millis(250));
    assert_eq!(bed.farm.mode(), Mode::Held);
    let (_, why) = bed.farm.brother.hold().unwrap();
    assert!(why.contains("1.0G promised"), "{why}");
    // its slave gives it back
    bed.say(builder, FromSlave::Bye { reason: text("enough") });
    bed.wait(Millis(250));
    assert_eq!(bed.farm.mode(), Mode::Running);
}

#[test]
fn an_import_is_refused_with_the_reason_and_one_that_has_begun_goes_on() {
    let mut bed = Testbed::new();
    bed.wait(Millis(0));
    let tool = bed.open(Channel::Import);
    let import = || import::FromTool::Import {
        package: text(""),
        version: text(""),
        abi: text(""),
        duration_ms: 0,
        output: Blob::new(bytes::Bytes::from_static(b"output")).unwrap(),
        files: List::new(vec![BuiltFile { filename: text(PURE), size: 5, sha256: digest(PURE) }]).unwrap(),
        create: true,
    };
    disk_has(&mut bed, 0);
    bed.put(Event::Tool(tool, import()));
    let said = bed.said();
    assert!(
        said[0].starts_with("1: ERROR nothing is taken in now: the disk of /srv has 0 bytes free"),
        "{said:?}"
    );
    disk_has(&mut bed, 9 * G);
    bed.put(Event::Tool(tool, import()));
    assert!(bed.said()[0].starts_with("ask begin-import"));
    // in the middle of it there is nothing that could be refused
    disk_has(&mut bed, 0);
    bed.put(Event::Tool(tool, import()));
    assert_eq!(bed.said(), ["1: CLOSE (IMPORT before its last request was answered)"]);
}
