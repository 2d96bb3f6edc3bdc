//! What people are told about a package.

use serde_json::json;

use crate::farm::{Farm, wanted};

fn states(builds: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    builds.as_array().unwrap().iter().map(|build| (text(&build["abi"]), text(&build["state"]))).collect()
}

#[test]
fn what_the_farm_does_not_know_has_no_answer() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    assert_eq!(farm.why("bar", None), None);
    assert_eq!(farm.why("foo", Some("2.0")), None);
    assert_eq!(farm.why("foo", Some("1.0.0")).unwrap()["versions"][0]["version"], "1.0");
}

#[test]
fn a_built_version_is_shown_with_its_attempt_and_files() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("Foo", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("py3", "none")]);
    let mut why = farm.why("foo", None).unwrap();
    let build = &mut why["versions"][0]["builds"][0];
    assert!(build["built_at"].take().as_i64().unwrap() > 1_600_000_000);
    assert!(build["files"][0]["sha256"].take().as_str().unwrap().len() == 64);
    assert_eq!(
        why,
        json!({"package": "foo", "display": "Foo", "skip": null, "refused": [], "versions": [
            {"version": "1.0", "yanked": null, "skip": null, "why_not": null, "checked": true, "builds": [
                {"abi": "cp39", "state": "built", "outcome": "built", "build_id": job.token.build.0, "slave": "pi-1",
                 "since": null, "built_at": null, "duration_ms": 1500, "log_bytes": 2000, "attempt": 1, "place": null, "due": null, "reason": null,
                 "report": null, "files": [{"filename": "foo-1.0-py3-none-any.whl", "build_id": 1, "size": 1000, "sha256": null, "python_tag": "py3",
                            "abi_tag": "none", "platform_tag": "any"}]},
                {"abi": "cp311", "state": "settled", "outcome": null, "build_id": null, "slave": null,
                 "since": null, "built_at": null, "duration_ms": null, "log_bytes": null, "attempt": null, "place": null, "due": null, "reason": null,
                 "report": null, "files": []},
            ]},
        ]})
    );
}

#[test]
fn every_state_of_an_abi_has_its_word() {
    let mut farm = Farm::with_abis(&["cp39", "cp311", "cp312"]);
    farm.add("foo", "1.0");
    let seen =
        |farm: &mut Farm| states(&farm.why("foo", None).unwrap()["versions"][0]["builds"])[0].1.clone();
    assert_eq!(seen(&mut farm), "queued");
    let job = farm.job("cp39");
    assert_eq!(seen(&mut farm), "building");
    let since = farm.why("foo", None).unwrap()["versions"][0]["builds"][0]["since"].as_i64();
    assert!(since.is_some_and(|at| at > 1_600_000_000));
    farm.lose(&job);
    let job = farm.job("cp39");
    farm.lose(&job);
    assert_eq!(seen(&mut farm), "delayed");
    let due = farm.why("foo", None).unwrap()["versions"][0]["builds"][0]["due"].as_i64();
    assert!(due.is_some());
    farm.wait_back_off();
    let job = farm.job("cp39");
    farm.failed(&job);
    let all = states(&farm.why("foo", None).unwrap()["versions"][0]["builds"]);
    let all: Vec<_> = all.iter().map(|(abi, state)| (abi.as_str(), state.as_str())).collect();
    assert_eq!(all, [("cp39", "failed"), ("cp311", "queued"), ("cp312", "waiting")]);
}

#[test]
fn versions_come_newest_first_and_queued_ones_know_their_place() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add_all(["1.9", "1.10", "1.2"].map(|text| wanted("foo", text)).to_vec());
    let why = farm.why("foo", None).unwrap();
    let versions = why["versions"].as_array().unwrap();
    let shown: Vec<_> = versions.iter().map(|v| (&v["version"], &v["builds"][0]["place"])).collect();
    assert_eq!(shown, [(&json!("1.10"), &json!(2)), (&json!("1.9"), &json!(1)), (&json!("1.2"), &json!(3))]);
}

#[test]
fn of_two_results_the_one_that_counted_is_shown() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let first = farm.job("cp39");
    farm.lose(&first);
    let second = farm.job("cp39");
    farm.built(&first, &[("cp39", "cp39")]);
    farm.built(&second, &[("cp39", "cp39")]);
    let build = &farm.why("foo", None).unwrap()["versions"][0]["builds"][0];
    assert_eq!((&build["state"], &build["build_id"]), (&json!("built"), &json!(first.token.build.0)));
}

#[test]
fn a_skipped_package_says_why_and_waits_for_nothing() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    farm.execute(
        "UPDATE piw.package SET skip = 'too big'; UPDATE piw.vstate SET blocked = true; DELETE FROM piw.queue",
    );
    let why = farm.why("foo", None).unwrap();
    assert_eq!((&why["skip"], &why["versions"][0]["builds"]), (&json!("too big"), &json!([])));
}
