//! What slaves say of builds: kept with them, shown with them, and no reason for anything.

use piwheels::master::query::{Answer, Job, Logged, Outcome, Query};
use piwheels::master::report::{KeptReport, Sdist};
use serde_json::{Value, json};

use crate::farm::{Farm, SETTLED, record, wanted, wheel};

/// A report of which every word is hostile.
fn hostile() -> KeptReport {
    let odd = || Some("<script>'; DROP SCHEMA piw; --\u{feff}\"\\".to_owned());
    KeptReport {
        python: odd(),
        platform: Some("linux_armv7l".to_owned()),
        machine: odd(),
        os: odd(),
        walls: vec!["namespaces".to_owned(), "net-off".to_owned()],
        interpreter: odd(),
        pip: odd(),
        pip_arguments: odd(),
        compiler: odd(),
        sdist: Some(Sdist { filename: "../foo".to_owned(), size: u64::MAX, sha256: "ab".repeat(32) }),
        requirements: vec![odd().unwrap(); 2],
        peak_memory: Some(u64::MAX),
        cpu_ms: Some(u64::MAX),
        apt: vec!["libfoo1".to_owned()],
    }
}

fn of_length(bytes: usize) -> KeptReport {
    KeptReport { pip_arguments: Some("x".repeat(bytes)), ..KeptReport::default() }
}

fn log(farm: &mut Farm, job: &Job, outcome: Outcome, report: Option<KeptReport>) -> Logged {
    let files = if outcome == Outcome::Built { vec![wheel(job, "cp39", "cp39")] } else { Vec::new() };
    let mut record = record(job.token, outcome, files);
    record.report = report.map(Box::new);
    let Answer::Logged(logged) = farm.ask(&Query::LogBuild(Box::new(record))) else { panic!() };
    logged
}

fn shown(farm: &mut Farm, version: Option<&str>) -> Vec<Value> {
    let why = farm.why("foo", version).unwrap();
    let versions = why["versions"].as_array().unwrap();
    versions.iter().map(|version| version["builds"][0]["report"].clone()).collect()
}

#[test]
fn a_report_is_kept_as_it_was_said_and_shown_with_its_build() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    assert_eq!(log(&mut farm, &job, Outcome::Built, Some(hostile())), SETTLED);
    assert_eq!(shown(&mut farm, None), [json!(hostile())]);
    assert_eq!(shown(&mut farm, Some("1.0"))[0]["cpu_ms"], json!(u64::MAX));
    let page = farm.rewrites().remove(0);
    assert_eq!(page.rows.builds[0].report.as_deref(), Some(&hostile()));
    assert_eq!(page.rows.builds[0].duration_ms, 1500);
}

#[test]
fn what_waits_for_another_attempt_shows_the_report_of_the_last_one() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    log(&mut farm, &job, Outcome::DiskLimit, Some(hostile()));
    assert_eq!(shown(&mut farm, None), [json!(hostile())]);
    farm.wait_back_off();
    let job = farm.job("cp39");
    log(&mut farm, &job, Outcome::Failed, None);
    assert_eq!(shown(&mut farm, None), [Value::Null]);
    let page = farm.rewrites().remove(0);
    let reports: Vec<_> = page.rows.builds.iter().map(|build| build.report.is_some()).collect();
    assert_eq!(reports, [false, true], "newest first");
}

#[test]
fn a_lost_slave_leaves_no_report_until_it_comes_back_with_one() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let [.., last] = farm.lose_for_good("cp39");
    assert_eq!(shown(&mut farm, None), [Value::Null]);
    assert_eq!(farm.texts("SELECT outcome FROM piw.build WHERE report IS NULL"), ["lost-slave"]);
    log(&mut farm, &last, Outcome::Built, Some(hostile()));
    assert_eq!(shown(&mut farm, None), [json!(hostile())]);
}

#[test]
fn a_result_that_came_too_late_keeps_its_report() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let first = farm.job("cp39");
    farm.lose(&first);
    let second = farm.job("cp39");
    log(&mut farm, &second, Outcome::Built, None);
    assert_eq!(log(&mut farm, &first, Outcome::Built, Some(hostile())), Logged::Superseded);
    let kept = "SELECT count(*) FROM piw.build WHERE outcome = 'superseded' AND report ->> 'machine' LIKE '<script>%'";
    assert_eq!(farm.number(kept, &[]), 1);
    assert_eq!(shown(&mut farm, None), [Value::Null], "it is not the one that counts");
}

#[test]
fn long_reports_make_no_page_and_no_answer_endless() {
    let mut farm = Farm::with_abis(&["cp39"]);
    let versions: Vec<String> = (0..90).map(|n| format!("1.{n:03}")).collect();
    farm.add_all(versions.iter().map(|version| wanted("foo", version)).collect());
    for _ in &versions {
        let job = farm.job("cp39");
        log(&mut farm, &job, Outcome::Failed, Some(of_length(60_000)));
    }
    let page = farm.rewrites().remove(0);
    assert_eq!(page.rows.builds.len(), 90);
    let with = page.rows.builds.iter().take_while(|build| build.report.is_some()).count();
    assert_eq!((with, page.rows.builds.iter().filter(|build| build.report.is_some()).count()), (4, 4));
    let reports = shown(&mut farm, None);
    assert_eq!(reports.len(), 90);
    let with = reports.iter().take_while(|report| !report.is_null()).count();
    assert!((60..80).contains(&with), "{with}");
    assert!(reports[with..].iter().all(Value::is_null));
    assert!(shown(&mut farm, Some("1.0"))[0].is_object(), "the oldest, by its name");
}
