//! Results that another attempt may mend: how often, and after what time, for each of them.

use piwheels::master::query::{AddedState, Adoption, Logged, Outcome};
use serde_json::json;

use crate::farm::{Farm, SETTLED, abi, opened};

const BACK_OFF: &str = "SELECT round(extract(epoch FROM d.due - b.built_at))::bigint
    FROM piw.delayed d, piw.build b WHERE b.build_id = $1";

#[test]
fn a_transfer_that_fails_is_tried_again_ever_later_and_the_fifth_is_final() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    for (attempt, seconds) in [(1, 30), (2, 60), (3, 120), (4, 240)] {
        let job = farm.job("cp39");
        assert_eq!(job.attempt, attempt);
        assert_eq!(farm.log(&job, Outcome::LostTransfer, Vec::new()), SETTLED, "no ABI is opened");
        assert_eq!(farm.number(BACK_OFF, &[&job.token.build.0]), seconds);
        assert_eq!(farm.adopt(job.token), Adoption::Recorded);
        assert_eq!(farm.log(&job, Outcome::LostTransfer, Vec::new()), Logged::Duplicate);
        assert_eq!((farm.claim("cp39"), farm.claim("cp311")), (None, None));
        assert_eq!(farm.audit(), Vec::<String>::new());
        assert_eq!(farm.wait_back_off().opened, [abi("cp39")]);
    }
    let job = farm.job("cp39");
    assert_eq!(farm.log(&job, Outcome::LostTransfer, Vec::new()), opened("cp311"));
    assert_eq!(farm.texts("SELECT outcome FROM piw.build"), ["lost-transfer"; 5]);
    assert_eq!(farm.claim("cp39"), None);
}

#[test]
fn each_outcome_has_its_attempts_and_waits_and_then_is_final() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    let rules: [(Outcome, &str, &[i64]); 12] = [
        (Outcome::LostTransfer, "lost-transfer", &[30, 60, 120, 240]),
        (Outcome::Network, "network", &[60, 240, 960, 3840]),
        (Outcome::Disk, "disk", &[60, 240, 960, 3840]),
        (Outcome::NoSdist, "upload-race", &[300, 600, 1200, 2400, 4800]),
        (Outcome::Timeout, "timeout", &[30]),
        (Outcome::Silence, "silence", &[30]),
        (Outcome::OutOfMemory, "out-of-memory", &[30]),
        (Outcome::DiskLimit, "disk-limit", &[30]),
        (Outcome::LogLimit, "log-limit", &[]),
        (Outcome::WheelLimit, "wheel-limit", &[]),
        (Outcome::ProcessLimit, "process-limit", &[]),
        (Outcome::Failed, "failed", &[]),
    ];
    for (outcome, recorded, waits) in rules {
        farm.add(recorded, "1.0");
        farm.execute("UPDATE piw.version SET released = clock_timestamp() - interval '1 hour'");
        for (attempt, seconds) in (1..).zip(waits) {
            let job = farm.job("cp39");
            assert_eq!(job.attempt, attempt, "{recorded}");
            assert_eq!(farm.log(&job, outcome, Vec::new()), SETTLED, "{recorded} {attempt}");
            assert_eq!(farm.number(BACK_OFF, &[&job.token.build.0]), *seconds, "{recorded} {attempt}");
            assert_eq!(farm.claim("cp39"), None, "{recorded} {attempt}");
            farm.wait_back_off();
        }
        let job = farm.job("cp39");
        assert_eq!(farm.log(&job, outcome, Vec::new()), opened("cp311"), "{recorded}");
        let job = farm.job("cp311");
        farm.built(&job, &[("cp311", "cp311")]);
        let build = &farm.why(recorded, None).unwrap()["versions"][0]["builds"][0];
        assert_eq!((&build["state"], &build["outcome"]), (&json!("failed"), &json!(recorded)));
    }
}

#[test]
fn a_source_distribution_that_is_missing_for_a_day_does_not_come() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for (package, released, state) in [
        ("young", "clock_timestamp() - interval '23 hours 59 minutes'", "delayed"),
        ("old", "clock_timestamp() - interval '24 hours 1 minute'", "failed"),
        ("unknown", "NULL", "failed"),
    ] {
        farm.add(package, "1.0");
        farm.execute(&format!("UPDATE piw.version SET released = {released}"));
        let job = farm.job("cp39");
        farm.log(&job, Outcome::NoSdist, Vec::new());
        let build = &farm.why(package, None).unwrap()["versions"][0]["builds"][0];
        assert_eq!(build["state"], json!(state), "{package}");
    }
    assert_eq!(
        farm.texts("SELECT outcome FROM piw.build ORDER BY build_id"),
        ["upload-race", "no-sdist", "no-sdist"]
    );
}

#[test]
fn attempts_are_counted_in_all_whatever_ended_them() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    for outcome in [Outcome::Network, Outcome::LostTransfer, Outcome::Disk] {
        let job = farm.job("cp39");
        farm.log(&job, outcome, Vec::new());
        farm.wait_back_off();
    }
    // the fourth: too late for a class that has two
    let job = farm.job("cp39");
    farm.log(&job, Outcome::OutOfMemory, Vec::new());
    assert_eq!(farm.number("SELECT count(*) FROM piw.delayed", &[]), 0);
    assert_eq!(farm.add("foo", "1.0").state, AddedState::Failed);
}

