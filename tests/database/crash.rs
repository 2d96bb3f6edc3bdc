//! The server stops, crashes and comes back: what was acknowledged is there, and the oracle says when to ask again.

use piwheels::domain::JobToken;
use piwheels::master::oracle::{self, Failure, Session};
use piwheels::master::query::{Adoption, Answer, Job, Logged, Outcome, Query};

use crate::farm::{Farm, LEASE_SECS, SETTLED, abi, connect, record, secret, wanted, wheel};
use crate::kit::cluster::{Cluster, Database, Stop};

fn ask(database: &Database<'_>, query: &Query) -> Answer {
    oracle::execute(&mut connect(database), query).unwrap()
}

fn claim(database: &Database<'_>) -> Job {
    let query = Query::Claim {
        abi: abi("cp39"),
        slave: "pi".to_owned(),
        secret: secret(),
        lease_secs: LEASE_SECS,
        class: 0,
    };
    let Answer::Claimed(Some(job)) = ask(database, &query) else { panic!("nothing is queued") };
    job
}

fn is_known(database: &Database<'_>, token: JobToken) -> bool {
    let query = Query::Adopt { token, slave: "pi".to_owned(), lease_secs: LEASE_SECS };
    let Answer::Adopted(adoption) = ask(database, &query) else { panic!() };
    adoption != Adoption::Unknown
}

/// Claims a job and crashes before the claim reaches the disk. The server writes it within 10 s, so that on a slow
/// machine it takes another try.
fn claim_and_lose_it(cluster: &mut Cluster, name: &str) -> Job {
    let database = cluster.reopen(name);
    database.superuser().batch_execute("ALTER SYSTEM SET wal_writer_delay = '10s'").unwrap();
    for _ in 0..10 {
        // whatever a crash leaves to the first claim after it is done by this one
        let first = claim(&cluster.reopen(name));
        ask(&cluster.reopen(name), &Query::Release(first.token));
        cluster.stop(Stop::Fast);
        cluster.restart();
        let job = claim(&cluster.reopen(name));
        cluster.stop(Stop::Immediate);
        cluster.restart();
        if !is_known(&cluster.reopen(name), job.token) {
            return job;
        }
        ask(&cluster.reopen(name), &Query::Release(job.token));
    }
    panic!("every claim reached the disk before the crash");
}

#[test]
fn a_build_number_that_a_crash_took_back_is_not_handed_out_again() {
    let mut cluster = Cluster::start(true);
    let name = {
        let database = cluster.database();
        ask(&database, &Query::AddAbi { abi: abi("cp39"), rank: 1, platforms: vec![] });
        ask(
            &database,
            &Query::AddVersions { wanted: vec![wanted("foo", "1.0"), wanted("bar", "1.0")], deps: false },
        );
        database.name
    };
    let lost = claim_and_lose_it(&mut cluster, &name);
    let database = cluster.reopen(&name);
    let jobs = [claim(&database), claim(&database)];
    assert!(jobs[0].token.build.0 > lost.token.build.0 + 1000, "{lost:?} {jobs:?}");
    assert_eq!(jobs[1].token.build.0, jobs[0].token.build.0 + 1, "they are left out once");
}

#[test]
fn a_token_of_a_claim_that_was_lost_is_unknown_even_if_its_number_came_again() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let lost = farm.job("cp39");
    farm.execute(&format!(
        "INSERT INTO piw.queue SELECT ver_id, abi_id, 0, attempt, true FROM piw.lease;
         UPDATE piw.queue q SET prio = s.prio FROM piw.vstate s WHERE s.ver_id = q.ver_id;
         DELETE FROM piw.lease; SELECT setval('piw.build_id_seq', {}, false)",
        lost.token.build
    ));
    let job = farm.job("cp39");
    assert_eq!(job.token.build, lost.token.build);
    for recorded in [false, true] {
        assert_eq!(farm.adopt(lost.token), Adoption::Unknown);
        assert_eq!(farm.release(lost.token), None);
        assert_eq!(farm.failed(&lost), Logged::Unknown);
        if !recorded {
            assert_eq!(farm.adopt(job.token), Adoption::Live(job.clone()));
            assert_eq!(farm.built(&job, &[("py3", "none")]), SETTLED);
        }
    }
    assert_eq!(farm.texts("SELECT outcome FROM piw.build"), ["built"]);
}

#[test]
fn an_acknowledged_build_survives_a_crash_and_a_session_that_broke_is_to_ask_again() {
    let mut cluster = Cluster::start(true);
    let name = {
        let database = cluster.database();
        ask(&database, &Query::AddAbi { abi: abi("cp39"), rank: 1, platforms: vec![] });
        ask(&database, &Query::AddVersions { wanted: vec![wanted("foo", "1.0")], deps: false });
        database.name
    };
    let claim = Query::Claim {
        abi: abi("cp39"),
        slave: "pi".to_owned(),
        secret: secret(),
        lease_secs: LEASE_SECS,
        class: 0,
    };
    let Answer::Claimed(Some(job)) = ask(&cluster.reopen(&name), &claim) else { panic!() };
    let log = Query::LogBuild(Box::new(record(job.token, Outcome::Built, vec![wheel(&job, "py3", "none")])));
    let mut session = connect(&cluster.reopen(&name));
    let answer = oracle::execute(&mut session, &log).unwrap();
    assert!(matches!(answer, Answer::Logged(Logged::Recorded { .. })), "{answer:?}");

    cluster.stop(Stop::Immediate);
    let failure = oracle::execute(&mut session, &Query::Abis).unwrap_err();
    assert!(matches!(failure, Failure::Again(_)), "{failure:?}");
    cluster.restart();
    assert!(matches!(ask(&cluster.reopen(&name), &log), Answer::Logged(Logged::Duplicate)));
    let audit = connect(&cluster.reopen(&name)).query("SELECT * FROM piw.audit()", &[]).unwrap();
    assert!(audit.is_empty());

    cluster.stop(Stop::Fast);
    cluster.restart();
    assert!(matches!(ask(&cluster.reopen(&name), &log), Answer::Logged(Logged::Duplicate)));
}

#[test]
fn a_call_that_waits_too_long_is_to_be_asked_again() {
    let database = Cluster::shared().database();
    let mut superuser = database.superuser();
    let mut lock = superuser.transaction().unwrap();
    lock.batch_execute("LOCK TABLE piw.abi IN ACCESS EXCLUSIVE MODE").unwrap();
    let mut session = connect(&database);
    session.batch_execute("SET statement_timeout = '100ms'").unwrap();
    let failure = oracle::execute(&mut session, &Query::Abis).unwrap_err();
    assert!(matches!(&failure, Failure::Again(text) if text.contains("timeout")), "{failure:?}");
    lock.rollback().unwrap();
    assert!(matches!(oracle::execute(&mut session, &Query::Abis), Ok(Answer::Abis(_))));
}

#[test]
fn functions_that_are_replaced_under_a_session_are_asked_anew() {
    let database = Cluster::shared().database();
    let mut superuser = database.superuser();
    let mut session = connect(&database);
    let asked = |session: &mut Session| oracle::execute(session, &Query::OrderHome);
    assert!(matches!(asked(&mut session), Ok(Answer::HomeOrdered)));
    // what the session has planned gives another kind of answer now
    superuser
        .batch_execute(
            "DROP FUNCTION piw.order_home();
             CREATE FUNCTION piw.order_home() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        )
        .unwrap();
    assert!(matches!(asked(&mut session), Err(Failure::Again(_))), "what was planned does not fit any more");
    assert!(matches!(asked(&mut session), Ok(Answer::HomeOrdered)), "it is planned anew");
}
