//! Log files are renamed beneath running programs, which go on in new ones at SIGHUP; no line is lost.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::kit::farm::{Farm, abi_of, python};
use crate::kit::sdist::Recipe;
use crate::kit::wait::until;

const ANEW: &str = "the log file is opened anew";

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn wait_for(path: &Path, words: &str) {
    until(words, || read(path), || read(path).contains(words).then_some(()));
}

/// A farm whose master logs to this file.
fn farm(abi: &str) -> (Farm, PathBuf) {
    let dir = tempfile::Builder::new().prefix("piw-log-").tempdir_in("/tmp").unwrap().keep();
    crate::kit::account::give(&dir);
    let log = dir.join("master.log");
    (Farm::start(&[abi], &["-l", log.to_str().unwrap()]), log)
}

#[test]
fn a_masters_log_that_is_rotated_at_work_loses_no_line() {
    let (farm, log) = farm("cp311");
    const ROUNDS: usize = 12;
    let kept = |round: usize| log.with_extension(round.to_string());
    std::thread::scope(|scope| {
        // each order is a line
        let orders = scope.spawn(|| (0..ROUNDS * 4).for_each(|_| drop(farm.piw(&["pause"]))));
        for round in 0..ROUNDS {
            fs::rename(&log, kept(round)).unwrap();
            farm.master().signal(Signal::SIGHUP);
            wait_for(&log, ANEW);
        }
        orders.join().unwrap();
    });
    let count = || {
        let all: String = (0..ROUNDS).map(|round| read(&kept(round))).collect::<String>() + &read(&log);
        all.matches("orders a pause").count()
    };
    until("every line", || farm.logs(), || (count() == ROUNDS * 4).then_some(()));
    // the keys were read each time, too
    farm.master().wait_for_line(0, &["the keys were read again"]);
    fs::remove_dir_all(log.parent().unwrap()).unwrap();
}

#[test]
fn a_log_that_cannot_be_opened_anew_goes_on_in_the_old_file_and_says_so() {
    let (farm, log) = farm("cp311");
    let old = log.with_extension("1");
    fs::rename(&log, &old).unwrap();
    fs::create_dir(&log).unwrap();
    farm.master().signal(Signal::SIGHUP);
    wait_for(&old, "cannot open log file");
    farm.piw(&["pause"]);
    wait_for(&old, "orders a pause");
    farm.master().wait_for_line(0, &["cannot open log file", "lines go on to the one that was open"]);
    // people hear of it, too
    let status = farm.piw(&["status"]);
    assert!(status.contains("error        ") && status.contains("cannot open log file"), "{status}");
    fs::remove_dir(&log).unwrap();
    farm.master().signal(Signal::SIGHUP);
    wait_for(&log, ANEW);
    fs::remove_dir_all(log.parent().unwrap()).unwrap();
}

#[test]
fn a_slave_that_builds_goes_on_in_a_new_log() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("slow", "1.0").behind(&gate));
    let log = farm.path("run/slave.log");
    let slave = farm.start_slave_with("one", &python(), &["-l", log.to_str().unwrap()]);
    farm.piw(&["add", "slow"]);
    farm.wait_for_state("slow", &abi, "building");
    let old = log.with_extension("1");
    fs::rename(&log, &old).unwrap();
    slave.signal(Signal::SIGHUP);
    wait_for(&log, ANEW);
    assert_eq!(farm.why("slow", &abi).unwrap()["state"], "building");
    farm.open(&gate);
    farm.wait_for_state("slow", &abi, "built");
    assert!(!read(&old).contains(ANEW) && read(&log).lines().count() > 1, "{}", read(&log));
}

#[test]
fn a_logger_on_a_pipe_goes_on_in_a_new_log() {
    let farm = Farm::start(&["cp311"], &[]);
    let log = farm.path("run/logger.log");
    let mut logger = farm
        .logger_command(&["-l", log.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = logger.stdin.take().unwrap();
    writeln!(pipe, "no line of a log").unwrap();
    wait_for(&log, "line 1: passed over");
    let old = log.with_extension("1");
    fs::rename(&log, &old).unwrap();
    kill(Pid::from_raw(logger.id() as i32), Signal::SIGHUP).unwrap();
    wait_for(&log, ANEW);
    writeln!(pipe, "nor is this").unwrap();
    wait_for(&log, "line 2: passed over");
    drop(pipe);
    logger.wait().unwrap();
    assert!(!read(&old).contains("line 2"), "{}", read(&old));
}
