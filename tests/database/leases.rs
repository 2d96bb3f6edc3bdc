//! Leases: renewed, run out, given back, swept.

use piwheels::domain::BuildId;
use piwheels::master::query::{Adoption, Answer, Outcome, Query};

use crate::farm::{Farm, SETTLED, abi, opened, record, wheel};

#[test]
fn a_lost_job_is_queued_again_at_once_and_then_ever_later() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    let swept = farm.lose(&job);
    assert_eq!(swept.expired, [(job.token.build, "pi-1".to_owned(), "foo 1.0".to_owned())]);
    assert_eq!((swept.opened, swept.more), (vec![abi("cp39")], false));
    for (attempt, seconds) in [(2, 60), (3, 120), (4, 240)] {
        let job = farm.job("cp39");
        assert_eq!(job.attempt, attempt);
        assert_eq!(farm.lose(&job).opened, []);
        assert_eq!(farm.claim("cp39"), None);
        let due =
            "SELECT round(extract(epoch FROM d.due - l.ended_at))::bigint FROM piw.delayed d, piw.lease l
                   WHERE l.build_id = $1";
        assert_eq!(farm.number(due, &[&job.token.build.0]), seconds);
        assert_eq!(farm.sweep().opened, [], "it is not due yet");
        assert_eq!(farm.wait_back_off().opened, [abi("cp39")]);
    }
    assert_eq!(farm.job("cp39").attempt, 5);
}

#[test]
fn the_fifth_loss_is_recorded_and_the_next_abi_opens() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    for attempt in 1..=5 {
        let job = farm.job("cp39");
        assert_eq!(job.attempt, attempt);
        let swept = farm.lose(&job);
        if attempt == 5 {
            assert_eq!(swept.opened, [abi("cp311")]);
        }
        farm.wait_back_off();
    }
    assert_eq!(farm.texts("SELECT outcome FROM piw.build"), ["lost-slave"]);
    assert_eq!(farm.job("cp311").attempt, 1);
    assert_eq!(farm.claim("cp39"), None);
}

#[test]
fn renewed_leases_do_not_run_out_and_unknown_or_ended_ones_are_passed_over() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for package in ["a", "b", "c"] {
        farm.add(package, "1.0");
    }
    let jobs = [farm.job("cp39"), farm.job("cp39"), farm.job("cp39")];
    farm.release(jobs[2].token);
    farm.expire(&jobs[0]);
    farm.expire(&jobs[1]);
    let builds = vec![jobs[0].token.build, jobs[2].token.build, BuildId(999_999)];
    farm.ask(&Query::Renew { builds, lease_secs: 60 });
    let expired: Vec<_> = farm.sweep().expired.into_iter().map(|(build, ..)| build).collect();
    assert_eq!(expired, [jobs[1].token.build]);
}

#[test]
fn a_renewal_never_shortens_a_lease() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    let expiry = "SELECT (extract(epoch FROM expires_at) * 1000)::bigint FROM piw.lease";
    let before = farm.number(expiry, &[]);
    farm.ask(&Query::Renew { builds: vec![job.token.build], lease_secs: 1 });
    assert_eq!(farm.number(expiry, &[]), before);
}

#[test]
fn a_job_that_is_given_back_is_queued_at_once_as_the_same_attempt() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.lose(&job);
    let job = farm.job("cp39");
    assert_eq!(job.attempt, 2);
    assert_eq!(farm.release(job.token), Some(abi("cp39")));
    assert_eq!(farm.release(job.token), Some(abi("cp39")), "asked twice");
    let again = farm.job("cp39");
    assert_eq!(again.attempt, 2);
    assert!(again.token.build > job.token.build);
    assert_eq!(farm.release(job.token), None, "another slave has it");
    assert_eq!(farm.claim("cp39"), None);
}

#[test]
fn a_job_of_an_abi_that_is_skipped_meanwhile_comes_back_as_the_next_abi() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("a", "1.0");
    farm.add("b", "1.0");
    let (given_back, lost) = (farm.job("cp39"), farm.job("cp39"));
    farm.execute("UPDATE piw.abi SET skip = 'no boards' WHERE tag = 'cp39'");
    assert_eq!(farm.release(given_back.token), Some(abi("cp311")));
    assert_eq!(farm.lose(&lost).opened, [abi("cp311")]);
}

#[test]
fn a_version_that_is_blocked_while_it_is_built_is_not_queued_again() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("a", "1.0");
    farm.add("b", "1.0");
    let (given_back, lost) = (farm.job("cp39"), farm.job("cp39"));
    farm.execute("UPDATE piw.version SET skip = 'broken'; SELECT piw._renew_newest(pkg_id) FROM piw.package");
    assert_eq!(farm.release(given_back.token), None);
    assert_eq!(farm.lose(&lost).opened, []);
    assert_eq!(farm.claim("cp39"), None);
}

