//! Which slaves may come, while administrators change that.

use crate::master::event::{ConnId, Event};
use crate::master::query::{Abi, Answer};
use crate::master::testbed::{Testbed, abi, hello, text};
use crate::wire::import::FromTool;
use crate::wire::{Channel, List};

fn abis(tags: &[&str]) -> Vec<Abi> {
    let known = |(rank, tag): (usize, &&str)| Abi {
        tag: abi(tag),
        rank: rank as i16,
        skip: None,
        platforms: Vec::new(),
    };
    tags.iter().enumerate().map(known).collect()
}

/// `piw abi add`, answered with what the database has just then.
fn add(bed: &mut Testbed, tool: ConnId, tag: &str, then: &[&str]) {
    let platforms = List::new(Vec::new()).unwrap();
    bed.put(Event::Tool(tool, FromTool::AbiAdd { abi: text(tag), rank: None, platforms }));
    bed.answer(&format!("add-abi {tag}"), Answer::AbiAdded(true, abis(then)));
}

fn is_let_in(bed: &mut Testbed, tag: &str) -> bool {
    let slave = bed.open(Channel::Slave);
    bed.said();
    bed.say(slave, hello(tag, None));
    bed.said() == [format!("{}: HELLO None 0", slave.0)]
}

/// The farm said "this farm does not build for cp314" until its next start.
#[test]
fn an_abi_that_was_added_right_after_another_stays_though_an_older_list_comes_late() {
    let mut bed = Testbed::new();
    let (one, other) = (bed.open(Channel::Import), bed.open(Channel::Import));
    add(&mut bed, one, "cp313", &["cp313"]);
    assert_eq!(bed.under_way("abis"), 1);
    add(&mut bed, other, "cp314", &["cp313", "cp314"]);
    assert_eq!(bed.under_way("abis"), 1, "two answers could come the wrong way round");
    bed.answer("abis", Answer::Abis(abis(&["cp313"])));
    assert!(is_let_in(&mut bed, "cp314"));
    bed.answer("abis", Answer::Abis(abis(&["cp313", "cp314"])));
    assert!(is_let_in(&mut bed, "cp314") && is_let_in(&mut bed, "cp313"));
    assert!(!is_let_in(&mut bed, "cp311"), "the database does not have it any more");
    assert_eq!(bed.under_way("abis"), 0);
}

#[test]
fn answers_to_two_tools_that_come_the_wrong_way_round_take_no_abi_away() {
    let mut bed = Testbed::new();
    let (one, other) = (bed.open(Channel::Import), bed.open(Channel::Import));
    let platforms = || List::new(Vec::new()).unwrap();
    bed.put(Event::Tool(one, FromTool::AbiAdd { abi: text("cp313"), rank: None, platforms: platforms() }));
    add(&mut bed, other, "cp314", &["cp313", "cp314"]);
    bed.answer("add-abi cp313", Answer::AbiAdded(true, abis(&["cp313"])));
    assert!(is_let_in(&mut bed, "cp314"), "its tool was told so");
}

#[test]
fn the_abis_are_asked_for_again_after_a_question_that_failed() {
    let mut bed = Testbed::new();
    let tool = bed.open(Channel::Import);
    add(&mut bed, tool, "cp313", &["cp313"]);
    bed.answer("abis", Answer::Failed("an error in the oracle".to_owned()));
    assert!(is_let_in(&mut bed, "cp313") && is_let_in(&mut bed, "cp311"), "as before");
    add(&mut bed, tool, "cp314", &["cp313", "cp314"]);
    assert_eq!(bed.under_way("abis"), 1);
}