#[test]
fn a_good_board_mends_what_a_bad_one_spoilt() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let spoilt = farm.job("cp39");
    farm.log(&spoilt, Outcome::LostTransfer, Vec::new());
    farm.wait_back_off();
    let job = farm.job("cp39");
    assert_eq!(farm.built(&job, &[("cp39", "cp39")]), opened("cp311"));
    let build = &farm.why("foo", None).unwrap()["versions"][0]["builds"][0];
    assert_eq!((&build["state"], &build["attempt"]), (&json!("built"), &json!(2)));
}

#[test]
fn a_build_that_runs_out_of_time_is_tried_once_more() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    assert_eq!(farm.log(&job, Outcome::Timeout, Vec::new()), SETTLED);
    assert_eq!(farm.number(BACK_OFF, &[&job.token.build.0]), 30);
    farm.wait_back_off();
    let job = farm.job("cp39");
    assert_eq!(job.attempt, 2);
    assert_eq!(farm.log(&job, Outcome::Timeout, Vec::new()), opened("cp311"));
}

#[test]
fn why_says_how_the_attempt_before_ended() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.log(&job, Outcome::LostTransfer, Vec::new());
    let seen = |farm: &mut Farm| {
        let build = farm.why("foo", None).unwrap()["versions"][0]["builds"][0].take();
        (build["state"].clone(), build["outcome"].clone(), build["attempt"].clone(), build["due"].is_i64())
    };
    assert_eq!(seen(&mut farm), (json!("delayed"), json!("lost-transfer"), json!(2), true));
    assert_eq!(farm.add("foo", "1.0").state, AddedState::Queued);
    assert_eq!(seen(&mut farm), (json!("queued"), json!("lost-transfer"), json!(2), false));
}

#[test]
fn attempts_that_were_lost_count_with_transfers_that_failed() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    for attempt in 1..=5 {
        let job = farm.job("cp39");
        assert_eq!(job.attempt, attempt);
        if attempt % 2 == 0 {
            farm.log(&job, Outcome::LostTransfer, Vec::new());
        } else {
            farm.lose(&job);
        }
        farm.wait_back_off();
    }
    assert_eq!(farm.claim("cp39"), None);
    assert_eq!(farm.add("foo", "1.0").state, AddedState::Failed);
}

#[test]
fn a_late_failure_leaves_the_attempt_that_waits_already() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let first = farm.job("cp39");
    farm.lose(&first);
    let second = farm.job("cp39");
    farm.lose(&second);
    assert_eq!(farm.log(&first, Outcome::LostTransfer, Vec::new()), SETTLED);
    assert_eq!(farm.texts("SELECT outcome FROM piw.build"), ["lost-transfer"]);
    assert_eq!(farm.wait_back_off().opened, [abi("cp39")]);
    let third = farm.job("cp39");
    assert_eq!(third.attempt, 3);
    // the second board is late too, while the third builds: its failure ends nothing
    assert_eq!(farm.log(&second, Outcome::LostTransfer, Vec::new()), Logged::Superseded);
    assert_eq!(farm.adopt(third.token), Adoption::Live(third));
}

#[test]
fn a_late_timeout_takes_no_job_from_the_slave_that_has_it() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let late = farm.job("cp39");
    farm.lose(&late);
    let live = farm.job("cp39");
    assert_eq!(farm.log(&late, Outcome::Timeout, Vec::new()), Logged::Superseded);
    assert_eq!(farm.built(&live, &[("cp39", "cp39")]), SETTLED);
}

#[test]
fn a_late_wheel_counts_though_the_last_attempt_found_no_network() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let mut late = None;
    for _ in 0..4 {
        let job = farm.job("cp39");
        farm.lose(&job);
        farm.wait_back_off();
        late = Some(job);
    }
    let last = farm.job("cp39");
    assert_eq!(farm.log(&last, Outcome::Network, Vec::new()), opened("cp311"));
    assert_eq!(farm.built(&late.unwrap(), &[("cp39", "cp39")]), SETTLED, "cp311 waits already");
    let build = &farm.why("foo", None).unwrap()["versions"][0]["builds"][0];
    assert_eq!(build["state"], json!("built"));
}

#[test]
fn a_late_failure_of_the_board_takes_no_job_from_the_slave_that_has_it() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for (package, outcome) in [
        ("foo", Outcome::OutOfMemory),
        ("bar", Outcome::Timeout),
        ("baz", Outcome::Silence),
        ("bat", Outcome::DiskLimit),
    ] {
        farm.add(package, "1.0");
        let first = farm.job("cp39");
        farm.lose(&first);
        // its second attempt is the last of these outcomes, but not of lost slaves
        let late = farm.job("cp39");
        farm.lose(&late);
        farm.wait_back_off();
        let live = farm.job("cp39");
        assert_eq!(farm.log(&late, outcome, Vec::new()), Logged::Superseded, "{package}");
        assert_eq!(farm.built(&live, &[("cp39", "cp39")]), SETTLED, "{package}");
    }
}