#[test]
fn a_sweep_takes_500_leases_and_says_that_more_are_due() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.execute(
        "INSERT INTO piw.package (name, display) VALUES ('p', 'p');
         INSERT INTO piw.version (pkg_id, version, sort_key, prerelease)
             SELECT 1, n::text, int4send(n), false FROM generate_series(1, 501) n;
         INSERT INTO piw.vstate (ver_id, prio) SELECT ver_id, 0 FROM piw.version;
         INSERT INTO piw.lease (ver_id, abi_id, attempt, slave, secret, claimed_at, expires_at)
             SELECT ver_id, 1, 1, 'pi', int8send(0) || int8send(ver_id), now(), now() - interval '1 s' FROM piw.version",
    );
    let swept = farm.sweep();
    assert_eq!((swept.expired.len(), swept.more), (500, true));
    let swept = farm.sweep();
    assert_eq!((swept.expired.len(), swept.more), (1, false));
    assert!(farm.sweep().expired.is_empty());
    // the rows were made by hand
    farm.mend();
}

#[test]
fn ended_leases_are_forgotten_after_a_week() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.lose(&job);
    farm.execute("UPDATE piw.lease SET ended_at = ended_at - interval '6 days 23 hours'");
    farm.sweep();
    assert_eq!(farm.number("SELECT count(*) FROM piw.lease", &[]), 1);
    farm.execute("UPDATE piw.lease SET ended_at = ended_at - interval '2 hours'");
    farm.sweep();
    assert_eq!(farm.adopt(job.token), Adoption::Unknown);
}

#[test]
fn absurd_durations_and_sizes_stop_neither_the_counters_nor_the_leases() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for (package, absurd) in [("a", u64::MAX), ("b", i64::MAX.cast_unsigned()), ("c", 1)] {
        farm.add(package, "1.0");
        let job = farm.job("cp39");
        let mut file = wheel(&job, "py3", "none");
        file.size = i64::MAX.cast_unsigned();
        let mut record = record(job.token, Outcome::Built, vec![file]);
        (record.duration_ms, record.log_bytes) = (absurd, absurd);
        let answer = farm.ask(&Query::LogBuild(Box::new(record)));
        assert!(matches!(answer, Answer::Logged(SETTLED)), "{answer:?}");
    }
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    assert_eq!(farm.lose(&job).opened, [abi("cp39")]);
    let builds = "SELECT duration_ms || ' ' || log_bytes FROM piw.build ORDER BY build_id";
    assert_eq!(farm.texts(builds), ["2592000000 1099511627776", "2592000000 1099511627776", "1 1"]);
    let totals = "SELECT kind || ' ' || n || ' ' || amount FROM piw.stat_total WHERE kind ~ '^(build|file)' ORDER BY kind";
    assert_eq!(farm.texts(totals), ["build:built 3 5184000001", "file 3 27670116110564327421"]);
}

#[test]
fn counters_that_cannot_be_folded_keep_no_lease_alive() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.execute(
        "DELETE FROM piw.stat_delta; INSERT INTO piw.stat_delta VALUES ('file', 1, 1);
         ALTER TABLE piw.stat_total ADD CONSTRAINT odd CHECK (n < 0)",
    );
    assert_eq!(farm.lose(&job).opened, [abi("cp39")]);
    assert_eq!(farm.number("SELECT n FROM piw.stat_delta", &[]), 1, "nothing is lost");
    assert_eq!(farm.job("cp39").attempt, 2);
    farm.execute("ALTER TABLE piw.stat_total DROP CONSTRAINT odd");
    farm.mend();
}

#[test]
fn counters_are_folded_and_lose_nothing() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    assert_eq!(farm.built(&job, &[("cp39", "cp39")]), opened("cp311"));
    farm.sweep();
    let job = farm.job("cp311");
    farm.built(&job, &[("cp311", "cp311")]);
    farm.add("bar", "1.0");
    let job = farm.job("cp39");
    farm.log(&job, Outcome::Timeout, Vec::new());
    farm.sweep();
    let totals = "SELECT kind || ' ' || n || ' ' || amount FROM piw.stat_total WHERE kind ~ '^(build|file)' ORDER BY kind";
    assert_eq!(farm.texts(totals), ["build:built 2 3000", "build:timeout 1 1500", "file 2 2000"]);
    assert_eq!(farm.number("SELECT count(*) FROM piw.stat_delta", &[]), 0);
}
