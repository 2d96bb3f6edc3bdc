//! A running farm is watched and commanded: `piw slaves`, `pause`, `resume`, `kill`, `skip-build`, `sleep`, `wake`, `quit`.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use bytes::BytesMut;
use piwheels::wire::slave::{FromSlave, ToSlave};
use piwheels::wire::status::FromMonitor;
use piwheels::wire::{Channel, Preamble};
use serde_json::Value;

use crate::kit::account;
use crate::kit::farm::{Farm, abi_of, python, text};
use crate::kit::peer::Peer;
use crate::kit::sdist::Recipe;
use crate::kit::wait::{PATIENCE, until};

fn slaves(farm: &Farm) -> Vec<Value> {
    let picture: Value = serde_json::from_str(&farm.piw(&["slaves", "--json"])).unwrap();
    picture["slaves"].as_array().unwrap().clone()
}

fn mode(farm: &Farm) -> String {
    let picture: Value = serde_json::from_str(&farm.piw(&["slaves", "--json"])).unwrap();
    picture["master"]["mode"].as_str().unwrap().to_owned()
}

/// Waits until a slave is in a state; how it is shown then.
fn wait_for(farm: &Farm, label: &str, state: &str) -> Value {
    let found = || slaves(farm).into_iter().find(|slave| slave["label"] == label && slave["state"] == state);
    until(&format!("slave {label} {state}"), || farm.logs(), found)
}

fn refused(farm: &Farm, arguments: &[&str], code: i32, words: &[&str]) {
    let output = farm.piw_command(arguments).output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
}

/// A slave that sleeps, for there is nothing to build.
fn idle(farm: &Farm, label: &str) -> Peer {
    let mut peer = Peer::slave(farm.slave_port, label, None);
    peer.say(&FromSlave::Idle {});
    assert!(matches!(peer.hear(), Some(ToSlave::Sleep { .. })));
    peer
}

#[test]
fn a_paused_farm_hands_nothing_out_and_a_resumed_one_at_once() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    farm.index.offer(&Recipe::native("early", "1.0"));
    farm.index.offer(&Recipe::native("late", "1.0"));
    let _slave = farm.start_slave("one");
    wait_for(&farm, "one", "asleep");
    assert!(farm.piw(&["pause"]).contains("1 slave"), "{}", farm.logs());
    assert_eq!(mode(&farm), "paused");
    farm.piw(&["add", "early"]);
    // a slave that comes to a paused farm asks, and gets nothing, although there is a job
    let other = farm.start_slave("two");
    wait_for(&farm, "two", "asleep");
    assert_eq!(farm.why("early", &abi).unwrap()["state"], "queued");
    assert!(other.log().contains("the master knows this slave as number"));
    let before = std::time::Instant::now();
    farm.piw(&["resume"]);
    farm.wait_for_state("early", &abi, "built");
    // a sleeping slave asks by itself after 30 s only
    assert!(before.elapsed().as_secs() < 25, "{}", farm.logs());
    farm.master().wait_for_line(0, &["process", "of user", "orders a pause"]);
    farm.crawl();
    farm.audit();
}

#[test]
fn a_build_that_is_skipped_keeps_its_log_and_the_slave_takes_the_next_job() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    let gate = farm.gate("never");
    farm.index.offer(&Recipe::native("endless", "1.0").behind(&gate));
    farm.index.offer(&Recipe::native("next", "1.0"));
    let slave = farm.start_slave("one");
    farm.piw(&["add", "endless"]);
    farm.wait_for_state("endless", &abi, "building");
    farm.piw(&["add", "next"]);
    let shown = wait_for(&farm, "one", "building");
    assert_eq!(shown["job"]["package"], "endless");
    farm.piw(&["skip-build", "one"]);
    let build = farm.wait_for_state("endless", &abi, "failed");
    assert_eq!(build["outcome"], "cancelled");
    let log = farm.build_log(&build);
    assert!(log.contains("endless==1.0"), "{log}");
    assert!(log.contains("piw-slave: cancelled after"), "{log}");
    farm.wait_for_state("next", &abi, "built");
    assert!(slave.log().contains("the master cancels build"));
    wait_for(&farm, "one", "asleep");
    refused(&farm, &["skip-build", "one"], 1, &["slave 1 builds nothing"]);
    // it is not tried again until somebody asks for it
    farm.open(&gate);
    farm.piw(&["add", "endless"]);
    farm.wait_for_state("endless", &abi, "built");
    farm.crawl();
    farm.audit();
}

