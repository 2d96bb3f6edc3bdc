//! Rows as the index gives them: with gaps, late, out of order, repeated, and odd.

use super::*;
use proptest::prelude::*;

/// A row: name, version (none for ""), time, action, serial.
type Row<'a> = (&'a str, &'a str, i64, &'a str, i64);

fn values((name, version, at, action, serial): Row<'_>) -> [Value; 5] {
    let version = if version.is_empty() { Value::Nil } else { Value::Text(version.to_owned()) };
    [
        Value::Text(name.to_owned()),
        version,
        Value::Int(at),
        Value::Text(action.to_owned()),
        Value::Int(serial),
    ]
}

fn read(since: u64, now: Option<i64>, rows: &[Row<'_>]) -> Changelog {
    let mut collector = Collector::new(since);
    rows.iter().for_each(|row| collector.push(&values(*row)));
    collector.finish(now).0
}

fn what(action: &str, version: &str) -> Result<Option<Happening>, usize> {
    let mut changelog = read(0, None, &[("Foo.Bar", version, 7, action, 1)]);
    match changelog.odd {
        0 => Ok(changelog.events.pop().map(|event| event.what).filter(|what| *what != Happening::Other)),
        odd => Err(odd),
    }
}

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

#[test]
fn only_what_matters_becomes_an_event() {
    let v = || version("1.0");
    for (action, expected) in [
        ("add source file foo_bar-1.0.tar.gz", Some(Happening::Sdist(v()))),
        ("add source file", Some(Happening::Sdist(v()))),
        (
            "add py3 file foo_bar-1.0-py3-none-any.whl",
            Some(Happening::PureWheel(v(), "foo_bar-1.0-py3-none-any.whl".into())),
        ),
        (
            "add py2.py3 file Foo.Bar-1.0-py2.py3-none-any.whl and more",
            Some(Happening::PureWheel(v(), "Foo.Bar-1.0-py2.py3-none-any.whl".into())),
        ),
        ("add cp311 file foo_bar-1.0-cp311-cp311-win_amd64.whl", None),
        ("add 2.7 file foo_bar-1.0-py2.7.egg", None),
        ("add any file", None),
        ("remove file foo_bar-1.0.tar.gz", Some(Happening::FileRemoved(v()))),
        ("remove release", Some(Happening::ReleaseRemoved(v()))),
        ("remove project", Some(Happening::ProjectRemoved)),
        ("yank release", Some(Happening::Yanked(v()))),
        ("yank release: it is broken", Some(Happening::Yanked(v()))),
        ("Unyank  release", Some(Happening::Unyanked(v()))),
        ("new release", None),
        ("create", None),
        ("add Owner file", None),
        ("add Owner bob", None),
        ("remove Owner project", None),
        ("invite Maintainer bob", None),
        ("yank", None),
        ("", None),
    ] {
        assert_eq!(what(action, "1.0"), Ok(expected), "{action}");
    }
    assert_eq!(what("remove project", ""), Ok(Some(Happening::ProjectRemoved)));
    assert_eq!(what("create", ""), Ok(None));
}

#[test]
fn odd_rows_are_counted_and_passed_over_but_their_serials_are_not() {
    for (row, reason) in [
        (("no name!", "1.0", 7, "add source file x", 5), "its name"),
        (("foo", "one", 7, "add source file x", 5), "its version"),
        (("foo", "", 7, "remove release", 5), "it has no version"),
        (("foo", "1.0", -7, "add source file x", 5), "it has no time"),
        (("foo", "1.0", LATEST + 1, "add source file x", 5), "it has no time"),
        (("foo", "1.0", 7, "add py3 file bar-1.0-py3-none-any.whl", 5), "another project's"),
    ] {
        let mut collector = Collector::new(0);
        collector.push(&values(row));
        collector.push(&values(("fine", "1.0", 7, "add source file x", 3)));
        let (changelog, first) = collector.finish(None);
        let events = changelog.events.iter().filter(|event| event.what != Happening::Other).count();
        assert_eq!((changelog.odd, events, changelog.last), (1, 1, Some(5)), "{row:?}");
        let first = first.unwrap();
        assert!(first.contains(reason), "{first}");
    }
    let long = "a".repeat(201);
    assert_eq!(read(0, None, &[(&long, "1.0", 7, "add source file x", 1)]).odd, 1);
    assert_eq!(read(0, None, &[("foo", &"1".repeat(201), 7, "add source file x", 1)]).odd, 1);
    assert_eq!(
        read(0, None, &[("no name!", "one", -7, "create", 1)]).odd,
        0,
        "what does not matter may be odd"
    );
}

#[test]
fn rows_without_a_serial_or_of_another_shape_are_odd() {
    let mut collector = Collector::new(0);
    collector.push(&[]);
    collector.push(&[Value::Nil]);
    collector.push(&values(("foo", "1.0", 7, "add source file x", -1)));
    let mut texts = values(("foo", "1.0", 7, "add source file x", 0));
    texts[4] = Value::Text("9000000000".to_owned());
    collector.push(&texts);
    let (changelog, first) = collector.finish(None);
    assert_eq!((changelog.rows, changelog.odd, changelog.last), (4, 3, Some(9_000_000_000)));
    assert!(first.unwrap().contains("no serial"));
}

#[test]
fn events_are_ordered_by_serial_without_repetitions() {
    let sdist = "add source file x";
    let rows = [
        ("c", "3", 30, sdist, 30),
        ("a", "1", 10, sdist, 10),
        ("c", "3", 30, sdist, 30),
        ("b", "2", 40, "remove release", 20),
        ("a", "1", 10, sdist, 10),
        ("old", "1", 1, sdist, 5),
    ];
    let changelog = read(5, None, &rows);
    let serials: Vec<u64> = changelog.events.iter().map(|event| event.serial).collect();
    assert_eq!(serials, [10, 20, 30], "and nothing that was not asked for");
    assert_eq!((changelog.rows, changelog.last, changelog.odd), (6, Some(30), 0));
    assert_eq!(changelog.events[0].display, "a");
}

#[test]
fn a_project_that_was_only_touched_is_told_once() {
    let rows = [
        ("A.b", "", 10, "create", 10),
        ("a-b", "1", 20, "add cp311 file x.whl", 30),
        ("a_b", "1", 15, "add Owner bob", 20),
        ("a-b", "1", 12, "yank release", 12),
        ("c", "1", 13, "create", 13),
        ("c", "1", 14, "remove release", 14),
        ("d", "odd", 16, "remove release", 16),
        ("user:bob", "", 17, "nuke user", 17),
    ];
    let changelog = read(0, None, &rows);
    let events: Vec<_> = changelog
        .events
        .iter()
        .map(|event| (event.serial, event.at, event.package.as_str(), event.what == Happening::Other))
        .collect();
    let expected = [(12, 12, "a-b", false), (14, 14, "c", false), (30, 20, "a-b", true)];
    assert_eq!((events.as_slice(), changelog.odd), (&expected[..], 1));
}

#[test]
fn projects_that_one_serial_touched_are_told_in_the_order_of_their_rows() {
    let names: Vec<String> = (0..20).map(|n| format!("p{}", (n * 7) % 20)).collect();
    let rows: Vec<Row<'_>> = names.iter().map(|name| (&name[..], "", 10, "create", 5)).collect();
    let told: Vec<String> = read(0, None, &rows).events.into_iter().map(|event| event.display).collect();
    assert_eq!(told, names);
}

#[test]
fn an_empty_answer_settles_nothing_new() {
    assert_eq!(read(77, Some(1_000_000), &[]), Changelog { settled: 77, ..Changelog::default() });
}

/// Serial and time; the rest does not matter.
fn settle(since: u64, now: Option<i64>, rows: &[(i64, i64)]) -> u64 {
    let rows: Vec<Row<'_>> = rows.iter().map(|(serial, at)| ("x", "", *at, "create", *serial)).collect();
    read(since, now, &rows).settled
}

#[test]
fn what_is_five_minutes_older_than_the_newest_is_settled() {
    let rows = [(10, 1000), (11, 1200), (13, 1301), (14, 1500)];
    assert_eq!(settle(9, None, &rows), 11);
    assert_eq!(settle(9, Some(1500), &rows), 11);
    assert_eq!(settle(9, None, &rows[..2]), 9, "all of it is of the last five minutes");
}

#[test]
fn a_young_row_keeps_what_follows_it_open_although_that_is_old() {
    // 12 is as young as the newest: what was begun with it, 11 for one, may still come
    assert_eq!(settle(9, None, &[(10, 1000), (12, 1490), (13, 1000), (14, 1500)]), 10);
}

#[test]
fn on_a_quiet_index_everything_is_settled_after_an_hour() {
    let rows = [(10, 1000), (11, 1100)];
    assert_eq!(settle(9, Some(1100 + HISTORY_SECS - 1), &rows), 10);
    assert_eq!(settle(9, Some(1100 + HISTORY_SECS), &rows), 11);
}

#[test]
fn a_row_from_the_future_hides_nothing_and_stops_nothing() {
    let rows = [(10, 1000), (11, 9_999_999), (12, 1100), (13, 1400), (14, 1500)];
    assert_eq!(settle(9, Some(1500), &rows), 12);
    // without the index's clock it cannot be told from the present: nothing behind it is settled
    assert_eq!(settle(9, None, &rows), 10);
}

#[test]
fn the_oldest_rows_in_no_order_of_time_are_settled_as_history() {
    let rows: Vec<(i64, i64)> = (1..=1000).map(|n| (n, n * 7919 % 1000 * 1000)).collect();
    assert_eq!(settle(0, Some(2_000_000_000), &rows), 1000);
}

#[test]
fn an_answer_of_one_moment_is_got_past_when_it_is_as_long_as_answers_get() {
    let full: Vec<(i64, i64)> = (1..=CHANGELOG_ROWS as i64).map(|n| (n, 1000)).collect();
    assert_eq!(settle(0, Some(1000), &full), CHANGELOG_ROWS as u64 / 2);
    assert_eq!(settle(0, None, &full), CHANGELOG_ROWS as u64 / 2);
    assert_eq!(settle(0, Some(1000), &full[..CHANGELOG_ROWS - 1]), 0);
}

#[test]
fn following_a_changelog_whose_rows_come_late_skips_none_of_them() {
    // one row a second, each seen up to four minutes after its serial was drawn; read every 60 s from what is settled
    let rows: Vec<(i64, i64, i64)> =
        (1..2000).map(|n| (n, 10_000 + n, 10_000 + n + n * 7919 % 240)).collect();
    let (mut since, mut seen) = (0, std::collections::BTreeSet::new());
    for now in (10_000..14_000).step_by(60) {
        let visible: Vec<Row<'_>> = rows
            .iter()
            .filter(|(serial, _, shown)| *serial as u64 > since && *shown <= now)
            .map(|(serial, at, _)| ("x", "1", *at, "add source file x", *serial))
            .collect();
        let changelog = read(since, Some(now), &visible);
        seen.extend(changelog.events.iter().map(|event| event.serial));
        assert!(changelog.settled >= since);
        since = changelog.settled;
    }
    assert_eq!(seen.len(), 1999);
    assert!(since > 1600, "and it gets on: {since}");
}

proptest! {
    #[test]
    fn no_row_ends_the_program(
        name in "[a-z.]{0,5}|\\PC{0,10}", version in "[0-9.]{0,5}|\\PC{0,10}",
        action in "(add|remove|yank) (source|py3|file|release|project)( file)?( x-1-py3-none-any.whl)?|\\PC{0,30}",
        at in any::<i64>(), serial in any::<i64>(), now in proptest::option::of(0..i64::from(u32::MAX)),
    ) {
        let changelog = read(3, now, &[(&name, &version, at, &action, serial), ("x", "1", 1, "add source file x", 4)]);
        prop_assert!(changelog.settled >= 3 && changelog.last >= Some(4));
        prop_assert!(changelog.events.len() <= 2 && changelog.odd <= 1);
    }

    #[test]
    fn settled_is_never_beyond_a_young_row(
        rows in proptest::collection::vec((1..500i64, 0..2000i64), 0..40), late in any::<bool>(),
    ) {
        let mut rows: std::collections::BTreeMap<i64, i64> = rows.into_iter().collect();
        rows.insert(1000, 2000);
        let now = late.then_some(2000);
        let settled = settle(0, now, &rows.iter().map(|(serial, at)| (*serial, *at)).collect::<Vec<_>>());
        for (serial, at) in &rows {
            prop_assert!(*serial as u64 > settled || *at <= 2000 - LATE_SECS, "{} {}", serial, at);
        }
    }
}
