//! What is to be seen, in windows of several sizes, and how one moves in it.

use piwheels::wire::slave::{BuildEnd, FromSlave, ToSlave};
use piwheels::wire::{List, Text};

use crate::kit::farm::Farm;
use crate::kit::peer::Peer;
use crate::kit::sdist::Recipe;
use crate::kit::tmux;
use crate::kit::wait::until;
use crate::{asleep, farm, monitor, slave, vitals, watch};

const BOARD: &str = "Raspberry Pi 4 Model B Rev 1.4";

/// A slave that has failed to build `foo` and builds `bar` now.
fn builder(farm: &Farm) -> Peer {
    for name in ["foo", "bar"] {
        farm.index.offer(&Recipe::native(name, "1.0"));
    }
    farm.piw(&["add", "foo"]);
    let mut peer = slave(farm, "builder", BOARD);
    let (token, _) = peer.take_job();
    peer.say(&FromSlave::Built {
        token,
        end: BuildEnd::Failed,
        duration_ms: 83_000,
        log_bytes: 0,
        files: List::default(),
        report: Default::default(),
    });
    assert!(matches!(peer.hear(), Some(ToSlave::Done { .. })));
    farm.piw(&["add", "bar"]);
    peer.take_job();
    peer
}

#[test]
fn the_farm_is_seen_in_a_narrow_window_and_in_a_wide_one() {
    if !tmux::is_there("the_farm_is_seen_in_a_narrow_window_and_in_a_wide_one") {
        return;
    }
    let farm = farm();
    let mut builder = builder(&farm);
    let _sleeper = asleep(&farm, "sleeper");
    let terminal = watch(&farm, 80, 24);
    assert_eq!(terminal.modes(), "1 1 0 0");
    terminal.wait(&[
        " piwheels ",
        "2 slaves, 1 build, 1 idle",
        "queue 0  builds/h 1  success ░░░░░░░░ 0% of 1  since start 0 built, 1 not",
        "index follows list",
        "  ID▾ LABEL       ABI    STATE      TASK",
        ">   1 builder     cp311  building   bar 1.0",
        "    2 sleeper     cp311  asleep",
        " 0.5  25%  61°",
        "machine     Raspberry Pi 4 Model B Rev 1.4",
        "walls       namespaces, seccomp, tree-kill",
        "q quit",
    ]);
    let picture = terminal.picture();
    assert_eq!(picture.lines().count(), 24, "{picture}");

    // the log: what was said before, and what is said now
    builder.log(0, "\u{1b}[31mCollecting bar\u{1b}[0m\n");
    terminal.keys(&["2"]);
    terminal.wait(&["Collecting bar"]);
    builder.log(24, "Building wheel\n");
    terminal.wait(&["Collecting bar", "Building wheel"]);
    terminal.keys(&["Down"]);
    terminal.wait(&[">   2 sleeper", "this slave builds nothing"]);
    terminal.keys(&["Up"]);
    terminal.wait(&[">   1 builder", "Building wheel"]);
    terminal.keys(&["3"]);
    terminal.wait(&["failed        foo 1.0", "1m23"]);
    terminal.keys(&["4"]);
    terminal.wait(&["failed                 1  100% ██████"]);

    // a wide window has more of each slave, and both panes
    terminal.keys(&["1"]);
    terminal.resize(160, 40);
    terminal.wait(&[
        "BOARD",
        "WALLS",
        "N---S-----T",
        "─ 2 log ",
        "│─ 3 builds ─ 4 outcomes ",
        "100% ████",
        "UP STATE",
    ]);
    terminal.resize(60, 16);
    terminal.wait_for("narrow picture", |picture| {
        picture.contains(">   1 builder") && picture.lines().all(|line| line.chars().count() <= 60)
    });
    terminal.resize(20, 5);
    terminal.wait(&["a window of 50 x 12"]);
    terminal.resize(80, 24);
    terminal.wait(&["2 sleeper", "machine     Raspberry"]);
    terminal.keys(&["q"]);
    terminal.wait(&["code=0"]);
}

