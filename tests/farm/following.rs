//! The farm follows its index: new releases are built, what goes there goes here, nothing unchecked is handed out.

use std::path::PathBuf;

use serde_json::Value;

use crate::kit::farm::{Farm, abi_of, python};
use crate::kit::peer::Peer;
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

/// A farm that reads the pages of what was asked for as often as it may.
fn farm(abi: &str) -> Farm {
    Farm::start(&[abi], &["--follow", "list", "--follow-every", "10s", "--removal-patience", "1s"])
}

fn published(farm: &Farm, package: &str) -> Vec<PathBuf> {
    let dir = farm.path("www/simple").join(package);
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "whl"))
        .collect()
}

fn version<'a>(answer: &'a Value, text: &str) -> Option<&'a Value> {
    answer["versions"].as_array()?.iter().find(|version| version["version"] == text)
}

fn why(farm: &Farm, package: &str) -> Value {
    let output = farm.piw_command(&["why", "--json", package]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[test]
fn a_new_release_of_what_was_asked_for_is_built_and_one_that_does_not_fit_is_not() {
    let abi = abi_of(&python());
    let farm = farm(&abi);
    farm.index.offer(&Recipe::native("fitting", "1.0"));
    farm.index.offer(&Recipe::native("pinned", "1.0"));
    farm.piw(&["add", "fitting<2", "pinned==1.0"]);
    let _slave = farm.start_slave("board");
    farm.wait_for_state("fitting", &abi, "built");
    farm.wait_for_state("pinned", &abi, "built");
    for version in ["1.1", "2.0"] {
        farm.index.offer(&Recipe::native("fitting", version));
        farm.index.offer(&Recipe::native("pinned", version));
    }
    until(
        "the new release",
        || farm.logs(),
        || {
            let answer = why(&farm, "fitting");
            let state = version(&answer, "1.1")?["builds"][0]["state"].clone();
            (state == "built").then_some(())
        },
    );
    let answer = why(&farm, "fitting");
    assert!(version(&answer, "2.0").is_none(), "nobody asked for it: {answer}");
    assert!(version(&why(&farm, "pinned"), "1.1").is_none());
    assert!(farm.index.asked("/simple/pinned/") > 1, "it is followed all the same");
    assert_eq!(farm.crawl(), 3);
    farm.audit();
}

#[test]
fn what_the_index_removes_goes_page_first_and_a_yank_shows_with_its_reason() {
    let abi = abi_of(&python());
    let farm = farm(&abi);
    for version in ["1.0", "1.1"] {
        farm.index.offer(&Recipe::native("shrinking", version));
        farm.piw(&["add", &format!("shrinking=={version}")]);
    }
    farm.index.offer(&Recipe::native("vanishing", "1.0"));
    farm.piw(&["add", "vanishing"]);
    let _slave = farm.start_slave("board");
    until(
        "three files",
        || farm.logs(),
        // their rows: a file is in its place before it is recorded
        || (farm.count("SELECT count(*) FROM piw.file") == 3).then_some(()),
    );
    assert_eq!(farm.crawl(), 3);
    farm.index.yank("shrinking-1.1.tar.gz", "it <breaks> things");
    farm.index.withdraw("shrinking", "shrinking-1.0.tar.gz");
    farm.index.withdraw("vanishing", "vanishing-1.0.tar.gz");
    until("one file", || farm.logs(), || (published(&farm, "shrinking").len() == 1).then_some(()));
    until(
        "the reason on the page",
        || farm.logs(),
        || {
            let page = std::fs::read_to_string(farm.path("www/simple/shrinking/index.html")).ok()?;
            page.contains("data-yanked=\"it &lt;breaks&gt; things\"").then_some(())
        },
    );
    until("no file", || farm.logs(), || published(&farm, "vanishing").is_empty().then_some(()));
    assert!(!farm.path("www/simple/vanishing/index.html").exists(), "no page without files");
    assert_eq!(farm.crawl(), 1);
    let answer = why(&farm, "vanishing");
    assert!(answer["versions"][0]["why_not"].as_str().unwrap().contains("removed the project"), "{answer}");
    farm.audit();
}

#[test]
fn quarantine_stops_the_build_that_is_under_way_and_hides_the_page() {
    let farm = farm("cp311");
    farm.index.offer(&Recipe::native("evil", "1.0"));
    farm.piw(&["add", "evil"]);
    let mut slave = Peer::slave(farm.slave_port, "board", None);
    let (token, what) = slave.take_job();
    assert_eq!(what, "evil==1.0");
    farm.index.set_status("evil", "quarantined");
    assert_eq!(slave.hear_cancel(), token.build);
    let answer = why(&farm, "evil");
    assert!(answer["versions"][0]["why_not"].as_str().unwrap().contains("quarantine"), "{answer}");
    let refused = farm.piw_command(&["add", "evil==1.0"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(crate::kit::farm::text(&refused).contains("quarantine"));
}

#[test]
fn nothing_of_the_index_is_shadowed_unless_the_operator_wants_it() {
    let farm = farm("cp311");
    farm.index.offer(&Recipe::pure("served", "1.0"));
    farm.index.offer_wheel("served", "served-1.0-py3-none-any.whl");
    let said = farm.piw(&["add", "served"]);
    assert!(said.contains("is not built: the index has a wheel for every Python and platform"), "{said}");
    assert_eq!(farm.count("SELECT count(*) FROM piw.queue"), 0);
    farm.audit();
}