#[test]
fn a_slave_that_is_killed_now_gives_its_job_back_and_one_when_idle_delivers() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("slow", "1.0").behind(&gate));
    let mut first = farm.start_slave("first");
    farm.piw(&["add", "slow"]);
    farm.wait_for_state("slow", &abi, "building");
    farm.piw(&["kill", "first", "--now"]);
    assert_eq!(first.wait(), 0, "{}", farm.logs());
    farm.wait_for_state("slow", &abi, "queued");
    let mut second = farm.start_slave("second");
    farm.wait_for_state("slow", &abi, "building");
    farm.piw(&["kill", "--all"]);
    assert_eq!(wait_for(&farm, "second", "building")["kill_pending"], true);
    assert!(second.is_running());
    farm.open(&gate);
    assert_eq!(second.wait(), 0, "{}", farm.logs());
    farm.wait_for_state("slow", &abi, "built");
    farm.crawl();
    farm.audit();
}

#[test]
fn one_slave_sleeps_while_another_works() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    for name in ["a", "b"] {
        farm.index.offer(&Recipe::native(name, "1.0"));
    }
    let _lazy = farm.start_slave("lazy");
    wait_for(&farm, "lazy", "asleep");
    farm.piw(&["sleep", "lazy"]);
    let mut busy = farm.start_slave("busy");
    wait_for(&farm, "busy", "asleep");
    farm.piw(&["add", "a"]);
    let built = farm.wait_for_state("a", &abi, "built");
    assert_eq!(built["slave"], "busy");
    farm.piw(&["kill", "busy"]);
    assert_eq!(busy.wait(), 0);
    farm.piw(&["add", "b"]);
    assert_eq!(farm.why("b", &abi).unwrap()["state"], "queued", "who is asleep is asleep");
    farm.piw(&["wake", "--all"]);
    assert_eq!(farm.wait_for_state("b", &abi, "built")["slave"], "lazy");
}

#[test]
fn quit_drains_and_quit_now_does_not() {
    let abi = abi_of(&python());
    let mut farm = Farm::start(&[&abi], &[]);
    let gate = farm.gate("go");
    farm.index.offer(&Recipe::native("last", "1.0").behind(&gate));
    farm.index.offer(&Recipe::native("never", "1.0").behind(&farm.gate("never")));
    let mut builder = farm.start_slave("builder");
    farm.piw(&["add", "last"]);
    farm.wait_for_state("last", &abi, "building");
    let mut sleeper = farm.start_slave("sleeper");
    wait_for(&farm, "sleeper", "asleep");
    assert!(farm.piw(&["quit"]).contains("2 slaves"));
    assert_eq!(sleeper.wait(), 0, "it is told at once");
    assert_eq!(mode(&farm), "draining", "it can be watched to its end");
    refused(&farm, &["resume"], 1, &["the master stops"]);
    let mut master = farm.master.take().unwrap();
    assert!(master.is_running(), "it waits for the builder");
    farm.open(&gate);
    assert_eq!(master.wait(), 0, "{}", farm.logs());
    assert_eq!(builder.wait(), 0, "{}", farm.logs());
    for queue in ["import", "status", "control"] {
        assert!(!farm.path("run").join(queue).exists(), "{queue}");
    }
    refused(&farm, &["pause"], 1, &["no master at ipc://", "--control-queue"]);
    refused(&farm, &["slaves"], 1, &["no master at ipc://", "--status-queue"]);

    farm.start_master();
    let mut builder = farm.start_slave("builder");
    farm.piw(&["add", "never"]);
    farm.wait_for_state("never", &abi, "building");
    farm.piw(&["quit", "--now"]);
    assert_eq!(farm.master.take().unwrap().wait(), 0, "{}", farm.logs());
    assert_eq!(builder.wait(), 0, "{}", farm.logs());
    assert_eq!(farm.count("SELECT count(*) FROM piw.queue"), 1, "the job is queued again");
    farm.audit();
}

