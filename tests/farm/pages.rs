//! Pages on a real farm: written again when an operator asks, and in trouble that the operator hears of.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::hostile::{hand_over, wheel};
use crate::kit::farm::{Farm, text};
use crate::kit::peer::Peer;
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

/// A farm that has published these, each in one file.
fn farm_with(projects: &[&'static str]) -> Farm {
    let farm = Farm::start(&["cp311"], &[]);
    let mut slave = Peer::slave(farm.slave_port, "pi", None);
    for name in projects {
        farm.index.offer(&Recipe::native(name, "1.0"));
        farm.piw(&["add", name]);
        let (token, _) = slave.take_job();
        let bytes = wheel(name, "1.0");
        let file = format!("{name}-1.0-cp311-cp311-linux_x86_64.whl");
        slave.offer(token, &[(&file, bytes.len() as u64, piwheels::domain::Sha256::of(&bytes))]);
        hand_over(&farm, &mut slave, token, &bytes);
    }
    assert_eq!(farm.crawl(), projects.len());
    farm
}

fn is_back(farm: &Farm, path: &str, bytes: &[u8]) {
    let path = farm.path("www").join(path);
    let found = || fs::read(&path).is_ok_and(|now| now == bytes).then_some(());
    until(&format!("{} as it was", path.display()), || farm.logs(), found);
}

fn stats(farm: &Farm) -> Value {
    serde_json::from_str(&farm.piw(&["stats", "--json"])).unwrap()
}

#[test]
fn an_operator_has_pages_written_again_and_what_is_right_is_left_alone() {
    let farm = farm_with(&["x", "y"]);
    let read = |path: &str| fs::read(farm.path("www").join(path)).unwrap();
    let paths =
        ["simple/x/index.html", "simple/x/index.v1_json.gz", "project/x/index.html", "simple/index.v1_json"];
    let before = paths.map(read);
    let spoil = |path: &str| {
        // another file in its place: the account that tests run as need not be the farm's
        let path = farm.path("www").join(path);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "spoilt").unwrap();
    };
    spoil(paths[0]);
    fs::remove_file(farm.path("www").join(paths[1])).unwrap();
    assert_eq!(farm.piw(&["rebuild", "project", "X"]), "1 page to be written again\n");
    is_back(&farm, paths[0], &before[0]);
    is_back(&farm, paths[1], &before[1]);
    paths.iter().for_each(|path| spoil(path));
    let answer: Value = serde_json::from_str(&farm.piw(&["rebuild", "all", "--json"])).unwrap();
    assert_eq!(answer, serde_json::json!({"pages": 4}), "two projects, root and home");
    paths.iter().zip(&before).for_each(|(path, bytes)| is_back(&farm, path, bytes));
    assert_eq!(farm.crawl(), 2);

    let unknown = farm.piw_command(&["rebuild", "project", "x", "nowhere"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown).contains("the farm does not know nowhere"), "{}", text(&unknown));
    let usage = farm.piw_command(&["rebuild", "index", "x"]).output().unwrap();
    assert_eq!(
        (usage.status.code(), text(&usage).contains("only 'piw rebuild project' takes names")),
        (Some(2), true)
    );
}

#[test]
fn a_page_that_cannot_be_written_stays_as_it_is_and_due_and_is_told_of_across_a_crash() {
    let mut farm = farm_with(&["x", "y"]);
    let (x, y) = (farm.path("www/simple/x"), farm.path("www/simple/y"));
    let page = |dir: &std::path::Path| fs::read(dir.join("index.html")).unwrap();
    let good = [page(&x), page(&y)];
    for dir in [&x, &y] {
        fs::remove_file(dir.join("index.html")).unwrap();
        fs::write(dir.join("index.html"), "an old page").unwrap();
    }
    let allow = |mode| fs::set_permissions(&x, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    assert_eq!(farm.piw(&["rebuild", "project", "x", "y"]), "2 pages to be written again\n");
    is_back(&farm, "simple/y/index.html", &good[1]);
    let told = || Some(stats(&farm)).filter(|now| now["pages_failing"] == 1 && now["pages_due"] == 1);
    let trouble = until("trouble in piw stats", || farm.logs(), told);
    let reason = trouble["pages_trouble"].as_str().unwrap();
    assert!(reason.starts_with("the page of x cannot be written: Permission denied"), "{reason}");
    assert!(
        farm.piw(&["stats"]).contains("1 failing; the last: the page of x cannot"),
        "people are told, too"
    );
    assert!(farm.master().log().contains("the page of x cannot be written"));
    assert_eq!(page(&x), b"an old page");
    farm.kill_master();
    allow(0o755);
    farm.start_master();
    is_back(&farm, "simple/x/index.html", &good[0]);
    assert_eq!(farm.crawl(), 2);
    let after = stats(&farm);
    assert_eq!((&after["pages_due"], &after["pages_trouble"]), (&serde_json::json!(0), &Value::Null));
    farm.wait_for_empty_spool();
}
