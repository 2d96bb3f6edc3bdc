//! Handing out jobs.

use std::collections::HashSet;
use std::time::Instant;

use piwheels::master::oracle::{self, Session};
use piwheels::master::query::{Answer, Job, Logged, Outcome, Query};

use crate::farm::{Farm, LEASE_SECS, SETTLED, abi, connect, name, record, secret, version, wanted, wheel};

#[test]
fn a_job_is_the_version_that_was_asked_for_and_goes_to_one_slave_only() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp311");
    assert_eq!(
        (job.package.clone(), job.version.clone(), job.abi.clone()),
        (name("foo"), version("1.0"), abi("cp311"))
    );
    assert_eq!(job.attempt, 1);
    assert!(job.token.build.0 > 0);
    assert_eq!(farm.claim("cp311"), None);
}

#[test]
fn the_same_secret_gets_the_same_job_again() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.add("foo", "1.0");
    farm.add("bar", "1.0");
    let secret = secret();
    let job = farm.claim_with("cp311", secret);
    assert!(job.is_some());
    assert_eq!(farm.claim_with("cp311", secret), job);
    assert!(farm.job("cp311").package != job.unwrap().package, "another secret gets the other job");
}

#[test]
fn a_secret_whose_lease_has_ended_is_refused() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp311");
    farm.lose(&job);
    let again = Query::Claim {
        abi: abi("cp311"),
        slave: "pi".to_owned(),
        secret: job.token.secret,
        lease_secs: LEASE_SECS,
        class: 0,
    };
    assert!(farm.refusal(&again).contains("has ended"));
}

#[test]
fn nothing_is_handed_out_for_an_abi_that_is_unknown_or_skipped() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.add("foo", "1.0");
    assert_eq!(farm.claim("cp39"), None);
    farm.execute("UPDATE piw.abi SET skip = 'no more boards'");
    assert_eq!(farm.claim("cp311"), None);
    farm.execute("UPDATE piw.abi SET skip = NULL");
    farm.job("cp311");
}

#[test]
fn what_was_asked_for_first_is_built_first() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let lines = [("zope", "1.0"), ("foo", "1.9"), ("attrs", "2.0"), ("foo", "1.10"), ("zope", "0.9")];
    farm.add_all(lines.map(|(package, text)| wanted(package, text)).to_vec());
    farm.add("aaa", "9.0");
    farm.add_all(lines.map(|(package, text)| wanted(package, text)).to_vec());
    let order: Vec<_> = (0..6).map(|_| farm.job("cp311")).collect();
    let order: Vec<_> = order.iter().map(|job| (job.package.as_str(), job.version.to_string())).collect();
    let asked: Vec<_> = lines.into_iter().chain([("aaa", "9.0")]).map(|(p, v)| (p, v.to_owned())).collect();
    assert_eq!(order, asked, "asking again moves nothing back");
}

#[test]
fn what_nobody_asked_for_comes_last_and_newest_first() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.add_all(["1.9", "1.10", "1.2", "0.1"].map(|text| wanted("foo", text)).to_vec());
    farm.execute(
        "UPDATE piw.vstate SET asked = NULL;
         UPDATE piw.version SET released = to_timestamp(86400 * (CASE version WHEN '1.9' THEN 30 WHEN '1.2' THEN 20 ELSE 10 END));
         INSERT INTO piw.walk (kind, next_ver) VALUES ('judge', 0)",
    );
    farm.walk();
    farm.add("foo", "1.2");
    let order: Vec<String> = (0..4).map(|_| farm.job("cp311").version.to_string()).collect();
    assert_eq!(order, ["1.2", "1.10", "1.9", "0.1"]);
}

#[test]
fn eight_connections_never_get_one_job_twice() {
    const JOBS: usize = 400;
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.add_all((0..JOBS).map(|n| wanted(&format!("package-{n}"), "1.0")).collect());
    let claim_all = || {
        let mut client = connect(&farm.database);
        let mut jobs = Vec::new();
        while let Some(job) = claim(&mut client, "cp311") {
            jobs.push(job);
        }
        jobs
    };
    let jobs: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(claim_all)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let packages: HashSet<_> = jobs.iter().map(|job| &job.package).collect();
    let builds: HashSet<_> = jobs.iter().map(|job| job.token.build).collect();
    assert_eq!((jobs.len(), packages.len(), builds.len()), (JOBS, JOBS, JOBS));
}

