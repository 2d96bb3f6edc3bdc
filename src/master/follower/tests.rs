//! What is looked at when, under a fake clock; what comes of it is compared as words.

use super::*;
use crate::domain::{Version, WheelName};
use crate::master::event::{Effect, LookAnswer};
use crate::master::gaze::{
    CHANGELOG_ROWS, Changelog, Happening, ListPiece, ListedProject, PageTruth, ProjectStatus, WheelNews, Wish,
};
use crate::master::limits::CHANGELOG_EVERY;
use crate::master::query::{AddedState, AddedVersion, DepsOrder};
use crate::master::testbed::{abi, project, words};

const WALL: Millis = Millis::secs(1_800_000_000);

struct Bench {
    follower: Follower,
    out: Out,
    now: Millis,
    looks: bool,
    abis: Abis,
}

fn due(name: &str) -> DuePage {
    DuePage { package: project(name), etag: Some("e1".to_owned()), serial: 5, wishes: Vec::new() }
}

fn failure(everywhere: bool, retry_after_secs: Option<u32>) -> GazeFailure {
    GazeFailure { reason: "no answer".to_owned(), retry_after_secs, everywhere }
}

fn truth() -> PageNews {
    PageNews::Seen(Box::new(PageTruth {
        display: "Foo".to_owned(),
        status: ProjectStatus::Active,
        status_reason: None,
        serial: Some(7),
        etag: None,
        releases: Vec::new(),
    }))
}

fn event(serial: u64) -> IndexEvent {
    let version = Version::parse("1.0").unwrap();
    IndexEvent {
        serial,
        at: 1_700_000_000,
        package: project("foo"),
        display: "Foo".to_owned(),
        what: Happening::Sdist(version),
    }
}

fn changelog(serials: std::ops::RangeInclusive<u64>, rows: usize, settled: u64) -> Changelog {
    let last = Some(*serials.end());
    Changelog { events: serials.map(event).collect(), last, rows, odd: 0, settled }
}

impl Bench {
    fn new(follow: Follow) -> Self {
        let now = Millis::secs(1000);
        let settings = FollowSettings { follow, ..FollowSettings::default() };
        let abis = Abis::from([(abi("cp311"), Vec::new())]);
        Self { follower: Follower::new(now, settings), out: Out::default(), now, looks: true, abis }
    }

    /// The next thing that is begun, if one is.
    fn step(&mut self) -> Vec<String> {
        self.follower.step(self.now, WALL + self.now, self.looks, &self.abis, &mut self.out);
        plain(&mut self.out)
    }

    fn wait(&mut self, span: Millis) -> Vec<String> {
        self.now = self.now + span;
        self.step()
    }

    fn answer(&mut self, answer: Answer) -> (Followed, Vec<String>) {
        let followed = self.follower.answered(self.now, answer, &mut self.out);
        (followed, self.said())
    }

    /// What was asked for already, else what is begun next.
    fn said(&mut self) -> Vec<String> {
        let said = plain(&mut self.out);
        if said.is_empty() { self.step() } else { said }
    }

    fn seen(&mut self, answer: GazeAnswer) -> Vec<String> {
        self.follower.seen(self.now, answer, &mut self.out);
        self.said()
    }

    fn page(&mut self, name: &str, news: PageNews) -> Vec<String> {
        self.seen(GazeAnswer::Page(project(name), news))
    }

    /// One that follows everything and has asked how far it is.
    fn all(serial: u64, listed_at: Option<i64>) -> Self {
        let mut bench = Self::new(Follow::All);
        assert_eq!(bench.step(), ["feed-state"]);
        bench.tell_state(serial, listed_at);
        bench
    }

    fn tell_state(&mut self, serial: u64, listed_at: Option<i64>) {
        let feed = FeedState { serial, settled: serial, listed_at, ..FeedState::default() };
        self.follower.answered(self.now, Answer::FeedState(feed), &mut self.out);
    }
}

fn today(bench: &Bench) -> Option<i64> {
    Some(((WALL + bench.now).0 / 1000) as i64)
}

