//! Which pages are written when, under a fake clock.

use super::*;
use crate::master::limits::{HOME_EVERY, HOME_WINDOW};
use crate::master::query::{ProjectRows, Rewrite, RootName};
use crate::master::testbed::{project, words};

/// The pages and a clock; what they want is compared as words.
struct Bench {
    pages: Pages,
    out: Out,
    now: Millis,
}

fn project_order(name: &str, order: i64) -> RewriteOrder {
    RewriteOrder { page: PageKind::Project(project(name)), order }
}

fn root_order(order: i64) -> RewriteOrder {
    RewriteOrder { page: PageKind::Root, order }
}

fn home_order(order: i64) -> RewriteOrder {
    RewriteOrder { page: PageKind::Home, order }
}

fn names(prefix: &str, count: usize) -> Answer {
    Answer::RootNames((0..count).map(|n| RootName { name: format!("{prefix}{n}"), downloads: 0 }).collect())
}

impl Bench {
    /// Of a master that started a moment ago.
    fn fresh() -> Self {
        Self { pages: Pages::default(), out: Out::default(), now: Millis::secs(1000) }
    }

    /// The same, whose home page is ordered and written.
    fn new() -> Self {
        let mut bench = Self::fresh();
        assert!(bench.pages.clock.is_due(bench.now));
        bench.pages.clock.ordered(true);
        bench
    }

    fn home_ordered(&mut self, answer: &Answer) -> Vec<String> {
        self.pages.home_ordered(answer, &mut self.out);
        words(&mut self.out)
    }

    fn home_answer(&mut self, answer: Answer) -> Vec<String> {
        self.pages.home_answered(self.now, answer, &mut self.out);
        words(&mut self.out)
    }

    fn kick(&mut self) -> Vec<String> {
        self.pages.kick(&mut self.out);
        words(&mut self.out)
    }

    fn wait(&mut self, span: Millis) -> Vec<String> {
        self.now = self.now + span;
        self.pages.tick(self.now, &mut self.out);
        words(&mut self.out)
    }

    fn answer(&mut self, answer: Answer) -> Vec<String> {
        self.pages.answered(self.now, answer, &mut self.out);
        words(&mut self.out)
    }

    fn root_answer(&mut self, answer: Answer) -> Vec<String> {
        self.pages.root_answered(self.now, answer, &mut self.out);
        words(&mut self.out)
    }

    /// The database answers that these are due, and nothing else.
    fn due(&mut self, orders: &[RewriteOrder]) -> Vec<String> {
        self.some_due(orders, false)
    }

    /// Or something else, too.
    fn some_due(&mut self, orders: &[RewriteOrder], more: bool) -> Vec<String> {
        let rewrite = |order: &RewriteOrder| Rewrite { order: order.clone(), rows: ProjectRows::default() };
        self.answer(Answer::RewritesDue { due: orders.iter().map(rewrite).collect(), more })
    }

    /// The database knows what it was told.
    fn told(&mut self) -> Vec<String> {
        self.pages.told(self.now, &Answer::RewritesDone, &mut self.out);
        words(&mut self.out)
    }

    fn written(&mut self, order: RewriteOrder) -> Vec<String> {
        self.pages.written(self.now, PageAnswer::Written(order, Ok(())), &mut self.out);
        words(&mut self.out)
    }

    fn failed(&mut self, order: RewriteOrder) -> Vec<String> {
        let result = Err("no space".to_owned());
        self.pages.written(self.now, PageAnswer::Written(order, result), &mut self.out);
        words(&mut self.out)
    }

    fn root_ready(&mut self) -> Vec<String> {
        self.pages.written(self.now, PageAnswer::RootReady, &mut self.out);
        words(&mut self.out)
    }

    /// A bench whose root index was just written.
    fn after_root() -> Self {
        let mut bench = Self::new();
        bench.kick();
        bench.due(&[root_order(1)]);
        bench.root_answer(names("a", 2));
        bench.written(root_order(1));
        bench.told();
        assert!(bench.pages.settled());
        bench
    }
}

