//! Slaves that come back, and results that come late, twice, or from two slaves.

use piwheels::domain::{BuildId, JobToken, Sha256};
use piwheels::master::query::{AddedState, Adoption, FileRecord, Logged, Outcome, Query};

use crate::farm::{Farm, SETTLED, abi, opened, record, wheel};

fn with_wrong_secret(token: JobToken) -> JobToken {
    JobToken { secret: [0xee; 16], ..token }
}

#[test]
fn a_result_that_comes_twice_is_recorded_once() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    assert_eq!(farm.built(&job, &[("cp39", "cp39")]), opened("cp311"));
    assert_eq!(farm.built(&job, &[("cp39", "cp39")]), Logged::Duplicate);
    assert_eq!(farm.failed(&job), Logged::Duplicate);
    assert_eq!(farm.adopt(job.token), Adoption::Recorded);
    assert_eq!(farm.number("SELECT count(*) FROM piw.build", &[]), 1);
    assert_eq!(farm.number("SELECT sum(n)::bigint FROM piw.stat_delta WHERE kind LIKE 'build:%'", &[]), 1);
}

#[test]
fn a_wrong_secret_and_a_wrong_number_are_unknown_before_and_after() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    let strangers = [with_wrong_secret(job.token), JobToken { build: BuildId(999_999), ..job.token }];
    for recorded in [false, true] {
        if recorded {
            farm.failed(&job);
        }
        for token in strangers {
            assert_eq!(farm.adopt(token), Adoption::Unknown);
            assert_eq!(farm.release(token), None);
            let mut other = job.clone();
            other.token = token;
            assert_eq!(farm.failed(&other), Logged::Unknown);
        }
    }
    assert_eq!(farm.number("SELECT count(*) FROM piw.build", &[]), 1);
}

#[test]
fn a_slave_that_comes_back_in_time_goes_on() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.expire(&job);
    assert_eq!(farm.adopt(job.token), Adoption::Live(job.clone()));
    assert!(farm.sweep().expired.is_empty(), "the lease was renewed");
}

#[test]
fn a_slave_takes_its_job_up_again_while_nobody_else_has_it() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let queued = farm.job("cp39");
    farm.lose(&queued);
    assert_eq!(farm.adopt(queued.token), Adoption::Live(queued.clone()));
    assert_eq!(farm.claim("cp39"), None);
    farm.lose(&queued);
    let delayed = farm.job("cp39");
    farm.lose(&delayed);
    assert_eq!(farm.adopt(delayed.token), Adoption::Live(delayed.clone()));
    assert!(farm.wait_back_off().opened.is_empty());
    assert_eq!(farm.built(&delayed, &[("cp39", "cp39")]), SETTLED);
}

#[test]
fn a_slave_that_comes_back_when_another_builds_is_late() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let first = farm.job("cp39");
    farm.lose(&first);
    let second = farm.job("cp39");
    assert_eq!(farm.adopt(first.token), Adoption::Late(first.clone()));
    assert_eq!(farm.adopt(second.token), Adoption::Live(second));
}

#[test]
fn a_late_result_is_recorded_and_its_job_taken_out_of_the_queue() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.lose(&job);
    assert_eq!(farm.built(&job, &[("cp39", "cp39")]), opened("cp311"));
    assert_eq!(farm.claim("cp39"), None);

    farm.add("bar", "1.0");
    let first = farm.job("cp39");
    farm.lose(&first);
    let delayed = farm.job("cp39");
    farm.lose(&delayed);
    assert_eq!(farm.built(&first, &[("cp39", "cp39")]), opened("cp311"));
    assert!(farm.wait_back_off().opened.is_empty());
}