#[test]
fn pages_that_are_due_are_looked_at_one_after_the_other_and_told_to_the_database() {
    let mut bench = Bench::new(Follow::List);
    assert_eq!(bench.step(), ["pages-due 16"]);
    let (_, said) = bench.answer(Answer::PagesDue(vec![due("foo"), due("bar")]));
    assert!(said[0].starts_with("gaze at Page(PageWish { package: ") && said[0].contains("foo"), "{said:?}");
    assert_eq!(bench.wait(Millis::secs(100)), Vec::<String>::new(), "one thing at a time");
    assert_eq!(bench.page("foo", truth()), ["learn foo 0 releases"]);
    let learned = Learned { opened: vec![abi("cp311")], ..Learned::default() };
    let (followed, said) = bench.answer(Answer::Learned(learned.clone()));
    assert_eq!(followed, Followed::Learned(learned));
    assert!(said[0].contains("bar"), "{said:?}");
    assert_eq!(bench.page("bar", PageNews::Unchanged), ["unread bar Unchanged { serial: 5 }"]);
    let (_, said) = bench.answer(Answer::Learned(Learned::default()));
    assert_eq!(said, ["pages-due 16"], "there may be more");
    bench.answer(Answer::PagesDue(Vec::new()));
    assert_eq!(bench.answer_deps(), ["requirements-due 16"]);
}

impl Bench {
    fn answer_deps(&mut self) -> Vec<String> {
        self.answer(Answer::DepsDue(Vec::new())).1
    }
}

#[test]
fn a_page_is_read_again_by_itself_only_where_somebody_wished_for_it_and_the_list_is_followed() {
    for (follow, wished, next) in
        [(Follow::List, true, Some(600)), (Follow::List, false, None), (Follow::All, true, None)]
    {
        let follower = Follower::new(
            Millis(0),
            FollowSettings { follow, every: Millis::secs(600), patience: Millis::secs(1) },
        );
        let mut page = due("foo");
        if wished {
            page.wishes.push(Wish { specifiers: String::new(), since: 0 });
        }
        assert_eq!(follower.next_secs(&page), next, "{follow:?} {wished}");
    }
}

#[test]
fn a_missing_stale_or_broken_page_is_told_as_what_it_is() {
    for (news, told) in [
        (PageNews::Missing, "unread foo Missing { patience_secs: 600 }"),
        (PageNews::Stale { serial: 4 }, "unread foo Failed { retry_secs: 0 }"),
        (PageNews::Failed(failure(false, Some(90))), "unread foo Failed { retry_secs: 90 }"),
    ] {
        let mut bench = Bench::new(Follow::List);
        bench.step();
        bench.answer(Answer::PagesDue(vec![due("foo")]));
        assert_eq!(bench.page("foo", news), [told]);
    }
}

#[test]
fn an_index_that_is_away_is_left_alone_longer_and_longer_and_no_page_is_lost() {
    let mut bench = Bench::new(Follow::List);
    bench.step();
    let (_, said) = bench.answer(Answer::PagesDue(vec![due("foo")]));
    for pause in [10, 20, 40, 80] {
        assert!(said[0].contains("foo"));
        let said = bench.page("foo", PageNews::Failed(failure(true, None)));
        assert!(!said.iter().any(|word| word.starts_with("unread")), "{said:?}");
        bench.rest();
        bench.now = bench.now + Millis::secs(pause) + Millis(0);
        let said = bench.step();
        assert!(said[0].contains("foo"), "after {pause} s: {said:?}");
    }
    assert!(bench.follower.following().trouble.unwrap().contains("no answer"));
    bench.page("foo", PageNews::Failed(failure(true, Some(3000))));
    bench.rest();
    bench.now = bench.now + Millis::secs(2999);
    bench.rest();
    bench.now = bench.now + Millis::secs(1);
    assert!(bench.step()[0].contains("foo"), "as long as it asked for");
    bench.page("foo", truth());
    assert_eq!(bench.follower.following().trouble, None);
}

impl Bench {
    /// Answers what the database is asked by the way, until nothing is begun any more.
    fn rest(&mut self) {
        for _ in 0..10 {
            let answer = match &self.follower.busy {
                Busy::AskingPages => Answer::PagesDue(self.follower.pages.iter().cloned().collect()),
                Busy::AskingDeps => Answer::DepsDue(Vec::new()),
                Busy::AskingRequirements => Answer::RequirementsDue(Vec::new()),
                Busy::Resting => return,
                other => panic!("{other:?}"),
            };
            self.answer(answer);
        }
        panic!("it does not come to rest");
    }
}

#[test]
fn events_go_to_the_database_in_pieces_and_the_serial_moves_with_the_last_piece_only() {
    let mut bench = Bench::all(10, None);
    assert_eq!(bench.step(), ["gaze at Changelog { since: 10 }"]);
    let seen = GazeAnswer::Changelog(Ok(changelog(11..=1510, 1500, 1400)));
    assert_eq!(bench.seen(seen), ["feed 1000 events to 1010, settled 10"]);
    let (_, said) = bench.answer(Answer::Learned(Learned::default()));
    assert_eq!(said, ["feed 500 events to 1510, settled 10"]);
    let (_, said) = bench.answer(Answer::Learned(Learned::default()));
    assert_eq!(said, ["feed 0 events to 1510, settled 1400"]);
    let (_, said) = bench.answer(Answer::Learned(Learned::default()));
    assert_eq!(said, ["feed-state"], "what the transactions left is asked for");
}

