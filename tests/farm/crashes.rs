//! What is killed or stopped in the middle loses nothing.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::kit::cluster::Stop;
use crate::kit::farm::{Farm, Running, abi_of, python};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

#[test]
fn a_slave_killed_in_mid_build_loses_its_job_to_another_when_the_lease_ends() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &["--lease", "3s"]);
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("stuck", "1.0").behind(&gate));
    let first = farm.start_slave("first");
    farm.piw(&["add", "stuck"]);
    let before = farm.wait_for_state("stuck", &abi, "building");
    assert_eq!(before["slave"], "first");
    until(
        "log of the first slave in the spool",
        || farm.logs(),
        || {
            let log = farm.path("spool").join(format!("b{}.log", before["build_id"]));
            std::fs::read_to_string(log).ok().filter(|log| log.contains("the backend begins"))
        },
    );
    let pid = first.pid();
    first.kill();
    let _second = farm.start_slave("second");
    until(
        "second lease",
        || farm.logs(),
        || farm.why("stuck", &abi).filter(|build| build["slave"] == "second" && build["state"] == "building"),
    );
    // the log of the first is there, as far as it came
    let log = farm.build_log(&before);
    assert!(
        log.contains("the backend begins") && log.contains("first was not heard from after this"),
        "{log}"
    );
    farm.open(&gate);
    let built = farm.wait_for_state("stuck", &abi, "built");
    assert_eq!(built["slave"], "second");
    assert_eq!(built["attempt"], 2, "{built} (the slave that was killed was process {pid})");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 1);
    assert_eq!(farm.crawl(), 1);
    farm.audit();
}

#[test]
fn a_master_killed_in_mid_build_takes_the_same_build_from_the_same_slave() {
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("patient", "1.0").behind(&gate));
    let slave = farm.start_slave("one");
    farm.piw(&["add", "patient"]);
    let before = farm.wait_for_state("patient", &abi, "building");
    // the build writes its log while the master is there, while it is away, and after
    until(
        "beginning of the log",
        || farm.logs(),
        || {
            let spool = std::fs::read_dir(farm.path("spool")).unwrap();
            spool.flatten().find(|entry| entry.file_name().to_string_lossy().ends_with(".log"))
        },
    );
    farm.kill_master();
    farm.open(&gate);
    slave.wait_for_line(0, &["no connection to the master"]);
    farm.start_master();
    let built = farm.wait_for_state("patient", &abi, "built");
    assert_eq!(built["build_id"], before["build_id"], "it is the same build");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 1);
    let log = farm.build_log(&built);
    assert!(log.contains("the backend begins"), "the log is whole, its beginning too: {log}");
    assert_eq!(built["log_bytes"].as_i64().unwrap() as usize, log.len());
    assert_eq!(farm.crawl(), 1);
    farm.audit();
}

/// A master that was killed when about half of a file of 96 MB was there, and the file in its spool.
fn killed_in_mid_transfer(abi: &str) -> (Farm, Running, PathBuf) {
    let mut farm = Farm::start(&[abi], &[]);
    farm.index.offer(&Recipe::native("heavy", "1.0").with_bytes(96 << 20));
    let slave = farm.start_slave("one");
    farm.piw(&["add", "heavy"]);
    let part = until(
        "transfer under way",
        || farm.logs(),
        || {
            let spool = std::fs::read_dir(farm.path("spool")).unwrap();
            let mut transfers = spool.flatten().filter(|e| e.file_name().to_string_lossy().ends_with(".whl"));
            transfers.find(|entry| entry.metadata().is_ok_and(|m| m.len() > 8 << 20))
        },
    );
    farm.kill_master();
    assert_eq!(farm.count("SELECT count(*) FROM piw.file"), 0, "the kill came before the commit");
    (farm, slave, part.path())
}

/// How many bytes the master believed of the spool when it started again.
fn believed(farm: &Farm) -> u64 {
    let line = farm.master().wait_for_line(0, &["bytes are there from before"]);
    let words: Vec<&str> = line.split_whitespace().collect();
    let of = words.iter().position(|word| *word == "of").unwrap();
    words[of - 1].parse().unwrap()
}

fn published_right(farm: &Farm, abi: &str) {
    let built = farm.wait_for_state("heavy", abi, "built");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 1);
    assert_eq!(farm.crawl(), 1);
    let published = std::fs::read_to_string(farm.path("www/simple/heavy/index.html")).unwrap();
    assert!(published.contains(built["files"][0]["sha256"].as_str().unwrap()));
    farm.audit();
    farm.wait_for_empty_spool();
}

#[test]
fn a_master_killed_in_mid_transfer_goes_on_with_what_is_there_and_publishes_the_right_bytes() {
    let abi = abi_of(&python());
    let (mut farm, _slave, part) = killed_in_mid_transfer(&abi);
    let there = part.metadata().unwrap().len();
    farm.start_master();
    published_right(&farm, &abi);
    let believed = believed(&farm);
    assert!(believed > 0 && believed <= there, "{believed} of {there} bytes were not asked for again");
}

#[test]
fn bytes_that_were_spoilt_while_the_master_was_down_are_not_believed() {
    let abi = abi_of(&python());
    let (mut farm, _slave, part) = killed_in_mid_transfer(&abi);
    let file = std::fs::OpenOptions::new().write(true).open(&part).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"not what the slave sent", 100_000).unwrap();
    let there = part.metadata().unwrap().len();
    farm.start_master();
    published_right(&farm, &abi);
    assert!(believed(&farm) < there, "the spoilt piece at least came again");
}

#[test]
fn a_database_that_stops_for_twenty_seconds_is_waited_for() {
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("during", "1.0").behind(&gate));
    farm.index.offer(&Recipe::native("after", "1.0"));
    let slave = farm.start_slave("one");
    farm.piw(&["add", "during"]);
    farm.wait_for_state("during", &abi, "building");
    farm.piw(&["add", "after"]);
    farm.cluster.stop(Stop::Immediate);
    let stopped = Instant::now();
    farm.open(&gate);
    slave.wait_for_line(0, &["ended: Built"]);
    // the slave has delivered what it can, and is told nothing that is not true
    while stopped.elapsed() < Duration::from_secs(20) {
        assert!(!slave.log().contains("is recorded"), "no DONE before the commit\n{}", slave.log());
        assert!(farm.master.as_mut().unwrap().is_running(), "the master waits\n{}", farm.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
    farm.cluster.restart();
    farm.wait_for_state("during", &abi, "built");
    farm.wait_for_state("after", &abi, "built");
    assert_eq!(farm.count("SELECT count(*) FROM piw.build"), 2);
    assert_eq!(farm.crawl(), 2);
    farm.audit();
}
