//! The server stops, crashes and comes back: what was acknowledged is there, and the oracle says when to ask again.

use piwheels::master::oracle::{self, Failure};
use piwheels::master::query::{Answer, Logged, Outcome, Query};

use crate::farm::{LEASE_SECS, abi, connect, record, secret, wanted, wheel};
use crate::kit::cluster::{Cluster, Database, Stop};

fn ask(database: &Database<'_>, query: &Query) -> Answer {
    oracle::execute(&mut connect(database), query).unwrap()
}

#[test]
fn an_acknowledged_build_survives_a_crash_and_a_session_that_broke_is_to_ask_again() {
    let mut cluster = Cluster::start(true);
    let name = {
        let database = cluster.database();
        ask(&database, &Query::AddAbi { abi: abi("cp39"), rank: 1 });
        ask(&database, &Query::AddVersions(vec![wanted("foo", "1.0")]));
        database.name
    };
    let claim =
        Query::Claim { abi: abi("cp39"), slave: "pi".to_owned(), secret: secret(), lease_secs: LEASE_SECS };
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