#[test]
fn a_pause_stops_looks_and_not_what_was_seen() {
    let mut bench = Bench::all(10, None);
    bench.step();
    bench.looks = false;
    let seen = GazeAnswer::Changelog(Ok(changelog(11..=12, 2, 11)));
    assert_eq!(bench.seen(seen), ["feed 2 events to 12, settled 10"]);
    bench.answer(Answer::Learned(Learned::default()));
    let (_, said) = bench.answer(Answer::Learned(Learned::default()));
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(bench.wait(Millis::secs(3600)), Vec::<String>::new());
    bench.looks = true;
    assert_eq!(bench.step(), ["feed-state"]);
}

#[test]
fn a_full_answer_of_the_changelog_is_followed_by_the_next_at_once_and_a_short_one_by_a_pause() {
    let mut bench = Bench::all(10, None);
    bench.follower.feed.as_mut().unwrap().listed_at = today(&bench);
    for (rows, at_once) in [(CHANGELOG_ROWS, true), (3, false)] {
        bench.now = bench.now + CHANGELOG_EVERY;
        bench.rest_until("Changelog");
        bench.seen(GazeAnswer::Changelog(Ok(Changelog {
            rows,
            last: Some(11),
            settled: 11,
            ..Changelog::default()
        })));
        let (_, _) = bench.answer(Answer::Learned(Learned::default()));
        let listed = today(&bench);
        bench.tell_state(11, listed);
        let said = bench.step();
        assert_eq!(said.first().is_some_and(|word| word.contains("Changelog")), at_once, "{rows}: {said:?}");
        if at_once {
            bench.seen(GazeAnswer::Changelog(Ok(Changelog::default())));
        }
        bench.rest();
    }
}

impl Bench {
    /// Goes on until a look of this kind is begun.
    fn rest_until(&mut self, look: &str) {
        for _ in 0..10 {
            if self.step().iter().any(|word| word.starts_with("gaze") && word.contains(look)) {
                return;
            }
            if matches!(self.follower.busy, Busy::Changelog) && look == "Changelog" {
                return;
            }
            self.rest();
        }
        panic!("no look at {look}: {:?}", self.follower.busy);
    }
}

#[test]
fn a_changelog_that_does_not_answer_stops_no_page_and_after_half_an_hour_the_list_takes_its_place() {
    let mut bench = Bench::all(10, None);
    bench.follower.feed.as_mut().unwrap().listed_at = today(&bench);
    assert_eq!(bench.step(), ["gaze at Changelog { since: 10 }"]);
    bench.seen(GazeAnswer::Changelog(Err(failure(true, None))));
    bench.answer(Answer::PagesDue(vec![due("foo")]));
    assert_eq!(bench.page("foo", truth()), ["learn foo 0 releases"]);
    bench.answer(Answer::Learned(Learned::default()));
    bench.rest();
    let mut listed = None;
    for _ in 0..400 {
        bench.now = bench.now + Millis::secs(10);
        let said = bench.step();
        match said.first().map(String::as_str) {
            Some("gaze at Changelog { since: 10 }") => {
                bench.seen(GazeAnswer::Changelog(Err(failure(true, None))));
            }
            Some(word) if word.starts_with("gaze at ListBegin") => {
                listed = Some(bench.now);
                break;
            }
            _ => {}
        }
        bench.rest();
    }
    let waited = listed.expect("the list").since(Millis::secs(1000));
    assert!((1800..2000).contains(&(waited.0 / 1000)), "{waited:?}");
    let projects = vec![ListedProject { package: project("new"), display: "New".to_owned(), serial: 12 }];
    bench.follower.seen(bench.now, GazeAnswer::List(Ok(ListPiece::Projects(projects))), &mut bench.out);
    let asked: Vec<_> = bench.out.effects.drain(..).collect();
    assert!(
        matches!(&asked[0], Effect::Ask(_, Query::FeedCompare { unheard: true, after: None, .. })),
        "{asked:?}"
    );
}