#[test]
fn a_page_is_asked_for_written_and_told_done() {
    let mut bench = Bench::new();
    assert_eq!(bench.kick(), ["ask rewrites-due 64"]);
    assert!(!bench.pages.settled());
    assert_eq!(
        bench.due(&[project_order("foo", 1), project_order("bar", 2)]),
        ["page foo#1 of 0", "page bar#2 of 0"]
    );
    assert!(!bench.pages.settled());
    assert!(bench.written(project_order("foo", 1)).is_empty(), "they are told of together");
    assert_eq!(bench.written(project_order("bar", 2)), ["ask rewrites-done foo#1 bar#2"]);
    assert!(!bench.pages.settled());
    assert!(bench.told().is_empty());
    assert!(bench.pages.settled());
}

#[test]
fn a_kick_while_asking_or_writing_is_not_lost() {
    let mut bench = Bench::new();
    bench.kick();
    assert!(bench.kick().is_empty(), "one question at a time");
    assert_eq!(bench.due(&[]), ["ask rewrites-due 64"]);
    bench.due(&[project_order("foo", 1)]);
    assert!(bench.kick().is_empty());
    bench.written(project_order("foo", 1));
    assert!(bench.kick().is_empty());
    assert_eq!(bench.told(), ["ask rewrites-due 64"]);
    assert!(bench.due(&[]).is_empty());
}

#[test]
fn while_there_is_more_the_next_batch_is_asked_for_before_the_scribe_is_done_and_none_comes_twice() {
    let mut bench = Bench::new();
    bench.kick();
    let batch = |orders: [i64; 2]| orders.map(|n| project_order(&format!("p{n}"), n));
    let said = bench.some_due(&batch([1, 2]), true);
    assert_eq!(said, ["page p1#1 of 0", "page p2#2 of 0", "ask rewrites-due 64 but #1 #2"]);
    assert_eq!(
        bench.some_due(&batch([3, 4]), true),
        ["page p3#3 of 0", "page p4#4 of 0"],
        "the scribe has two"
    );
    assert!(bench.kick().is_empty());
    assert!(bench.written(project_order("p1", 1)).is_empty());
    let said = bench.written(project_order("p2", 2));
    assert_eq!(
        said,
        ["ask rewrites-done p1#1 p2#2", "ask rewrites-due 64 but #1 #2 #3 #4"],
        "told and asked at once"
    );
    // p3 was ordered again meanwhile: the later rows come to the scribe later
    let again = [project_order("p3", 9), project_order("p5", 5)];
    assert_eq!(bench.some_due(&again, true), ["page p3#9 of 0", "page p5#5 of 0"]);
    assert!(bench.told().is_empty(), "the scribe has two still");
    bench.written(project_order("p3", 3));
    let said = bench.written(project_order("p4", 4));
    assert_eq!(said, ["ask rewrites-done p3#3 p4#4", "ask rewrites-due 64 but #3 #4 #5 #9"]);
    assert!(bench.due(&[]).is_empty());
    bench.written(project_order("p3", 9));
    assert!(bench.written(project_order("p5", 5)).is_empty(), "one question that tells at a time");
    assert_eq!(bench.told(), ["ask rewrites-done p3#9 p5#5"]);
    assert!(!bench.pages.settled());
    assert!(bench.told().is_empty());
    assert!(bench.pages.settled());
}

#[test]
fn what_comes_while_a_page_is_written_comes_together_unless_there_is_more_than_a_batch() {
    let mut bench = Bench::new();
    bench.kick();
    bench.due(&[project_order("foo", 1)]);
    assert!(bench.kick().is_empty());
    assert_eq!(bench.written(project_order("foo", 1)), ["ask rewrites-done foo#1"]);
    assert!(bench.kick().is_empty());
    assert_eq!(bench.told(), ["ask rewrites-due 64"]);
}