#[test]
fn a_late_wheel_counts_though_the_attempt_after_it_failed() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    for (package, outcome) in [("foo", Outcome::LostTransfer), ("bar", Outcome::Timeout)] {
        farm.add(package, "1.0");
        let late = farm.job("cp39");
        farm.lose(&late);
        let live = farm.job("cp39");
        farm.expire(&live);
        // attempt 2 is a timeout's last: make it the first again, as a job that was given back has it
        farm.execute("UPDATE piw.lease SET attempt = 1");
        assert_eq!(farm.log(&live, outcome, Vec::new()), SETTLED);
        assert_eq!(farm.built(&late, &[("cp39", "cp39")]), opened("cp311"), "{package}");
        assert!(farm.wait_back_off().opened.is_empty(), "{package}");
        let build = &farm.why(package, None).unwrap()["versions"][0]["builds"][0];
        assert_eq!((&build["state"], &build["build_id"]), (&json!("built"), &json!(late.token.build.0)));
    }
}

#[test]
fn what_is_no_longer_wanted_is_not_tried_again() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    for package in ["skipped-abi", "blocked"] {
        farm.add(package, "1.0");
    }
    let (first, second) = (farm.job("cp39"), farm.job("cp39"));
    farm.execute("UPDATE piw.abi SET skip = 'no boards' WHERE tag = 'cp39'");
    assert_eq!(farm.log(&first, Outcome::LostTransfer, Vec::new()), opened("cp311"));
    farm.execute(
        "UPDATE piw.version SET skip = 'broken' WHERE ver_id = 2;
         SELECT piw._renew_newest(pkg_id) FROM piw.package",
    );
    assert_eq!(farm.log(&second, Outcome::LostTransfer, Vec::new()), SETTLED);
    assert_eq!(farm.number("SELECT count(*) FROM piw.delayed", &[]), 0);
    // no attempt is due: it failed for good
    for package in ["skipped-abi", "blocked"] {
        let build = &farm.why(package, None).unwrap()["versions"][0]["builds"][0];
        assert_eq!((&build["abi"], &build["state"]), (&json!("cp39"), &json!("failed")), "{package}");
    }
}

#[test]
fn a_loss_is_no_failure_where_another_wheel_serves_the_abi() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let [.., late] = farm.lose_for_good("cp39");
    let live = farm.job("cp311");
    farm.built(&late, &[("py3", "none")]);
    assert_eq!(farm.log(&live, Outcome::LostTransfer, Vec::new()), SETTLED);
    assert_eq!(farm.number("SELECT count(*) FROM piw.delayed", &[]), 0);
    let why = farm.why("foo", None).unwrap();
    let states: Vec<_> = (0..2).map(|n| &why["versions"][0]["builds"][n]["state"]).collect();
    assert_eq!(states, ["built", "settled"]);
}

#[test]
fn a_cancelled_build_is_final_until_somebody_asks_again() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    assert_eq!(farm.log(&job, Outcome::Cancelled, Vec::new()), opened("cp311"));
    assert_eq!(farm.claim("cp39"), None);
    let job = farm.job("cp311");
    assert_eq!(farm.log(&job, Outcome::Cancelled, Vec::new()), SETTLED);
    assert_eq!(farm.audit(), Vec::<String>::new());
    let state =
        |farm: &mut Farm| farm.why("foo", None).unwrap()["versions"][0]["builds"][0]["outcome"].clone();
    assert_eq!(state(&mut farm), json!("cancelled"));

    let added = farm.add("foo", "1.0");
    assert_eq!((added.state, added.queued_for), (AddedState::Queued, Some(abi("cp39"))));
    assert_eq!(farm.audit(), Vec::<String>::new());
    let job = farm.job("cp39");
    assert_eq!(farm.log(&job, Outcome::Failed, Vec::new()), opened("cp311"));
    let job = farm.job("cp311");
    assert_eq!(farm.built(&job, &[("cp311", "cp311")]), SETTLED);
    assert_eq!(farm.add("foo", "1.0").state, AddedState::Built, "nothing of it was cancelled any more");
}

#[test]
fn a_failed_build_is_not_opened_by_asking_for_what_was_cancelled() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.log(&job, Outcome::Failed, Vec::new());
    let job = farm.job("cp311");
    farm.log(&job, Outcome::Cancelled, Vec::new());
    assert_eq!(farm.add("foo", "1.0").queued_for, Some(abi("cp311")));
    assert_eq!(farm.claim("cp39"), None);
}

#[test]
fn a_late_cancelled_build_ends_no_other_slaves_lease() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let late = farm.job("cp39");
    farm.lose(&late);
    let job = farm.job("cp39");
    assert_eq!(farm.log(&late, Outcome::Cancelled, Vec::new()), Logged::Superseded);
    assert_eq!(farm.built(&job, &[("cp39", "cp39")]), SETTLED);
}