#[test]
fn the_list_is_compared_once_a_day_piece_by_piece_with_other_looks_between() {
    let mut bench = Bench::all(10, None);
    assert_eq!(bench.step(), ["gaze at Changelog { since: 10 }"]);
    let said = bench.seen(GazeAnswer::Changelog(Ok(Changelog::default())));
    assert_eq!(said, ["gaze at ListBegin { etag: None }"], "never compared");
    let piece = |name: &str| {
        let projects = vec![ListedProject { package: project(name), display: name.to_owned(), serial: 1 }];
        GazeAnswer::List(Ok(ListPiece::Projects(projects)))
    };
    assert_eq!(bench.seen(piece("a")), ["compare 1 projects"]);
    bench.follower.pages.push_back(due("foo"));
    let (_, said) = bench.answer(Answer::Compared(0));
    assert!(said[0].contains("foo"), "a page has its turn: {said:?}");
    bench.page("foo", PageNews::Unchanged);
    let (_, said) = bench.answer(Answer::Learned(Learned::default()));
    assert_eq!(said, ["gaze at ListMore"]);
    let end = ListPiece::End { etag: Some("l1".to_owned()), serial: Some(9), odd: 0 };
    assert_eq!(bench.seen(GazeAnswer::List(Ok(end))), ["listed"]);
    let (_, said) = bench.answer(Answer::Noted);
    assert_eq!(said, ["feed-state"]);
    let listed = today(&bench);
    bench.tell_state(10, listed);
    bench.step();
    bench.rest();
    bench.now = bench.now + Millis::secs(20 * 3600);
    bench.rest_until("Changelog");
    let said = bench.seen(GazeAnswer::Changelog(Ok(Changelog::default())));
    assert!(!said[0].contains("List"), "not yet: {said:?}");
    bench.rest();
    bench.now = bench.now + Millis::secs(5 * 3600);
    bench.rest_until("Changelog");
    let said = bench.seen(GazeAnswer::Changelog(Ok(Changelog::default())));
    assert!(said[0].contains("ListBegin"), "{said:?}");
}

#[test]
fn a_requirement_is_looked_up_added_and_ended_and_one_that_cannot_be_met_is_kept_with_the_reason() {
    let mut bench = Bench::new(Follow::List);
    bench.step();
    bench.answer(Answer::PagesDue(Vec::new()));
    let (_, said) = bench.answer(Answer::DepsDue(Vec::new()));
    assert_eq!(said, ["requirements-due 16"]);
    let wanted = |requirement, name: &str| RequirementDue {
        requirement,
        package: project(name),
        specifiers: ">=1".to_owned(),
        extras: Vec::new(),
        of: "foo 1.0".to_owned(),
    };
    let list = vec![wanted(1, "bar"), wanted(2, "nope"), wanted(3, "later")];
    let (_, said) = bench.answer(Answer::RequirementsDue(list));
    assert_eq!(said, ["look up bar>=1"]);
    bench.follower.looked(bench.now, LookAnswer::Found(Vec::new()), &mut bench.out);
    assert_eq!(bench.said(), ["add-versions 0"]);
    let added = AddedVersion {
        package: project("bar"),
        version: Version::parse("1.0").unwrap(),
        state: AddedState::New,
        queued_for: Some(abi("cp311")),
        reason: None,
    };
    let (followed, said) = bench.answer(Answer::Added(vec![added]));
    assert_eq!(followed, Followed::Queued(vec![abi("cp311")]));
    assert_eq!(said, ["requirement 1 Met"]);
    let (_, said) = bench.answer(Answer::Noted);
    assert_eq!(said, ["look up nope>=1"]);
    bench.follower.looked(bench.now, LookAnswer::NotFound(vec!["none".to_owned()]), &mut bench.out);
    assert_eq!(bench.said(), ["requirement 2 Refused(\"none\")"]);
    bench.answer(Answer::Noted);
    bench.follower.looked(bench.now, LookAnswer::Unanswered(failure(true, None)), &mut bench.out);
    assert_eq!(bench.said(), ["requirement 3 Again"]);
}

const WHEEL: &str = "foo-1.0-py3-none-any.whl";

/// A version that the farm has files of, and one that only the index has a wheel of.
fn deps_due() -> Vec<DepsDue> {
    let lines = |list: &[&str]| list.iter().map(|line| (*line).to_owned()).collect();
    let due = |version, name: &str| DepsDue {
        order: Some(DepsOrder { version, turn: 1 }),
        extras: Vec::new(),
        package: project(name),
        of: format!("{name} 1.0"),
        files: Vec::new(),
        wheel: None,
    };
    let served = DepsDue { wheel: Some(WheelName::parse(WHEEL).unwrap()), ..due(1, "foo") };
    let files = vec![("cp311-cp311-linux_armv7l".to_owned(), lines(&["bar", "win; os_name == 'nt'"]))];
    vec![served, DepsDue { files, ..due(2, "built") }]
}

