//! Pictures, as text.

use super::*;
use crate::monitor::app::Action;
use crate::monitor::keys::Key;
use crate::monitor::model::tests::{WALL, hello, log, model, recorded, slave, vitals};
use crate::wire::status::{FollowNow, HealthNow, Mode, Numbers, OutcomeCount, Reason, ToMonitor};
use crate::wire::{List, Text};

fn stats(mode: Mode) -> ToMonitor {
    ToMonitor::Stats {
        mode,
        connected: 3,
        building: 1,
        idle: 2,
        queued: 1234,
        transfers: 0,
        bytes_in_flight: 0,
        builds_ok: 118,
        builds_failed: 7,
        refusals: 0,
        log_bytes: 0,
    }
}

fn numbers() -> Numbers {
    Numbers {
        at_ms: WALL,
        queued: 1234,
        unchecked: 56,
        delayed: 0,
        pages_due: 3,
        pages_waiting_secs: 0,
        builds_last_hour: 84,
        builds: 1204,
        builds_ok: 990,
        published: 400,
        files: 900,
    }
}

fn farm_of(silent: Option<u64>, trouble: Option<&str>) -> ToMonitor {
    ToMonitor::Farm {
        numbers: Some(numbers()),
        database_silent_ms: silent,
        machine: Some(vitals(52)),
        pages_failing: trouble.map_or(0, |_| 2),
        pages_trouble: trouble.map(Text::cut),
        follow: FollowNow { mode: Text::cut("all"), lag_secs: Some(4), trouble: None },
    }
}

fn health(held: Option<&str>, paused: Option<&str>, unseated_ms: Option<u64>) -> ToMonitor {
    let reason = |text: &str| Reason { since_ms: WALL - 65_000, text: Text::cut(text) };
    let health = HealthNow {
        schema: 2,
        disks: List::default(),
        disk_floor: 1 << 30,
        disk_promised: 0,
        disk_trouble: None,
        held: held.map(reason),
        paused: paused.map(reason),
        unseated_ms,
        absent: 0,
        expired: 0,
        expired_last_hour: 0,
        tasks: List::default(),
        errors: List::default(),
    };
    ToMonitor::Health { health }
}

fn farm() -> Model {
    model([
        ToMonitor::Slave { slave: slave(1, "pi1", None) },
        ToMonitor::Slave { slave: slave(2, "pi2", Some((7, "numpy"))) },
        ToMonitor::Slave { slave: slave(3, "pi3", None) },
        stats(Mode::Running),
        recorded(5, "foo", "built"),
        recorded(6, "bar", "failed"),
        ToMonitor::Outcomes {
            counts: List::cut(vec![
                OutcomeCount { outcome: Text::cut("failed"), count: 7 },
                OutcomeCount { outcome: Text::cut("built"), count: 118 },
            ]),
        },
        farm_of(None, None),
    ])
}

/// What is shown after these keys.
fn shown(model: &mut Model, keys: &str, size: (u16, u16)) -> String {
    let mut app = App::new();
    let mut seen = Seen::default();
    let settle = |app: &mut App, model: &mut Model, seen: &Seen| {
        if let Some(Action::Watch(slave)) = app.settle(Millis(0), model, seen) {
            model.watch(slave);
            if slave == Some(2) {
                model.apply(Millis(0), log(2, 7, 0, "Collecting numpy\nBuilding wheel\n"));
            }
        }
    };
    for c in keys.chars() {
        settle(&mut app, model, &seen);
        seen = draw(model, &app, Millis(0), size, false).1;
        settle(&mut app, model, &seen);
        app.key(Millis(0), model, &seen, if c == '\n' { Key::Enter } else { Key::Char(c) });
    }
    settle(&mut app, model, &seen);
    let (grid, _) = draw(model, &app, Millis(0), size, false);
    assert_eq!((grid.width(), grid.height()), size);
    grid.lines().join("\n")
}

#[test]
fn a_narrow_window_has_the_farm_its_slaves_and_one_of_them() {
    let picture = shown(&mut farm(), "j", (80, 24));
    let expected = [
        " piwheels 0.1.0   RUNNING   up 1h00   3 slaves, 1 build, 2 idle    22:13:20 UTC",
        "queue 1,234 +56 unchecked",
        "builds/h 84",
        "82% of 1,204",
        "disk ██░░░░░░ 25%, 48G free",
        "pages 3 due",
        "index 4s behind",
        "  ID▾ LABEL       ABI",
        "    1 pi1         cp311  asleep",
        ">   2 pi2         cp311  building   numpy 1.0",
        "1m12       0.5  25%  61°",
        "─ 1 slave ",
        "7: numpy 1.0",
        " p pause r resume k kill",
        "q quit",
    ];
    for words in expected {
        assert!(picture.contains(words), "no {words:?} in\n{picture}");
    }
}