#[test]
fn rows_are_filtered_sorted_and_selected_with_keys_and_mouse() {
    if !tmux::is_there("rows_are_filtered_sorted_and_selected_with_keys_and_mouse") {
        return;
    }
    let farm = farm();
    let mut peers: Vec<Peer> = (1..=12).map(|n| asleep(&farm, &format!("pi{n}"))).collect();
    peers[6].say(&FromSlave::Busy { vitals: vitals(390), holds_back: Some(Text::new("too hot").unwrap()) });
    let terminal = watch(&farm, 80, 24);
    terminal.wait(&[">   1 pi1 ", "12 slaves", "more below", "pi7         cp311  unfit      too hot"]);
    terminal.keys(&["End"]);
    terminal.wait_for("last row", |picture| picture.contains(">  12 pi12") && !picture.contains("  1 pi1 "));
    terminal.keys(&["Home"]);
    terminal.wait(&[">   1 pi1 "]);
    terminal.keys(&["s"]);
    terminal.wait_for("order by label", |picture| {
        let at = |label| picture.find(label);
        picture.contains("LABEL▾") && at(" pi2 ") < at(" pi9 ")
    });
    // a click on a heading sorts by it, a click on a row selects it, the wheel moves
    terminal.bytes("\u{1b}[<0;66;5M\u{1b}[<0;66;5m");
    terminal.wait_for("order by load", |picture| {
        picture.contains("LOAD▾") && picture.lines().nth(5).is_some_and(|row| row.contains(" pi7 "))
    });
    terminal.bytes("\u{1b}[<0;10;6M");
    terminal.wait(&[">   7 pi7 ", "asks for no job  too hot"]);
    terminal.bytes("\u{1b}[<65;10;6M");
    terminal.wait_for("another row", |picture| picture.contains('>') && !picture.contains(">   7 pi7"));
    terminal.keys(&["/"]);
    terminal.bytes("pi1");
    terminal.wait(&["filter: pi1", "Enter: keep"]);
    terminal.keys(&["Enter"]);
    terminal.wait(&["4 of 12, filter: pi1"]);
    terminal.keys(&["Escape"]);
    terminal.wait_for("all rows", |picture| !picture.contains("filter:"));
    terminal.keys(&["?"]);
    terminal.wait(&["any key goes back"]);
    terminal.keys(&["x"]);
    terminal.wait_for("no help", |picture| !picture.contains("any key goes back"));
}

#[test]
fn what_slaves_say_never_reaches_the_terminal_as_a_command() {
    if !tmux::is_there("what_slaves_say_never_reaches_the_terminal_as_a_command") {
        return;
    }
    let farm = farm();
    let mut hostile = builder(&farm);
    let _wide = slave(&farm, "漢字漢字漢字", "👩\u{200d}🚀 e\u{301}\u{202e}drawkcab");
    let terminal = watch(&farm, 80, 24);
    terminal.run("2");
    let log = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[1;1HHERE\u{1b}[?1049l\u{1b}c\u{9b}31m\u{90}x\nend of log\n";
    hostile.log(0, log);
    let picture = terminal.wait(&["end of log", " piwheels ", "q quit"]);
    assert!(picture.starts_with(" piwheels"), "nothing was cleared or written elsewhere\n{picture}");
    assert_eq!(terminal.modes(), "1 1 0 0", "nor was the screen left");
    terminal.keys(&["1", "End"]);
    let picture = terminal.wait(&[">   2 漢字漢字", "machine"]);
    assert!(!picture.contains('\u{202e}'), "{picture}");
    // every column of the row begins where its heading does
    let row = picture.lines().find(|line| line.starts_with(">   2")).unwrap();
    let column = |line: &str, word: &str| piwheels::monitor::text::width(&line[..line.find(word).unwrap()]);
    let heading = picture.lines().find(|line| line.contains("LABEL")).unwrap();
    assert_eq!(column(row, "cp311"), column(heading, "ABI"), "{picture}");
}

#[test]
fn colours_are_left_out_where_nobody_wants_them() {
    if !tmux::is_there("colours_are_left_out_where_nobody_wants_them") {
        return;
    }
    let farm = farm();
    let _sleeper = asleep(&farm, "sleeper");
    let terminal = watch(&farm, 80, 24);
    terminal.wait(&["sleeper"]);
    let coloured = |looks: &str| looks.contains("38;5;");
    until("colours", || terminal.looks(), || coloured(&terminal.looks()).then_some(()));
    terminal.keys(&["q"]);
    terminal.wait(&["code=0"]);
    terminal.run("clear");
    terminal.run(&format!("NO_COLOR=1 LC_ALL=C {}", monitor(&farm, "")));
    let picture = terminal.wait(&["sleeper", "q quit"]);
    let looks = terminal.looks();
    assert!(!coloured(&looks) && looks.contains("\u{1b}[7m"), "{looks:?}");
    assert!(picture.is_ascii(), "the locale has ASCII alone\n{picture}");
}