#[test]
fn of_two_slaves_the_first_to_finish_wins_with_its_files() {
    for late_one_wins in [true, false] {
        let mut farm = Farm::with_abis(&["cp39", "cp311"]);
        farm.add("foo", "1.0");
        let late = farm.job("cp39");
        farm.lose(&late);
        let live = farm.job("cp39");
        let (winner, loser) = if late_one_wins { (&late, &live) } else { (&live, &late) };
        assert_eq!(farm.built(winner, &[("cp39", "cp39")]), opened("cp311"));
        let ended = if late_one_wins { "superseded" } else { "expired" };
        assert_eq!(farm.texts("SELECT ended FROM piw.lease"), [ended]);
        assert_eq!(farm.adopt(loser.token), Adoption::Late(loser.clone()));
        assert_eq!(farm.built(loser, &[("cp39", "cp39")]), Logged::Superseded);
        assert_eq!(farm.built(loser, &[("cp39", "cp39")]), Logged::Duplicate);
        assert_eq!(farm.texts("SELECT outcome FROM piw.build ORDER BY outcome"), ["built", "superseded"]);
        let owner = farm.number("SELECT build_id FROM piw.file", &[]);
        assert_eq!(owner, winner.token.build.0);
        assert_eq!(farm.job("cp311").abi, abi("cp311"));
    }
}

#[test]
fn a_late_loss_takes_no_job_from_the_slave_that_has_it() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let late = farm.job("cp39");
    farm.lose(&late);
    let live = farm.job("cp39");
    assert_eq!(farm.log(&late, Outcome::LostTransfer, Vec::new()), Logged::Superseded);
    assert_eq!(farm.adopt(live.token), Adoption::Live(live.clone()));
    assert_eq!(farm.built(&live, &[("cp39", "cp39")]), SETTLED);
}

#[test]
fn a_job_that_was_written_off_is_late_and_its_result_still_counts() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let [_, second, .., last] = farm.lose_for_good("cp39");
    assert_eq!(farm.adopt(last.token), Adoption::Late(last.clone()));
    assert_eq!(farm.built(&last, &[("cp39", "cp39")]), SETTLED, "cp311 was open already");
    assert_eq!(farm.built(&second, &[("cp39", "cp39")]), Logged::Superseded);
    assert_eq!(farm.texts("SELECT outcome FROM piw.build ORDER BY outcome"), ["built", "superseded"]);
    farm.sweep();
    let totals = "SELECT kind FROM piw.stat_total WHERE kind LIKE 'build:%' AND n <> 0 ORDER BY kind";
    assert_eq!(farm.texts(totals), ["build:built", "build:superseded"]);
    farm.job("cp311");
}

#[test]
fn a_late_wheel_without_abi_takes_the_version_out_of_every_queue() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let [.., last] = farm.lose_for_good("cp39");
    assert_eq!(farm.built(&last, &[("py3", "none")]), SETTLED);
    assert_eq!(farm.claim("cp311"), None);
    assert_eq!(farm.add("foo", "1.0").state, AddedState::Built);
}

#[test]
fn a_published_name_keeps_its_row_for_the_same_bytes_and_refuses_others() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let first = farm.job("cp39");
    let file = wheel(&first, "cp37", "cp39");
    assert_eq!(farm.log(&first, Outcome::Built, vec![file.clone()]), opened("cp311"));
    let second = farm.job("cp311");
    let changed = FileRecord { sha256: Sha256::of(b"other bytes"), ..file.clone() };
    let query = Query::LogBuild(Box::new(record(second.token, Outcome::Built, vec![changed])));
    let refusal = farm.refusal(&query);
    assert!(refusal.contains(&file.filename) && refusal.contains("published already"), "{refusal}");
    assert_eq!(farm.adopt(second.token), Adoption::Live(second.clone()), "nothing of it was recorded");
    assert_eq!(farm.log(&second, Outcome::Built, vec![file]), SETTLED);
    assert_eq!(farm.number("SELECT build_id FROM piw.file", &[]), first.token.build.0);
    assert_eq!(farm.number("SELECT sum(n)::bigint FROM piw.stat_delta WHERE kind = 'file'", &[]), 1);
}
