//! Keys and the mouse, and what they lead to.

use super::*;
use crate::monitor::model::tests::{model, slave};
use crate::wire::status::ToMonitor;

fn farm(slaves: u32) -> Model {
    let job = |n| (n == 2).then_some((7, "numpy"));
    model((1..=slaves).map(|n| ToMonitor::Slave { slave: slave(n, &format!("pi{n}"), job(n)) }))
}

/// A monitor of a farm, in a window with five rows.
struct Bench {
    app: App,
    model: Model,
    seen: Seen,
}

impl Bench {
    fn new(slaves: u32) -> Self {
        let seen = Seen { list_rows: 5, pane_rows: 3, pane_lines: 10, ..Seen::default() };
        let mut bench = Self { app: App::new(), model: farm(slaves), seen };
        assert_eq!(bench.settle(), Some(Action::Watch(Some(1))), "the first is selected");
        bench
    }

    fn settle(&mut self) -> Option<Action> {
        self.app.settle(Millis(0), &self.model, &self.seen)
    }

    fn press(&mut self, key: Key) -> Option<Action> {
        let action = self.app.key(Millis(0), &self.model, &self.seen, key);
        self.settle();
        action
    }

    fn keys(&mut self, keys: &str) -> Option<Action> {
        keys.chars().map(|c| self.press(Key::Char(c))).last().flatten()
    }
}

fn kill(when: When) -> Option<Action> {
    let how = if when == When::Now { "now" } else { "when idle" };
    let command = FromTool::Kill { slave: Some(1), when };
    Some(Action::Command(command, format!("kill slave 1 (pi1) {how}")))
}

#[test]
fn the_selection_moves_and_stays_in_sight() {
    let mut bench = Bench::new(20);
    for _ in 0..7 {
        bench.press(Key::Down);
    }
    assert_eq!((bench.app.selected, bench.app.top), (Some(8), 3));
    bench.press(Key::PageUp);
    assert_eq!((bench.app.selected, bench.app.top), (Some(4), 3));
    bench.press(Key::End);
    assert_eq!((bench.app.selected, bench.app.top), (Some(20), 15));
    bench.press(Key::Down);
    assert_eq!(bench.app.selected, Some(20));
    bench.press(Key::Home);
    bench.press(Key::Up);
    assert_eq!((bench.app.selected, bench.app.top), (Some(1), 0));
}

#[test]
fn the_selection_stays_with_its_slave_and_near_it_when_that_goes() {
    let mut bench = Bench::new(5);
    bench.keys("jj");
    assert_eq!(bench.app.selected, Some(3));
    bench.keys("S");
    assert_eq!(bench.app.selected, Some(3), "however the rows are ordered");
    bench.keys("S");
    bench.model.apply(Millis(0), ToMonitor::Gone { slave_id: 3 });
    assert_eq!(bench.settle(), Some(Action::Watch(Some(4))));
    for slave_id in [1, 2, 4, 5] {
        bench.model.apply(Millis(0), ToMonitor::Gone { slave_id });
    }
    assert_eq!(bench.settle(), Some(Action::Watch(None)));
    assert_eq!(bench.app.selected, None);
    assert_eq!(bench.keys("k"), None);
    assert_eq!(bench.app.notice.as_ref().unwrap().text, "no slave is selected");
}

#[test]
fn a_new_connection_is_asked_for_the_log_again() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.settle(), None);
    bench.app.connected();
    assert_eq!(bench.settle(), Some(Action::Watch(Some(1))));
}

#[test]
fn the_hot_keys_of_the_manual() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.keys("p"), Some(Action::Command(FromTool::Pause {}, "pause".to_owned())));
    assert_eq!(bench.keys("r"), Some(Action::Command(FromTool::Resume {}, "resume".to_owned())));
    assert_eq!(bench.keys("q"), Some(Action::Quit));
    assert_eq!(bench.press(Key::Ctrl('c')), Some(Action::Quit));
    assert_eq!(bench.press(Key::Ctrl('z')), Some(Action::Suspend));
    let rest = FromTool::Sleep { slave: Some(1) };
    assert_eq!(bench.keys("z"), Some(Action::Command(rest, "rest slave 1 (pi1)".to_owned())));
}

#[test]
fn what_cannot_be_taken_back_is_asked_for_first() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.keys("k"), None);
    assert_eq!(bench.press(Key::Enter), None, "the answer that is chosen to begin with changes nothing");
    assert_eq!(bench.app.confirm, None);
    assert_eq!(bench.keys("kq"), None, "no key of habit does it");
    assert_eq!(bench.keys("ki"), kill(When::NextIdle));
    assert_eq!(bench.keys("kn"), kill(When::Now));
    bench.keys("k");
    bench.press(Key::Tab);
    assert_eq!(bench.press(Key::Enter), kill(When::NextIdle), "from the last on to the first");
    bench.keys("k");
    assert_eq!(bench.press(Key::Esc), None);
    assert_eq!(bench.app.confirm, None);
    assert_eq!(bench.keys("kkkp"), None, "other keys are no answer");
    assert!(bench.app.confirm.is_some());
    assert_eq!(bench.press(Key::Ctrl('c')), Some(Action::Quit));
    bench.press(Key::Esc);
    let quit = |how, when: &str| {
        Some(Action::Command(FromTool::Quit { how }, format!("terminate the master {when}")))
    };
    assert_eq!(bench.keys("tc"), None);
    assert_eq!(bench.keys("td"), quit(How::Drain, "when all is delivered"));
    assert_eq!(bench.keys("tn"), quit(How::Now, "now"));
}

