//! A database and a web tree have one master at a time: the second is refused, one whose session is lost writes nothing until
//! it has its seat again, and one whose seat another has ends without costing a build.

use std::process::Command;
use std::time::Instant;

use piwheels::seat::{self, Lock};
use postgres::NoTls;

use crate::kit::account;
use crate::kit::cluster::{MASTER, SUPERUSER, Stop};
use crate::kit::farm::{Farm, abi_of, python, text};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

impl Farm {
    /// The command line of a master beside the first: with other addresses and another spool.
    fn second_master(&self, more: &[&str]) -> Command {
        let (spool, socket) = (self.path("run/spool"), self.path("run/second"));
        let mut command =
            self.master_command(&["--slave-queue", "tcp://127.0.0.1:0", "--file-queue", "tcp://127.0.0.1:0"]);
        command.arg("--spool-path").arg(spool);
        for queue in ["import", "status", "control"] {
            command.arg(format!("--{queue}-queue=ipc://{}-{queue}", socket.display()));
        }
        command.args(more);
        command
    }

    /// The server's process of the session that has the seat.
    fn seated(&self) -> Option<i32> {
        let holders = seat::holders(&mut self.database().superuser(), Lock::Seat).unwrap();
        assert!(holders.len() < 2, "{holders:?}");
        holders.first().map(|holder| holder.backend)
    }
}

fn refused(mut command: Command, words: &[&str]) {
    let output = command.output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
}

#[test]
fn a_second_master_and_an_upgrade_are_refused_while_the_first_lives_and_told_who_it_is() {
    let mut farm = Farm::start(&["cp311"], &[]);
    let first = format!("process {} on ", farm.master().pid());
    let www = farm.path("run/www");
    let elsewhere = ["-o", www.to_str().unwrap()];
    refused(farm.second_master(&elsewhere), &["the database has its master: piw-master", &first, "since 20"]);
    // another database, and the same web tree
    let other = farm.cluster.database().dsn(MASTER);
    let holder = format!("another piw-master (process {})", farm.master().pid());
    refused(farm.second_master(&["-d", &other]), &[&holder, "--output-path"]);

    farm.execute("UPDATE piw.meta SET schema_version = 1");
    let initdb = |farm: &Farm| {
        let program = account::runnable(env!("CARGO_BIN_EXE_piw-initdb"), &farm.path("bin"));
        let mut command = account::command(program);
        command.args(["-y", "-u", MASTER, "-d", &farm.database().dsn(SUPERUSER)]);
        command
    };
    refused(
        initdb(&farm),
        &["the database has its master: piw-master", &first, "stop it and run this again"],
    );
    farm.execute("UPDATE piw.meta SET schema_version = 2");

    // who is killed is in nobody's way
    farm.kill_master();
    let begun = Instant::now();
    farm.start_master();
    assert!(begun.elapsed().as_secs() < 30, "{}", farm.logs());
    assert_eq!(farm.piw(&["abi", "list"]).lines().count(), 1);
}