#[test]
fn slaves_are_shown_as_they_are_and_named_by_number_or_label() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi, "cp311"], &[]);
    let _real = farm.start_slave("real");
    let shown = wait_for(&farm, "real", "asleep");
    assert_eq!((shown["abi"].as_str(), shown["id"].as_u64()), (Some(&*abi), Some(1)));
    // its first BUSY comes after 5 s
    let vitals = until(
        "vitals",
        || farm.logs(),
        || slaves(&farm).into_iter().find(|slave| slave["vitals"].is_object()),
    );
    assert!(vitals["vitals"]["memory_total"].as_u64().unwrap() > 0, "{vitals}");
    assert!(vitals["clock_offset_ms"].as_i64().unwrap().abs() < 5000, "{vitals}");
    let _twins = [idle(&farm, "twin"), idle(&farm, "twin")];
    let table = farm.piw(&["slaves"]);
    assert!(table.starts_with("running, started ") && table.lines().count() == 5, "{table}");
    refused(&farm, &["sleep", "twin"], 1, &["2 slaves are called twin", "2, 3"]);
    refused(&farm, &["kill", "nobody"], 1, &["no slave nobody is connected"]);
    refused(&farm, &["kill"], 2, &["required"]);
    refused(&farm, &["wake", "real", "--all"], 2, &["cannot be used with"]);
    assert!(farm.piw(&["sleep", "3"]).contains("1 slave"));
    assert_eq!(slaves(&farm)[2]["resting"], true);
    refused(&farm, &["--control-queue", "tcp://127.0.0.1:1", "pause"], 2, &["must be ipc://"]);
}

/// A monitor's end of the status channel, raw.
fn monitor(farm: &Farm) -> UnixStream {
    let mut stream = UnixStream::connect(farm.path("run/status")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&Preamble { channel: Channel::Status }.encode()).unwrap();
    stream
}

#[test]
fn monitors_that_do_not_read_or_do_not_behave_harm_nobody() {
    let abi = abi_of(&python());
    let farm = Farm::start(&[&abi], &[]);
    farm.index.offer(&Recipe::native("fine", "1.0"));
    let mut hello = BytesMut::new();
    FromMonitor::Hello {}.encode(&mut hello);
    let mut deaf = monitor(&farm);
    deaf.write_all(&hello).unwrap();
    let mut odd = monitor(&farm);
    odd.write_all(&hello).unwrap();
    odd.write_all(&hello).unwrap();
    let mut rest = Vec::new();
    odd.read_to_end(&mut rest).unwrap();
    farm.master().wait_for_line(0, &["dropped: a second HELLO"]);
    let mut crowd: Vec<_> = (0..15).map(|_| monitor(&farm)).collect();
    crowd.iter_mut().for_each(|monitor| monitor.write_all(&hello).unwrap());
    refused_for_the_crowd(&farm);
    drop(crowd);
    let _slave = farm.start_slave("one");
    farm.piw(&["add", "fine"]);
    farm.wait_for_state("fine", &abi, "built");
    wait_for(&farm, "one", "asleep");
    drop(deaf);
}

fn refused_for_the_crowd(farm: &Farm) {
    until(
        "refusal of one too many",
        || farm.logs(),
        || {
            let output = farm.piw_command(&["slaves"]).output().unwrap();
            (output.status.code() == Some(1) && text(&output).contains("closed the connection")).then_some(())
        },
    );
    farm.master().wait_for_line(0, &["16 monitors are connected already"]);
}

#[test]
fn another_user_may_neither_watch_nor_command() {
    if account::ordinary().is_none() {
        eprintln!("skipped: only root can run programs as another user");
        return;
    }
    let farm = Farm::start(&[], &[]);
    let piw = account::runnable(env!("CARGO_BIN_EXE_piw"), &farm.path("bin"));
    for (verb, queue) in [("pause", "control"), ("slaves", "status")] {
        let address = format!("ipc://{}", farm.path("run").join(queue).display());
        let asked = || {
            let mut command = Command::new(&piw);
            // any user that is neither root nor the farm's
            command.current_dir("/").uid(2).gid(2).arg(format!("--{queue}-queue")).arg(&address).arg(verb);
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{}", text(&output));
            text(&output)
        };
        let said = asked();
        assert!(said.contains("is not for this account"), "{said}");
        // a socket that somebody opened to all is no way in either
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(farm.path("run").join(queue), open).unwrap();
        let said = asked();
        assert!(said.contains("served by user") || said.contains("closed the connection"), "{said}");
    }
    assert_eq!(mode(&farm), "running");
}