#[test]
fn one_secret_on_eight_connections_at_once_is_one_job() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.add_all((0..20).map(|n| wanted(&format!("package-{n}"), "1.0")).collect());
    let secret = secret();
    let claim = || claim_with(&mut connect(&farm.database), "cp311", secret).unwrap().token.build;
    let builds: HashSet<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(claim)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(builds.len(), 1);
    assert_eq!(farm.number("SELECT count(*) FROM piw.lease", &[]), 1);
}

#[test]
fn eight_connections_claim_and_log_without_a_deadlock_or_a_gap() {
    const VERSIONS: usize = 160;
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add_all((0..VERSIONS).map(|n| wanted(&format!("package-{}", n % 10), &format!("1.{n}"))).collect());
    let build_all = || {
        let mut client = connect(&farm.database);
        let mut count = 0;
        loop {
            let Some(job) = claim(&mut client, "cp39").or_else(|| claim(&mut client, "cp311")) else {
                return count;
            };
            let files = vec![wheel(&job, job.abi.as_str(), job.abi.as_str())];
            let query = Query::LogBuild(Box::new(record(job.token, Outcome::Built, files)));
            let answer = oracle::execute(&mut client, &query).unwrap();
            assert!(matches!(answer, Answer::Logged(Logged::Recorded { .. })), "{answer:?}");
            count += 1;
        }
    };
    let built: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(build_all)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // a worker that found both queues empty for a moment stopped; what the others opened since is still there
    let mut rest = 0;
    while let Some(job) = farm.claim("cp311") {
        assert_eq!(farm.built(&job, &[("cp311", "cp311")]), SETTLED);
        rest += 1;
    }
    assert_eq!(built + rest, VERSIONS * 2);
    assert_eq!(farm.number("SELECT count(*) FROM piw.file", &[]), i64::try_from(VERSIONS * 2).unwrap());
}

#[test]
fn a_claim_reads_no_more_rows_from_a_long_queue_than_from_a_short_one() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.execute(
        "INSERT INTO piw.package (name, display) SELECT 'p' || n, 'p' || n FROM generate_series(1, 20000) n;
         INSERT INTO piw.version (pkg_id, version, sort_key, prerelease) SELECT pkg_id, '1', '\\x01', false FROM piw.package;
         INSERT INTO piw.vstate (ver_id, prio) SELECT ver_id, ver_id FROM piw.version;
         INSERT INTO piw.queue (ver_id, abi_id, prio, attempt, ready) SELECT ver_id, 1, ver_id, 1, true FROM piw.version",
    );
    let scans = "SELECT pg_stat_force_next_flush() IS NOT NULL";
    farm.client.query(scans, &[]).unwrap();
    let started = Instant::now();
    for _ in 0..100 {
        farm.job("cp311");
    }
    let elapsed = started.elapsed();
    eprintln!("100 claims of 20,000 queued took {elapsed:?}");
    farm.client.query(scans, &[]).unwrap();
    let read =
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relid = 'piw.queue'::regclass";
    let rows = farm.number(read, &[]);
    assert!((100..2_000).contains(&rows), "{rows} rows of the queue were read by 100 claims");
    farm.mend();
}

fn claim(client: &mut Session, tag: &str) -> Option<Job> {
    claim_with(client, tag, secret())
}

fn claim_with(client: &mut Session, tag: &str, secret: [u8; 16]) -> Option<Job> {
    let query =
        Query::Claim { abi: abi(tag), slave: "pi-1".to_owned(), secret, lease_secs: LEASE_SECS, class: 0 };
    match oracle::execute(client, &query).unwrap() {
        Answer::Claimed(job) => job,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_planned_while_the_farm_was_empty_reads_no_table_whole_when_it_is_not() {
    let mut farm = Farm::with_abis(&["cp311"]);
    assert_eq!(farm.claim("cp311"), None);
    for n in 0..40 {
        let wanted = (0..20).map(|m| wanted(&format!("p-{n}"), &format!("1.{m}")));
        farm.add_all(wanted.collect());
        for _ in 0..5 {
            let job = farm.job("cp311");
            farm.failed(&job);
        }
    }
    // what it read is counted when it is asked to say so
    farm.client.query("SELECT pg_stat_force_next_flush()", &[]).unwrap();
    farm.client.query("SELECT 1", &[]).unwrap();
    let read = "SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_user_tables \
                WHERE relname IN ('build', 'lease', 'queue', 'version', 'vstate', 'package')";
    let (rows, jobs) = (farm.number(read, &[]), farm.number("SELECT count(*) FROM piw.build", &[]));
    assert_eq!(jobs, 200);
    assert!(rows < 10 * jobs, "{rows} rows were read one after the other");
}
