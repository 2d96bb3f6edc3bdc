//! The farm is commanded from the monitor, and the monitor outlives the master.

use piwheels::wire::slave::{FromSlave, ToSlave};

use crate::kit::cluster::Stop;
use crate::kit::sdist::Recipe;
use crate::kit::tmux;
use crate::{asleep, farm, slave, watch};

#[test]
fn slaves_are_paused_rested_cancelled_and_killed() {
    if !tmux::is_there("slaves_are_paused_rested_cancelled_and_killed") {
        return;
    }
    let farm = farm();
    farm.index.offer(&Recipe::native("foo", "1.0"));
    let mut sleeper = asleep(&farm, "sleeper");
    let terminal = watch(&farm, 80, 24);
    terminal.wait(&["sleeper"]);
    terminal.keys(&["p"]);
    terminal.wait(&["PAUSED", "pause: done, 1 slave"]);
    terminal.keys(&["r"]);
    terminal.wait(&["RUNNING", "resume: done, 1 slave"]);
    assert!(matches!(sleeper.hear(), Some(ToSlave::Wake {})));
    terminal.keys(&["z"]);
    terminal.wait(&["sleeper     cp311  resting"]);
    terminal.keys(&["z"]);
    terminal.wait(&["sleeper     cp311  asleep"]);

    let mut builder = slave(&farm, "builder", "a board");
    farm.piw(&["add", "foo"]);
    let (token, _) = builder.take_job();
    terminal.wait(&["builder     cp311  building   foo 1.0"]);
    terminal.keys(&["Down", "x"]);
    terminal.wait(&["Cancel foo 1.0 on slave 2 (builder)?"]);
    terminal.keys(&["y"]);
    assert_eq!(builder.hear_cancel(), token.build);
    terminal.wait(&["builder     cp311  cancelling"]);

    // the answer that is chosen to begin with leaves it
    terminal.keys(&["Up", "k"]);
    terminal.wait(&["Kill slave 1 (sleeper)?", "c leave it"]);
    terminal.keys(&["Enter"]);
    terminal.wait_for("no question", |picture| !picture.contains("Kill slave 1"));
    // by the controls: Tab to them, Right to kill, the answer by arrows
    terminal.keys(&["Tab", "Tab", "Right", "Right", "Enter"]);
    terminal.wait(&["Kill slave 1 (sleeper)?"]);
    terminal.keys(&["Right", "Enter"]);
    loop {
        match sleeper.hear() {
            Some(ToSlave::Wake {}) => {}
            Some(ToSlave::Bye { .. }) => break,
            other => panic!("no BYE: {other:?}"),
        }
    }
    drop(sleeper);
    terminal
        .wait_for("one slave less", |picture| picture.contains("1 slave") && !picture.contains("sleeper "));
    farm.master().wait_for_line(0, &["orders slave 1 to go when idle"]);
}

#[test]
fn a_master_that_ends_is_waited_for_and_its_new_picture_is_shown() {
    if !tmux::is_there("a_master_that_ends_is_waited_for_and_its_new_picture_is_shown") {
        return;
    }
    let mut farm = farm();
    let mut sleeper = asleep(&farm, "before");
    let terminal = watch(&farm, 80, 24);
    terminal.wait(&["before"]);
    terminal.keys(&["t"]);
    terminal.wait(&["Terminate the master?"]);
    terminal.keys(&["n"]);
    assert!(matches!(sleeper.hear(), Some(ToSlave::Bye { .. })));
    sleeper.say(&FromSlave::Bye { reason: Default::default() });
    assert_eq!(farm.master.take().unwrap().wait(), 0, "{}", farm.logs());
    // the last picture stays, and says that it is one
    terminal.wait(&["NO CONNECTION", "trying again in", "old: no master at ipc://"]);
    farm.start_master();
    let _after = asleep(&farm, "after");
    terminal.wait_for("picture of the new master", |picture| {
        picture.contains("RUNNING")
            && picture.contains(" UTC")
            && picture.contains("after ")
            && !picture.contains("before")
    });
    terminal.keys(&["q"]);
    terminal.wait(&["code=0"]);
}

#[test]
fn a_database_that_is_away_is_seen() {
    if !tmux::is_there("a_database_that_is_away_is_seen") {
        return;
    }
    let mut farm = farm();
    let terminal = watch(&farm, 80, 24);
    terminal.wait(&["queue 0"]);
    farm.cluster.stop(Stop::Immediate);
    terminal.wait(&["the database does not answer, for", "database silent for"]);
    farm.cluster.restart();
    terminal
        .wait_for("database again", |picture| !picture.contains("database") && picture.contains("queue 0"));
}