#[test]
fn while_builds_come_in_by_the_hundred_pages_take_a_quarter_of_the_time_unless_a_tool_waits() {
    let mut bench = Bench::new();
    bench.wait(Millis(0));
    bench.due(&[]);
    (0..100).for_each(|_| bench.pages.build_recorded(bench.now));
    assert_eq!(bench.kick(), ["ask rewrites-due 64"]);
    bench.wait(Millis(100));
    assert_eq!(
        bench.some_due(&[project_order("foo", 1)], true),
        ["page foo#1 of 0"],
        "and no other meanwhile"
    );
    bench.written(project_order("foo", 1));
    bench.wait(Millis(100));
    assert!(bench.told().is_empty(), "it took 200 ms");
    (0..100).for_each(|_| bench.pages.build_recorded(bench.now));
    assert!(bench.wait(Millis(599)).is_empty());
    assert_eq!(bench.wait(Millis(1)), ["ask rewrites-due 64"]);
    bench.due(&[project_order("foo", 2)]);
    bench.wait(Millis(100));
    bench.written(project_order("foo", 2));
    assert!(bench.told().is_empty());
    bench.pages.kick_for_tool(bench.now, &mut bench.out);
    assert_eq!(words(&mut bench.out), ["ask rewrites-due 64"]);
}

#[test]
fn what_is_under_way_is_bounded_however_slowly_the_database_takes_note() {
    let mut bench = Bench::new();
    bench.kick();
    let (mut number, mut held) = (0, 0);
    loop {
        let orders: Vec<_> = (number..number + 64).map(|n| project_order(&format!("p{n}"), n)).collect();
        number += 64;
        let said = bench.some_due(&orders, true);
        let asks = said.iter().any(|word| word.starts_with("ask rewrites-due"));
        let said: Vec<_> = orders.into_iter().flat_map(|order| bench.written(order)).collect();
        held = held.max(bench.pages.held.len());
        if !asks && !said.iter().any(|word| word.starts_with("ask rewrites-due")) {
            break;
        }
        assert!(number < 10_000);
    }
    assert_eq!(held, PAGES_HELD);
    let said = bench.told();
    assert!(
        said[0].starts_with("ask rewrites-done p64#64 ")
            && said[1].starts_with("ask rewrites-due 64 but #64 ")
    );
}

#[test]
fn orders_of_which_the_database_did_not_take_note_come_again() {
    let mut bench = Bench::new();
    bench.kick();
    bench.due(&[project_order("foo", 1)]);
    bench.written(project_order("foo", 1));
    bench.pages.told(bench.now, &Answer::Failed("away".to_owned()), &mut bench.out);
    assert!(words(&mut bench.out).is_empty() && bench.pages.settled());
    assert_eq!(bench.kick(), ["ask rewrites-due 64"], "with nothing left out");
}

#[test]
fn pages_that_an_earlier_master_owed_are_found_by_the_clock() {
    let mut bench = Bench::new();
    assert_eq!(bench.wait(Millis(0)), ["ask rewrites-due 64"]);
    bench.due(&[]);
    assert!(bench.wait(SWEEP_EVERY - Millis(1)).is_empty());
    assert_eq!(bench.wait(Millis(1)), ["ask rewrites-due 64"]);
}

#[test]
fn a_page_that_fails_is_tried_again_after_its_time_and_the_others_go_on() {
    let mut bench = Bench::new();
    bench.kick();
    bench.due(&[project_order("foo", 1), project_order("bar", 2)]);
    assert!(bench.failed(project_order("foo", 1)).is_empty());
    assert_eq!(bench.written(project_order("bar", 2)), ["ask rewrites-failed foo#1"]);
    assert_eq!(bench.told(), ["ask rewrites-done bar#2"]);
    bench.told();
    assert_eq!(bench.kick(), ["ask rewrites-due 64 but #1"]);
    assert_eq!(bench.due(&[project_order("foo", 4), project_order("baz", 3)]), ["page baz#3 of 0"]);
    bench.written(project_order("baz", 3));
    bench.told();
    bench.now = bench.now + DISK_RETRY;
    bench.kick();
    assert_eq!(bench.due(&[project_order("foo", 1)]), ["page foo#1 of 0"]);
    bench.written(project_order("foo", 1));
    bench.told();
    assert!(bench.pages.settled());
}