#[test]
fn only_a_build_can_be_cancelled() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.keys("x"), None);
    assert_eq!(bench.app.notice.as_ref().unwrap().text, "slave 1 (pi1) builds nothing");
    let skip = Action::Command(FromTool::Skip { slave: 2 }, "cancel numpy 1.0 on slave 2 (pi2)".to_owned());
    assert_eq!(bench.keys("jxy"), Some(skip));
}

#[test]
fn a_question_about_a_slave_that_goes_is_taken_back() {
    let mut bench = Bench::new(2);
    bench.keys("k");
    bench.model.apply(Millis(0), ToMonitor::Gone { slave_id: 1 });
    bench.settle();
    assert_eq!(bench.app.confirm, None);
    assert_eq!(bench.keys("n"), None);
}

#[test]
fn tab_goes_from_the_list_to_the_pane_to_the_controls() {
    let mut bench = Bench::new(2);
    let mut focus = Vec::new();
    for _ in 0..3 {
        bench.press(Key::Tab);
        focus.push(bench.app.focus);
    }
    assert_eq!(focus, [Focus::Pane, Focus::Controls, Focus::List]);
    bench.press(Key::BackTab);
    assert_eq!(bench.app.focus, Focus::Controls);
    bench.press(Key::Right);
    assert_eq!(bench.press(Key::Enter), Some(Action::Command(FromTool::Resume {}, "resume".to_owned())));
    bench.press(Key::Left);
    bench.press(Key::Left);
    assert_eq!(bench.press(Key::Enter), Some(Action::Quit), "the last control is quit");
}

#[test]
fn panes_scroll_within_their_lines() {
    let mut bench = Bench::new(2);
    bench.press(Key::Tab);
    bench.press(Key::Down);
    assert_eq!(bench.app.scroll, 1);
    bench.press(Key::End);
    assert_eq!(bench.app.scroll, 7);
    bench.press(Key::PageUp);
    assert_eq!(bench.app.scroll, 5);
    bench.keys("2");
    assert_eq!(bench.app.scroll, 0, "a log is shown from its end");
    bench.press(Key::Up);
    assert_eq!(bench.app.scroll, 1, "up is away from it");
    bench.press(Key::Right);
    assert_eq!((bench.app.pane, bench.app.beside), (Pane::Builds, Pane::Log));
}

#[test]
fn a_filter_is_typed_kept_and_taken_away() {
    let mut bench = Bench::new(12);
    bench.keys("/pi1q");
    assert!(bench.app.typing);
    assert_eq!(bench.app.rows(&bench.model), [] as [u32; 0]);
    bench.press(Key::Backspace);
    assert_eq!(bench.app.rows(&bench.model), [1, 10, 11, 12]);
    bench.press(Key::Enter);
    assert_eq!(bench.keys("q"), Some(Action::Quit), "keys are keys again");
    assert_eq!(bench.app.filter, "pi1");
    bench.press(Key::Esc);
    assert_eq!(bench.app.rows(&bench.model).len(), 12);
}

#[test]
fn the_mouse_selects_sorts_and_presses() {
    let mut bench = Bench::new(20);
    bench.seen.spots = vec![
        ((0, 4, 80, 1), Spot::Heading(Sort::Load)),
        ((0, 5, 80, 1), Spot::Row(1)),
        ((0, 6, 80, 1), Spot::Row(2)),
        ((0, 10, 10, 1), Spot::Title(Pane::Builds)),
        ((0, 23, 8, 1), Spot::Control('k')),
    ];
    bench.press(Key::Click(3, 6));
    assert_eq!(bench.app.selected, Some(2));
    bench.press(Key::WheelDown(3, 6));
    assert_eq!(bench.app.selected, Some(5));
    bench.press(Key::WheelUp(3, 6));
    bench.press(Key::Click(3, 4));
    assert_eq!((bench.app.sort, bench.app.reversed), (Sort::Load, false));
    bench.press(Key::Click(3, 4));
    assert!(bench.app.reversed);
    bench.press(Key::Click(3, 10));
    assert_eq!((bench.app.pane, bench.app.focus), (Pane::Builds, Focus::Pane));
    assert_eq!(bench.press(Key::Click(70, 20)), None);
    bench.press(Key::Click(3, 23));
    assert!(bench.app.confirm.is_some());
    bench.seen.spots = vec![((10, 10, 8, 1), Spot::Answer(1))];
    assert_eq!(bench.press(Key::Click(3, 6)), None, "beside the answers is none");
    let command = FromTool::Kill { slave: Some(2), when: When::Now };
    assert_eq!(
        bench.press(Key::Click(12, 10)),
        Some(Action::Command(command, "kill slave 2 (pi2) now".to_owned()))
    );
}

#[test]
fn help_goes_with_any_key_and_notices_with_time() {
    let mut bench = Bench::new(2);
    bench.keys("?");
    assert!(bench.app.help);
    assert_eq!(bench.keys("q"), None);
    assert!(!bench.app.help);
    bench.app.say(Millis(0), "done".to_owned(), false);
    bench.app.settle(Millis::secs(7), &bench.model, &bench.seen);
    assert!(bench.app.notice.is_some());
    bench.app.settle(Millis::secs(8), &bench.model, &bench.seen);
    assert!(bench.app.notice.is_none());
}
