//! What the home page is made from, and when it is ordered.

use std::collections::BTreeMap;

use piwheels::master::query::{Answer, HomeRows, Outcome, PageKind, Query};

use crate::farm::{Farm, name};

fn home(farm: &mut Farm) -> HomeRows {
    let Answer::Home(rows) = farm.ask(&Query::Home) else { panic!() };
    *rows
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(outcome, count)| ((*outcome).to_owned(), *count)).collect()
}

#[test]
fn the_home_page_counts_days_and_names_the_last_builds() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let empty = home(&mut farm);
    assert_eq!((empty.days.len(), empty.recent.len()), (30, 0));
    assert!(empty.days.is_sorted_by(|one, other| one.day < other.day), "{:?}", empty.days);
    assert!(empty.days.iter().all(|day| day.builds.is_empty() && day.downloads == 0));
    for n in 0..14 {
        farm.add(&format!("foo{n}"), "1.0");
        let job = farm.job("cp39");
        if n < 9 {
            farm.built(&job, &[("py3", "none")]);
        } else {
            farm.failed(&job);
        }
    }
    let today = |rows: &HomeRows| rows.days.last().unwrap().builds.clone();
    let before = home(&mut farm);
    assert_eq!(today(&before), counts(&[("built", 9), ("failed", 5)]));
    assert_eq!(before.days.iter().filter(|day| !day.builds.is_empty()).count(), 1);
    farm.sweep();
    assert_eq!(home(&mut farm), before, "folding changes nothing");
    assert_eq!((before.statistics.builds_count, before.statistics.builds_success), (14, 9));
    let recent: Vec<_> = before.recent.iter().map(|build| build.project.as_str()).collect();
    let expected: Vec<_> = (2..14).rev().map(|n| format!("foo{n}")).collect();
    assert_eq!(recent, expected);
    let last = &before.recent[0];
    assert_eq!((last.version.as_str(), last.abi.as_str(), last.outcome.as_str()), ("1.0", "cp39", "failed"));
    assert!(last.at.len() == 20 && last.at.ends_with('Z'), "{}", last.at);
    farm.execute("UPDATE piw.package SET status = 'quarantined' WHERE name = 'foo13'");
    assert_eq!(home(&mut farm).recent[0].project, "foo12", "quarantine shows nothing of a project");
    farm.execute("UPDATE piw.package SET status = 'active' WHERE name = 'foo13'");
}

#[test]
fn a_lost_attempt_that_comes_after_all_counts_once_and_days_are_mended_like_every_counter() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let jobs = farm.lose_for_good("cp39");
    let today = |farm: &mut Farm| home(farm).days.last().unwrap().builds.clone();
    assert_eq!(today(&mut farm), counts(&[("lost-slave", 1)]));
    farm.log(&jobs[4], Outcome::Failed, Vec::new());
    assert_eq!(today(&mut farm), counts(&[("failed", 1)]));
    farm.sweep();
    assert_eq!(today(&mut farm), counts(&[("failed", 1)]));
    farm.execute("UPDATE piw.stat_total SET n = n + 5 WHERE kind LIKE 'day:%:failed'");
    assert_eq!(today(&mut farm), counts(&[("failed", 6)]));
    assert!(!farm.audit().is_empty());
    farm.mend();
    assert_eq!(today(&mut farm), counts(&[("failed", 1)]));
}

#[test]
fn days_long_past_are_forgotten_and_no_matter_to_the_audit() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.execute(
        "INSERT INTO piw.stat_delta (kind, n, amount)
         SELECT 'day:' || (now() AT TIME ZONE 'UTC')::date - d || ':built', 1, 0 FROM unnest('{59, 61, 400}'::int[]) d",
    );
    assert_eq!(farm.audit(), Vec::<String>::new());
    farm.sweep();
    farm.sweep();
    let left = farm.number("SELECT count(*) FROM piw.stat_total WHERE kind LIKE 'day:%'", &[]);
    assert_eq!(left, 1);
}

#[test]
fn orders_for_the_home_page_are_merged_and_one_that_comes_while_it_is_written_stays() {
    let mut farm = Farm::with_abis(&["cp39"]);
    assert!(farm.rewrites().is_empty());
    for _ in 0..3 {
        assert!(matches!(farm.ask(&Query::OrderHome), Answer::HomeOrdered));
    }
    let due = farm.rewrites();
    assert_eq!(due.iter().map(|due| due.order.page.clone()).collect::<Vec<_>>(), [PageKind::Home]);
    farm.ask(&Query::OrderHome);
    farm.ask(&Query::RewritesDone(vec![due[0].order.clone()]));
    let newer = farm.rewrites();
    assert_eq!(newer.len(), 1);
    farm.ask(&Query::RewritesDone(vec![newer[0].order.clone()]));
    assert!(farm.rewrites().is_empty());
}

#[test]
fn downloads_are_shown_on_their_day_and_the_root_says_how_much_a_project_is_downloaded() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("py3", "none")]);
    farm.execute(
        "INSERT INTO piw.download_day (day, pkg_id, n)
         SELECT (now() AT TIME ZONE 'UTC')::date - d, 0, d + 1 FROM unnest('{0, 3, 29, 30}'::int[]) d;
         UPDATE piw.package SET dl_bucket = 7 WHERE name = 'foo'",
    );
    let days: Vec<_> = home(&mut farm).days.iter().map(|day| day.downloads).collect();
    assert_eq!((days[0], days[26], days[29], days.iter().sum::<u64>()), (30, 4, 1, 35));
    let Answer::RootNames(names) = farm.ask(&Query::RootNames { after: None, limit: 10 }) else { panic!() };
    assert_eq!(names.iter().map(|n| (n.name.as_str(), n.downloads)).collect::<Vec<_>>(), [("foo", 7)]);
    assert_eq!(name("foo").as_str(), names[0].name);
}