#[test]
fn pages_that_fail_do_not_hide_those_behind_them() {
    let mut bench = Bench::new();
    bench.kick();
    let mut batch: Vec<_> = (0..15).map(|n| project_order(&format!("bad{n}"), n)).collect();
    batch.push(project_order("good", 15));
    bench.some_due(&batch, true);
    bench.due(&[]);
    let (good, bad) = batch.split_last().unwrap();
    assert!(bad.iter().all(|order| bench.failed(order.clone()).is_empty()));
    let said = bench.written(good.clone());
    assert!(
        said[0].starts_with("ask rewrites-failed bad0#0 bad1#1 "),
        "they go to the end of the line: {said:?}"
    );
    assert_eq!(bench.told(), ["ask rewrites-done good#15"]);
    bench.told();
    let said = bench.kick();
    assert!(
        said[0].starts_with("ask rewrites-due 64 but #0 #1 "),
        "and are left out until it is time: {said:?}"
    );
    assert_eq!(bench.due(&[project_order("better", 99), bad[0].clone()]), ["page better#99 of 0"]);
}

#[test]
fn when_nothing_can_be_written_one_page_is_tried_now_and_then_until_one_is() {
    let mut bench = Bench::new();
    bench.kick();
    let bad: Vec<_> = (0..16).map(|n| project_order(&format!("bad{n}"), n)).collect();
    bench.due(&bad);
    bad.iter().for_each(|order| drop(bench.failed(order.clone())));
    let said: Vec<_> = bad.iter().flat_map(|_| bench.told()).collect();
    assert!(said.is_empty(), "a full disk is not asked for the next 16 at once: {said:?}");
    let trouble = bench.pages.trouble();
    assert_eq!(trouble.failing, 16);
    assert_eq!(trouble.reason.as_deref(), Some("the page of bad15 cannot be written: no space"));
    assert!(bench.kick().is_empty());
    assert!(bench.wait(DISK_RETRY - Millis(1)).is_empty());
    assert_eq!(bench.wait(Millis(1)), ["ask rewrites-due 1"]);
    bench.due(&bad[..1]);
    bench.failed(bad[0].clone());
    bench.told();
    assert!(bench.wait(DISK_RETRY - Millis(1)).is_empty());
    assert_eq!(bench.wait(Millis(1)), ["ask rewrites-due 1"]);
    assert_eq!(bench.some_due(&bad[..1], true), ["page bad0#0 of 0"]);
    assert_eq!(
        bench.written(bad[0].clone()),
        ["ask rewrites-done bad0#0", "ask rewrites-due 64 but #0"],
        "there is room again"
    );
    bench.told();
    bench.due(&bad[1..]);
    for order in &bad[1..] {
        assert!(bench.pages.trouble().reason.is_some());
        bench.written(order.clone());
        bench.told();
    }
    assert_eq!(bench.pages.trouble(), PageTrouble::default());
}

#[test]
fn a_root_index_that_takes_long_to_write_rests_longer() {
    let mut bench = Bench::new();
    bench.kick();
    bench.due(&[root_order(1)]);
    bench.now = bench.now + Millis::secs(5);
    bench.root_answer(names("a", 1));
    bench.written(root_order(1));
    bench.told();
    bench.kick();
    bench.due(&[root_order(2)]);
    assert!(!bench.wait(Millis::secs(50) - Millis(1)).contains(&"root begin".to_owned()));
    assert!(bench.wait(Millis(1)).contains(&"root begin".to_owned()));
    bench.now = bench.now + Millis::secs(3600);
    bench.root_answer(names("a", 1));
    bench.written(root_order(2));
    bench.told();
    bench.kick();
    bench.due(&[root_order(3)]);
    assert!(bench.wait(ROOT_WINDOW_MAX).contains(&"root begin".to_owned()), "never longer than that");
}