#[test]
fn a_wide_window_has_more_columns_and_two_panes() {
    let picture = shown(&mut farm(), "j2", (160, 40));
    for words in ["BOARD", "WALLS", "UP", "Pi 4", "2h00", "Building wheel", "built", "foo 1.0", "│"] {
        assert!(picture.contains(words), "no {words:?} in\n{picture}");
    }
    let picture = shown(&mut farm(), "j4", (160, 40));
    for words in ["failed", " 5%", "94% ████", "load "] {
        assert!(picture.contains(words), "no {words:?} in\n{picture}");
    }
}

#[test]
fn trouble_is_told_in_the_order_of_its_weight() {
    let line = |model: &Model| {
        let (grid, _) = draw(model, &App::new(), Millis(0), (100, 24), false);
        grid.line(3)
    };
    let mut model = farm();
    assert_eq!(line(&model), "");
    model.apply(Millis(0), stats(Mode::Paused));
    assert!(line(&model).contains("paused: nothing is handed out"));
    model.apply(Millis(0), health(None, Some("process 7 of user 1000"), None));
    assert!(line(&model).contains("paused by process 7 of user 1000: nothing is handed out"));
    model.apply(Millis(0), stats(Mode::Held));
    model.apply(Millis(0), health(Some("the disk of /srv has 1M free"), None, None));
    assert_eq!(line(&model), " nothing is handed out, builds go on: the disk of /srv has 1M free");
    let title = draw(&model, &App::new(), Millis(0), (100, 24), false).0.line(0);
    assert!(title.contains("HELD"), "{title}");
    model.apply(Millis(0), health(Some("the disk"), None, Some(WALL - 65_000)));
    assert!(line(&model).contains("lost its seat at the database, for 1m05"), "{}", line(&model));
    model.apply(Millis(0), health(None, None, None));
    model.apply(Millis(0), farm_of(None, Some("the page of foo cannot be written: no space")));
    assert_eq!(line(&model), " the page of foo cannot be written: no space");
    model.apply(Millis(0), farm_of(Some(WALL - 65_000), None));
    assert!(line(&model).contains("the database does not answer, for 1m05"), "{}", line(&model));
    model.lost(Millis(0), "no master at ipc:///x".to_owned(), Millis(1500));
    assert!(line(&model).contains("trying again in 2 s, the picture is 0s old: no master at ipc:///x"));
    model.apply(Millis(0), hello());
    assert_eq!(line(&model), "");
}

#[test]
fn questions_and_help_lie_over_the_picture() {
    let picture = shown(&mut farm(), "k", (80, 24));
    for words in ["Kill slave 1 (pi1)?", " i when idle ", " n now ", " c leave it "] {
        assert!(picture.contains(words), "no {words:?} in\n{picture}");
    }
    let picture = shown(&mut farm(), "?", (80, 24));
    assert!(picture.contains("end the monitor; the farm goes on") && picture.contains("any key goes back"));
}

#[test]
fn a_filter_says_how_many_are_left() {
    let picture = shown(&mut farm(), "/num\n", (80, 24));
    assert!(picture.contains("1 of 3, filter: num"), "{picture}");
    assert!(picture.contains(">   2 pi2"), "{picture}");
    let picture = shown(&mut farm(), "/nothing", (80, 24));
    assert!(picture.contains("filter: nothing") && picture.contains("no slave matches"), "{picture}");
}

#[test]
fn odd_text_stays_in_its_cells() {
    let mut odd = slave(1, "漢字漢字漢字漢字", Some((7, "numpy")));
    odd.holds_back = Some(Text::cut("e\u{301}\u{202e}evil"));
    let mut plain = slave(2, "plain", Some((8, "numpy")));
    plain.abi = odd.abi.clone();
    let farm = model([ToMonitor::Slave { slave: odd }, ToMonitor::Slave { slave: plain }]);
    let (grid, _) = draw(&farm, &App::new(), Millis(0), (80, 24), false);
    // the same column by cells, whatever the label
    let cells = |y: u16| {
        let line = grid.line(y);
        crate::monitor::text::width(&line[..line.find("cp311").unwrap()])
    };
    assert_eq!(cells(5), cells(6), "{}", grid.lines().join("\n"));
    assert!(grid.lines().join("").chars().all(|c| !c.is_control() && c != '\u{202e}'));
}

#[test]
fn any_window_is_drawn_without_a_defect() {
    let mut model = farm();
    model.watch(Some(2));
    for keys in ["", "2", "3", "4", "k", "?", "/x"] {
        for width in [0, 1, 20, 49, 50, 51, 79, 80, 99, 110, 129, 130, 200, 300] {
            for height in [0, 1, 11, 12, 13, 23, 24, 29, 30, 100] {
                shown(&mut model, keys, (width, height));
            }
        }
    }
}

#[test]
fn a_terminal_that_has_ascii_alone_gets_nothing_else() {
    let (grid, _) = draw(&farm(), &App::new(), Millis(0), (160, 40), true);
    assert!(grid.lines().join("").is_ascii(), "{}", grid.lines().join("\n"));
}
