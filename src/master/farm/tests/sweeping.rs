//! Files without a row are removed on request, but never those of a build on its way.

use super::{BOUND, PURE};
use crate::master::event::{ConnId, DiskAnswer, Event, SweptDir};
use crate::master::query::Answer;
use crate::master::testbed::{Testbed, text};
use crate::wire::import::FromTool;
use crate::wire::slave::BuildEnd;
use crate::wire::{Channel, List};

fn sweep(bed: &mut Testbed, tool: ConnId, names: &[&str]) {
    let names = List::new(names.iter().map(|name| text(name)).collect()).unwrap();
    bed.put(Event::Tool(tool, FromTool::Sweep { project: text("bar"), names }));
}

fn unclaimed(bed: &mut Testbed, names: &[&str]) {
    bed.answer("unclaimed", Answer::Unclaimed(names.iter().map(|name| (*name).to_owned()).collect()));
}

#[test]
fn the_database_is_asked_and_then_the_writer() {
    let mut bed = Testbed::new();
    let tool = bed.open(Channel::Import);
    sweep(&mut bed, tool, &["a.whl", PURE]);
    assert_eq!(bed.said(), [format!("ask unclaimed bar [a.whl {PURE}]")]);
    unclaimed(&mut bed, &["a.whl"]);
    assert_eq!(bed.said(), [format!("sweep bar [a.whl] for {}", tool.0)]);
    let swept = SweptDir { removed: vec!["a.whl".to_owned()], ..SweptDir::default() };
    bed.disk(DiskAnswer::Swept(tool, Ok(swept)));
    let said = bed.said().join("\n");
    assert!(said.contains("\"removed\":[\"a.whl\"]"), "{said}");
    sweep(&mut bed, tool, &["b.whl"]);
    unclaimed(&mut bed, &["b.whl"]);
    bed.disk(DiskAnswer::Swept(tool, Err("the disk is sick".to_owned())));
    assert!(bed.said().join("\n").contains("ERROR the disk is sick"));
}

#[test]
fn what_a_build_on_its_way_offers_is_spared_when_asked_for_and_when_removed() {
    let mut bed = Testbed::new();
    let (slave, token) = bed.building(1);
    let tool = bed.open(Channel::Import);
    // asked for before the build is offered, removed after
    sweep(&mut bed, tool, &["a.whl", PURE, BOUND]);
    bed.built(slave, token, BuildEnd::Built, &[(PURE, 5)]);
    bed.said();
    unclaimed(&mut bed, &["a.whl", PURE, BOUND]);
    assert_eq!(bed.said(), [format!("sweep bar [a.whl {BOUND}] for {}", tool.0)]);
    bed.disk(DiskAnswer::Swept(tool, Ok(SweptDir::default())));
    bed.said();
    // asked for while it is offered, removed when it is recorded: its row may not have been there when the database looked
    let beside = format!("{PURE}.metadata");
    sweep(&mut bed, tool, &["a.whl", PURE, &beside]);
    assert_eq!(bed.said(), ["ask unclaimed bar [a.whl]"]);
    let bad = FromTool::Sweep { project: text("bar"), names: List::new(vec![text("../x")]).unwrap() };
    let other = bed.open(Channel::Import);
    bed.put(Event::Tool(other, bad));
    assert!(bed.said().join("\n").contains("ERROR \"../x\" is not a name in a directory"));
}