#[test]
fn the_root_index_is_written_in_pieces_and_ended_once() {
    let full = usize::from(ROOT_NAMES_AT_ONCE);
    let mut bench = Bench::new();
    bench.kick();
    assert_eq!(bench.due(&[root_order(1)]), ["root begin", "ask root-names after -"]);
    assert_eq!(bench.root_answer(names("a", full)), [format!("root names {full}")]);
    assert_eq!(bench.root_ready(), [format!("ask root-names after a{}", full - 1)]);
    assert_eq!(bench.root_answer(names("b", 3)), ["root names 3", "root end #1"]);
    assert!(!bench.pages.settled());
    assert!(bench.root_ready().is_empty(), "the end was ordered already");
    assert!(bench.root_answer(names("c", 0)).is_empty());
    assert_eq!(bench.written(root_order(1)), ["ask rewrites-done root#1"]);
    bench.told();
    assert!(bench.pages.settled());
}

#[test]
fn a_root_index_of_a_farm_without_files_and_one_that_ends_with_a_full_piece() {
    let mut bench = Bench::new();
    bench.kick();
    bench.due(&[root_order(1)]);
    assert_eq!(bench.root_answer(names("a", 0)), ["root names 0", "root end #1"]);
    assert!(bench.root_ready().is_empty());

    let full = usize::from(ROOT_NAMES_AT_ONCE);
    let mut bench = Bench::new();
    bench.kick();
    bench.due(&[root_order(1)]);
    bench.root_answer(names("a", full));
    bench.root_ready();
    assert_eq!(bench.root_answer(names("b", 0)), ["root names 0", "root end #1"]);
}

#[test]
fn the_root_index_is_not_written_more_often_than_its_window_allows() {
    let mut bench = Bench::after_root();
    bench.kick();
    assert!(bench.due(&[root_order(2), project_order("foo", 3)]).contains(&"page foo#3 of 0".to_owned()));
    bench.written(project_order("foo", 3));
    bench.told();
    bench.wait(ROOT_WINDOW - Millis(1));
    assert!(matches!(bench.pages.root, Root::Due(_)));
    bench.kick();
    bench.due(&[root_order(4)]);
    let said = bench.wait(Millis(1));
    assert_eq!(said, ["root begin", "ask root-names after -"]);
    bench.root_answer(names("a", 1));
    assert_eq!(
        bench.written(root_order(4)),
        ["ask rewrites-done root#4"],
        "the newest order stands for both"
    );
}

#[test]
fn an_order_that_comes_while_the_root_is_written_leads_to_another_writing() {
    let mut bench = Bench::new();
    bench.kick();
    bench.due(&[root_order(1)]);
    bench.kick();
    assert!(bench.due(&[root_order(2)]).is_empty(), "one at a time");
    bench.root_answer(names("a", 1));
    bench.written(root_order(1));
    bench.told();
    assert_eq!(bench.wait(SWEEP_EVERY), ["ask rewrites-due 64"]);
    assert_eq!(bench.due(&[root_order(2)]), ["root begin", "ask root-names after -"]);
}

#[test]
fn a_root_index_that_fails_is_tried_again_after_its_time() {
    let mut bench = Bench::new();
    bench.kick();
    bench.due(&[root_order(1)]);
    bench.root_answer(names("a", 1));
    assert_eq!(bench.failed(root_order(1)), ["ask rewrites-failed root#1"]);
    bench.told();
    assert!(bench.pages.settled());
    bench.wait(SWEEP_EVERY);
    assert!(bench.due(&[root_order(1)]).is_empty());
    bench.wait(DISK_RETRY - SWEEP_EVERY);
    assert_eq!(bench.due(&[root_order(1)]), ["root begin", "ask root-names after -"]);
}