#[test]
fn what_a_killed_master_left_at_work_in_the_database_is_ended_by_the_next() {
    let mut farm = Farm::start(&["cp311"], &[]);
    // without one the next master orders it before it is ready, and would wait for the same
    until("a root index", || farm.logs(), || farm.path("www/simple/index.html").exists().then_some(()));
    // its sweep waits for this, and the session does not hear that its master is gone
    let mut blocker = farm.database().superuser();
    let mut lock = blocker.transaction().unwrap();
    lock.batch_execute("LOCK TABLE piw.stat_total, piw.stat_delta, piw.rewrite IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'farm'
        AND application_name LIKE 'piw-master%'";
    let waits = waits.replace("farm", MASTER);
    until("a session that waits", || farm.logs(), || (farm.count(&waits) > 0).then_some(()));
    farm.kill_master();
    let from = farm.path("log/master");
    let from = std::fs::read_to_string(from).unwrap().len();
    farm.start_master();
    farm.master()
        .wait_for_line(from, &["a session of a master before this one is ended: piw-master, process"]);
    lock.rollback().unwrap();
    farm.piw(&["stats"]);
}

#[test]
fn a_master_whose_database_is_restarted_takes_its_seat_again_and_loses_nothing() {
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("slow", "1.0").behind(&gate));
    let _slave = farm.start_slave("one");
    farm.piw(&["add", "slow"]);
    farm.wait_for_state("slow", &abi, "building");
    let before = farm.seated().expect("the master has its seat");
    farm.cluster.stop(Stop::Fast);
    farm.master().wait_for_line(0, &["the seat at the database is lost", "nothing is written"]);
    // it says so, to people and to scripts, without a database
    let asked = until(
        "broken",
        || farm.logs(),
        || {
            let output = farm.piw_command(&["status"]).output().unwrap();
            let said = text(&output);
            (said.starts_with("broken: ") && said.contains("the database does not answer")).then_some(output)
        },
    );
    assert_eq!(asked.status.code(), Some(1));
    let said = text(&asked);
    assert!(
        said.contains("the master has lost its seat at the database") && said.contains("1 build"),
        "{said}"
    );
    farm.open(&gate);
    farm.cluster.restart();
    farm.master().wait_for_line(0, &["the seat at the database is had again"]);
    farm.wait_for_state("slow", &abi, "built");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 1);
    // backends of a new server have new numbers, mostly
    let _ = before;
    assert!(farm.seated().is_some());
    farm.crawl();
    farm.audit();
}

#[test]
fn a_seat_that_only_its_session_lost_is_had_again_and_nobody_else_was_let_in() {
    let farm = Farm::start(&["cp311"], &[]);
    let before = farm.seated().unwrap();
    farm.execute(&format!("SELECT pg_terminate_backend({before})"));
    farm.master().wait_for_line(0, &["the seat at the database is had again"]);
    assert_ne!(farm.seated(), Some(before));
    let www = farm.path("run/www");
    refused(farm.second_master(&["-o", www.to_str().unwrap()]), &["the database has its master"]);
    farm.piw(&["stats"]);
}

#[test]
fn a_master_whose_seat_another_took_ends_and_its_builds_are_delivered_to_the_next() {
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("slow", "1.0").behind(&gate));
    let slave = farm.start_slave("one");
    farm.piw(&["add", "slow"]);
    farm.wait_for_state("slow", &abi, "building");

    // the other one waits in the server's own queue for the lock, so that it has it at the moment it is free
    let mut config = farm.database().config(MASTER);
    let name = seat::name(4711, "2026-01-31T23:59:59Z", "elsewhere");
    let mut other = config.application_name(&name).connect(NoTls).unwrap();
    let (space, number) = Lock::Seat.keys();
    let other = std::thread::spawn(move || {
        other.query_one("SELECT pg_advisory_lock($1, $2)", &[&space, &number]).unwrap();
        other
    });
    let queued = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    until("the other in the queue", || farm.logs(), || (farm.count(queued) > 0).then_some(()));
    let seated = farm.seated().unwrap();
    farm.execute(&format!("SELECT pg_terminate_backend({seated})"));
    let other = other.join().unwrap();
    let mut master = farm.master.take().unwrap();
    assert_eq!(master.wait(), 1, "{}", farm.logs());
    let line = master.wait_for_line(0, &["the database has another master"]);
    assert!(line.contains("piw-master, process 4711 on elsewhere, since 2026-01-31T23:59:59Z"), "{line}");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 0);

    // its place is taken by a master that finds the slave still building
    drop(other);
    farm.start_master();
    farm.open(&gate);
    let build = farm.wait_for_state("slow", &abi, "built");
    assert_eq!(build["attempts"].as_u64().unwrap_or(1), 1, "{build}");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 1);
    assert!(slave.log().contains("the master knows this slave as number"), "{}", slave.log());
    farm.crawl();
    farm.audit();
}