impl Bench {
    fn with_deps_due() -> (Self, Vec<String>) {
        let mut bench = Self::new(Follow::List);
        bench.step();
        bench.answer(Answer::PagesDue(Vec::new()));
        let (_, said) = bench.answer(Answer::DepsDue(deps_due()));
        (bench, said)
    }

    fn wheel(&mut self, news: Result<WheelNews, GazeFailure>) -> Vec<String> {
        self.seen(GazeAnswer::Wheel(WheelName::parse(WHEEL).unwrap(), news))
    }
}

#[test]
fn requirements_come_from_built_wheels_and_from_the_indexs_own() {
    let (mut bench, said) = Bench::with_deps_due();
    assert_eq!(said, ["deps-found built 1.0: bar"], "what is known is told first");
    let (_, said) = bench.answer(Answer::Noted);
    assert!(said[0].starts_with("gaze at Wheel(") && said[0].contains(WHEEL), "{said:?}");
    let lines =
        vec!["a>=1".to_owned(), "b; python_version < '3.11'".to_owned(), "c; extra == 'x'".to_owned()];
    assert_eq!(bench.wheel(Ok(WheelNews::Read(lines))), ["deps-found foo 1.0: a>=1"]);
    let (_, said) = bench.answer(Answer::Noted);
    assert_eq!(said, ["deps-due 16"], "there may be more");
}

#[test]
fn a_requirement_that_the_index_alone_has_is_met_by_it_and_the_way_goes_on() {
    let mut bench = Bench::new(Follow::List);
    bench.step();
    bench.answer(Answer::PagesDue(Vec::new()));
    bench.answer(Answer::DepsDue(Vec::new()));
    let due = RequirementDue {
        requirement: 1,
        package: project("foo"),
        specifiers: String::new(),
        extras: Vec::new(),
        of: "app 1.0".to_owned(),
    };
    let (_, said) = bench.answer(Answer::RequirementsDue(vec![due]));
    assert_eq!(said, ["look up foo"]);
    bench.follower.looked(bench.now, LookAnswer::Served(WheelName::parse(WHEEL).unwrap()), &mut bench.out);
    let said = bench.said();
    assert!(said[0].starts_with("gaze at Wheel(") && said[0].contains(WHEEL), "{said:?}");
    assert_eq!(bench.wheel(Ok(WheelNews::Read(vec!["a".to_owned()]))), ["deps-found foo 1.0: a"]);
    let (_, said) = bench.answer(Answer::Noted);
    assert_eq!(said, ["requirement 1 Met"], "not before the database has what it requires");
    let (_, said) = bench.answer(Answer::Noted);
    assert_eq!(said, ["deps-due 16"]);
}

#[test]
fn a_wheel_whose_requirements_nobody_knows_ends_the_way_and_one_that_cannot_be_asked_waits() {
    for news in [Ok(WheelNews::Unknown("none".to_owned())), Err(failure(false, None))] {
        let (mut bench, _) = Bench::with_deps_due();
        bench.answer(Answer::Noted);
        assert_eq!(bench.wheel(news), ["deps-found foo 1.0:"]);
    }
    let (mut bench, _) = Bench::with_deps_due();
    bench.answer(Answer::Noted);
    assert_eq!(bench.wheel(Err(failure(true, None))), Vec::<String>::new());
    bench.rest();
    bench.now = bench.now + Millis::secs(10);
    assert!(bench.step()[0].contains(WHEEL), "when the index is asked again");
    assert_eq!(bench.wheel(Ok(WheelNews::Read(Vec::new()))), ["deps-found foo 1.0:"]);
    assert_eq!(bench.follower.following().trouble, None);
}

#[test]
fn an_answer_that_makes_no_sense_is_survived() {
    let mut bench = Bench::all(10, None);
    bench.step();
    let said = bench.seen(GazeAnswer::Page(project("foo"), PageNews::Missing));
    assert_eq!(said, ["gaze at Changelog { since: 10 }"], "it is looked at again");
    let (_, said) = bench.answer(Answer::Renewed);
    assert_eq!(said, ["feed-state"], "it begins anew");
}

/// What was begun: questions to the database without saying that they are some.
fn plain(out: &mut Out) -> Vec<String> {
    words(out).iter().map(|word| word.strip_prefix("ask ").unwrap_or(word).to_owned()).collect()
}