#[test]
fn what_the_database_refuses_does_not_end_the_pages() {
    let refused = || Answer::Refused("odd".to_owned());
    let mut bench = Bench::new();
    bench.wait(Millis(0));
    assert!(bench.answer(refused()).is_empty());
    assert!(bench.pages.settled());
    assert_eq!(bench.wait(SWEEP_EVERY), ["ask rewrites-due 64"]);
    bench.due(&[project_order("foo", 1), root_order(2)]);
    bench.written(project_order("foo", 1));
    bench.pages.told(bench.now, &refused(), &mut bench.out);
    assert!(words(&mut bench.out).is_empty());
    assert!(bench.root_answer(refused()).is_empty());
    assert!(bench.pages.settled(), "a stopping master does not wait for them");
    assert_eq!(bench.wait(SWEEP_EVERY), ["ask rewrites-due 64"]);
    assert_eq!(
        bench.due(&[project_order("foo", 1), root_order(2)]),
        ["page foo#1 of 0", "root begin", "ask root-names after -"]
    );
}

#[test]
fn a_fresh_farm_orders_its_home_page_at_once_and_writes_it_from_rows_that_are_no_older_than_the_order() {
    let mut bench = Bench::fresh();
    assert_eq!(bench.wait(Millis(0)), ["ask order-home", "ask rewrites-due 64"]);
    bench.due(&[]);
    assert_eq!(bench.home_ordered(&Answer::HomeOrdered), ["ask rewrites-due 64"]);
    assert_eq!(bench.due(&[home_order(1)]), ["ask home"]);
    assert!(!bench.pages.settled());
    assert_eq!(bench.home_answer(Answer::Home(Box::default())), ["home #1"]);
    assert_eq!(bench.written(home_order(1)), ["ask rewrites-done home#1"]);
    bench.told();
    assert!(bench.pages.settled());
}

#[test]
fn the_home_page_follows_changes_within_its_window_and_is_looked_at_now_and_then_without_any() {
    let mut bench = Bench::new();
    let begun = bench.now;
    let orders = |bench: &mut Bench, span: Millis, changes: bool| {
        let mut at = Vec::new();
        let end = bench.now + span;
        while bench.now < end {
            if changes {
                bench.pages.home_changed();
            }
            if bench.wait(Millis::secs(1)).contains(&"ask order-home".to_owned()) {
                at.push(bench.now.since(begun).0 / 1000);
                bench.home_ordered(&Answer::HomeOrdered);
            }
        }
        at
    };
    assert_eq!(orders(&mut bench, Millis::secs(50), true), [15, 30, 45]);
    // the last change, which came behind the last order
    assert_eq!(orders(&mut bench, Millis::secs(50), false), [60]);
    assert_eq!(orders(&mut bench, HOME_EVERY, false), [60 + HOME_EVERY.0 / 1000]);
}

#[test]
fn a_home_page_that_cannot_be_ordered_or_made_is_tried_again() {
    let mut bench = Bench::new();
    bench.pages.home_changed();
    assert!(bench.wait(HOME_WINDOW).contains(&"ask order-home".to_owned()));
    bench.due(&[]);
    assert_eq!(bench.home_ordered(&Answer::Failed("away".to_owned())), Vec::<String>::new());
    assert!(bench.wait(HOME_WINDOW).contains(&"ask order-home".to_owned()), "and not before");
    bench.due(&[]);
    bench.home_ordered(&Answer::HomeOrdered);
    bench.due(&[home_order(1)]);
    assert_eq!(bench.home_answer(Answer::Failed("away".to_owned())), ["ask rewrites-failed home#1"]);
    bench.told();
    bench.kick();
    assert!(bench.due(&[home_order(1)]).is_empty(), "not yet");
    bench.now = bench.now + DISK_RETRY;
    bench.kick();
    assert_eq!(bench.due(&[home_order(1)]), ["ask home"]);
}
