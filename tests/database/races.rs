//! Two calls at one moment, in the order that hurts: one is held open in its transaction while the other comes.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use piwheels::domain::AbiTag;
use piwheels::master::oracle;
use piwheels::master::query::{Adoption, Answer, Logged, Outcome, Query};

use crate::farm::{Farm, SETTLED, abi, connect, record, wanted, wheel};

const CLAIM: &str = "SELECT build_id, package FROM piw.claim('cp39', 'pi-2', '\\x22222222222222222222222222222222', 60, 0::smallint)";

impl Farm {
    /// Asks in a thread of its own, and returns when the question waits for somebody's lock.
    pub(crate) fn ask_and_wait_for_its_lock(&mut self, query: Query) -> JoinHandle<Answer> {
        let mut client = connect(&self.database);
        let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
        let asking = std::thread::spawn(move || oracle::execute(&mut client, &query).unwrap());
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'";
        let deadline = Instant::now() + Duration::from_secs(4);
        while self.number(waiting, &[&pid]) == 0 {
            assert!(Instant::now() < deadline && !asking.is_finished(), "it does not wait");
            std::thread::sleep(Duration::from_millis(2));
        }
        asking
    }
}

#[test]
fn a_claim_in_flight_is_neither_waited_for_nor_handed_out_again() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add_all(vec![wanted("foo", "1.0"), wanted("bar", "1.0")]);
    let mut other = connect(&farm.database);
    let mut flight = other.transaction().unwrap();
    let taken: String = flight.query_one(CLAIM, &[]).unwrap().get(1);
    assert_ne!(farm.job("cp39").package.as_str(), taken);
    assert_eq!(farm.claim("cp39"), None);
    flight.rollback().unwrap();
    assert_eq!(farm.job("cp39").package.as_str(), taken, "the claim came to nothing, the job is still there");
}

#[test]
fn a_late_result_that_meets_a_claim_in_flight_wins_over_it() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let late = farm.job("cp39");
    farm.lose(&late);
    let mut other = connect(&farm.database);
    let mut flight = other.transaction().unwrap();
    let second: i64 = flight.query_one(CLAIM, &[]).unwrap().get(0);
    let files = vec![wheel(&late, "cp39", "cp39")];
    let log = Query::LogBuild(Box::new(record(late.token, Outcome::Built, files)));
    let logging = farm.ask_and_wait_for_its_lock(log);
    flight.commit().unwrap();
    let answer = logging.join().unwrap();
    assert!(matches!(&answer, Answer::Logged(logged) if *logged == SETTLED), "{answer:?}");
    assert_eq!(farm.texts(&format!("SELECT ended FROM piw.lease WHERE build_id = {second}")), ["superseded"]);
}

#[test]
fn one_result_that_comes_twice_at_one_moment_is_recorded_once() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    let log = Query::LogBuild(Box::new(record(job.token, Outcome::Failed, Vec::new())));
    let mut superuser = farm.database.superuser();
    let mut lock = superuser.transaction().unwrap();
    lock.batch_execute("SELECT FROM piw.lease FOR UPDATE").unwrap();
    let first = farm.ask_and_wait_for_its_lock(log.clone());
    let second = farm.ask_and_wait_for_its_lock(log);
    lock.commit().unwrap();
    let answers = [first.join().unwrap(), second.join().unwrap()];
    let recorded = answers.iter().filter(|a| matches!(a, Answer::Logged(Logged::Recorded { .. }))).count();
    let duplicate = answers.iter().filter(|a| matches!(a, Answer::Logged(Logged::Duplicate))).count();
    assert_eq!((recorded, duplicate), (1, 1), "{answers:?}");
}

#[test]
fn a_version_and_an_abi_that_are_added_at_one_moment_find_each_other() {
    let mut farm = Farm::with_abis(&[]);
    let mut other = connect(&farm.database);
    let mut flight = other.transaction().unwrap();
    let add = "SELECT * FROM piw.add_versions('{foo}', '{foo}', '{1.0}', '{x}', '{1}', '{NULL}', '{f}', \
               '{f}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', false)";
    flight.batch_execute(add).unwrap();
    let adding =
        farm.ask_and_wait_for_its_lock(Query::AddAbi { abi: abi("cp39"), rank: 1, platforms: vec![] });
    flight.commit().unwrap();
    assert!(matches!(adding.join().unwrap(), Answer::AbiAdded(true, _)));
    farm.walk();
    farm.job("cp39");
}

#[test]
fn an_abi_that_is_added_while_the_last_result_comes_in_is_opened() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    let mut other = connect(&farm.database);
    let mut flight = other.transaction().unwrap();
    flight.batch_execute("SELECT piw.add_abi('cp311', 20::smallint, '{}')").unwrap();
    let logging = farm.ask_and_wait_for_its_lock(Query::LogBuild(Box::new(record(
        job.token,
        Outcome::Failed,
        Vec::new(),
    ))));
    flight.commit().unwrap();
    let Answer::Logged(Logged::Recorded { opened }) = logging.join().unwrap() else { panic!() };
    assert_eq!(opened.as_ref().map(AbiTag::as_str), Some("cp311"));
}

#[test]
fn a_lease_that_is_being_reported_is_not_swept() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.expire(&job);
    let mut superuser = farm.database.superuser();
    let mut report = superuser.transaction().unwrap();
    report.batch_execute("SELECT FROM piw.lease FOR UPDATE").unwrap();
    assert!(farm.sweep().expired.is_empty());
    report.commit().unwrap();
    assert_eq!(farm.adopt(job.token), Adoption::Live(job));
}
